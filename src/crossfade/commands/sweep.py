"""`crossfade sweep resume|status FOLDER`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError, did_you_mean

ACTIONS = {"resume": "go on with it: its command again, in its folder", "status": "what has become of its jobs"}
SETTINGS = ("retry", "fail_fast", "hydra/launcher", "hydra.launcher.workers", "hydra.launcher.threads")


def main(arguments: Sequence[str]) -> None:
    """Go on with a sweep that was stopped, or print what there is of it."""
    if wants_help(arguments) or not arguments:
        text = "Go on with a sweep, or see how far it is. A sweep is started by: crossfade train -m …"
        show_usage("sweep", text, {}, {}, {}, "resume|status FOLDER [retry=true] [hydra/launcher=local] …")
        return
    action, *rest = arguments
    settings = [text for text in rest if "=" in text and not Path(text).exists()]
    folders = [text for text in rest if text not in settings]
    problems = []
    if action not in ACTIONS:
        problems.append(f"sweep {action}: must be one of {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}")
    for text in settings:
        key = text.partition("=")[0]
        if action == "status" or key not in SETTINGS:
            problems.append(f"{text}: the jobs of a sweep are fixed; what can be set is {', '.join(SETTINGS)}.")
    if len(folders) != 1:
        problems.append(f"Give one sweep folder: crossfade sweep {action} logs/sweeps/…")
    if problems:
        raise UserError(*problems)
    folder = Path(folders[0]).expanduser()

    from crossfade.sweeps.ledger import Ledger

    ledger = Ledger.open(folder)
    if action == "status":
        _status(ledger)
    else:
        _resume(ledger, settings)


def _status(ledger: object) -> None:
    from crossfade.sweeps.ledger import Ledger
    from crossfade.sweeps.table import Outcome, show_table

    assert isinstance(ledger, Ledger)
    ledger.reconcile()
    show_table([Outcome.of_entry(entry, ledger.folder) for entry in ledger.entries()], ledger.folder)


def _resume(ledger: object, settings: Sequence[str]) -> None:
    """The commands of the sweep once more: jobs that are finished are not run again."""
    from crossfade.commands.train import through_hydra, train
    from crossfade.config.overrides import quoted
    from crossfade.sweeps.ledger import Ledger

    assert isinstance(ledger, Ledger)
    directory = ledger.about["directory"]
    folder = ledger.folder.resolve()
    if not Path(directory).is_dir():
        raise UserError(f"{ledger.folder} was started in {directory}, which is not there any more.")
    os.chdir(directory)  # its settings may hold paths that start there
    keys = {text.partition("=")[0] for text in settings}
    if "hydra/launcher" in keys:
        keys |= {"hydra.launcher.workers", "hydra.launcher.threads"}  # of another launcher
    given = [text if text.startswith("hydra") else f"++{text}" for text in settings]
    worst = 0
    for command in ledger.commands():
        kept = [t for t in command if t.lstrip("+").partition("=")[0] not in (*keys, "hydra.sweep.dir")]
        sys.argv = [sys.argv[0]]
        again = [*kept, *given, f"hydra.sweep.dir={quoted(_seen_from_here(folder))}"]
        try:
            through_hydra(train, ["-m", *again])
        except SystemExit as end:
            if end.code != 1 or "++fail_fast=true" in again:  # Ctrl-C, or a mistake
                raise
            worst = 1
    if worst:
        raise SystemExit(worst)


def _seen_from_here(folder: Path) -> Path:
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
