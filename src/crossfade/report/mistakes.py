"""Which test samples a run gets wrong, and how: read from its predictions, whatever its target's kind wrote there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crossfade.analysis.metric_names import printed_metric
from crossfade.analysis.results_table import short

HALF = 0.5  # from which on a label holds, or a score says yes


@dataclass(frozen=True)
class Mistakes:
    """The worst first: a table with id, truth, said and, where it is known, its probability, sure; what they are."""

    rows: pd.DataFrame
    what: str


def mistakes(table: pd.DataFrame, target: str, main: str, better: str) -> Mistakes | None:
    """The samples that are wrong of a predictions table; None where it does not say which are.

    By the main metric where each sample has it (of several classes their mean); else by what is true and predicted.
    """
    own = table.rename(columns={c: str(c).removeprefix(f"{target}.") for c in table if str(c).startswith(f"{target}.")})
    own = own.loc[:, ["id", *(c for c in own if f"{target}.{c}" in table)]]
    scores = [str(c) for c in own if c == main or str(c).startswith(f"{main}(")]
    if scores:
        return _by_metric(own, scores, main, better)
    fields = [str(c)[6:-1] for c in own if str(c).startswith("truth[") and f"predicted{str(c)[5:]}" in own]
    if fields:
        return _by_fields(own, fields)
    classes = [str(c)[2:-1] for c in own if str(c).startswith("p(")]
    if "truth" in own and classes:
        exclusive = np.allclose(own[[f"p({c})" for c in classes]].sum(axis=1), 1, atol=1e-3)
        return _by_class(own, classes) if exclusive else _by_labels(own, classes)
    if "truth" in own and "score" in own:
        return _by_score(own)
    amounts = [str(c).removeprefix("truth") for c in own if str(c) == "truth" or str(c).startswith("truth_")]
    amounts = [unit for unit in amounts if f"predicted{unit}" in own]
    return _by_amount(own, amounts[0]) if amounts else None


def _by_metric(own: pd.DataFrame, scores: Sequence[str], main: str, better: str) -> Mistakes:
    value = own[scores].astype(float).mean(axis=1)
    rows = own.assign(value=value).dropna(subset=["value"]).sort_values("value", ascending=better == "max")
    name = printed_metric(main)
    said = [f"{name} {short(one)}" for one in rows["value"]]
    return Mistakes(rows.assign(truth="", said=said), f"The samples of the test split with the worst {name}.")


def _by_class(own: pd.DataFrame, classes: Sequence[str]) -> Mistakes:
    known = own[own["truth"].notna()]
    wrong = known[known["truth"].astype(str) != known["predicted"].astype(str)]
    sure = wrong[[f"p({c})" for c in classes]].max(axis=1)
    rows = wrong.assign(sure=sure, said=wrong["predicted"].astype(str)).sort_values("sure", ascending=False)
    return Mistakes(rows, "The wrong predictions of the test split, the surest first, each with its probability.")


def _by_labels(own: pd.DataFrame, classes: Sequence[str]) -> Mistakes:
    """Sure is the probability that the model gives to the label, or to its absence, that it is most wrongly sure of."""
    known = own[own["truth"].notna()]
    holds = np.array([[c in str(t).split("|") for c in classes] for t in known["truth"]]).reshape(-1, len(classes))
    p = known[[f"p({c})" for c in classes]].to_numpy(float)
    wrong = np.where((p >= HALF) != holds, np.abs(p - holds), 0.0)
    said = [
        ", ".join(f"{'not ' * int(holds[i, j])}{c} ({short(p[i, j], 2)})" for j, c in enumerate(classes) if wrong[i, j])
        for i in range(len(known))
    ]
    truth = known["truth"].astype(str).str.replace("|", ", ").replace("", "none")
    rows = known.assign(sure=wrong.max(axis=1), truth=truth, said=said)
    rows = rows[rows["sure"] > 0].sort_values("sure", ascending=False).drop(columns="sure")
    return Mistakes(rows, "The labels that are wrong, with their probabilities, the surest first.")


def _by_fields(own: pd.DataFrame, fields: Sequence[str]) -> Mistakes:
    """Of words the samples with the most wrong fields; of counts those that are furthest off."""
    truth, said = own[[f"truth[{f}]" for f in fields]], own[[f"predicted[{f}]" for f in fields]]
    known = truth.notna().all(axis=1).to_numpy()
    counted = all(pd.api.types.is_numeric_dtype(column) for _, column in truth.items())
    a, b = truth.to_numpy(), said.to_numpy()
    off = np.abs(a.astype(float) - b.astype(float)) if counted else (a.astype(str) != b.astype(str)).astype(float)

    def words(values: np.ndarray, i: int) -> str:
        shown = [(f, v) for f, v, wrong in zip(fields, values[i], off[i], strict=True) if wrong]
        return ", ".join(f"{f} {v:g}" if counted else f"{f}: {v}" for f, v in shown)

    rows = own.assign(off=off.sum(axis=1), truth=[words(a, i) for i in range(len(own))],
                      said=[words(b, i) for i in range(len(own))])  # fmt: skip
    rows = rows[known & (rows["off"] > 0)].sort_values("off", ascending=False, kind="stable")
    most = "counts that are furthest off" if counted else "most wrong fields"
    return Mistakes(rows, f"The samples of the test split with the {most}; what is right is not shown.")


def _by_score(own: pd.DataFrame) -> Mistakes:
    known = own[own["truth"].notna()]
    off = (known["score"] - known["truth"].astype(float)).abs()
    rows = known.assign(off=off, said=[f"score {short(s)}" for s in known["score"]], truth=known["truth"].map(str))
    rows = rows[rows["off"] > HALF].sort_values("off", ascending=False)
    rows = rows.assign(truth=rows["truth"].map({"1": "yes", "0": "no"}))
    return Mistakes(rows, "The scores of the test split that are furthest from the truth.")


def _by_amount(own: pd.DataFrame, unit: str) -> Mistakes:
    known = own[own[f"truth{unit}"].notna()]
    a, b = (known[f"{of}{unit}"].astype(float) for of in ("truth", "predicted"))
    spoken = " " + {"_kwh": "kWh"}.get(unit, unit.removeprefix("_")) if unit else ""
    rows = known.assign(off=(a - b).abs(), truth=[f"{x:.4g}{spoken}" for x in a], said=[f"{x:.4g}{spoken}" for x in b])
    return Mistakes(
        rows.sort_values("off", ascending=False), "The predictions of the test split that are furthest off."
    )
