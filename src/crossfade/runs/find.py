"""Is this folder a run? If not, what is it, and which runs are near?"""

from __future__ import annotations

from pathlib import Path

from crossfade.errors import UserError, did_you_mean

SHOWN = 5
BESIDE = "overrides.txt"


def checked(path: Path) -> Path:
    """`path` where it is a run folder. Raises UserError: what it is instead, and runs nearby."""
    if is_run(path):
        return path
    if not path.exists():
        near = did_you_mean(path.name, [run.name for run in runs_in(path.parent)])
        raise UserError(f"There is no run folder {path}.{near}{_suggest(path.parent)}")
    if not path.is_dir():
        inside = next(filter(is_run, path.parents), None)
        hint = f" Give the folder that it lies in: {inside}" if inside else _suggest(path.parent)
        raise UserError(f"{path} is a file, and not a run folder.{hint}")
    inside = next(filter(is_run, path.absolute().parents), None)
    if inside:
        raise UserError(f"{path} is a folder inside a run. Give the run folder: {inside}")
    runs = runs_in(path)
    if runs:
        raise UserError(f"{path} is a folder of {len(runs)} run{'s' * (len(runs) > 1)}, and not one run.{_list(runs)}")
    raise UserError(f"{path} is not a run folder: it has no config.yaml and {BESIDE}.{_suggest(path.parent)}")


def is_run(path: Path) -> bool:
    """A config.yaml alone does not make a run: a folder of config groups has one too."""
    return (path / "config.yaml").is_file() and (path / BESIDE).is_file()


def runs_in(folder: Path) -> list[Path]:
    """Runs in the folder and in its sweep folders, the newest first."""
    if not folder.is_dir():
        return []
    configs = [*folder.glob("*/config.yaml"), *folder.glob("*/*/config.yaml")]
    return sorted(
        (c.parent for c in configs if is_run(c.parent)),
        key=lambda run: (run / "config.yaml").stat().st_mtime,
        reverse=True,
    )


def _suggest(folder: Path) -> str:
    runs = runs_in(folder)
    return _list(runs) if runs else f" No runs were found in {folder} either."


def _list(runs: list[Path]) -> str:
    title = "The newest" if len(runs) > 1 else "The only one"
    return f" {title}: " + ", ".join(str(run) for run in runs[:SHOWN]) + ("" if len(runs) <= SHOWN else ", …")
