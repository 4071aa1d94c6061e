"""`crossfade audit [STRATEGY | package.module.Class | run=FOLDER] [imputation=NAME] [key=value …]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from crossfade.commands.arguments import run_folder
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import Failure, UserError, did_you_mean
from crossfade.registry import groups

HELP = {
    "run": "a trained run, audited on its own test samples",
    "imputation": "what absent modalities are imputed with, such as mean",
    "key": "arguments of a class of your own: rank=4",
}
FIRST = "[STRATEGY | package.module.Class] "


def main(arguments: Sequence[str]) -> None:
    """Check the properties that a fusion must have; exit with 1 where one fails."""
    if wants_help(arguments):
        text = (
            "Check the properties that a fusion must have: of a strategy, of a class of your own, of a run; or of all."
        )
        show_usage("audit", text, {}, {"run": "FOLDER", "imputation": "none", "key": "value"}, HELP, FIRST)
        return
    names = [a for a in arguments if "=" not in a]
    fields = {key: yaml.safe_load(value) for key, _, value in (a.partition("=") for a in arguments if "=" in a)}
    run, imputation = fields.pop("run", None), fields.pop("imputation", None)
    _check(names, fields, run, imputation)
    imputation = imputation or "none"

    from crossfade.audit.report import audit, show
    from crossfade.audit.subject import of_option, of_path, of_run

    if run is not None:
        subjects = [of_run(run_folder(str(run)))]
    elif names:
        own = "." in names[0]
        subjects = [of_path(names[0], fields, imputation) if own else of_option(names[0], imputation)]
    else:
        subjects = [of_option(option, imputation) for option in groups()["fusion"]]
    if not show({subject.name: audit(subject) for subject in subjects}):
        raise Failure("The audit found faults: see above.")


def _check(names: list[str], fields: dict[str, Any], run: Any, imputation: Any) -> None:
    """Raises UserError with all that is wrong with what is asked for."""
    problems = []
    if len(names) + (run is not None) > 1:
        problems.append(
            f"{', '.join(names)}{' and a run' if run is not None else ''}: audit one, or all with none given."
        )
    known = groups()["fusion"]
    for name in names:
        if "." not in name and name not in known:
            problems.append(
                f"{name}: no such strategy.{did_you_mean(name, known)} There are {', '.join(known)}; a class of your "
                "own is given as package.module.Class."
            )
    methods = groups()["imputation"]
    if imputation is not None and run is not None:
        problems.append(f"imputation={imputation}: a run has its own. Leave it out.")
    elif imputation is not None and imputation not in methods:
        hint = did_you_mean(str(imputation), methods)
        problems.append(f"imputation={imputation}: there is no such one.{hint} There are {', '.join(methods)}.")
    if fields and not any("." in name for name in names):
        given = ", ".join(fields)
        problems.append(f"{given}: arguments go with a class of your own, package.module.Class.")
    if problems:
        raise UserError(*problems)
