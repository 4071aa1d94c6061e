"""`crossfade compare FOLDER FOLDER … [metric=NAME]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError

HELP = {"metric": "another than the first target's main one"}


def main(arguments: Sequence[str]) -> None:
    """Compare runs, cross-validations or sweeps: a table, and a sentence about every difference."""
    if wants_help(arguments):
        text = "Compare runs, cross-validations or whole sweeps: which is best, and what cannot be told from it."
        show_usage("compare", text, {}, {"metric": "NAME"}, HELP, "FOLDER FOLDER … ")
        return
    named = [argument for argument in arguments if "=" in argument and not Path(argument).exists()]
    folders = [Path(argument).expanduser() for argument in arguments if argument not in named]
    problems = [
        f"{argument}: the only setting is metric=NAME." for argument in named if not argument.startswith("metric=")
    ]
    if not folders:
        problems.append("No run is given. Usage: crossfade compare FOLDER FOLDER … [metric=NAME]")
    problems += [f"{folder}: there is no such folder." for folder in folders if not folder.is_dir()]
    if problems:
        raise UserError(*problems)

    from crossfade.compare import compare

    metric = next((argument.partition("=")[2] for argument in named), None)
    compare(folders, metric)
