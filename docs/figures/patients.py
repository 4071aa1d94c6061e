"""Draws docs/figures/patients.png: five of the built-in patients as every modality sees them.

    python docs/figures/patients.py

Each is the first patient of seed 0 with this diagnosis whose evidence is the textbook's in all five modalities.
Rendered at 160 × 160 pixels; `modality.ct.size` etc. set the size that a model sees (64 by default).
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from crossfade.data.medical import anatomy, ct, mri, note, ultrasound, vitals
from crossfade.data.medical.draws import generators
from crossfade.data.medical.synthetic import SyntheticPatients
from crossfade.data.medical.tables import DIAGNOSES, MODALITIES, likelihood, patterns
from crossfade.data.synthetic.draws import Uniforms
from crossfade.specs import ModalitySpec

SEED, SIZE = 0, 160
SHOWN = ("cyst", "haemangioma", "abscess", "hepatocellular carcinoma", "metastasis")
INK, MUTED, ALARM = "#1b2733", "#6b7785", "#b3261e"
# usual ranges, to mark what is out of them
USUAL = {
    "heart_rate": (50, 100), "temperature": (35.8, 37.6), "crp": (0, 10), "leukocytes": (4, 11),
    "bilirubin": (0, 21), "afp": (0, 10), "cea": (0, 5),
}  # fmt: skip
LABELS = {
    "heart_rate": "heart rate", "temperature": "temperature", "crp": "CRP", "leukocytes": "leukocytes",
    "bilirubin": "bilirubin", "afp": "AFP", "cea": "CEA",
}  # fmt: skip


def typical(state) -> np.ndarray:
    """Index of the first patient per diagnosis in SHOWN whose evidence is the likeliest in every modality."""
    found = []
    for name in SHOWN:
        c = DIAGNOSES.index(name)
        as_in_books = state.diagnosis == c
        for m in MODALITIES:
            as_in_books &= likelihood(m)[c, state.evidence[m]] == likelihood(m)[c].max()
        found.append(np.flatnonzero(as_in_books)[0])
    return np.array(found)


def palette() -> Image.Image:
    """40 greys, and the text's alarm colour in 8 steps to white: a third of the file's size."""
    alarm = np.array([int(ALARM[k : k + 2], 16) for k in (1, 3, 5)])
    greys = np.repeat(np.linspace(0, 255, 40)[:, None], 3, axis=1)
    steps = np.linspace(0, 1, 8, endpoint=False)[:, None]
    colours = np.concatenate([greys, alarm + steps * (255 - alarm)]).round().astype(int)
    image = Image.new("P", (1, 1))
    image.putpalette(colours.reshape(-1).tolist())
    return image


def write_note(axis: Axes, text: str) -> None:
    axis.text(
        0.04, 0.95, textwrap.fill(text, 37), va="top", ha="left", fontsize=7.7, color=INK, linespacing=1.35,
        family="DejaVu Serif",
    )  # fmt: skip


def write_table(axis: Axes, row: dict) -> None:
    lines = [("age, sex", f"{row['age']:.0f}, {row['sex']}", "", False)]
    for name, (low, high) in USUAL.items():
        value = row[name]
        text = "not measured" if value is None else f"{value:.{vitals.MEASURES[name].digits}f}"
        unit = "" if value is None else vitals.UNITS[name]
        lines.append((LABELS[name], text, unit, value is not None and not low <= value <= high))
    for k, (label, value, unit, out) in enumerate(lines):
        y = 0.95 - k * 0.118
        colour = ALARM if out else INK
        axis.text(0.03, y, label, va="top", fontsize=7.8, color=MUTED)
        plain = not unit
        axis.text(
            0.98 if plain else 0.70, y, value, va="top", ha="right", fontsize=7.8,
            color=MUTED if value == "not measured" else colour, weight="bold" if out else "normal",
        )  # fmt: skip
        axis.text(0.74, y, unit, va="top", fontsize=7.8, color=MUTED)


def main() -> None:
    source = SyntheticPatients({"note": ModalitySpec(kind="text")}, {}, SEED, samples=1)
    who = typical(source.state(np.arange(2000)))
    state = source.state(who)
    scene = anatomy.axial_slice(Uniforms(generators(SEED, who, "anatomy"), anatomy.ANATOMY_UNIFORMS), SIZE)
    seen = state.evidence
    x_ray = ct.render(scene, seen["ct"], 1.0, generators(SEED, who, "ct"))
    magnet = mri.render(scene, seen["mri"], 1.0, generators(SEED, who, "mri"))
    rngs = generators(SEED, who, "ultrasound")
    sound = ultrasound.render(seen["ultrasound"], scene.lesion.radius, SIZE, 1.0, rngs)

    plt.rcParams.update({"font.family": "DejaVu Sans", "figure.dpi": 105})
    widths = [1, 1, 1, 1, 1.28, 1.12]
    figure, axes = plt.subplots(
        len(who), 6, figsize=(12.2, 1.48 * len(who) + 0.36), gridspec_kw={"width_ratios": widths}
    )
    figure.subplots_adjust(left=0.036, right=0.997, top=0.952, bottom=0.006, wspace=0.03, hspace=0.035)
    heads = ("CT (HU)", "MRI, T1-weighted", "MRI, T2-weighted", "Ultrasound (dB)", "Note", "Vitals and laboratory")
    for axis, head in zip(axes[0], heads, strict=True):
        axis.set_title(head, fontsize=10, color=INK, pad=6)
    for i, row in enumerate(axes):
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
            for spine in axis.spines.values():
                spine.set_visible(False)
        half = slice(SIZE // 10, SIZE - SIZE // 10)  # rows: the body is wider than deep
        row[0].imshow(x_ray[i, 0], cmap="gray", vmin=-160, vmax=240)
        row[1].imshow(magnet[i, 0], cmap="gray", vmin=0, vmax=np.quantile(magnet[i, 0], 0.985))
        row[2].imshow(magnet[i, 1], cmap="gray", vmin=0, vmax=np.quantile(magnet[i, 1], 0.995))
        row[3].imshow(sound[i, 0], cmap="gray", vmin=-60, vmax=0)
        for axis in row[:4]:
            axis.set_ylim(half.stop, half.start)
        age, sex, smoking = state.person[i]
        write_note(
            row[4],
            note.write(patterns("note")[seen["note"][i]], age, sex, 1.0, generators(SEED, who[i : i + 1], "note")[0]),
        )
        write_table(
            row[5],
            vitals.measure(
                patterns("vitals")[seen["vitals"][i]], age, sex, smoking, 1.0,
                generators(SEED, who[i : i + 1], "vitals")[0],
            ),
        )  # fmt: skip
        row[0].set_ylabel(SHOWN[i].replace(" ", "\n"), fontsize=9.5, color=INK, labelpad=4)
        for axis in row[4:]:
            axis.set_xlim(0, 1)
            axis.set_ylim(0, 1)
            if i:
                axis.axhline(1, color="#d5dae0", lw=0.8)
    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    small = pixels.quantize(palette=palette(), dither=Image.Dither.NONE)
    small.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
