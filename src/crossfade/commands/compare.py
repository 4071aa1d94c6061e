"""`crossfade compare FOLDER FOLDER … [metric=NAME] [figure=FILE]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError, did_you_mean

HELP = {
    "metric": "another than the first target's main one; of another target as TARGET/NAME",
    "figure": "where to draw the critical-difference diagram: a .png, .svg or .pdf",
}
KINDS = (".png", ".svg", ".pdf")


def main(arguments: Sequence[str]) -> None:
    """Compare runs, cross-validations or sweeps: a table, and a sentence about every difference."""
    if wants_help(arguments):
        text = "Compare runs, cross-validations or whole sweeps: which is best, and what cannot be told from it."
        show_usage("compare", text, {}, {"metric": "NAME", "figure": "FILE"}, HELP, "FOLDER FOLDER … ")
        return
    named = [argument for argument in arguments if "=" in argument and not Path(argument).exists()]
    folders = [Path(argument).expanduser() for argument in arguments if argument not in named]
    problems = []
    given: dict[str, str] = {}
    for argument in named:
        key, _, value = argument.partition("=")
        if key not in HELP:
            problems.append(
                f"{argument}: there is no such folder or setting.{did_you_mean(key, HELP)} The settings are "
                "metric=NAME and figure=FILE."
            )
        elif not value or key in given:
            problems.append(f"{argument}: give {key} once, with a value.")
        given[key] = value
    if not folders:
        problems.append("No run is given. Usage: crossfade compare FOLDER FOLDER … [metric=NAME] [figure=FILE]")
    problems += [f"{folder}: there is no such folder." for folder in folders if not folder.is_dir()]
    figure = Path(given["figure"]).expanduser() if given.get("figure") else None
    if figure is not None and figure.suffix.lower() not in KINDS:
        problems.append(f"figure={figure}: give a name that ends with {', '.join(KINDS)}.")
    if problems:
        raise UserError(*problems)

    from crossfade.compare import compare

    compare(folders, given.get("metric"), figure)
