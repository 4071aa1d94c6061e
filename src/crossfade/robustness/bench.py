"""A split that is encoded once, and scored again with the tokens of some modalities replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from crossfade.analysis.levels import ABSENT, CHANCE, CLEAN, Level, Measured
from crossfade.balance.base import total_loss
from crossfade.data.module import DataModule
from crossfade.evaluation.scored import Scored
from crossfade.evaluation.steps import samples_at_once
from crossfade.evaluation.summary import main_interval
from crossfade.model import FusionModel
from crossfade.seeding import derived
from crossfade.targets.base import Target
from crossfade.targets.multiclass import MultiClass
from crossfade.training.module import compute_metrics


class Bench:
    """A trained model and samples of a split: tokens (N, M, K, D), mask (N, M, K), encoded once, without gradients.

    `rows` are the samples' numbers in the source. The model is left in evaluation mode, and its parameters take no
    gradient any more.
    """

    def __init__(self, model: FusionModel, data: DataModule, rows: np.ndarray, device: torch.device) -> None:
        self.model, self.data, self.device = model.to(device).eval().requires_grad_(False), data, device
        self.rows = rows
        self.parts = [slice(i, min(i + data.batch_size, len(rows))) for i in range(0, len(rows), data.batch_size)]
        index = torch.from_numpy(rows)
        self.presence = data.samples.present[index]
        self.truth = {n: data.samples.truth[n][index] for n in model.targets if n in data.targets}
        self.ids, self.groups = ([str(column[i]) for i in rows] for column in (data.frame.ids, data.frame.groups))
        with torch.no_grad():
            batches = (data.samples[rows[part].tolist()].to(device) for part in self.parts)
            embedded = [model.embed(batch.inputs, batch.presence) for batch in batches]
        self.tokens, self.mask = (torch.cat(parts) for parts in zip(*embedded, strict=True))

    def here(self, name: str, part: slice) -> Tensor:
        """The presence of one modality in a part of the samples, (n,)."""
        return self.presence[part, self.model.modalities.index(name)]

    def embed_one(self, name: str, x: Tensor, part: slice) -> Tensor:
        """What fusion sees of one modality in a part of the samples: x (n, …) → (n, K, D), zeros where absent."""
        here = self.here(name, part).to(self.device)
        tokens = self.model.embeddings[name](*self.model.encode(name, x, here))
        return tokens.masked_fill(~here.view(-1, 1, 1), 0.0)

    def replaced(self, tokens: Tensor, columns: Mapping[str, Tensor]) -> Tensor:
        """`tokens` (n, M, K, D) with the columns (n, K, D) of these modalities."""
        parts = [columns.get(name, tokens[:, column]) for column, name in enumerate(self.model.modalities)]
        return torch.stack(parts, 1)

    def loss(self, tokens: Tensor, mask: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Σ_t w_t·L_t over the targets."""
        return total_loss(self.model, self.model.decide(tokens, mask), dict(truth))

    def measure(self, tokens: Tensor, mask: Tensor | None = None) -> dict[str, Measured]:
        """Every target's metrics with these tokens; samples that the mask leaves with nothing are not counted.

        No metric of a target whose truth is known of no sample that is left.
        """
        mask = self.mask if mask is None else mask
        kept = mask.any(-1).any(-1).nonzero().squeeze(1)
        if not len(kept):
            return {name: Measured({}, None) for name in self.truth}
        prediction = self._predictions(tokens, mask, kept)
        kept = kept.cpu()
        return {name: self._measured(name, prediction[name], kept) for name in self.truth}

    def chance(self) -> dict[str, Measured]:
        """Of the best prediction that looks at no input."""
        found = {}
        for name, truth in self.truth.items():
            target = self._target(name)
            known = bool(target.known(truth).any())
            found[name] = Measured(compute_metrics(target, target.chance(truth), truth) if known else {}, None)
        return found

    def without(self, name: str) -> dict[str, Measured]:
        """With one modality absent."""
        mask = self.mask.clone()
        mask[:, self.model.modalities.index(name)] = False
        return self.measure(self.tokens.masked_fill(~mask.unsqueeze(-1), 0.0), mask)

    def generators(self, part: slice, *names: object) -> list[np.random.Generator]:
        """The random numbers of each sample of a part, for this purpose: the same whatever stands beside it."""
        return [np.random.default_rng(derived(self.data.seed, *names, sample)) for sample in self.ids[part]]

    @torch.no_grad()
    def _predictions(self, tokens: Tensor, mask: Tensor, kept: Tensor) -> dict[str, Tensor]:
        outputs: dict[str, list[Tensor]] = {name: [] for name in self.truth}
        step = samples_at_once(self.model, tokens)
        for some in kept.split(step):
            for name, output in self.model.decide(tokens[some], mask[some]).items():
                if name in outputs:
                    outputs[name].append(output.cpu())
        self.model.targets.cpu()  # what a prediction takes of its target must be where the outputs are
        found = {name: self._target(name).prediction(torch.cat(parts)) for name, parts in outputs.items()}
        self.model.targets.to(self.device)
        return found

    def _measured(self, name: str, prediction: Tensor, kept: Tensor) -> Measured:
        target, truth = self._target(name), self.truth[name][kept]
        known = target.known(truth)
        if not known.any():
            return Measured({}, None)
        metrics = compute_metrics(target, prediction, truth)
        one = target.per_sample(prediction[known][:1], target.measurable(truth[known][:1]))
        if not isinstance(target, MultiClass) and one is None:
            return Measured(metrics, None)  # a metric of all samples at once: too slow to draw again here
        scored = Scored({name: prediction}, {name: truth}, {}, [], [self.groups[i] for i in kept.tolist()])
        ends = main_interval(target, scored, name)
        return Measured(metrics, None if ends is None else (ends[0], ends[1]))

    def _target(self, name: str) -> Target:
        target = self.model.targets[name]
        assert isinstance(target, Target)
        return target


def references(bench: Bench) -> Iterator[Level]:
    """The clean samples, chance, and each modality absent, where that leaves another."""
    yield Level("", CLEAN, 0, bench.measure(bench.tokens))
    yield Level("", CHANCE, 0, bench.chance())
    if len(bench.model.modalities) > 1:
        for name in bench.model.modalities:
            yield Level(name, ABSENT, 0, bench.without(name))
