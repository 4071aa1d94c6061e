"""Crossfade's launchers as Hydra knows them; what they do stands in crossfade.sweeps.launchers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from crossfade.config import RunConfig


class OwnLauncher(Launcher):
    """Takes its jobs from Crossfade's sweeper, as checked configs, and not from Hydra, as settings."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        pass

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        raise RuntimeError("hydra/launcher=local works with hydra/sweeper=crossfade, the default.")

    def own(self, config: RunConfig) -> Any:
        """The launcher itself, for a sweep of jobs like this one."""
        raise NotImplementedError


class LocalLauncher(OwnLauncher):
    """Several jobs at a time on this machine, each in a process of its own."""

    def __init__(self, workers: int | str, threads: int | str) -> None:
        self.workers, self.threads = (None if value == "auto" else value for value in (workers, threads))

    def own(self, config: RunConfig) -> Any:
        from crossfade.errors import UserError
        from crossfade.sweeps.launchers.local import LocalProcesses, cores_here, gpus_here, shares

        given = {"workers": self.workers, "threads": self.threads}
        problems = [
            f"hydra.launcher.{key}={value}: must be a whole number from 1 on, or auto."
            for key, value in given.items()
            if value is not None and not (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
        ]
        if problems:
            raise UserError(*problems)
        found = shares(self.workers, self.threads, config, cores_here(), gpus_here())  # type: ignore[arg-type]
        return LocalProcesses(found)


class VectorizedLauncher(LocalLauncher):
    """Jobs that differ only in numbers trained as one stack here; the others as the local launcher does."""

    def own(self, config: RunConfig) -> Any:
        from crossfade.sweeps.launchers.vectorized import Vectorized

        return Vectorized(super().own(config))


# plain nodes: Hydra loads plugins in a way that dataclasses with postponed annotations do not survive
for _name, _launcher in (("local", "LocalLauncher"), ("vectorized", "VectorizedLauncher")):
    ConfigStore.instance().store(
        group="hydra/launcher",
        name=_name,
        node={
            "_target_": f"hydra_plugins.crossfade_launchers.launchers.{_launcher}",
            "workers": "auto",  # jobs at a time; auto: one a core, or one for each set of GPUs that a job asks for
            "threads": "auto",  # of each worker; auto: the cores shared out
        },
        provider="crossfade",
    )
