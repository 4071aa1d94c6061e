"""n models of one architecture as one: their trained numbers as the rows of a matrix, their forward pass under vmap."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from crossfade.balance.base import Balance
from crossfade.batch import Batch
from crossfade.layers.draws import Rate, Streams, members
from crossfade.model import FusionModel
from crossfade.stacked import attention, layers
from crossfade.targets.base import Target
from crossfade.training.optim import DECAYED

Outputs = dict[str, Tensor]


class NotStackable(Exception):
    """These runs can't train as one, for this reason; each alone they can."""


class _Member(nn.Module):
    """One training step's loss, and what is predicted, of one model."""

    def __init__(self, model: FusionModel, balance: Balance) -> None:
        super().__init__()
        self.model, self.balance = model, balance

    def forward(self, batch: Batch, weights: Mapping[str, float | Tensor] | None) -> Any:
        tokens, mask = self.model.embed(batch.inputs, batch.presence, batch.features)
        if weights is None:
            return self.model.decide(tokens, mask)
        outputs = self.model.decide(*self.balance.hide(tokens, mask))
        losses = [weights[name] * self._target(name).loss(out, batch.truth[name]) for name, out in outputs.items()]
        return torch.stack(losses).sum()

    def _target(self, name: str) -> Target:
        target = self.model.targets[name]
        assert isinstance(target, Target)
        return target


class Stack:
    """Models that differ in the values of parameters, buffers, dropout rates, label smoothing and loss weights alone.

    `values` (n, P): each model's trained parameters side by side, first the `plain` that have no weight decay, in the
    order of the optimiser's groups. `seeds[j]` says what member j draws (see `draws`). Raises NotStackable for models
    that differ otherwise, and for what vmap does not take.
    """

    def __init__(self, models: Sequence[FusionModel], balances: Sequence[Balance], seeds: Sequence[int]) -> None:
        self.models, self.seeds = list(models), list(seeds)
        _check_alike(self.models)
        self.base = _Member(_without_encoder_copies(models[0]), balances[0])
        self.base.train()
        layers.quicken(self.base)
        attention.quicken(self.base)
        decayed = {id(m.weight) for m in models[0].modules() if isinstance(m, DECAYED)}
        trained = [(name, p) for name, p in models[0].named_parameters() if p.requires_grad]
        self.names = [n for n, p in trained if id(p) not in decayed] + [n for n, p in trained if id(p) in decayed]
        self.shapes = {name: p.shape for name, p in trained}
        self.plain = sum(p.numel() for _, p in trained if id(p) not in decayed)
        own = [dict(model.named_parameters()) for model in models]
        self.values = torch.stack([torch.cat([p[n].detach().reshape(-1) for n in self.names]) for p in own])
        self._start()

    def _start(self) -> None:
        """All that depends on which members there are."""
        first = self.models[0]
        self.leaves = {
            f"model.{name}": part.unflatten(1, self.shapes[name]).detach().requires_grad_()
            for name, part in zip(self.names, self.values.split(self._sizes(), 1), strict=True)
        }
        named = [_buffers(model) for model in self.models]
        self.buffers = {
            f"model.{name}": torch.stack([other[name] for other in named])
            for name, value in named[0].items()
            if not all(torch.equal(value, other[name]) for other in named[1:])
        }  # those that all have alike stay the base's: what is computed of them is computed once
        sites = [name for name, module in first.named_modules() if _is_rate(getattr(module, "dropout", None))]
        rates = [tuple(float(model.get_submodule(s).dropout) for s in sites) for model in self.models]  # type: ignore[arg-type]
        distinct = list(dict.fromkeys(zip(self.seeds, rates, strict=True)))
        of = [distinct.index(key) for key in zip(self.seeds, rates, strict=True)]
        self.streams = Streams(len(distinct), self.values.device)
        self.stream_seeds = [seed for seed, _ in distinct]
        self.stream = torch.tensor(of, device=self.values.device)
        for i, site in enumerate(sites):
            found = tuple(stream[i] for _, stream in distinct)
            rate: Rate = found[0] if len(set(found)) == 1 else found
            self.base.model.get_submodule(site).dropout = rate  # type: ignore[assignment]
        targets: dict[str, list[Any]] = {name: [model.targets[name] for model in self.models] for name in first.targets}
        self.weights = {name: self._of_each([t.spec.weight for t in every]) for name, every in targets.items()}
        self.smoothing = {
            name: self._of_each([t.label_smoothing for t in every])
            for name, every in targets.items()
            if hasattr(every[0], "label_smoothing")
        }

    def _of_each(self, numbers: Sequence[float]) -> float | Tensor:
        return numbers[0] if len(set(numbers)) == 1 else self.values.new_tensor(numbers)

    def _sizes(self) -> list[int]:
        return [self.shapes[name].numel() for name in self.names]

    def __len__(self) -> int:
        return len(self.models)

    def start_epoch(self, seeds: Sequence[int]) -> None:
        """Start the streams of what is drawn; one seed for each of `stream_seeds`."""
        self.streams.seed(seeds)

    def gradient(self, batch: Batch, mapped: bool, out: Tensor) -> Tensor:
        """Losses (n,) of a training batch; their gradients go into `out` (n, P).

        `mapped`: the batch's tensors have the members along their first axis; else all see the same samples.
        """
        self.base.train()
        losses = self._call(batch, mapped, True)
        # the members do not touch each other: the gradient of the sum is each one's own
        found = torch.autograd.grad(losses.sum(), list(self.leaves.values()), allow_unused=True)
        without = [name for name, g in zip(self.names, found, strict=True) if g is None]
        if without:
            raise NotStackable(f"{without[0]} takes no part in the loss, so a run alone does not decay it")
        torch.cat([g.reshape(len(self), -1) for g in found], 1, out=out)
        return losses.detach()

    def predict(self, batch: Batch, mapped: bool) -> Outputs:
        """Raw outputs {target: (n, B, …)} in evaluation."""
        self.base.eval()
        with torch.no_grad():
            outputs: Outputs = self._call(batch, mapped, False)
        return outputs

    def _call(self, batch: Batch, mapped: bool, training: bool) -> Any:
        def member(own: dict[str, Tensor], numbers: Any, stream: Tensor, *parts: Any) -> Any:
            weights = {**self.weights, **numbers["weights"]}
            for name, value in {**self.smoothing, **numbers["smoothing"]}.items():
                self.base.model.targets[name].label_smoothing = value
            with members(self.streams, stream):
                inputs, presence, truth, features = parts
                given = Batch(inputs, presence, truth, [], features)
                return functional_call(self.base, own, (given, weights if training else None), tie_weights=False)

        numbers = {
            key: {name: value for name, value in every.items() if isinstance(value, Tensor)}
            for key, every in (("weights", self.weights), ("smoothing", self.smoothing))
        }
        at = 0 if mapped else None
        parts = (batch.inputs, batch.presence, batch.truth, batch.features)
        dims = (0, 0 if any(numbers.values()) else None, 0, *(at if _has_tensor(part) else None for part in parts))
        stacked = torch.vmap(member, in_dims=dims, randomness="same")  # draws come from `draws`
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.values.dtype)  # as Lightning does while a run alone steps
        try:
            return stacked({**self.leaves, **self.buffers}, numbers, self.stream, *parts)
        finally:
            torch.set_default_dtype(before)

    def keep(self, rows: Sequence[int], values: Tensor) -> None:
        """Go on with these members alone; `values` are theirs."""
        self.models, self.seeds = [self.models[j] for j in rows], [self.seeds[j] for j in rows]
        self.values = values
        first = _buffers(self.models[0])
        for name, buffer in _buffers(self.base.model).items():
            buffer.copy_(first[name])
        self._start()


def _frozen(model: FusionModel) -> tuple[str, ...]:
    """Where the frozen encoders are: their features are known, so they may differ in anything."""
    return tuple(f"encoders.{name}." for name, encoder in model.encoders.items() if encoder.frozen)


def _buffers(model: FusionModel) -> dict[str, Tensor]:
    frozen = _frozen(model)
    return {name: value for name, value in model.named_buffers() if not name.startswith(frozen)}


def _without_encoder_copies(model: FusionModel) -> FusionModel:
    """A copy that may be changed; frozen encoders, which are not run, are the model's own."""
    return copy.deepcopy(model, {id(e): e for e in model.encoders.values() if e.frozen})


def _is_rate(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _has_tensor(part: Any) -> bool:
    return isinstance(part, Tensor) or bool(part)


def _check_alike(models: Sequence[FusionModel]) -> None:
    """Same modules with the same settings, but for what may differ; no batch statistics, no draws of torch's own."""
    first = models[0]
    frozen = _frozen(first)
    for name, module in first.named_modules():
        if isinstance(module, _BatchNorm) and any(p.requires_grad for p in module.parameters()):
            raise NotStackable(f"{name} is a BatchNorm, whose running statistics are changed in place")
        if isinstance(module, _DropoutNd) and not f"{name}.".startswith(frozen):
            raise NotStackable(
                f"{name} is torch's own dropout, which knows no streams: use crossfade.layers.draws.Dropout"
            )
    for other in models[1:]:
        if (a := _settings(first)) != (b := _settings(other)):
            raise NotStackable(
                f"their models differ in {', '.join(sorted(k for k in {*a, *b} if a.get(k) != b.get(k))[:3])}"
            )


def _settings(model: FusionModel) -> dict[str, str]:
    """Shapes of all tensors, and every other field of the trained modules that could change what they compute."""
    frozen = _frozen(model)
    state = model.state_dict().items()
    found = {name: str(tuple(value.shape)) for name, value in state if not name.startswith(frozen)}
    for path, module in model.named_modules():
        if f"{path}.".startswith(frozen):
            continue
        for key, value in vars(module).items():
            if key.startswith("_") or key in ("training", "dropout", "label_smoothing", "spec", "fitted"):
                continue
            if isinstance(value, bool | int | float | str | tuple | list | dict | type(None)):
                found[f"{path}.{key}"] = repr(value)
    return found
