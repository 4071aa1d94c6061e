"""`crossfade stress run=FOLDER [severities=…] [corruptions=…] [modalities=…] [attacks=…] [epsilons=…] …`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from crossfade.commands.arguments import choice, given_run, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError, did_you_mean
from crossfade.registry import corruptions

REQUIRED = {"run": "logs/runs/…"}
OPTIONAL = {
    "severities": "1,2,3,4,5",
    "corruptions": "all",
    "modalities": "all",
    "attacks": "fgsm,pgd",
    "epsilons": "0.03,0.1,0.3",
    "samples": "all",
    "split": "test",
}
HELP = {
    "run": "the run's folder",
    "severities": "1 (mild) to 5",
    "corruptions": "those of conf/corruption, by name; all, or none",
    "modalities": "those of the run that are perturbed; all",
    "attacks": "fgsm, pgd, or none",
    "epsilons": "radii of the attacks, in standard deviations of the training split",
    "samples": "how many of the split, drawn at random; all",
    "split": "train, val or test",
}


def main(arguments: Sequence[str]) -> None:
    """Corrupt and attack each modality of a run, and write what that does to its predictions."""
    if wants_help(arguments):
        text = "Corrupt and attack each modality of a run, and see what that does to its predictions."
        show_usage("stress", text, REQUIRED, OPTIONAL, HELP)
        return
    given = read_arguments("stress", arguments, REQUIRED, OPTIONAL)
    problems = choice("split", given["split"], ["train", "val", "test"])
    severities = _numbers(given, "severities", lambda s: s in range(1, 6), "whole numbers from 1 to 5", problems)
    epsilons = _numbers(given, "epsilons", lambda e: 0 < e < math.inf, "numbers above 0", problems)
    samples = None
    if given["samples"] != "all":
        if given["samples"].isdecimal() and int(given["samples"]) >= 2:
            samples = int(given["samples"])
        else:
            problems.append(f"samples={given['samples']}: must be a whole number from 2 on, or all.")
    attacks = _names(given, "attacks", ["fgsm", "pgd"], problems)
    folder = given_run(given["run"], problems)
    if problems:
        raise UserError(*problems)
    kinds = _kinds(folder)
    modalities = _names(given, "modalities", list(kinds), problems)
    chosen = _corruptions(given, {name: kinds[name] for name in modalities}, problems)
    if not any(chosen.values()) and not attacks:
        problems.append("corruptions=none attacks=none: nothing is left to do. Leave one of them out.")
    asked = any(argument.startswith("attacks=") for argument in arguments) or not any(chosen.values())
    if asked and attacks and modalities and {kinds[name] for name in modalities} == {"text"}:
        problems.append(
            f"attacks={given['attacks']}: {', '.join(modalities)} is text, whose word pieces cannot be moved by a "
            "little. Corrupt it: corruptions=typos, or attack another modality."
        )
    if problems:
        raise UserError(*problems)

    from crossfade.robustness.stress import stress

    stress(
        folder,
        chosen,
        severities=list(map(int, severities)),
        attacks=attacks,
        epsilons=epsilons,
        samples=samples,
        split=given["split"],
    )


def _kinds(folder: Path) -> dict[str, str]:
    """The kind of each modality of a finished run. Raises UserError for one that is not finished, or has folds."""
    from crossfade.runs import RunFolder

    run = RunFolder(folder)
    config = run.run_config()
    if not run.is_finished():
        state = run.status().state if run.status_file.exists() else "not started"
        raise UserError(f"run={folder}: it is not finished (status: {state}). Go on with it first: resume={folder}")
    run.fitted()
    return {name: config.modality[name].kind for name in config.task.modalities}


def _numbers(
    given: Mapping[str, str], key: str, holds: Callable[[float], bool], allowed: str, problems: list[str]
) -> list[float]:
    found = []
    for text in given[key].strip("[]").split(","):
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if holds(number):
            found.append(number)
        else:
            problems.append(f"{key}={given[key]}: {text.strip() or 'nothing'} is not allowed; give {allowed}.")
    return sorted(set(found))


def _names(given: Mapping[str, str], key: str, known: Sequence[str], problems: list[str]) -> list[str]:
    """The names that are given, in the order of `known`; "all" and "none" say what they mean."""
    text = given[key].strip("[]")
    if text == "all":
        return list(known)
    if text == "none" and key != "modalities":
        return []
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            problems.append(
                f"{key}={given[key]}: {name} is none.{did_you_mean(name, known)} There are {', '.join(known)}."
            )
    return [name for name in known if name in names]


def _corruptions(given: Mapping[str, str], kinds: Mapping[str, str], problems: list[str]) -> dict[str, list[str]]:
    """The corruptions of each modality."""
    every = sorted({name for names in corruptions().values() for name in names})
    names = _names(given, "corruptions", every, problems)
    if given["corruptions"] not in ("all", "none"):
        for name in names:
            of = [kind for kind, known in corruptions().items() if name in known]
            if kinds and not set(of) & set(kinds.values()):
                has = ", ".join(f"{modality} ({kind})" for modality, kind in kinds.items())
                problems.append(
                    f"corruptions={given['corruptions']}: {name} is for {' and '.join(of)}; there is {has}."
                )
    return {
        modality: [name for name in corruptions().get(kind, []) if name in names] for modality, kind in kinds.items()
    }
