"""The trials of a search: their table on the screen, trials.csv and search.json in the sweep's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.config.overrides import parse
from crossfade.errors import Failure
from crossfade.runs import RunFolder, write_json, write_text
from crossfade.search.space import Space
from crossfade.search.validation import Judge
from crossfade.sweeps.ledger import Entry
from crossfade.sweeps.planning import Job

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
    typed = {o.key_or_group: o.value() for o in map(parse, job.settings)}
    params = {key: typed[key] for key in space.keys if key in typed}
    values = {} if value is None else {"metric": value}
    return Trial(number, state, params, values, folder, error, space.typed(job))


def finish(
    trials: Sequence[Trial],
    place: Path,
    judge: Judge,
    about: Mapping[str, Any],
    front: Sequence[int] = (),
    importance: Mapping[str, float] | None = None,
) -> None:
    """Write and print what was found. `front` are the numbers of the Pareto front, where there are several objectives.

    Exits with 1 where trials failed or were interrupted; raises Failure where none came to its end.
    """
    _write(trials, place, judge, about, front, importance)
    done = {trial.number: trial for trial in trials if trial.state == "finished"}
    if not done:
        raise Failure(_none(trials, place))
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
    if lost:
        raise SystemExit(1)


def _about_best(best: Trial, count: int, front: bool) -> list[str]:
    """What to make of it: the test score, which took no part in the choice, and the commands."""
    chosen = f"The best of {count} validation values is too good, being chosen by it; the test score is not:"
    lines = [] if front else [chosen]
    if best.folder is not None and (run := RunFolder(best.folder)).summary_file.exists():
        summary = run.summary()
        value, interval = summary["metrics"][summary["main"]], summary.get("interval")
        reach = " [{:.3f}, {:.3f}]".format(*interval) if interval else ""
        lines.append(f"test/{summary['main']} {'–' if value is None else f'{value:.3f}'}{reach}")
    typed = " ".join(_quoted(text) for text in best.given)
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


def _write(
    trials: Sequence[Trial],
    place: Path,
    judge: Judge,
    about: Mapping[str, Any],
    front: Sequence[int],
    importance: Mapping[str, float] | None,
) -> None:
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
        "front": list(front),
        "importance": dict(importance or {}),
        "trials": rows,
    }
    write_json(place / "search.json", found)
