"""Draws docs/figures/explain.png: where a run looks, in the first test patient of each diagnosis.

    python train.py singles=false hydra.run.dir=logs/runs/explained
    python docs/figures/explain.py logs/runs/explained

Integrated gradients of the predicted diagnosis, the run's best checkpoint; nothing is selected. Prints what it draws.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from crossfade.drawing import INK, STYLE, save
from crossfade.evaluation.reopen import reopen_data
from crossfade.explanation.explain import explain
from crossfade.report.heat import AGAINST, FOR, STRONGEST, over_picture, strength, words_of
from crossfade.report.shown import picture
from crossfade.runs import RunFolder

LINE, LINES, POINTS = 46, 8, 5.6  # letters in a line of a note, lines, size of a letter
SHOWN = 7  # columns of the vitals, those with the most


def image(axes: Axes, spec: object, raw: np.ndarray | None, rows: pd.DataFrame) -> None:
    axes.axis("off")
    if raw is None:
        return
    values = rows.pivot(index="row", columns="column", values="value").to_numpy()
    axes.imshow(over_picture(picture(raw, spec.range), values).convert("RGB"))


def note(axes: Axes, text: str, rows: pd.DataFrame) -> None:
    axes.set(xlim=(0, LINE), ylim=(LINES, -0.6))
    axes.axis("off")
    words = words_of(text, rows)
    shares = strength(np.array([value for *_, value in words]))
    colour = np.zeros((len(text), 4))
    for (start, end, _), share in zip(words, shares, strict=True):
        colour[start:end] = [*np.array(FOR if share >= 0 else AGAINST) / 255, STRONGEST * abs(share)]
    done = 0
    for y, line in enumerate(textwrap.wrap(text, LINE)[:LINES]):
        at = text.index(line[:8], done)
        for x, letter in enumerate(line):
            axes.add_patch(Rectangle((x, y - 0.46), 1, 0.92, facecolor=colour[at + x], lw=0))
            axes.text(x + 0.5, y, letter, family="monospace", size=POINTS, ha="center", va="center", color=INK)
        done = at + len(line)


def vitals(axes: Axes, raw: dict, rows: pd.DataFrame) -> None:
    most = rows.loc[rows["value"].abs().nlargest(SHOWN).index]
    colours = [np.array(FOR if value >= 0 else AGAINST) / 255 for value in most["value"]]
    axes.barh(range(len(most)), most["value"], color=colours, height=0.7)
    cells = [(name, raw.get(name)) for name in most["name"]]
    labels = [
        f"{name} {cell:.4g}" if isinstance(cell, float) else f"{name} {cell or 'missing'}" for name, cell in cells
    ]
    axes.set_yticks(range(len(most)), labels, size=6)
    axes.tick_params(axis="x", labelsize=6)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=INK, lw=0.6)
    axes.invert_yaxis()


@rc_context(STYLE)
def main(folder: Path) -> None:
    run = RunFolder.open(folder)
    ids = run.predictions("test").groupby("diagnosis.truth", sort=True)["id"].first().tolist()
    explained = explain(folder, ids=ids)
    data = reopen_data(run.run_config(), run)
    specs = {name: transform.spec for name, transform in data.transforms.items()}
    place = {str(one): i for i, one in enumerate(data.frame.ids)}
    letters = LINE * 0.602 * POINTS / 72
    figure = Figure(figsize=(3 * 1.25 + letters + 2.6, 1.42 * len(ids)))
    grid = figure.subplots(len(ids), 5, width_ratios=[1.25, 1.25, 1.25, letters, 2.4])
    for axes, sample in zip(grid, explained.samples, strict=True):
        raw, table = data.source.read(place[sample["id"]]), explained.values(sample)
        of = dict(list(table.groupby("modality")))
        for one, name in zip(axes, ("ct", "mri", "ultrasound"), strict=False):
            image(one, specs[name], raw.get(name), of.get(name))
            one.set_title(f"{name} {of[name]['value'].sum():+.2f}", size=7, pad=2)
        note(axes[3], raw["note"], of["note"])
        sums = f"note {of['note']['value'].sum():+.2f}, vitals {of['vitals']['value'].sum():+.2f}"
        said = f"{sample['truth']}; {sample['explained']}: {sample['baseline']:.2f} → {sample['value']:.2f}"
        axes[3].set_title(f"{said}\n{sums}", size=7, pad=2, loc="left")
        vitals(axes[4], raw["vitals"], of["vitals"])
    path = Path(__file__).with_suffix(".png")
    save(figure, path)
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
