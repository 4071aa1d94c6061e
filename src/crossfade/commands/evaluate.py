"""`crossfade evaluate run=FOLDER [checkpoint=best|last] [split=test]`."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.commands.arguments import choice, given_run, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError

REQUIRED = {"run": "logs/runs/…"}
OPTIONAL = {"checkpoint": "best", "split": "test"}
HELP = {
    "run": "the run's folder",
    "checkpoint": "best (on the validation split) or last",
    "split": "train, val or test",
}


def main(arguments: Sequence[str]) -> None:
    """Rebuild a run from its folder alone and score it on a split."""
    if wants_help(arguments):
        show_usage("evaluate", "Rebuild a run from its folder alone and score it.", REQUIRED, OPTIONAL, HELP)
        return
    given = read_arguments("evaluate", arguments, REQUIRED, OPTIONAL)
    problems = choice("checkpoint", given["checkpoint"], ["best", "last"])
    problems += choice("split", given["split"], ["train", "val", "test"])
    folder = given_run(given["run"], problems)
    if problems:
        raise UserError(*problems)

    from crossfade.evaluation.evaluate import evaluate

    evaluate(folder, given["checkpoint"], given["split"])
