"""Two settings of a sweep compared, on what they share; and the single modalities that stand beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.analysis.paired import compare_tables
from crossfade.analysis.statistics import Compared, corrected_t
from crossfade.runs import RunFolder
from crossfade.sweeps.report.settings import Block, Setting, shared_blocks


@dataclass(frozen=True)
class Tested:
    """a − b and what it rests on; None where the two share nothing that can be tested."""

    difference: Compared | None
    evidence: str
    groups: int | None = None  # of the test samples, where they are what it rests on

    @property
    def p(self) -> float:
        return math.nan if self.difference is None else self.difference.p


@dataclass
class Pairs:
    """Differences of one metric between settings of the sweep in `path`: over seeds and folds, or on test samples.

    Several shared repeats: the corrected resampled t-test over them. One: the paired test of the two runs' predictions.
    """

    path: Path
    metric: str  # "<target>/<metric>"
    kind: str  # of the target
    _known: dict[tuple[int, int], Tested] = field(default_factory=dict)

    def __call__(self, a: Setting, b: Setting) -> Tested:
        key = (id(a), id(b))
        if key not in self._known:
            self._known[key] = self._test(a, b)
        return self._known[key]

    def _test(self, a: Setting, b: Setting) -> Tested:
        blocks = shared_blocks([a, b])
        if len(blocks) > 1:
            share = float(np.mean([a.test_share, b.test_share]))
            return Tested(corrected_t([a.test[k] - b.test[k] for k in blocks], share), spoken_blocks(blocks))
        if not blocks:
            return Tested(None, "no shared seed and fold")
        target, metric = self.metric.split("/", 1)
        runs = [RunFolder(self.path / str(s.rows[blocks[0]]["folder"])) for s in (a, b)]
        if not all(_has_predictions(run) for run in runs):
            return Tested(None, "no predictions were kept")
        one, other = (run.predictions("test") for run in runs)
        drawn = (runs[0].table(f"resamples_{target}"), runs[1].table(f"resamples_{target}"))
        try:
            found = compare_tables(one, other, target, metric, self.kind == "multiclass", drawn)
        except ValueError as error:
            return Tested(None, str(error))
        if found is None:
            return Tested(None, "one run each, and no test of this metric on its samples")
        return Tested(found, f"{len(one)} test samples", int(one["group"].nunique()))


def _has_predictions(run: RunFolder) -> bool:
    return any(run.predictions_file("test", kind).exists() for kind in ("csv", "parquet"))


def spoken_blocks(blocks: list[Block]) -> str:
    """ "3 seeds × 5 folds"."""
    seeds, folds = len({seed for seed, _ in blocks}), len({fold for _, fold in blocks if fold >= 0})
    words = [f"{n} {word}{'s' * (n > 1)}" for n, word in ((seeds, "seed"), (folds, "fold")) if n]
    return " × ".join(words)


def best_single(path: Path, rows: Mapping[Block, Mapping[str, Any]], metric: str, better: str) -> Setting | None:
    """The best single modality by the mean of its test metric, a setting of its own; None where none was trained.

    `rows`: of the sweep's table, one per seed and fold, whose runs have the single modalities inside.
    """
    found: dict[str, dict[Block, Mapping[str, Any]]] = {}
    for block, row in rows.items():
        singles = RunFolder(path / str(row["folder"])).summary().get("singles") or {}
        for name, alone in singles.items():
            value = alone["metrics"].get(metric)
            if value is not None:
                inside = Path(str(row["folder"])) / alone["folder"]
                ends = (alone.get("intervals") or {}).get(metric) or (None, None)
                kept = {"folder": inside, "value": value, "ends low": ends[0], "ends high": ends[1]}
                found.setdefault(name, {})[block] = {**row, **kept}
    candidates = [_single(name, own) for name, own in found.items() if len(own) == len(rows)]
    pick = max if better == "max" else min
    return pick(candidates, key=lambda s: s.mean) if candidates else None


def _single(name: str, rows: Mapping[Block, Mapping[str, Any]]) -> Setting:
    shares = [row["test"] / row["train"] for row in rows.values() if row["test"] and row["train"]]
    return Setting(
        label=f"{name} alone",
        strategy=name,
        alpha=math.nan,
        learned=False,
        on_line=True,
        factors={},
        test={block: float(row["value"]) for block, row in rows.items()},
        validation={},
        rows=rows,
        test_share=float(np.mean(shares)) if shares else 0.0,
    )
