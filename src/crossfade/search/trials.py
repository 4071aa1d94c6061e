"""The trials of a search: their table on the screen, trials.csv and search.json in the sweep's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.errors import Failure
from crossfade.runs import RunFolder, write_json, write_text
from crossfade.search.space import Space
from crossfade.search.validation import Judge
from crossfade.sweeps.ledger import Entry
from crossfade.sweeps.planning import Job
from crossfade.sweeps.report import ended

SHOWN = 10  # trials in the printed table


@dataclass(frozen=True)
class Trial:
    """One trial: what it set, what became of it, its values by objective; `command` are its job's settings."""

    number: int
    state: str  # finished | pruned | failed | interrupted
    params: Mapping[str, Any]
    values: Mapping[str, float] = field(default_factory=dict)
    folder: Path | None = None
    error: str | None = None
    given: Sequence[str] = ()


def trial_of(number: int, job: Job, entry: Entry, place: Path, judge: Judge, space: Space) -> Trial:
    """A trial as its job's folder and the ledger tell it."""
    folder = place / entry.name
    value = judge.value(folder) if entry.state == "finished" else None
    state, error = entry.state, entry.error
    if entry.state == "finished" and value is None:
        state, error = "failed", f"{judge.monitor} is not defined in any of its epochs"
    values = {} if value is None else {"metric": value}
    return Trial(number, state, space.values(job.settings), values, folder, error, space.typed(job.given))


def finish(
    trials: Sequence[Trial],
    place: Path,
    judge: Judge,
    about: Mapping[str, Any],
    importance: Mapping[str, float],
) -> None:
    """Write and print what was found, and make its page; `about` is the search's part of the config.

    Exits with 1 where trials failed or were interrupted; raises Failure where none came to its end.
    """
    write(trials, place, judge, about, importance)
    done = {trial.number: trial for trial in trials if trial.state == "finished"}
    if not done:
        ended(place)
        raise Failure(_none(trials, place))
    front = front_of(trials, judge)
    console = Console()
    order = judge.ranked({number: trial.values["metric"] for number, trial in done.items()})
    shown = [done[number] for number in ([n for n in order if n in front] if front else order)]
    title = f"Pareto front of {len(done)} trials" if front else f"Best of {len(done)} trials, by {judge.monitor}"
    console.print()
    console.print(_table(shown[:SHOWN], place, title, judge))
    if importance:
        parts = "  ".join(f"{key} {share:.2f}" for key, share in importance.items())
        console.print(f"Importance (PED-ANOVA, shares of 1): {parts}", highlight=False, markup=False)
    best = shown[0]
    for line in _about_best(best, len(done), bool(front)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    lost = [trial for trial in trials if trial.state in ("failed", "interrupted")]
    for trial in lost[:SHOWN]:
        first = (trial.error or "unknown error").splitlines()[0]
        console.print(Text(f"{trial.state}: trial {trial.number}: {first}", style="red"), soft_wrap=True)
    console.print(f"Sweep folder: {place}", highlight=False, markup=False, soft_wrap=True)
    ended(place)
    if lost:
        raise SystemExit(1)


def front_of(trials: Sequence[Trial], judge: Judge) -> list[int]:
    """The Pareto front: the numbers of the finished trials that none is better than in one objective and as good as in
    all others; empty where there is one objective. Cost is better where it is less."""
    done = [trial for trial in trials if trial.state == "finished"]
    if not done or len(done[0].values) < 2:
        return []
    sign = {"metric": -1.0 if judge.direction == "max" else 1.0}
    points = np.array([[sign.get(name, 1.0) * value for name, value in trial.values.items()] for trial in done])
    beaten = [((points <= p).all(1) & (points < p).any(1)).any() for p in points]
    return [trial.number for trial, worse in zip(done, beaten, strict=True) if not worse]


def command_of(trial: Trial) -> str:
    """Its settings, safe for a shell."""
    return " ".join(_quoted(text) for text in trial.given)


def test_of(trial: Trial) -> tuple[str, float | None, tuple[float, float] | None] | None:
    """The main metric on the test split, its value and interval; None where the trial has no summary."""
    if trial.folder is None or not (run := RunFolder(trial.folder)).summary_file.exists():
        return None
    summary = run.summary()
    interval = summary.get("interval")
    return summary["main"], summary["metrics"][summary["main"]], tuple(interval) if interval else None


def _about_best(best: Trial, count: int, front: bool) -> list[str]:
    """What to make of it: the test score, which took no part in the choice, and the commands."""
    chosen = f"The best of {count} validation values is too good, being chosen by it; the test score is not:"
    lines = [] if front else [chosen]
    if (tested := test_of(best)) is not None:
        metric, value, interval = tested
        reach = " [{:.3f}, {:.3f}]".format(*interval) if interval else ""
        lines.append(f"test/{metric} {'–' if value is None else f'{value:.3f}'}{reach}")
    typed = command_of(best)
    word = "The best by validation" if front else "Train it"
    return [*lines, f"{word}: crossfade train {typed}", f"Repeat it: crossfade train -m {typed} seed=0,1,2"]


def _quoted(text: str) -> str:
    """Safe for a shell."""
    return f"'{text}'" if set(text) & set(' {}[]()*$"<>|&;!#') else text


def _none(trials: Sequence[Trial], place: Path) -> str:
    counts = {state: sum(trial.state == state for trial in trials) for state in ("pruned", "failed", "interrupted")}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    errors = [trial.error for trial in trials if trial.state == "failed" and trial.error]
    why = f" The first that failed: {errors[0].splitlines()[0]}" if errors else ""
    fix = " Take search.pruner=none, or more epochs before it prunes." if counts["pruned"] == len(trials) else ""
    return f"{place}: no trial came to its end ({said}), so there is no best one.{why}{fix}"


def _table(trials: Sequence[Trial], place: Path, title: str, judge: Judge) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("trial", justify="right")
    names = list(trials[0].values)
    for name in names:
        table.add_column(judge.monitor.rpartition("/")[2].replace("_", " ") if name == "metric" else name)
    keys = list(dict.fromkeys(key for trial in trials for key in trial.params))  # α is idle in some
    for key in keys:
        table.add_column(key, overflow="fold")
    for trial in trials:
        values = [_short(name, trial.values[name]) for name in names]
        params = [f"{v:.4g}" if isinstance(v := trial.params.get(key, "–"), float) else str(v) for key in keys]
        table.add_row(str(trial.number), *values, *params)
    return table


def _short(name: str, value: float) -> str:
    return {"metric": f"{value:.3f}", "latency": f"{value:.2f} ms"}.get(name, f"{value:,.0f}")


def write(
    trials: Sequence[Trial],
    place: Path,
    judge: Judge,
    about: Mapping[str, Any],
    importance: Mapping[str, float] | None = None,
) -> None:
    """Write trials.csv and search.json, on the way and at the end."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state,
            **{judge.monitor if name == "metric" else name: value for name, value in trial.values.items()},
            **trial.params,
            "folder": trial.folder.name if trial.folder else None,
            "error": trial.error,
        }
        for trial in trials
    ]
    write_text(place / "trials.csv", pd.DataFrame(rows).to_csv(index=False))
    done = {trial.number: trial.values["metric"] for trial in trials if trial.state == "finished"}
    found = {
        "search": dict(about),
        "monitor": judge.monitor,
        "direction": judge.direction,
        "best": judge.ranked(done)[0] if done else None,
        "front": front_of(trials, judge),
        "importance": dict(importance or {}),
        "trials": rows,
    }
    write_json(place / "search.json", found)
