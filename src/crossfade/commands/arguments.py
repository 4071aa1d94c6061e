"""`key=value` arguments of the commands that take a few fixed keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossfade.errors import UserError, did_you_mean


def read_arguments(
    command: str, arguments: Sequence[str], required: Mapping[str, str], optional: Mapping[str, str]
) -> dict[str, str]:
    """The values by key, the optional ones with their defaults.

    `required` maps a key to an example, `optional` to its default ("" for none). Raises UserError with all problems:
    an unknown key (did you mean), one given twice, one missing, an argument that is not key=value.
    """
    known = [*required, *optional]
    usage = " ".join([*(f"{k}={v}" for k, v in required.items()), *(f"[{k}={v or '…'}]" for k, v in optional.items())])
    problems = []
    given: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not value:
            problems.append(f"{argument}: arguments are written key=value.")
        elif key not in known:
            problems.append(f"{key}: unknown key.{did_you_mean(key, known)} There are {', '.join(known)}.")
        elif key in given:
            problems.append(f"{key}: given twice. Give it once.")
        else:
            given[key] = value
    problems += [f"{key}: missing. Give {key}={example}." for key, example in required.items() if key not in given]
    if problems:
        problems[-1] += f" Usage: crossfade {command} {usage}"
        raise UserError(*problems)
    return {**optional, **given}


def run_folder(path: str) -> Path:
    """The run's folder; raises UserError where it is none."""
    from crossfade.runs.find import checked

    return checked(Path(path).expanduser())


def given_run(path: str, problems: list[str]) -> Path:
    """The run that `run=path` names; where it is none, what is wrong with it is added to `problems`."""
    try:
        return run_folder(path)
    except UserError as error:
        problems += [f"run={path}: {problem}" for problem in error.problems]
        return Path(path)


def choice(key: str, value: str, allowed: Sequence[str]) -> list[str]:
    """No problem, or one."""
    if value in allowed:
        return []
    return [f"{key}={value}: must be one of {', '.join(allowed)}.{did_you_mean(value, allowed)}"]
