"""Draws docs/figures/synthetic.png: strategies × laws against Bayes, the dial from copy to xor, and α.

    python docs/figures/synthetic.py

Linear encoders, no core, the run's own heads; 500 steps of AdamW on batches of 64, seed 0 (α learned: 4000, the
learning rate falling to 0), the last weights, test split; nothing is selected. Prints what it draws.
"""

from __future__ import annotations

import functools
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.data.known.channel import accuracy_of_alpha, optimal_alpha
from crossfade.data.known.laws import LAWS
from crossfade.data.module import DataModule
from crossfade.model import FusionModel
from crossfade.seeding import seeded

STRATEGIES = ("concat", "weighted", "late", "product", "multiplicative", "mlp")
DIALS = (0.0, 0.25, 0.5, 0.75, 1.0)
ALPHAS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
ONE_COLUMN = (
    "modality.a.column=[a1]",
    "modality.b.column=[b1]",
    "modality.a.unit={a1: '1'}",
    "modality.b.unit={b1: '1'}",
)
INK, MUTED, BLUE, ORANGE = "#1b2733", "#6b7785", "#1f6feb", "#d9730d"


@functools.cache
def data_of(*settings: str) -> DataModule:
    data = build_data(compose("task=synthetic", *settings))
    data.prepare()
    return data


def model_of(*settings: str) -> tuple[FusionModel, DataModule]:
    """An untrained model, and the data that these settings, but for the model's, name."""
    data = data_of(*(s for s in settings if not s.startswith(("fusion=", "alpha=", "encoder/"))))
    return build_model(compose("task=synthetic", "width=32", *settings), data.fitted), data


def fit(model: FusionModel, data: DataModule, steps: int = 500, falling: bool = False) -> float:
    """Balanced accuracy on the test split."""
    target = model.targets["label"]
    train, test = (data.samples[data.split[name].tolist()] for name in ("train", "test"))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-3, weight_decay=0.01)
    with seeded(0, "fit"):
        for step in range(steps):
            if falling:
                optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
            rows = torch.randint(0, len(train), (64,))
            inputs = {name: x[rows] for name, x in train.inputs.items()}
            loss = target.loss(model(inputs, train.presence[rows])["label"], train.truth["label"][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        guess = model(test.inputs, test.presence)["label"].argmax(1)
    truth = test.truth["label"]
    return float(np.mean([(guess[truth == c] == c).float().mean() for c in truth.unique()]))


def table(axis: Axes) -> None:
    scores, best = np.zeros((len(LAWS), len(STRATEGIES))), np.zeros(len(LAWS))
    for i, law in enumerate(LAWS):
        for j, strategy in enumerate(STRATEGIES):
            model, data = model_of(f"data.source.law={law}", f"fusion={strategy}", "data.source.samples=4000")
            scores[i, j] = fit(model, data)
        best[i] = data.source.bayes("label", ["a", "b"]).value
        print(
            law, dict(zip(STRATEGIES, scores[i].round(3).tolist(), strict=True)), "Bayes", round(best[i], 4), flush=True
        )
    shown = np.concatenate([scores, best[:, None]], axis=1)
    axis.imshow(shown / best[:, None], cmap="RdYlGn", vmin=0.4, vmax=1.15, aspect="auto")
    axis.set_xticks(range(len(STRATEGIES) + 1), [*STRATEGIES, "Bayes"], rotation=35, ha="right", fontsize=8)
    axis.set_yticks(range(len(LAWS)), LAWS, fontsize=8)
    for (i, j), value in np.ndenumerate(shown):
        axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color=INK)
    axis.axvline(len(STRATEGIES) - 0.5, color="white", lw=4)
    axis.set_title("Balanced accuracy, by law and strategy", fontsize=9, color=INK)


def dial(axis: Axes) -> None:
    base = ("data.source.law=mixture", "data.source.samples=4000")
    for strategy, colour in (("concat", ORANGE), ("product", BLUE)):
        scores = []
        for share in DIALS:
            scores.append(fit(*model_of(*base, f"data.source.dial={share}", f"fusion={strategy}")))
        print("dial", strategy, np.round(scores, 3).tolist(), flush=True)
        axis.plot(DIALS, scores, "o-", color=colour, label=strategy, lw=1.2, ms=4)
    fine = np.linspace(0, 1, 21)
    sources = [model_of(*base[:1], f"data.source.dial={share}", "data.source.samples=60")[1].source for share in fine]
    axis.plot(fine, [s.best([0, 1]) for s in sources], color=INK, lw=1, label="Bayes, both")
    axis.plot(fine, [s.best([0]) for s in sources], color=MUTED, lw=1, ls="--", label="Bayes, one")
    axis.set_xlabel("dial: share of xor, the rest is copy", fontsize=8)
    axis.set_title("From redundancy to synergy", fontsize=9, color=INK)
    axis.legend(fontsize=7, frameon=False)


def alpha(axis: Axes) -> None:
    base = ("data.source.law=gaussian", "data.source.samples=10000", "fusion=weighted", *ONE_COLUMN)
    sigma = np.array([1.0, 1.5])
    raised = np.sqrt(1 + sigma**2)  # z-scores: the sd of x = ±1 + σ n
    best = optimal_alpha(sigma, raised)[0]
    fine = np.linspace(0, 1, 101)
    axis.plot(
        fine,
        [accuracy_of_alpha(np.array([a, 1 - a]) / raised, sigma) for a in fine],
        color=INK,
        lw=1,
        label="closed form",
    )
    axis.axvline(best, color=INK, lw=0.8, ls=":")
    for name, encoder, colour in (("fixed", "fixed", BLUE), ("maps trained", "linear", ORANGE)):
        scores = []
        for a in ALPHAS:
            scores.append(fit(*model_of(*base, f"encoder/table={encoder}", f"alpha={a}")))
        model, data = model_of(*base, f"encoder/table={encoder}", "alpha=learned")
        learned = fit(model, data, steps=4000, falling=True)
        found = model.fusion.alpha[0].item()
        print(
            "alpha",
            name,
            np.round(scores, 4).tolist(),
            f"learned {found:.3f}: {learned:.4f}",
            f"best {best:.3f}",
            flush=True,
        )
        axis.plot(ALPHAS, scores, "o", color=colour, ms=4, label=name)
        axis.plot(found, learned, "*", color=colour, ms=11, mec="white", label=f"{name}, α learned")
    axis.set_xlabel("α of the first modality", fontsize=8)
    axis.set_title("Gaussian law: α", fontsize=9, color=INK)
    axis.legend(fontsize=7, frameon=False, loc="lower center")


def main() -> None:
    figure, axes = plt.subplots(
        1, 3, figsize=(13, 3.9), gridspec_kw={"width_ratios": [1.5, 1, 1]}, layout="constrained"
    )
    for axis, draw in zip(axes, (table, dial, alpha), strict=True):
        draw(axis)
        axis.tick_params(labelsize=8)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=105)


if __name__ == "__main__":
    main()
