"""Hydra's basic sweeper, handing its list of jobs to crossfade.sweeps: check all, run the distinct ones, one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf, open_dict, read_write

if TYPE_CHECKING:
    from crossfade.config import RunConfig
    from crossfade.sweeps.course import Launcher

# a plain node: Hydra loads plugins in a way that dataclasses with postponed annotations do not survive
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="crossfade",
    node={
        "_target_": "hydra_plugins.crossfade_sweeper.sweeper.CrossfadeSweeper",
        "max_batch_size": None,
        "params": None,
    },
    provider="crossfade",
)


class CrossfadeSweeper(BasicSweeper):
    """Jobs as BasicSweeper lists them; what is done with them stands in crossfade.sweeps.multirun."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep of a command line. Exits with 2 where a setting is wrong, with 1 where a job failed."""
        from crossfade.sweeps.multirun import sweep

        assert self.hydra_context is not None
        assert self.config is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        given = [text for text in self.config.hydra.overrides.hydra if text.startswith("hydra.sweep.dir=")]
        folder = self.config.hydra.sweep.dir if given else None
        of_hydra = [text for text in self.config.hydra.overrides.hydra if text != "hydra.mode=MULTIRUN"]  # -m says so
        command = [*of_hydra, *arguments]
        own = [override for override in overrides if override.key_or_group.split(".")[0] == "search"]
        part = self._compose([str(override.input_line) for override in own]).get("search") if own else None
        if part:
            from crossfade.search import search

            others = [override for override in overrides if override not in own]
            plain = OmegaConf.to_container(part)
            search(others, plain, folder, self._compose, self._launcher, command)  # type: ignore[arg-type]
            return
        (jobs,) = self.split_arguments(overrides, None)
        sweep([list(job) for job in jobs], folder, self._compose, self._launcher, command)

    def _launcher(self, config: RunConfig) -> Launcher:
        """Crossfade's own launchers take checked configs, Hydra's plugins take settings."""
        from crossfade.sweeps.launchers.in_process import in_process
        from crossfade.sweeps.launchers.of_hydra import OfHydra

        if isinstance(self.launcher, BasicLauncher):
            return in_process
        # not by its class: Hydra runs the modules of its plugins twice, and has two of each
        own = getattr(self.launcher, "own", None)
        if own is not None:
            found: Launcher = own(config)
            return found
        name = f"{type(self.launcher).__module__}.{type(self.launcher).__name__}"
        return OfHydra(self._launch, all_here="submitit" in name and "Local" in name)

    def _compose(self, job: Sequence[str]) -> Any:
        assert self.hydra_context is not None
        assert self.config is not None
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(job))
        with read_write(config), open_dict(config):
            del config["hydra"]
        return config

    def _launch(self, jobs: Sequence[Sequence[str]], folder: str) -> Sequence[JobReturn]:
        assert self.launcher is not None
        assert self.config is not None
        with read_write(self.config):  # the launcher makes this folder, and holds the same config
            self.config.hydra.sweep.dir = folder
        return self.launcher.launch(jobs, initial_job_idx=0)
