"""Test samples that a run gets wrong, the surest first, with what the model was shown."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from crossfade.data.module import DataModule
from crossfade.report.shown import shown
from crossfade.runs import RunFolder

COUNT = 6


@dataclass(frozen=True)
class Example:
    """One sample: what it is, what was said with which probability, its inputs, what each modality added to that."""

    id: str
    truth: str
    predicted: str
    sure: float | None
    inputs: dict[str, Markup]
    shares: dict[str, float]


def examples_of(folder: RunFolder, data: DataModule, target: str, main: str, better: str) -> list[Example]:
    """The worst of the test split: of classes the surest mistakes, else by the metric."""
    table = folder.predictions("test")
    chosen = _wrong_classes(table, target) if f"{target}.predicted" in table else _worst(table, target, main, better)
    place = {str(sample): i for i, sample in enumerate(data.frame.ids)}
    shares = folder.table(f"shapley_samples_{target}")
    found = []
    for _, row in chosen.head(COUNT).iterrows():
        raw = data.source.read(place[str(row["id"])])
        inputs = {name: shown(transform.spec, raw.get(name)) for name, transform in sorted(data.transforms.items())}
        own: dict[str, float] = {}
        if shares is not None:
            values = shares[shares["id"].astype(str) == str(row["id"])].iloc[0].drop("id")
            own = {str(name): float(value) for name, value in values.items()}
        found.append(
            Example(
                str(row["id"]),
                str(row.get(f"{target}.truth", "")),
                str(row.get(f"{target}.predicted", row.get(f"{target}.{main}", ""))),
                row.get("sure"),
                inputs,
                own,
            )
        )
    return found


def _wrong_classes(table: pd.DataFrame, target: str) -> pd.DataFrame:
    classes = [c for c in table if str(c).startswith(f"{target}.p(")]
    known = table[table[f"{target}.truth"].notna()]
    if not classes or known.empty:
        return table.head(0)
    wrong = known[known[f"{target}.truth"].astype(str) != known[f"{target}.predicted"].astype(str)]
    return wrong.assign(sure=wrong[classes].max(axis=1)).sort_values("sure", ascending=False)


def _worst(table: pd.DataFrame, target: str, main: str, better: str) -> pd.DataFrame:
    column = f"{target}.{main}"
    if column not in table:
        return table.head(0)
    return table.dropna(subset=[column]).sort_values(column, ascending=better == "max")
