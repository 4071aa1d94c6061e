"""`crossfade advise run=FOLDER | sweep=FOLDER | task=NAME [key=value …] [output=FILE.json]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError

TEXT = "Say what kind of fusion the data ask for, before a sweep; and after it, whether that held."
HELP = {
    "task": "a task, with settings as for train: nothing is trained, encoders are taken as they come",
    "run": "a finished run: what its encoders have learned, judged on its validation samples",
    "sweep": "a folder of runs: what would have been advised before it, and whether it held",
    "output": "a JSON file that holds all of it",
}
FIRST = "run=FOLDER | sweep=FOLDER | task=NAME key=value … "


def main(arguments: Sequence[str]) -> None:
    """Estimate what the modalities tell, say which fusion should win and why, or judge that by a sweep."""
    if wants_help(arguments):
        keys = {"run": "FOLDER", "sweep": "FOLDER", "task": "NAME", "output": "FILE.json"}
        show_usage("advise", TEXT, {}, keys, HELP)
        return
    own = {
        key: [a.partition("=")[2] for a in arguments if a.startswith(f"{key}=")] for key in ("run", "sweep", "output")
    }
    settings = [a for a in arguments if not a.startswith(("run=", "sweep=", "output="))]
    problems = _problems(own, settings)
    if problems:
        raise UserError(*problems)
    output = Path(own["output"][0]).expanduser() if own["output"] else None
    if not own["run"] and not own["sweep"]:
        _task(settings, output)
        return
    folder = Path((own["run"] or own["sweep"])[0]).expanduser()
    _folder(folder, "run" if own["run"] else "sweep", output)


def _problems(own: dict[str, list[str]], settings: list[str]) -> list[str]:
    problems = [f"{key}: given twice. Give it once." for key, values in own.items() if len(values) > 1]
    problems += [f"{key}=: say which." for key, values in own.items() if values == [""]]
    if own["run"] and own["sweep"]:
        problems.append("run and sweep: give one of them.")
    if (own["run"] or own["sweep"]) and settings:
        problems.append(f"{', '.join(settings)}: a run or sweep has its own settings. Leave these out.")
    if not own["run"] and not own["sweep"] and not settings:
        problems.append(f"Nothing to advise on. Usage: crossfade advise {FIRST}[output=FILE.json]")
    if own["output"] and not own["output"][0].endswith(".json"):
        problems.append(f"output={own['output'][0]}: the advice is JSON; give a name that ends with .json.")
    if any(a in ("-m", "--multirun") for a in settings):
        problems.append("-m: advice is on one task. Leave it out.")
    return problems


def _task(settings: Sequence[str], output: Path | None) -> None:
    from crossfade.config.compose import checked

    config, _ = checked(settings)
    from crossfade.advise.advice import advise_task

    advise_task(config, settings, output)


def _folder(folder: Path, key: str, output: Path | None) -> None:
    from crossfade.runs.find import checked, is_run, runs_in

    many = not is_run(folder) and bool(runs_in(folder))
    if key == "sweep" and not many:
        raise UserError(f"sweep={folder}: not a folder of runs. Give a sweep's folder, logs/sweeps/…, or run=FOLDER.")
    if not many:
        try:
            checked(folder)
        except UserError as error:
            raise UserError(*(f"run={folder}: {problem}" for problem in error.problems)) from error
    from crossfade.advise.advice import advise_run, advise_sweep

    (advise_sweep if many else advise_run)(folder, output)
