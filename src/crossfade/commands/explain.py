"""`crossfade explain run=FOLDER [samples=8] [ids=…] [target=…] [method=integrated_gradients]`."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.commands.arguments import choice, given_run, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError
from crossfade.results.explained import METHODS, not_installed

REQUIRED = {"run": "logs/runs/…"}
OPTIONAL = {"samples": "8", "ids": "", "target": "", "method": "integrated_gradients"}
HELP = {
    "run": "the run's folder",
    "samples": "so many, the first of the test split",
    "ids": "or these, of any split: ids=P003,P017",
    "target": "what is explained; by itself the first of which there is a number",
    "method": "integrated_gradients (needs captum), or rollout: attention, where the encoders have it",
}
MOST = 256


def main(arguments: Sequence[str]) -> None:
    """Show where a run's model looks: heat over images, words, columns and time, in the run's folder and its page."""
    if wants_help(arguments):
        show_usage("explain", "Show where a run's model looks.", REQUIRED, OPTIONAL, HELP)
        return
    given = read_arguments("explain", arguments, REQUIRED, OPTIONAL)
    problems = choice("method", given["method"], list(METHODS))
    problems += not_installed(given["method"])
    samples = int(given["samples"]) if given["samples"].isdigit() else 0
    if not 1 <= samples <= MOST:
        problems.append(f"samples={given['samples']}: must be a whole number from 1 to {MOST}.")
    ids = [one.strip() for one in given["ids"].strip("[]").split(",") if one.strip()]
    if len(ids) > MOST:
        problems.append(f"ids: {len(ids)} samples at once, at most {MOST} are allowed. Give fewer.")
    folder = given_run(given["run"], problems)
    if problems:
        raise UserError(*problems)

    from crossfade.explanation.explain import explain

    explain(folder, samples, ids, given["target"] or None, given["method"])
