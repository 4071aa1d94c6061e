"""A trained model when one modality is corrupted: every corruption of its kind, in every severity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from crossfade.analysis.levels import Level
from crossfade.corruptions.base import Corruption
from crossfade.data.scale import Scale
from crossfade.robustness.bench import Bench


def corrupted_levels(
    bench: Bench,
    corruptions: Mapping[str, Mapping[str, Corruption]],
    severities: Sequence[int],
    scales: Mapping[str, Scale],
    tick: Callable[[], None],
) -> Iterator[Level]:
    """Each modality corrupted while the others are clean, by each of its corruptions, {modality: {name: …}}.

    The others are not encoded again. `tick` is called after each level.
    """
    for modality, own in corruptions.items():
        for name, corruption in own.items():
            for severity in severities:
                parts = []
                for part in bench.parts:
                    generators = bench.generators(part, "corruption", name, modality)
                    if corruption.raw:
                        x = _corrupted_raw(bench, modality, part, corruption, severity, generators)
                    else:
                        x = _corrupted(bench, modality, part, corruption, severity, generators, scales[modality])
                    with torch.no_grad():
                        parts.append(bench.embed_one(modality, x.to(bench.device), part))
                tokens = bench.replaced(bench.tokens, {modality: torch.cat(parts)})
                yield Level(modality, name, severity, bench.measure(tokens))
                tick()


def _corrupted(
    bench: Bench,
    modality: str,
    part: slice,
    corruption: Corruption,
    severity: int,
    generators: Sequence[np.random.Generator],
    scale: Scale,
) -> Tensor:
    """The modality's inputs (n, …) of a part of the samples; what the transform would cut off is cut off."""
    x = bench.data.samples.of([modality])[bench.rows[part].tolist()].inputs[modality]
    for row, here, rng in zip(x, bench.here(modality, part).tolist(), generators, strict=True):
        if here:
            row.copy_(scale.cut(torch.from_numpy(corruption(row.numpy(), severity, rng, scale))))
    return x


def _corrupted_raw(
    bench: Bench,
    modality: str,
    part: slice,
    corruption: Corruption,
    severity: int,
    generators: Sequence[np.random.Generator],
) -> Tensor:
    """The same of a corruption of raw values, which are read again."""
    data = bench.data
    transform, others = data.transforms[modality], set(data.transforms) - {modality}
    prepared = []
    for i, here, rng in zip(bench.rows[part].tolist(), bench.here(modality, part).tolist(), generators, strict=True):
        raw = data.source.read(i, without=others)[modality] if here else None
        prepared.append(transform.prepare(corruption(raw, severity, rng, None)) if here else None)
    return transform.finish(prepared)
