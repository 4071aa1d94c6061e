"""The figure of a command: a confusion matrix per field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from crossfade.drawing import GREY, INK, STYLE, save

UNSEEN = "(unseen)"


@rc_context(STYLE)
def draw_fields(
    truth: np.ndarray, predicted: np.ndarray, fields: Sequence[str], labels: Sequence[Sequence[str]], path: Path
) -> None:
    """Counts of true (rows) against predicted (columns) classes of every field, coloured by the row's share.

    truth, predicted (N, F); a truth of C_f, a word that training never named, has a row of its own.
    """
    columns = min(2, len(fields))
    rows = math.ceil(len(fields) / columns)
    longest = max(len(word) for of in labels for word in [*of, UNSEEN])
    side = 0.9 + 0.09 * longest + 0.32 * max(map(len, labels))
    figure = Figure(figsize=(columns * side, rows * side))
    for f, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if f >= len(fields):
            axes.set_axis_off()
            continue
        words = list(labels[f])
        theirs = [*words, UNSEEN] if (truth[:, f] == len(words)).any() else words
        counts = np.zeros((len(theirs), len(words)), dtype=int)
        np.add.at(counts, (truth[:, f], predicted[:, f]), 1)
        share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.55 else INK if count else GREY
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=7)
        axes.set_xticks(range(len(words)), words, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(theirs)), theirs)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{fields[f]}: {(truth[:, f] == predicted[:, f]).mean():.1%} right", loc="left")
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
    save(figure, path)
