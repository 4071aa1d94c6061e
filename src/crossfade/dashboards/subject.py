"""What a dashboard is about: which runs, their targets, metrics, modalities and strategies."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crossfade.config import RunConfig, compose
from crossfade.errors import UserError
from crossfade.registry import part_name
from crossfade.results.rows import mains
from crossfade.runs import RunFolder
from crossfade.sweeps.ledger import Entry, Ledger


@dataclass(frozen=True)
class Subject:
    """The runs of one sweep, or of a whole project where `group` is None.

    `strategies` says of each whether it uses α; it is empty where they are not known beforehand. `mains` holds each
    target's main metric as "<target>/<metric>". `command` starts the sweep again.
    """

    title: str
    project: str
    entity: str | None
    group: str | None
    mains: list[str]
    modalities: list[str]
    strategies: dict[str, bool] = field(default_factory=dict)
    command: str | None = None


def of_sweep(folder: Path, project: str | None, entity: str | None) -> Subject:
    """The sweep in `folder`. Raises UserError where it is no sweep, has no job yet, or was run without W&B."""
    ledger = Ledger.open(folder)
    configs = _config_of_each_strategy(ledger.entries(), folder)
    if not configs:
        raise UserError(f"sweep={folder}: none of its jobs has begun, so there is nothing to show yet.")
    first = configs[0]
    logger = first.logger.get("wandb")
    if logger is None and project is None:
        raise UserError(
            f"sweep={folder} was run without logger=wandb: W&B has none of its runs. Run it with logger=wandb; or, if "
            "they were sent there in another way, name their project: project=…."
        )
    found = logger or {}
    return Subject(
        title=f"Crossfade: {folder.resolve().name}",
        project=project or found["project"],
        entity=entity or found.get("entity"),
        group=first.group or folder.resolve().name,
        mains=[main for _, main, _ in mains(first)],
        modalities=sorted({name for config in configs for name in config.task.modalities}),
        strategies={_word(config): "alpha" in config.fusion for config in configs},
        command=f"crossfade train -m {shlex.join(ledger.about['command'])}",
    )


def of_project(project: str, entity: str | None, task: str) -> Subject:
    """All runs of a project; their targets and modalities are those of `task`. Raises UserError for an unknown task."""
    config = compose(f"task={task}")
    return Subject(
        title=f"Crossfade: {project}",
        project=project,
        entity=entity,
        group=None,
        mains=[main for _, main, _ in mains(config)],
        modalities=sorted(config.task.modalities),
    )


def _config_of_each_strategy(entries: Sequence[Entry], place: Path) -> list[RunConfig]:
    """Of each choice of a strategy the config of its first job that has begun: reading all would take minutes."""
    found: dict[str, RunConfig] = {}
    for entry in entries:
        choice = next((text for text in entry.overrides if text.startswith("fusion=")), "")
        run = RunFolder(place / entry.name)
        if choice not in found and run.config_file.exists():
            found[choice] = run.run_config()
    return list(found.values())


def _word(config: RunConfig) -> str:
    """The strategy as W&B has it in the runs' config."""
    return part_name("fusion", config.fusion["_target_"])
