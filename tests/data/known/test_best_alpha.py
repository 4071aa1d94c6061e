"""On the Gaussian law α is where the closed form says it is, within 95 %: of the law, of a fit, of a sweep, of a run.

A table's z-scores are t_m / s_m with the training split's own s_m: α_m ∝ s_m / σ_m² (docs/tasks/synthetic.md), and
`encoder/table=fixed` leaves them as they are. Where maps are trained before the fusion, α is not identified.
"""

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import binom, chi2
from torch import nn
from torch.nn.functional import cross_entropy

from crossfade import experiment
from crossfade.analysis.results_table import short
from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.data.known.channel import accuracy_of_alpha, alpha_sd, optimal_alpha
from crossfade.data.known.synthetic import KnownLaw
from crossfade.evaluation.summary import best_alpha
from crossfade.fusion.elementwise.weighted import Weighted
from crossfade.specs import ModalitySpec, TargetSpec

SIGMA = np.array([1.0, 1.5])
MODALITIES = {m: ModalitySpec(name=m, kind="table", column=[f"{m}1"]) for m in "abc"}
SEEDS, SAMPLES = 40, 1000


def observed(seed, names="ab", samples=SAMPLES):
    """What a law of this seed shows, (N, M), and y in {0, 1}, (N,)."""
    specs = {m: MODALITIES[m] for m in names}
    source = KnownLaw(specs, {"label": TargetSpec(name="label", kind="multiclass")}, seed, samples, "gaussian")
    truth = np.array([int(y) for y in source.frame().truth["label"]])
    rows = [source.read(i) for i in range(samples)]
    return np.array([[row[m][f"{m}1"] for m in names] for row in rows]), truth


def most_likely_alpha(x, y):
    """α of the logistic regression of y on x, by Newton's method: (M,)."""
    design = np.c_[np.ones(len(x)), x]
    beta = np.zeros(design.shape[1])
    for _ in range(30):
        p = expit(design @ beta)
        step = np.linalg.solve((design.T * (p * (1 - p))) @ design, design.T @ (y - p))
        beta = beta + step
    assert np.abs(step).max() < 1e-9
    return beta[1:] / beta[1:].sum()


@pytest.fixture(scope="module")
def errors():
    """(α̂ − α) / sd of the first of two modalities, of each seed of the law: (S,)."""
    found = []
    for seed in range(SEEDS):
        t, y = observed(seed)
        scales = t.std(0)
        alpha = most_likely_alpha(t / scales, y)
        found.append(((alpha - optimal_alpha(SIGMA, scales)) / alpha_sd(SIGMA, len(y), scales))[0])
    return np.array(found)


def test_95_of_100_intervals_hold_the_closed_form(errors):
    low, high = binom.interval(0.95, SEEDS, 0.95)
    assert low <= (np.abs(errors) < 1.96).sum() <= high
    low, high = chi2.interval(0.95, SEEDS)
    assert low < (errors**2).sum() < high  # the intervals are neither too wide nor too narrow …
    assert abs(errors.mean()) < 1.96 / np.sqrt(SEEDS)  # … and α is not off to one side


def simulated(sigma, samples, times):
    """z-scores' α̂ of simulated logistic regressions, and the scales that each had divided by: (R, M) twice."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(times):
        y = rng.integers(0, 2, samples)
        t = (2 * y - 1)[:, None] + sigma * rng.standard_normal((samples, len(sigma)))
        found.append((most_likely_alpha(t / t.std(0), y), t.std(0)))
    return np.array(found).transpose(1, 0, 2)


def test_its_standard_deviation_is_that_of_simulated_logistic_regressions():
    sigma = np.array([0.8, 1.3, 2.0])
    found, scales = simulated(sigma, 1000, 600)
    own = np.array([a - optimal_alpha(sigma, s) for a, s in zip(found, scales, strict=True)])
    low, high = np.sqrt(np.array(chi2.interval(0.999, 599)) / 599)
    ratio = np.std(own, axis=0, ddof=1) / alpha_sd(sigma, 1000, np.sqrt(1 + sigma**2))
    assert ((low < ratio) & (ratio < high)).all(), ratio


def test_the_optimum_of_the_law_s_scales_is_missed_by_more_than_that_of_the_sample_s_own():
    found, scales = simulated(SIGMA, 500, 1500)
    own = np.mean([(a - optimal_alpha(SIGMA, s))[0] ** 2 for a, s in zip(found, scales, strict=True)])
    law = np.mean((found - optimal_alpha(SIGMA, np.sqrt(1 + SIGMA**2)))[:, 0] ** 2)
    assert law > 1.05 * own


def test_it_is_the_alpha_of_highest_accuracy():
    scales = np.array([1.7, 0.6])
    grid = np.linspace(0.01, 0.99, 99)
    of = [accuracy_of_alpha(np.array([a, 1 - a]) / scales, SIGMA) for a in grid]
    assert abs(grid[np.argmax(of)] - optimal_alpha(SIGMA, scales)[0]) <= 0.005


# the framework's parts: data, z-scores, encoder, embedding, strategy


def embedded(seed):
    """Of `experiment=known_alpha`: by split tokens (N, 2, 1, D) in float64, z-scores and labels; model and data."""
    config = compose("experiment=known_alpha", "alpha=learned", f"seed={seed}", "data.source.samples=6000")
    data = build_data(config)
    data.prepare()
    model = build_model(config, data.fitted).eval()
    found = {}
    for split in ("train", "test"):
        batch = data.samples[data.split[split].tolist()]
        with torch.no_grad():
            tokens, _ = model.embed(batch.inputs, batch.presence)
        z = torch.cat([batch.inputs[m] for m in "ab"], 1).double().numpy()
        found[split] = tokens.double(), z, batch.truth["label"]
    return found, model, data


def fit(tokens, truth, alpha):
    """The strategy and a linear head, trained to the end (LBFGS)."""
    fusion = Weighted(("a", "b"), tokens.shape[-1], 1, alpha=alpha).double()
    head = nn.Linear(tokens.shape[-1], 2).double()
    nn.init.zeros_(head.weight)
    with torch.no_grad():  # a head of zeros gives α no gradient: begin along what tells the classes apart
        apart = tokens[truth == 1].mean((0, 1, 2)) - tokens[truth == 0].mean((0, 1, 2))
        head.weight.copy_(torch.stack([-apart, apart]))
    parameters = [*fusion.parameters(), *head.parameters()]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=500, tolerance_grad=1e-9, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )
    mask = torch.ones(tokens.shape[:3], dtype=torch.bool)

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(head(fusion(tokens, mask).tokens[:, 0, 0]), truth)
        loss.backward()
        return loss

    optimizer.step(closure)
    return fusion, head


def test_the_learned_alpha_is_the_most_likely_one_and_has_the_closed_form_in_its_interval():
    holds = 0
    for seed in range(4):
        found, model, data = embedded(seed)
        tokens, z, truth = found["train"]
        learned = fit(tokens, truth, "learned")[0].alpha[0].item()
        known = best_alpha(model, data)["a"]
        sd = (known["high"] - known["value"]) / 1.96
        assert abs(learned - most_likely_alpha(z, truth.numpy())[0]) < 0.15 * sd  # q_0 is one more number to fit
        assert sd < 0.014  # tight enough to say something: even weights are far outside
        holds += known["low"] < learned < known["high"]
        assert not known["low"] < 0.5 < known["high"]
    assert holds >= binom.interval(0.95, 4, 0.95)[0]


def test_a_sweep_over_alpha_peaks_at_the_closed_form_within_its_interval():
    found, model, data = embedded(0)
    (tokens, _, truth), (unseen, _, answers) = found["train"], found["test"]
    grid = np.linspace(0.3, 0.95, 27)
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
    assert low - 0.0125 <= best_alpha(model, data)["a"]["value"] <= high + 0.0125  # half a step of the grid
    assert high - low < 0.2
    assert np.mean(losses[0]) > np.mean(losses, 1).min()


def test_a_run_ends_at_the_most_likely_alpha_and_shows_the_closed_form(tmp_path, capsys):
    settings = ["experiment=known_alpha", "alpha=learned", "data.source.samples=6000", "trainer.epochs=20"]
    quiet = ["singles=false", "patterns=false", "figures=false"]
    summary = experiment.run(compose(*settings, *quiet), tmp_path / "run")
    best, learned = summary["best_alpha"]["a"], summary["alpha"]["a"]
    _, z, truth = embedded(0)[0]["train"]
    assert abs(learned - most_likely_alpha(z, truth.numpy())[0]) < (best["high"] - best["low"]) / 4  # one sd
    assert f"best α:  a {short(best['value'])} [{short(best['low'])}, {short(best['high'])}]" in capsys.readouterr().out


@pytest.mark.parametrize(
    "settings",
    [
        ["encoder/table=linear"],  # trained maps undo α
        ["fusion=loglinear"],
        ["data.source.law=copy"],
        ["data.source.missing=0.1"],
        ["data.source.noise=0"],
        ["modality.a.column=[a1,a2]", "modality.a.unit={a1: '1', a2: '1'}"],
    ],
)
def test_nothing_is_said_where_there_is_no_closed_form(settings):
    config = compose("experiment=known_alpha", "data.source.samples=60", *settings)
    data = build_data(config)
    data.prepare()
    assert best_alpha(build_model(config, data.fitted), data) is None
