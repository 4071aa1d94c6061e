"""What a nested cross-validation found: α per outer fold, and the score that may be reported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.analysis.intervals import mean_sd
from crossfade.analysis.statistics import corrected_t
from crossfade.runs import RunFolder, write_json, write_text
from crossfade.search.choice import Choice
from crossfade.sweeps.ledger import Entry
from crossfade.sweeps.report import ended


@dataclass(frozen=True)
class Outer:
    """One outer split: the choice of its α, and the run with it."""

    label: str
    seed: int
    fold: int | None
    choice: Choice
    folder: Path
    entry: Entry


@dataclass(frozen=True)
class Score:
    """Mean ± standard deviation over the outer scores of one setting, with its 95 % interval where there is one."""

    mean: float
    sd: float | None
    interval: tuple[float, float] | None
    count: int


def outer_score(folders: Sequence[Path]) -> Score:
    """Of finished outer runs: the interval by the corrected resampled t (`statistics.corrected_t`), as the training
    sets overlap; that of its own test groups for one run alone.
    """
    summaries = [RunFolder(folder).summary() for folder in folders]
    values = [float(summary["metrics"][summary["main"]]) for summary in summaries]
    mean, sd = mean_sd(values)
    if len(values) == 1:
        own = summaries[0].get("interval")
        return Score(mean, None, tuple(own) if own else None, 1)
    sizes = [summary["samples"] for summary in summaries]
    share = fmean(s["test"] / (s["train"] + s["val"]) for s in sizes)  # α is chosen on the validation data too
    found = corrected_t(values, share)
    return Score(mean, sd, None if math.isnan(found.low) else (found.low, found.high), len(values))


def finish(outer: Sequence[Outer], wanted: int, lost: Sequence[Entry], place: Path, about: Mapping[str, Any]) -> None:
    """Write cv_alpha.csv and search.json, print them, make the page. Exits with 1 where a job did not end well."""
    console = Console()
    done = [one for one in outer if one.entry.state == "finished" and one.entry.value is not None]
    labels = list(dict.fromkeys(one.label for one in done))
    scores = {label: outer_score([one.folder for one in done if one.label == label]) for label in labels}
    _write(done, scores, place, about)
    if done:
        console.print()
        console.print(_table(done))
    metric = done[0].entry.metric if done else ""
    for label, score in scores.items():
        of = f"{label}: " if label else ""
        sd = "" if score.sd is None else f" ± {score.sd:.3f} (sd)"
        interval = "" if score.interval is None else " [{:.3f}, {:.3f}]".format(*score.interval)
        runs = f"{score.count} outer test sets" if score.count > 1 else "the outer test set"
        console.print(
            f"{of}{metric} {score.mean:.3f}{sd}{interval}, over {runs}", highlight=False, markup=False, soft_wrap=True
        )
    for entry in lost[:10]:
        first = (entry.error or entry.state).splitlines()[0]
        console.print(Text(f"{entry.state}: {entry.name}: {first}", style="red"), soft_wrap=True)
    if len(done) < wanted:
        console.print(f"{wanted - len(done)} of {wanted} outer splits have no score: one of their jobs has none.")
    console.print(f"Sweep folder: {place}", highlight=False, markup=False, soft_wrap=True)
    ended(place)
    if len(done) < wanted:
        raise SystemExit(1)


def _table(done: Sequence[Outer]) -> Table:
    table = Table(title="α by inner cross-validation, scored outside", title_justify="left")
    shown = [name for name, there in (("setting", any(o.label for o in done)), ("seed", True), ("fold", True)) if there]
    for name in shown:
        table.add_column(name)
    table.add_column("α", justify="right")
    table.add_column("inner mean ± se", justify="right")
    table.add_column("outer", justify="right")
    for one in done:
        c = one.choice
        cells = {"setting": one.label, "seed": str(one.seed), "fold": "–" if one.fold is None else str(one.fold)}
        inner = f"{c.means[c.chosen]:.3f} ± {c.errors[c.chosen]:.3f}"
        table.add_row(*(cells[name] for name in shown), f"{c.alpha:g}", inner, f"{one.entry.value:.3f}")
    return table


def _write(done: Sequence[Outer], scores: Mapping[str, Score], place: Path, about: Mapping[str, Any]) -> None:
    rows = []
    for one in done:
        c = one.choice
        for i, alpha in enumerate(c.alphas):
            inner = {f"inner_{j}": score for j, score in enumerate(c.scores[i])}
            own = {"setting": one.label, "seed": one.seed, "fold": one.fold, "alpha": alpha, **inner}
            chosen = i == c.chosen
            outer = {"outer": one.entry.value if chosen else None, "folder": one.folder.name if chosen else None}
            rows.append({**own, "mean": c.means[i], "se": c.errors[i], "chosen": chosen, **outer})
    write_text(place / "cv_alpha.csv", pd.DataFrame(rows).to_csv(index=False))
    found = {
        "search": dict(about),
        "metric": done[0].entry.metric if done else None,
        "outer": {
            label: {"mean": s.mean, "sd": s.sd, "interval": s.interval, "count": s.count} for label, s in scores.items()
        },
        "splits": [
            {
                "setting": one.label,
                "seed": one.seed,
                "fold": one.fold,
                "alpha": one.choice.alpha,
                "alphas": list(one.choice.alphas),
                "means": list(one.choice.means),
                "errors": list(one.choice.errors),
                "scores": [list(row) for row in one.choice.scores],
                "outer": one.entry.value,
                "folder": one.folder.name,
            }
            for one in done
        ],
    }
    write_json(place / "search.json", found)
