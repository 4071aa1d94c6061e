"""The figures of a run: comparison, training, confusion, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crossfade.analysis.confidence import calibration_bins, calibration_error
from crossfade.analysis.metric_names import printed_metric
from crossfade.analysis.results_table import Row, best_single, short
from crossfade.drawing import BLUE, GREY, INK, ORANGE, STYLE, save


@rc_context(STYLE)
def comparison(rows: Sequence[Row], main: str, path: Path, better: str = "max") -> None:
    """The main metric of the fused model and each single modality with intervals; chance and Bayes bound as lines."""
    bars = [row for row in rows if row.role in ("fused", "single") and main in row.values]
    lines = [row for row in rows if row.role in ("chance", "bound") and main in row.values]
    best = best_single(rows, main, better)
    figure = Figure(figsize=(6.4, 1.1 + 0.36 * len(bars)))
    axes = figure.add_subplot()
    for place, row in enumerate(bars):
        value = row.values[main]
        axes.barh(place, value, color=BLUE if row.role == "fused" else GREY, height=0.64)
        interval = row.interval.get(main)
        text = short(value)
        if interval:
            axes.errorbar(
                value,
                place,
                xerr=np.maximum([[value - interval[0]], [interval[1] - value]], 0),
                color=INK,
                lw=1.2,
                capsize=2.5,
            )
            text += f"  [{short(interval[0])}, {short(interval[1])}]"
        # the numbers stand in a column at the right, where no line can cross them
        weight = "bold" if row.role == "fused" or row is best else "normal"
        axes.text(1.03, place, text, transform=axes.get_yaxis_transform(), va="center", weight=weight)
    for row in lines:
        style = ":" if row.role == "chance" else "--"
        axes.axvline(row.values[main], color=ORANGE, ls=style, lw=1.3, label=f"{row.label} {short(row.values[main])}")
    axes.set_yticks(range(len(bars)), [row.label for row in bars])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="x")
    if all(0 <= row.values[main] <= 1 for row in [*bars, *lines]):
        axes.set_xlim(0, 1)
    axes.set_xlabel(printed_metric(main))
    if lines:
        figure.legend(loc="outside upper left", ncols=len(lines))
    save(figure, path)


@rc_context(STYLE)
def training_curves(metrics: pd.DataFrame, main: str, path: Path) -> None:
    """Training and validation loss, and the validation metric where it was logged, by epoch."""
    panels = 2 if main in metrics else 1
    figure = Figure(figsize=(3.4 * panels, 2.7))
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for column, colour, label in (("train/loss", GREY, "training"), ("val/loss", BLUE, "validation")):
        if column in metrics:
            known = metrics.dropna(subset=[column])
            axes[0].plot(known["epoch"] + 1, known[column], color=colour, marker="o", ms=3, label=label)
    axes[0].set_ylabel("loss")
    if axes[0].lines:
        axes[0].legend()
    if main in metrics:
        known = metrics.dropna(subset=[main])
        axes[1].plot(known["epoch"] + 1, known[main], color=BLUE, marker="o", ms=3)
        axes[1].set_ylabel(f"validation {printed_metric(main)}")
    for one in axes:
        one.set_xlabel("epoch")
        one.xaxis.set_major_locator(MaxNLocator(integer=True))
        one.grid(axis="y")
    save(figure, path)


@rc_context(STYLE)
def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Counts, coloured by the share of each true class; beside each true class its recall."""
    counts = np.array([[((truth == t) & (predicted == p)).sum() for p in classes] for t in classes])
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 0.9 + 0.42 * len(classes)
    longest = max(len(label) for label in classes) * 0.07  # inches of a label
    figure = Figure(figsize=(side + longest + 0.9, side + 0.7 * longest + 0.2))
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.55 else INK if count else GREY
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    for row, support in enumerate(counts.sum(1)):
        recall = short(share[row, row], 2) if support else "–"
        axes.text(len(classes) - 0.35, row, f"{recall}  of {support}", va="center")
    axes.text(len(classes) - 0.35, -0.75, "recall", va="center")
    axes.set_xticks(range(len(classes)), classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)
    # white lines between the cells
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=1.5)
    axes.tick_params(which="minor", length=0)
    save(figure, path)


@rc_context(STYLE)
def reliability(probability: np.ndarray, truth: np.ndarray, classes: Sequence[str], path: Path, bins: int = 15) -> None:
    """Accuracy against confidence of the predicted class, in equal bins; the diagonal is perfect calibration.

    Below: how many samples each bin holds. Calibration error = Σ_b (n_b / N) |accuracy_b − confidence_b|
    (Guo et al. 2017, arXiv:1706.04599), in the same bins as the metric of that name.
    """
    label = np.array([list(classes).index(one) if one in classes else -1 for one in truth])
    bars = calibration_bins(probability, label, bins)
    figure = Figure(figsize=(3.6, 4.0))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    left = bars["bin"] / bins
    upper.plot([0, 1], [0, 1], color=INK, ls="--", lw=1, zorder=3)
    upper.bar(left, bars["accuracy"], width=1 / bins, align="edge", color=BLUE, edgecolor="white", lw=0.8)
    upper.plot(bars["confidence"], bars["accuracy"], "o", ms=3, color=INK, zorder=4)
    upper.set_title(f"calibration error {short(calibration_error(probability, label, bins))}", loc="left")
    upper.set_ylim(0, 1)
    upper.set_ylabel("accuracy")
    lower.bar(left, bars["samples"], width=1 / bins, align="edge", color=GREY, edgecolor="white", lw=0.8)
    lower.set_ylabel("samples")
    lower.set_xlim(0, 1)
    lower.set_xlabel("confidence")
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for one in (upper, lower):
        one.grid(axis="y")
    figure.align_ylabels()
    save(figure, path)
