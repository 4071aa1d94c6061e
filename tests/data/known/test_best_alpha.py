"""On the Gaussian law, with frozen encoders of equal gain and a linear head, α is where the closed form says it is.

Embedding x_m = LN(w·t_m + b) with one flat map for both modalities is linear in t_m, so z = Σ α_m x_m is a sum of t_m
with the weights α. The table's numbers are z-scores t_m / √(1 + σ_m²): α_m ∝ σ_m⁻² √(1 + σ_m²)
(docs/tasks/synthetic.md). With encoders that train, α is not identified.
"""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.data.known.channel import optimal_alpha
from crossfade.fusion.elementwise import Weighted

SIGMA = np.array([1.0, 1.5])
SETTINGS = (
    "task=synthetic", "data.source.law=gaussian", "data.source.samples=6000", "data.split=[0.5,0.05,0.45]", "width=16",
    *(f"modality.{m}.{field}" for m in "ab" for field in (f"column=[{m}1]", f"unit={{{m}1: '1'}}")),
)  # fmt: skip


def closed_form():
    weight = optimal_alpha(SIGMA) * np.sqrt(1 + SIGMA**2)
    return weight[0] / weight.sum()


@pytest.fixture(scope="module")
def embedded():
    """By split: tokens (N, 2, 1, D) of the frozen encoders in float64, and the labels."""
    config = compose(*SETTINGS)
    data = build_data(config)
    data.prepare()
    model = build_model(config, data.fitted).eval()
    with torch.no_grad():
        model.encoders["a"].weight.mul_(0.05)  # flat beside the offset: the normalisation acts linearly
        model.encoders["b"].load_state_dict(model.encoders["a"].state_dict())
        model.embeddings["b"].load_state_dict(model.embeddings["a"].state_dict())
        found = {}
        for split in ("train", "test"):
            batch = data.samples[data.split[split].tolist()]
            tokens, _ = model.embed(batch.inputs, batch.presence)
            middle = tokens.mean((0, 1), keepdim=True)
            found[split] = ((tokens - middle).double(), batch.truth["label"])
    size = found["train"][0].std()
    return {split: (tokens / size, truth) for split, (tokens, truth) in found.items()}


def fit(tokens, truth, alpha, rows=None):
    """The strategy and a linear head, trained to the end (LBFGS) on these rows; the ridge keeps the head bounded."""
    if rows is not None:
        tokens, truth = tokens[rows], truth[rows]
    fusion = Weighted(("a", "b"), tokens.shape[-1], 1, alpha=alpha).double()
    head = nn.Linear(tokens.shape[-1], 2).double()
    nn.init.zeros_(head.weight)
    # one direction carries everything; learning begins along it, so that α has a gradient at once
    _, _, axes = torch.linalg.svd(tokens.flatten(0, 2), full_matrices=False)
    with torch.no_grad():
        head.weight.copy_(torch.stack([axes[0], -axes[0]]))
    parameters = [*fusion.parameters(), *head.parameters()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=100, line_search_fn="strong_wolfe")
    mask = torch.ones(tokens.shape[:3], dtype=torch.bool)

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(head(fusion(tokens, mask).tokens[:, 0, 0]), truth)
        loss = loss + 1e-5 * (head.weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return fusion, head


def test_the_learned_alpha_has_the_closed_form_in_its_interval(embedded):
    tokens, truth = embedded["train"]
    found = fit(tokens, truth, "learned")[0].alpha[0].item()
    rng = np.random.default_rng(0)
    drawn = [
        fit(tokens, truth, "learned", rng.integers(0, len(truth), len(truth)))[0].alpha[0].item() for _ in range(20)
    ]
    reach = 3 * np.std(drawn, ddof=1)  # three standard errors
    assert reach < 0.06  # tight enough to say something: even weights are outside
    assert abs(found - closed_form()) < reach
    assert abs(found - 0.5) > reach


def test_a_sweep_over_alpha_peaks_at_the_closed_form_within_its_interval(embedded):
    (tokens, truth), (unseen, answers) = embedded["train"], embedded["test"]
    grid = np.linspace(0.3, 0.95, 14)
    losses = []
    for a in grid:
        fusion, head = fit(tokens, truth, {"a": a, "b": 1 - a})
        with torch.no_grad():
            z = fusion(unseen, torch.ones(unseen.shape[:3], dtype=torch.bool)).tokens[:, 0, 0]
            losses.append(cross_entropy(head(z), answers, reduction="none").numpy())
    rng = np.random.default_rng(0)
    weights = rng.multinomial(len(answers), np.full(len(answers), 1 / len(answers)), size=500)
    best = grid[(np.stack(losses) @ weights.T).argmin(0)]
    low, high = np.quantile(best, [0.025, 0.975])
    assert low - 0.025 <= closed_form() <= high + 0.025  # half a step of the grid
    assert high - low < 0.3
    assert np.mean(losses[0]) > np.mean(losses, 1).min()
