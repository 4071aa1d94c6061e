"""`crossfade audit [STRATEGY | package.module.Class | FILE.py:Class | run=FOLDER] [imputation=NAME] [key=value …]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from crossfade.commands.arguments import run_folder
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import Failure, UserError, did_you_mean
from crossfade.registry import groups

HELP = {
    "run": "a trained run, audited on its own test samples",
    "imputation": "what absent modalities are imputed with, such as mean",
    "key": "fields of a strategy, arguments of a class of your own: rank=4",
}
FIRST = "[STRATEGY | package.module.Class | FILE.py:Class] "


def main(arguments: Sequence[str]) -> None:
    """Check the properties that a fusion must have; exit with 1 where one fails."""
    if wants_help(arguments):
        text = (
            "Check the properties that a fusion must have: of a strategy, of a class of your own, of a run; or of all."
        )
        show_usage("audit", text, {}, {"run": "FOLDER", "imputation": "none", "key": "value"}, HELP, FIRST)
        return
    names = [a for a in arguments if "=" not in a or Path(a).is_dir()]
    given = _fields([a for a in arguments if a not in names])
    run, imputation = given.pop("run", None), given.pop("imputation", None)
    if run is None and len(names) == 1 and names[0] not in groups()["fusion"] and Path(names[0]).is_dir():
        run = names.pop()
    _check(names, given, run, imputation)
    imputation = imputation or "none"

    from crossfade.audit.find import find_strategy
    from crossfade.audit.report import audit, show
    from crossfade.audit.subject import of_class, of_option, of_run

    if run is not None:
        subjects = [of_run(run_folder(str(run)))]
    elif not names:
        subjects = [of_option(option, imputation=imputation) for option in groups()["fusion"]]
    elif "." in names[0]:
        found = find_strategy(names[0])
        subjects = [of_class(found.__name__, found, given, imputation)]
    else:
        subjects = [of_option(names[0], given, imputation)]
    if not show({subject.name: audit(subject) for subject in subjects}):
        raise Failure("The audit found faults: see above.")


def _fields(arguments: Sequence[str]) -> dict[str, Any]:
    """The values of key=value, read as YAML."""
    given: dict[str, Any] = {}
    problems = []
    for argument in arguments:
        key, _, text = argument.partition("=")
        if not text or key in given:
            problems.append(f"{argument}: give {key} once, with a value.")
        try:
            given[key] = text if key == "run" else yaml.safe_load(text)
        except yaml.YAMLError:
            problems.append(f"{argument}: the value is not readable as YAML.")
    if problems:
        raise UserError(*problems)
    return given


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
                "own is given as package.module.Class or FILE.py:Class."
            )
    methods = groups()["imputation"]
    if imputation is not None and run is not None:
        problems.append(f"imputation={imputation}: a run has its own. Leave it out.")
    elif imputation is not None and imputation not in methods:
        hint = did_you_mean(str(imputation), methods)
        problems.append(f"imputation={imputation}: there is no such one.{hint} There are {', '.join(methods)}.")
    if fields and not names:
        problems.append(f"{', '.join(fields)}: arguments go with one strategy, or a class of your own.")
    if problems:
        raise UserError(*problems)
