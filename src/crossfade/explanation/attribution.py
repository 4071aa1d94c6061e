"""Integrated gradients: how much each place of each input adds to one number that the model says."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crossfade.batch import Batch
from crossfade.encoders.base import Encoder
from crossfade.model import FusionModel
from crossfade.targets.base import Target

STEPS, MOST = 64, 1024  # points on the path; doubled up to the most for samples whose sum is not complete
CLOSE = 1e-3  # what may lack of the sum, times the larger of 1 and |f(x) − f(baseline)|
AT_ONCE = 256  # points on the path that are in memory at once, those of all samples together


@dataclass(frozen=True)
class Attributed:
    """Of n samples: what is explained (its name), f(x), f(baseline), and by modality the attributions (n, …).

    `gap` (n,) is f(x) − f(baseline) − Σ attributions, which completeness says is 0; `steps` (n,) how many were taken.
    """

    names: list[str]
    value: Tensor
    baseline: Tensor
    gap: Tensor
    steps: Tensor
    places: dict[str, Tensor]


def integrated_gradients(
    model: FusionModel,
    kinds: Mapping[str, str],
    target: str,
    batch: Batch,
    average: Mapping[str, Tensor] | None = None,
    steps: int = STEPS,
    most: int = MOST,
) -> Attributed:
    """IG_i = (x_i − x′_i)·∫₀¹ ∂f(x′ + a(x − x′))/∂x_i da: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, eq. 1.

    f is the entry of the prediction that the target's `explained` names, the same along the whole path. The path runs
    through all modalities at once, where each becomes numbers: of text at the word embeddings, from padding; of a
    table at its columns' tokens, from missing; of anything else at the encoder's input, from its `average` (…) over
    samples, or where none is given from 0, which of audio is silence. Of text and tables the attributions are summed
    over the width, (n, L) and (n, F). Missing entries stay missing. Point clouds stay as they are, and have none: no
    cloud lies between nothing and a cloud. `kinds` names the kind of each modality. Gauss-Legendre quadrature, by
    captum.
    """
    # an extra, which may not be there: `explained.not_installed`
    from captum.attr import IntegratedGradients

    path = _Path(model, kinds, target)
    with torch.no_grad():
        prediction = path.prediction(batch.inputs, batch.presence)
        explained = path.target.explained(prediction)
    assert explained is not None
    chosen, names = explained
    rest = (*(batch.inputs[name] for name in path.model.modalities), batch.presence, chosen)
    with torch.no_grad():
        ends = path.points(batch.inputs, batch.presence), path.baselines(batch.inputs, average or {})
        value, baseline = (path(*points, *rest) for points in ends)
    places = [torch.zeros_like(end) for end in ends[0]]
    gap, taken = torch.zeros_like(value), torch.zeros_like(chosen)
    rows = torch.arange(len(value), device=value.device)
    while len(rows):
        found = IntegratedGradients(path).attribute(
            tuple(end[rows] for end in ends[0]),
            tuple(end[rows] for end in ends[1]),
            additional_forward_args=tuple(part[rows] for part in rest),
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=max(AT_ONCE, len(rows)),
        )
        for all_of, some in zip(places, found, strict=True):
            all_of[rows] = some.detach().to(all_of.dtype)
        total = sum(some.detach().double().flatten(1).sum(1) for some in found)
        gap[rows] = (value[rows].double() - baseline[rows].double() - total).to(gap.dtype)
        taken[rows] = steps
        allowed = CLOSE * (value - baseline).abs().clamp(min=1.0)
        rows, steps = rows[(gap.abs() > allowed)[rows]], 2 * steps
        if steps > most:
            break
    summed = {
        name: x.sum(-1) if path.entrances[name] is not None else x for name, x in zip(path.names, places, strict=True)
    }
    return Attributed(names, value, baseline, gap, taken, summed)


class _Path(nn.Module):
    """The model as a function of numbers: forward(*points, *inputs, presence, chosen) → f (B,).

    A point is what stands at a modality's entrance. Modalities that share an encoder get one each: its entrance takes
    one modality's point at a time.
    """

    def __init__(self, model: FusionModel, kinds: Mapping[str, str], target: str) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        encoders = {name: copy.deepcopy(self.model.encoders[of]) for name, of in self.model.encoder_of.items()}
        self.model.encoders = nn.ModuleDict(encoders)
        self.model.encoder_of = {name: name for name in encoders}
        self.names = [name for name in self.model.modalities if kinds[name] != "points"]
        found = self.model.targets[target]
        assert isinstance(found, Target)
        self.target, self.named = found, target
        self.kinds = kinds

    @property
    def entrances(self) -> dict[str, nn.Module | None]:
        found = {}
        for name in self.names:
            encoder = self.model.encoders[name]
            assert isinstance(encoder, Encoder)
            found[name] = encoder.entrance
        return found

    def prediction(self, inputs: Mapping[str, Tensor], presence: Tensor) -> Tensor:
        return self.target.prediction(self.model(inputs, presence)[self.named])

    def points(self, inputs: Mapping[str, Tensor], presence: Tensor) -> tuple[Tensor, ...]:
        """What stands at each entrance."""
        found = []
        for column, name in enumerate(self.model.modalities):
            if name in self.names:
                found.append(self._at_entrance(name, inputs[name], presence[:, column]))
        return tuple(found)

    def baselines(self, inputs: Mapping[str, Tensor], average: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """What stands there of an input that says nothing."""
        found = []
        for name in self.names:
            x = inputs[name]
            nothing = average[name].to(x).expand_as(x) if name in average else torch.zeros_like(x)
            if self.kinds[name] == "text":
                nothing = torch.full_like(x, self.model.encoders[name].fitted["pad"])  # type: ignore[index, arg-type]
            elif self.kinds[name] == "table":
                nothing = torch.full_like(x, float("nan"))
            found.append(self._at_entrance(name, nothing, torch.ones(len(x), dtype=torch.bool, device=x.device)))
        return tuple(found)

    def _at_entrance(self, name: str, x: Tensor, here: Tensor) -> Tensor:
        entrance = self.entrances[name]
        if entrance is None:
            return x.nan_to_num(0.0)
        seen: list[Tensor] = []
        handle = entrance.register_forward_hook(lambda _module, _input, out: seen.append(out))
        self.model.encode(name, x, here)
        handle.remove()
        return seen[0].detach().clone()

    def forward(self, *given: Tensor) -> Tensor:
        points, rest = given[: len(self.names)], given[len(self.names) :]
        inputs, presence, chosen = dict(zip(self.model.modalities, rest, strict=False)), rest[-2], rest[-1]
        replaced = {}
        for name, point in zip(self.names, points, strict=True):
            entrance = self.entrances[name]
            if entrance is None:
                inputs[name] = torch.where(inputs[name].isnan(), inputs[name], point)
            else:
                replaced[name] = (entrance, point)
        with _replaced(dict(replaced.values())):
            return self.prediction(inputs, presence).gather(1, chosen[:, None])[:, 0]


@contextmanager
def _replaced(outputs: Mapping[nn.Module, Tensor]) -> Iterator[None]:
    """Modules give these in the place of what they compute."""
    handles = [
        module.register_forward_hook(lambda _module, _input, _out, given=given: given)
        for module, given in outputs.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
