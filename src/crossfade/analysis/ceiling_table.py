"""ceiling_<target>.csv: a model under presence patterns beside models trained on just these; its words and cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from crossfade.analysis.results_table import short
from crossfade.analysis.statistics import Compared, holm
from crossfade.analysis.verdict import is_difference, spoken_p
from crossfade.runs import RunFolder


def write_ceilings(run: RunFolder, name: str, modalities: Sequence[str], rows: list[dict[str, object]]) -> pd.DataFrame:
    """ceiling_<target>.csv with these rows beside those of earlier calls; `p_holm` is p adjusted for their number."""
    table, before = pd.DataFrame(rows), run.table(f"ceiling_{name}")
    if before is not None:
        table = pd.concat([table, before.drop(columns="p_holm")]).drop_duplicates(list(modalities))
    order = np.lexsort((*(-table[one] for one in reversed(modalities)), -table[list(modalities)].sum(axis=1)))
    table = table.iloc[order].reset_index(drop=True)
    known = table["p"].notna()
    table["p_holm"] = math.nan
    table.loc[known, "p_holm"] = holm(table.loc[known, "p"].tolist())
    run.write_table(f"ceiling_{name}", table)
    return table


def ceiling_cells(table: pd.DataFrame, modalities: Sequence[str], metric: str) -> list[list[str]]:
    """A row a pattern: its modalities, both values, their difference with its interval, p adjusted."""
    cells = []
    for row in table.to_dict("records"):
        interval = "" if math.isnan(row["low"]) else f" [{row['low']:+.3f}, {row['high']:+.3f}]"
        p = "" if math.isnan(row["p_holm"]) else spoken_p(row["p_holm"])
        names = " + ".join(one for one in modalities if row[one])
        cells.append([names, short(row[metric]), short(row["ceiling"]), f"{row['difference']:+.3f}{interval}", p])
    return cells


def ceiling_sentence(table: pd.DataFrame, better: str) -> str:
    """In how many patterns a model trained on just that pattern is better, worse, or cannot be told apart."""
    sign = 1 if better == "max" else -1
    columns = table[["difference", "low", "high", "p", "p_holm"]].to_numpy(float)
    clear = [
        sign * value
        for value, low, high, p, adjusted in columns
        if is_difference(Compared(value, low, high, p), adjusted)
    ]
    above, below = sum(value > 0 for value in clear), sum(value < 0 for value in clear)
    return (
        f"Trained on just the pattern, a model is better in {above} of {len(table)} patterns, worse in {below}, not "
        f"distinguishable in {len(table) - above - below} (95 %, p adjusted by Holm's method)."
    )


def ceiling_values(table: pd.DataFrame, modalities: Sequence[str]) -> Mapping[frozenset[str], float]:
    """The metric of the models trained on just a pattern, by the pattern's modalities."""
    rows = table.to_dict("records")
    return {frozenset(one for one in modalities if row[one]): row["ceiling"] for row in rows}
