"""A trained model under adversarial perturbation of one modality, or of all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from crossfade.adversary.attack import Inputs, fgsm, pgd, radius_of
from crossfade.analysis.levels import Level
from crossfade.data.scale import Scale
from crossfade.robustness.bench import Bench

STEPS = 10  # of PGD
JOINTLY = "jointly"  # all modalities of `scales` at once


def attacked_levels(
    bench: Bench,
    attacks: Sequence[str],
    epsilons: Sequence[float],
    scales: Mapping[str, Scale],
    tick: Callable[[], None],
) -> Iterator[Level]:
    """FGSM and PGD, ascending Σ_t w_t·L_t over the targets, on each modality of `scales` alone and on all of them.

    White box: the attack knows the model, the truth and the other modalities. ε is in standard deviations of the
    training split. A modality that is not attacked is not encoded again. `tick` is called after each level.
    """
    for attack in attacks:
        for label, names in attacked_sets(scales).items():
            for epsilon in epsilons:
                found = [_attacked(bench, attack, epsilon, {n: scales[n] for n in names}, part) for part in bench.parts]
                columns = {name: torch.cat([one[name] for one in found]) for name in names}
                yield Level(label, attack, epsilon, bench.measure(bench.replaced(bench.tokens, columns)))
                tick()


def attacked_sets(names: Iterable[str]) -> dict[str, list[str]]:
    """What is attacked together, by what it is called: each modality alone, and all of several."""
    every = list(names)
    return {name: [name] for name in every} | ({JOINTLY: every} if len(every) > 1 else {})


def _attacked(bench: Bench, attack: str, epsilon: float, scales: Mapping[str, Scale], part: slice) -> dict[str, Tensor]:
    """The tokens (n, K, D) of the attacked modalities in a part of the samples."""
    batch = bench.data.samples.of(list(scales))[bench.rows[part].tolist()]
    x = {name: batch.inputs[name].to(bench.device) for name in scales}
    here = {name: bench.here(name, part).to(bench.device) for name in scales}
    radius = {name: radius_of(x[name], here[name], scale, epsilon) for name, scale in scales.items()}
    tokens, mask = bench.tokens[part], bench.mask[part]
    truth = {name: values[part].to(bench.device) for name, values in bench.truth.items()}

    def loss(moved: Inputs) -> Tensor:
        columns = {name: bench.embed_one(name, value, part) for name, value in moved.items()}
        return bench.loss(bench.replaced(tokens, columns), mask, truth)

    if attack == "fgsm":
        moved = fgsm(loss, x, radius, scales)
    else:
        start = {name: _start(bench, name, value, part) for name, value in x.items()}
        moved = pgd(loss, x, radius, scales, STEPS, start)
    with torch.no_grad():
        return {name: bench.embed_one(name, value, part) for name, value in moved.items()}


def _start(bench: Bench, name: str, x: Tensor, part: slice) -> Tensor:
    """Where each sample starts in its box, uniform in [−1, 1], like x: random numbers of its own."""
    draws = [rng.uniform(-1, 1, x.shape[1:]).astype(np.float32) for rng in bench.generators(part, "attack", name)]
    return torch.from_numpy(np.stack(draws)).to(x.device)
