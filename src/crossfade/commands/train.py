"""`crossfade train`: check the settings, make the run folder, and hand over to Hydra."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import crossfade
from crossfade.commands.flags import read_flags
from crossfade.commands.help import show_train, wants_help
from crossfade.errors import UserError, show_problems
from crossfade.registry import ROOT_CONFIG, conf_folder, part_name
from crossfade.screen import output_to

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from crossfade.config import RunConfig

RUNS = Path("logs/runs")


def main(arguments: Sequence[str]) -> None:
    """Train one run or a sweep; raises UserError with all that is wrong with the settings, before any training."""
    if wants_help(arguments):
        show_train()
        return
    flags, settings = read_flags(arguments)
    if "--version" in flags:
        print(f"crossfade {crossfade.__version__}")
    elif flags.asks:
        through_hydra(_nothing, [*flags, *_passed(settings)] if settings else flags)
    elif resumed := [text for text in settings if _value_of("resume", text) not in (None, "null")]:
        _resume(resumed[0], settings, flags.many)
    elif flags.many or _searches(settings):
        _sweep(flags if flags.many else [*flags, "-m"], settings)
    else:
        _single(settings)


def through_hydra(job: Callable[[DictConfig], Any], arguments: Sequence[str]) -> None:
    """Run `job` under @hydra.main with these command line arguments."""
    import hydra

    sys.argv = [sys.argv[0], *arguments]
    hydra.main(config_path=str(conf_folder()), config_name=ROOT_CONFIG, version_base="1.3")(job)()


def run_name(config: RunConfig) -> str:
    """What a run folder is called after its date: the run's name, or its task and fusion."""
    if config.name is not None:
        return config.name
    return f"{config.task.name}_{part_name('fusion', config.fusion['_target_'])}"


def train(config: DictConfig) -> dict[str, Any]:
    """The job that Hydra runs: one training in the folder that it was given."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from crossfade.config.compose import to_plain
    from crossfade.config.overrides import plain, quoted
    from crossfade.sweeps.distinct import without_idle_alpha

    hydra = HydraConfig.get()
    texts = list(hydra.overrides.task)
    raw = to_plain(config, texts)
    in_sweep = hydra.mode is RunMode.MULTIRUN
    if in_sweep:
        raw = without_idle_alpha(raw)
    folder = Path(hydra.runtime.output_dir)
    # what the sweep itself has set is no setting of the user's
    own = ("singles_cache=", "hydra.", *([f"group={quoted(Path(folder.parent.name))}"] if in_sweep else []))
    given = [plain(text) for text in texts if not plain(text).startswith(own)]
    return _experiment(raw, folder, given, in_sweep)


def _experiment(raw: dict[str, Any], folder: Path, given: list[str], in_sweep: bool) -> dict[str, Any]:
    from crossfade.config import check

    try:
        checked = check(raw)
        from crossfade import experiment

        if not in_sweep:
            return experiment.run(checked, _seen_from_here(folder), given)
        with output_to(folder / "output.log"):
            return experiment.run(checked, folder, given)
    except UserError as error:
        if in_sweep:
            raise  # the sweep's next job runs all the same, and the sweep says what was wrong
        show_problems(error)
        raise SystemExit(error.code) from error  # Hydra would print a stack trace


def _value_of(key: str, text: str) -> str | None:
    name, _, value = text.lstrip("+").partition("=")
    return value if name == key else None


def _searches(settings: Sequence[str]) -> bool:
    from crossfade.config.overrides import chosen_search

    return chosen_search(settings) is not None


def _seen_from_here(folder: Path) -> Path:
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _single(settings: Sequence[str]) -> None:
    from crossfade.config.compose import checked
    from crossfade.config.overrides import quoted

    config, passed = checked(settings)
    from crossfade.runs import new_folder, usable

    given = [value for text in passed if (value := _value_of("hydra.run.dir", text))]
    if given:
        usable(Path(given[-1].strip("'\"")))
    else:
        folder = new_folder(RUNS, run_name(config)).path
        passed = [*passed, f"hydra.run.dir={quoted(folder)}"]
    through_hydra(train, passed)


def _sweep(flags: Sequence[str], settings: Sequence[str]) -> None:
    from crossfade.config.compose import checked_sweep

    through_hydra(train, [*flags, *checked_sweep(settings)])


def _passed(settings: Sequence[str]) -> list[str]:
    from crossfade.config.overrides import read_settings

    read = read_settings(settings)
    if read.problems:
        raise UserError(*read.problems)
    return read.hydra


def _resume(text: str, settings: Sequence[str], many: bool) -> None:
    from crossfade.runs import RunFolder
    from crossfade.runs.find import checked

    others = [other for other in settings if other != text]
    if others or many:
        also = ", ".join([*(["-m"] if many else []), *others])
        raise UserError(
            f"{text}: a run goes on with its own config, so nothing else can be set; here {also}. "
            "Leave it out, or start a new run."
        )
    given = text.partition("=")[2].strip("'\"")
    if not given:
        raise UserError("resume=: say which run is to go on: resume=logs/runs/….")
    try:
        folder = checked(Path(given).expanduser())
    except UserError as error:
        raise UserError(*(f"resume={given}: {problem}" for problem in error.problems)) from error
    config = RunFolder(folder).run_config().model_copy(update={"resume": os.fspath(folder)})
    if RunFolder(folder).is_finished():
        print(f"{folder} is finished. To score it again: crossfade evaluate run={folder}")
        return

    from crossfade import experiment

    experiment.run(config, folder, [text])


def _nothing(config: DictConfig) -> None:
    """Hydra answers a question about the config and runs no job."""
