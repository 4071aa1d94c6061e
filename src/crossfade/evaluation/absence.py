"""What a trained model is worth when modalities are absent: every presence pattern, and rates of absence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crossfade.analysis.patterns import pattern_shares, sampling_sd, scored_patterns
from crossfade.analysis.scores import Scores
from crossfade.cache.features import known_features
from crossfade.data.module import DataModule
from crossfade.evaluation.steps import samples_at_once
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.targets.base import Target
from crossfade.training.module import compute_metrics

RATES = tuple(round(0.1 * i, 1) for i in range(10))
DRAWS = 10  # of the patterns at a rate, for a metric that is no mean over the samples


@torch.no_grad()
def score_patterns(
    model: FusionModel,
    data: DataModule,
    split: str = "test",
    device: torch.device | None = None,
    targets: Sequence[str] | None = None,
) -> dict[str, Scores]:
    """The metrics of every target, or of these, when the model is given only the modalities of each pattern, by target.

    A modality is there if the sample has it and the pattern keeps it. Each modality is encoded once; a pattern costs
    one pass of fusion, core and heads. Samples that a pattern leaves with nothing are not scored under it.
    The embedded split is held in memory: N·M·K·D numbers.
    """
    device = device or torch.device("cpu")
    tokens, mask = embedded_split(model, data, split, device)
    presence = mask[:, :, 0]
    patterns = scored_patterns(len(model.modalities))
    rows = [np.flatnonzero((presence.cpu().numpy() & pattern).any(1)) for pattern in patterns]
    wanted = {name: _Gathered(model, name, data, split) for name in targets or model.targets if name in data.targets}
    for pattern, kept in zip(patterns, rows, strict=True):
        outputs = decided(model, tokens, mask, torch.from_numpy(pattern).to(device), kept)
        model.targets.cpu()  # what a prediction takes of its target (a mean, a scale) must be where the outputs are
        for name, gathered in wanted.items():
            gathered.take(outputs[name], kept)
        model.targets.to(device)
    model.cpu()
    return {name: gathered.scores(model.modalities, patterns, rows, data.seed) for name, gathered in wanted.items()}


@torch.no_grad()
def embedded_split(model: FusionModel, data: DataModule, split: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """What fusion sees of a whole split, tokens (N, M, K, D) and mask (N, M, K), the model left on the device."""
    model = model.to(device).eval()
    with known_features(model, data, split, device):
        batches = (batch.to(device) for batch in data.loader(split))
        parts = [model.embed(b.inputs, b.presence, b.features) for b in batches]
    tokens, mask = (torch.cat(part) for part in zip(*parts, strict=True))
    return tokens, mask


@torch.no_grad()
def decided(model: FusionModel, tokens: Tensor, mask: Tensor, pattern: Tensor, rows: np.ndarray) -> dict[str, Tensor]:
    """Outputs of the samples `rows` with the modalities of one pattern, {target: (n, …)}, on the CPU."""
    parts: dict[str, list[Tensor]] = {name: [] for name in model.targets}
    step = samples_at_once(model, tokens)
    for start in range(0, len(rows), step):
        some = torch.from_numpy(rows[start : start + step]).to(tokens.device)
        here = mask[some] & pattern[:, None]
        for name, output in model.decide(tokens[some].masked_fill(~here.unsqueeze(-1), 0.0), here).items():
            parts[name].append(output.cpu())
    return {name: torch.cat(found) if found else torch.empty(0) for name, found in parts.items()}


class _Gathered:
    """One target's metrics, pattern after pattern, and what the curve over rates needs of each sample."""

    def __init__(self, model: FusionModel, name: str, data: DataModule, split: str) -> None:
        target = model.targets[name]
        assert isinstance(target, Target)
        self.target = target
        self.truth = data.samples.truth[name][torch.from_numpy(data.split[split])]
        self.metrics: list[dict[str, float]] = []
        self.each: list[np.ndarray] = []  # main metric of each sample, NaN where it does not count
        self.predictions: list[Tensor] = []  # where it is not a mean over the samples
        self.worth: list[np.ndarray] = []

    def take(self, output: Tensor, rows: np.ndarray) -> None:
        """The results of the next pattern, whose outputs are those of the samples `rows`."""
        truth = self.truth[rows]
        known = self.target.known(truth)
        if not known.any():
            self.metrics.append({})
            return
        prediction = self.target.prediction(output)
        self.metrics.append(compute_metrics(self.target, prediction, truth))
        each = self.target.per_sample(prediction[known].float(), self.target.measurable(truth[known]))
        if (worth := self._worth(prediction, truth)) is not None:
            self.worth.append(self._placed(worth, rows[known.numpy()]))
        if each is not None:
            self.each.append(self._placed(each, rows[known.numpy()]))
        elif len(rows):
            whole = torch.full((len(self.truth), *prediction.shape[1:]), float("nan"))
            whole[rows] = prediction.float()
            self.predictions.append(whole)

    def _placed(self, values: Tensor, rows: np.ndarray) -> np.ndarray:
        """Values (n,) of the samples `rows` among all, (N,), NaN elsewhere."""
        found = np.full(len(self.truth), np.nan)
        found[rows] = values.double().numpy()
        return found

    def _worth(self, prediction: Tensor, truth: Tensor) -> Tensor | None:
        known = self.target.known(truth)
        return self.target.worth(prediction[known].float(), self.target.measurable(truth[known]))

    def scores(
        self, modalities: tuple[str, ...], patterns: np.ndarray, rows: Sequence[np.ndarray], seed: int
    ) -> Scores:
        """All patterns' metrics, and the curve where each has some."""
        names = next((list(found) for found in self.metrics if found), [self.target.main])
        metrics = {n: np.array([found.get(n, np.nan) for found in self.metrics]) for n in names}
        known = self.target.known(self.truth).numpy()
        samples = np.array([known[kept].sum() for kept in rows])
        main = self.target.main
        scores = Scores(modalities, main, self.target.direction(main), patterns, samples, metrics)
        if len(self.worth) == len(patterns):
            nothing = self._worth(self.target.chance(self.truth), self.truth)
            assert nothing is not None
            scores.worth, scores.worth_is = np.stack(self.worth), self.target.worth_is
            scores.worth_of_nothing = self._placed(nothing, np.flatnonzero(known))
        if self.predictions and len(self.predictions) == len(patterns):
            scores.predictions, scores.truth = torch.stack(self.predictions).numpy(), self.truth.numpy()
        if all(self.metrics):
            scores.curve = self._expected(patterns) if self.each else self._drawn(patterns, rows, seed)
        return scores

    def _expected(self, patterns: np.ndarray) -> pd.DataFrame:
        """Mean over samples and patterns in closed form: Σ_P P(P | rate)·(mean over the samples that P leaves).

        Its sd is that of having sampled the patterns, 0 where they are all.
        """
        each = np.stack(self.each)
        counts = ~np.isnan(each)
        total = np.where(counts, each, 0.0).sum(1)
        values, sds = [], []
        for rate in RATES:
            share = pattern_shares(patterns, rate)
            values.append((share @ total) / (share @ counts.sum(1)))
            sds.append(sampling_sd(patterns, total / counts.sum(1).clip(min=1), rate))
        return pd.DataFrame({"rate": RATES, "value": values, "sd": sds})

    def _drawn(self, patterns: np.ndarray, rows: Sequence[np.ndarray], seed: int) -> pd.DataFrame:
        """The metric of samples that each have a pattern of their own; mean and sd over draws of them."""
        rng = np.random.default_rng(seed)
        predictions = torch.stack(self.predictions)  # (P, N, …)
        there = np.zeros((len(patterns), len(self.truth)), bool)
        for row, kept in enumerate(rows):
            there[row, kept] = True
        draws = max(2, DRAWS * self.target.resamples // Target.resamples)  # fewer of a metric that is slow
        found = []
        for rate in RATES:
            values = []
            for _ in range(draws if rate else 1):
                drawn = rng.choice(len(patterns), len(self.truth), p=pattern_shares(patterns, rate))
                kept = np.flatnonzero(there[drawn, np.arange(len(drawn))])
                values.append(compute_main(self.target, predictions[drawn[kept], kept], self.truth[kept]))
            found.append((rate, float(np.nanmean(values)), float(np.nanstd(values))))
        return pd.DataFrame(found, columns=["rate", "value", "sd"])


def compute_main(target: Target, prediction: Tensor, truth: Tensor) -> float:
    """The main metric alone, over the samples whose truth is known."""
    known = target.known(truth)
    measured = target.measurable(truth[known])
    return target.resampled(prediction[known], measured)(np.arange(len(measured)))


def write_absence(folder: RunFolder, found: Mapping[str, Scores]) -> None:
    """absence_<target>.csv, a row a pattern, and absence_rate_<target>.csv, a row a rate."""
    for name, scores in found.items():
        folder.write_table(f"absence_{name}", scores.table())
        if scores.curve is not None:
            folder.write_table(f"absence_rate_{name}", scores.curve)


def summary_of(found: Mapping[str, Scores]) -> dict[str, dict[str, object]]:
    """What a run's summary keeps, by "<target>/<main metric>": the area under the curve, the drop per modality."""
    return {
        f"{name}/{s.main}": {
            "area": s.area,
            "drop": {modality: None if np.isnan(drop) else drop for modality, drop in s.drop.items()},
        }
        for name, s in found.items()
    }
