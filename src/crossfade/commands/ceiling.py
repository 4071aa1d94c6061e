"""`crossfade ceiling run=FOLDER [patterns=single_losses|singles|all|[[ct,note],[mri]]]`."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from crossfade.commands.arguments import choice, given_run, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError

WORDS = ("single_losses", "singles", "all")
REQUIRED = {"run": "logs/runs/…"}
OPTIONAL = {"patterns": "single_losses"}
HELP = {
    "run": "the run's folder",
    "patterns": "single_losses (each modality left out), singles (each alone), all, or lists: [[ct,note],[mri]]",
}


def main(arguments: Sequence[str]) -> None:
    """Train the run's settings on just the modalities of some presence patterns, and compare."""
    if wants_help(arguments):
        text = (
            "Train a run's settings on just some of its modalities: the upper bound of what it does without the rest."
        )
        show_usage("ceiling", text, REQUIRED, OPTIONAL, HELP)
        return
    given = read_arguments("ceiling", arguments, REQUIRED, OPTIONAL)
    problems: list[str] = []
    patterns = _patterns(given["patterns"], problems)
    folder = given_run(given["run"], problems)
    if problems:
        raise UserError(*problems)

    from crossfade.ceilings import train_ceilings

    train_ceilings(folder, patterns)


def _patterns(text: str, problems: list[str]) -> str | list[list[str]]:
    """One of the words, or lists of names; where it is neither, what is wrong is added to `problems`."""
    if not text.startswith("["):
        problems += [
            f"{problem} Or give lists: patterns=[[ct,note],[mri]]" for problem in choice("patterns", text, WORDS)
        ]
        return text
    try:
        lists = yaml.safe_load(text)
    except yaml.YAMLError:
        lists = None
    if not isinstance(lists, list) or not lists or not all(isinstance(names, list) for names in lists):
        problems.append(f"patterns={text}: must be a list of lists of modalities, such as [[ct,note],[mri]].")
        return text
    return [[str(name) for name in names] for names in lists]
