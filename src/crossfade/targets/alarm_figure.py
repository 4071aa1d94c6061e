"""The figure of an alarm: what its threshold costs, and how its score rises after the onset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from crossfade.drawing import BLUE, GREY, INK, ORANGE, STYLE, save
from crossfade.targets.alarm_scores import DAY, first_alarms, operating_point

SHOWN = 40  # episodes whose scores are drawn


@rc_context(STYLE)
def draw_alarms(score: Tensor, truth: Tensor, detection: float, period_s: float, path: Path) -> None:
    """Left: share of the intruder's windows found against false alarms per day. Right: scores by time from the onset.

    score (N,), truth (N, 3) as in `alarm_scores`, with windows of both sorts.
    """
    intruder = truth[:, 0] == 1
    threshold = operating_point(score, intruder, detection)
    figure = Figure(figsize=(7.2, 3.0))
    left, right = figure.subplots(1, 2)

    with_one, without = (np.sort(score[there].numpy()) for there in (intruder, ~intruder))
    at = np.unique(score.numpy())[::-1]
    found = 1 - np.searchsorted(with_one, at) / len(with_one)
    alarms = (1 - np.searchsorted(without, at) / len(without)) * DAY / period_s
    left.step(alarms, found, where="post", color=BLUE)
    here = float((score[~intruder] >= threshold).float().mean()) * DAY / period_s
    left.plot(here, float((score[intruder] >= threshold).float().mean()), "o", color=ORANGE, zorder=3)
    left.axhline(detection, color=GREY, ls="--", lw=1)
    left.set_xscale("symlog", linthresh=DAY / period_s / len(without))
    left.set_xlim(left=0)
    left.set_ylim(0, 1.02)
    left.set_xlabel("false alarms per day")
    left.set_ylabel("intruder's windows found")
    left.set_title(f"{here:.3g} a day at {detection:.0%} found", loc="left")
    left.grid()

    for episode in truth[intruder, 1].unique()[:SHOWN]:
        rows = intruder & (truth[:, 1] == episode)
        order = truth[rows, 2].argsort()
        right.plot(truth[rows, 2][order], score[rows][order], color=BLUE, lw=0.8, alpha=0.5, marker=".", ms=3)
    right.axhline(float(threshold), color=ORANGE, lw=1.2, label=f"threshold {float(threshold):.3g}")
    first = first_alarms(score, truth, threshold)
    seen = first[first.isfinite()]
    if len(first):
        mean = f", after {float(seen.mean()):.3g} s" if len(seen) else ""
        right.set_title(f"{len(seen)} of {len(first)} episodes found{mean}", loc="left")
    right.set_xlabel("s since the onset")
    right.set_ylabel("score")
    right.set_ylim(0, 1)
    right.set_xlim(left=0)
    right.legend(loc="lower right", labelcolor=INK)
    right.grid(axis="y")
    save(figure, path)
