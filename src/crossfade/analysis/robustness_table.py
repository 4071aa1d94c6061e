"""The tables of robustness_<target>.csv and adversarial_<target>.csv, as words for the terminal and the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crossfade.analysis.levels import ABSENT, CHANCE, CLEAN, kept
from crossfade.analysis.results_table import short


@dataclass(frozen=True)
class Words:
    """A table's headings and rows, and what must be said of it."""

    headings: list[str]
    rows: list[list[str]]
    note: str


def main_rows(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of one metric; a file's empty modality is an empty word."""
    rows = table[table["metric"] == metric]
    return rows.assign(modality=rows["modality"].fillna("").astype(str))


def reference(rows: pd.DataFrame, by: str, name: str, modality: str = "") -> float:
    """The value of the clean samples, of chance, or of a modality that is absent; NaN where it was not measured."""
    found = rows[(rows[by] == name) & (rows["modality"] == modality)]["value"]
    return float(found.iloc[0]) if len(found) else float("nan")


def modalities_of(rows: pd.DataFrame, by: str) -> dict[str, pd.DataFrame]:
    """Per modality that was perturbed its rows, a column per amount: index `by`, in the order of the file."""
    found = {}
    for modality, own in rows[~rows[by].isin([CLEAN, CHANCE, ABSENT])].groupby("modality", sort=False):
        amount = "severity" if by == "corruption" else "epsilon"
        found[str(modality)] = own.pivot_table(index=by, columns=amount, values="value", sort=False, dropna=False)
    return found


def robustness_words(table: pd.DataFrame, metric: str, better: str) -> Words:
    """A row per corruption, under each modality's mean; `better` is "max" or "min", of the metric."""
    rows = main_rows(table, metric)
    clean, chance = (reference(rows, "corruption", name) for name in (CLEAN, CHANCE))
    found = modalities_of(rows, "corruption")
    severities = sorted({severity for own in found.values() for severity in own.columns})
    lines = []
    for modality, own in found.items():
        values = own[severities].to_numpy(float)
        absent = reference(rows, "corruption", ABSENT, modality)
        lines.append([modality, "mean", *map(_cell, values.mean(0)), _kept(values, clean, chance, better)])
        for name, each in zip(own.index, values, strict=True):
            worse = each < absent if better == "max" else each > absent
            cells = [_cell(value) + "*" * bool(bad) for value, bad in zip(each, worse, strict=True)]
            lines.append(["", str(name), *cells, _kept(each, clean, chance, better)])
        if not np.isnan(absent):
            lines.append(
                ["", "without it", *[""] * (len(severities) - 1), short(absent), _kept(absent, clean, chance, better)]
            )
    note = f"Clean {_cell(clean)}, chance {_cell(chance)}. kept = (value − chance) / (clean − chance), mean of the row."
    if any(cell.endswith("*") for line in lines for cell in line):
        note += " * worse than without it (point estimate)."
    return Words(["modality", "corruption", *(f"{severity:g}" for severity in severities), "kept"], lines, note)


def adversarial_words(table: pd.DataFrame, metric: str, better: str) -> Words:
    """A row per attack and what is attacked, a column per radius; `better` is "max" or "min", of the metric."""
    rows = main_rows(table, metric)
    clean, chance = (reference(rows, "attack", name) for name in (CLEAN, CHANCE))
    found = modalities_of(rows, "attack")
    epsilons = sorted({epsilon for own in found.values() for epsilon in own.columns})
    lines = []
    for modality, own in found.items():
        for i, (name, each) in enumerate(own[epsilons].iterrows()):
            values = each.to_numpy(float)
            lines.append(["" if i else modality, str(name), *map(_cell, values), _kept(values, clean, chance, better)])
    note = f"Clean {_cell(clean)}, chance {_cell(chance)}. ε in standard deviations of the training split."
    return Words(["attacked", "attack", *(f"ε = {epsilon:g}" for epsilon in epsilons), "kept"], lines, note)


def _kept(values: np.ndarray | float, clean: float, chance: float, better: str) -> str:
    return _cell(kept(values, clean, chance, better), 2)


def _cell(value: float, digits: int = 3) -> str:
    return "–" if np.isnan(value) else short(value, digits)
