"""The settings of a sweep, each with its repeats: what is the same run but for seed and fold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crossfade.analysis.results_table import short
from crossfade.analysis.statistics import corrected_t

Block = tuple[int, int]  # seed and fold, −1 where there is no fold


class Estimate(NamedTuple):
    """A mean over repeats with its 95 % interval; NaN ends where there is none."""

    mean: float
    low: float
    high: float
    repeats: int


@dataclass(frozen=True)
class Setting:
    """One setting: strategy, α, whatever else differs in the sweep, and its repeats by (seed, fold)."""

    label: str
    strategy: str
    alpha: float  # the first modality's weight; the mean over repeats of a learned one; NaN without α
    learned: bool
    on_line: bool  # the other modalities share the rest evenly, so that α is one number
    factors: Mapping[str, Any]  # the settings that vary, without strategy and α
    test: Mapping[Block, float]
    validation: Mapping[Block, float]
    rows: Mapping[Block, Mapping[str, Any]]  # of the sweep's table
    test_share: float  # n_test / n_train

    @property
    def estimate(self) -> Estimate:
        """Over seeds and folds by the corrected resampled t; of one repeat, over its test groups."""
        return estimate(list(self.test.values()), self.test_share, self._ends)

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.test.values())))

    @property
    def chosen_by(self) -> float:
        """The mean of the validation metric; NaN where a repeat has none."""
        return float(np.mean([self.validation.get(block, math.nan) for block in self.test]))

    def over_repeats(self, column: str) -> float:
        """The mean of a column of the sweep's table; NaN where no repeat has it."""
        values = [v for row in self.rows.values() if (v := row.get(column)) is not None]
        return float(np.mean(values)) if values else math.nan

    @property
    def _ends(self) -> tuple[float, float] | None:
        ends = tuple(self.over_repeats(f"ends {side}") for side in ("low", "high"))
        return None if any(map(math.isnan, ends)) else (ends[0], ends[1])


def estimate(values: Sequence[float], test_share: float, ends: tuple[float, float] | None = None) -> Estimate:
    """Mean and interval of one model's repeats: t with the variance (1/J + n_test/n_train)·s², as `corrected_t`.

    `ends` are used where there is one repeat alone.
    """
    if len(values) == 1:
        low, high = ends or (math.nan, math.nan)
        return Estimate(float(values[0]), low, high, 1)
    found = corrected_t(values, test_share)
    return Estimate(found.value, found.low, found.high, len(values))


def settings_of(table: pd.DataFrame, metric: str) -> list[Setting]:
    """The settings that have a finished run with this metric, in the sweep's order."""
    if metric not in table:
        return []
    known = table[(table["state"] == "finished") & table[metric].notna()]
    rows = [_plain(row, metric, table.attrs["varying"]) for row in known.to_dict("records")]
    varying = [key for key in table.attrs["varying"] if len({repr(row[key]) for row in rows}) > 1]
    modalities: list[str] = table.attrs["modalities"]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(repr((row["strategy"], _alpha_key(row, modalities), [row[k] for k in varying])), []).append(
            row
        )
    several_alphas = {
        strategy: len({repr(_alpha_key(row, modalities)) for row in rows if row["strategy"] == strategy}) > 1
        for strategy in {row["strategy"] for row in rows}
    }
    return [
        _setting(same, metric, varying, modalities, several_alphas[same[0]["strategy"]]) for same in groups.values()
    ]


def _plain(row: Mapping[Any, Any], metric: str, varying: Sequence[str]) -> dict[str, Any]:
    plain = {str(key): None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
    for key in varying:  # a column of whole numbers that some job lacks has become one of floats
        if isinstance(value := plain[key], float) and value.is_integer():
            plain[key] = int(value)
    return plain | {"ends low": plain.get(f"{metric} low"), "ends high": plain.get(f"{metric} high")}


def _alpha_key(row: Mapping[str, Any], modalities: Sequence[str]) -> Any:
    if row["alpha"] is None and not row["learned"]:
        return None
    return "learned" if row["learned"] else tuple(row.get(f"alpha.{m}") for m in modalities)


def _setting(
    rows: Sequence[Mapping[str, Any]], metric: str, varying: Sequence[str], modalities: Sequence[str], alphas: bool
) -> Setting:
    first = rows[0]
    by_block: dict[Block, Mapping[str, Any]] = {}
    for row in rows:
        by_block.setdefault((int(row["seed"]), -1 if row["fold"] is None else int(row["fold"])), row)
    factors = {key: first[key] for key in varying if first[key] is not None}
    weights = [first.get(f"alpha.{m}") for m in modalities]
    rest = [w for w in weights[1:] if w is not None]
    on_line = not rest or max(rest) - min(rest) < 1e-6
    known = [row["alpha"] for row in by_block.values() if row["alpha"] is not None]
    alpha = float(np.mean(known)) if known else math.nan
    parts = [first["strategy"]]
    if alphas:
        parts.append("α learned" if first["learned"] else _spoken_alpha(alpha, weights, on_line))
    parts += [f"{key}={value}" for key, value in factors.items()]
    shares = [row["test"] / row["train"] for row in by_block.values() if row["test"] and row["train"]]
    return Setting(
        label=" ".join(parts),
        strategy=first["strategy"],
        alpha=alpha,
        learned=bool(first["learned"]),
        on_line=on_line,
        factors=factors,
        test={block: float(row[metric]) for block, row in by_block.items()},
        validation={b: float(v) for b, row in by_block.items() if (v := row.get(f"val/{metric}")) is not None},
        rows=by_block,
        test_share=float(np.mean(shares)) if shares else 0.0,
    )


def _spoken_alpha(alpha: float, weights: Sequence[float | None], on_line: bool) -> str:
    if on_line:
        return f"α={alpha:g}"
    return "α=(" + ", ".join("–" if w is None else short(w, 2) for w in weights) + ")"


def best(settings: Sequence[Setting], better: str) -> Setting:
    """The best by the mean over validation splits, where all have one; else by the test splits (see `honest`)."""
    sign = 1.0 if better == "max" else -1.0
    use_validation = honest(settings)
    return max(settings, key=lambda s: sign * (s.chosen_by if use_validation else s.mean))


def honest(settings: Sequence[Setting]) -> bool:
    """Can they be chosen without a look at the test splits?"""
    return all(not math.isnan(s.chosen_by) for s in settings)


def shared_blocks(settings: Sequence[Setting]) -> list[Block]:
    """The seeds and folds that all of them have."""
    return sorted(set.intersection(*(set(s.test) for s in settings))) if settings else []
