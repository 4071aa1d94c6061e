"""The properties, one function each: it returns what is wrong, or an empty string. Raising is a failure too."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from crossfade.audit.hidden import hidden_tensors
from crossfade.audit.subject import MODALITIES, WIDTH, Subject, small_model
from crossfade.fusion.base import Fused
from crossfade.fusion.elementwise.weighted import Weighted
from crossfade.imputation.base import NoImputation

CLOSE = 1e-4


class NotApplicable(Exception):
    """The property says nothing of this subject; the reason."""


def contract(s: Subject) -> str:
    """The strategy returns Fused(tokens (B, G, L, D), mask (B, G, L) bool, weight (B, G)), L its `length`."""
    if lacking := [name for name in ("length", "mixing") if not hasattr(s.model.fusion, name)]:
        return f"has no {' and no '.join(lacking)}: make it a subclass of crossfade.fusion.base.Fusion"
    with torch.no_grad():
        tokens, mask = s.model.embed(s.inputs, s.presence)
        out = s.model.fusion(tokens, mask)
    if not isinstance(out, Fused):
        return f"returns {type(out).__name__}, not Fused: see crossfade.fusion.base.one_branch"
    samples, branches, length, width = len(tokens), out.tokens.shape[1], s.model.fusion.length, tokens.shape[-1]
    wanted = {
        "tokens": (samples, branches, length, width),
        "mask": (samples, branches, length),
        "weight": (samples, branches),
    }
    for name, shape in wanted.items():
        if tuple(getattr(out, name).shape) != shape:
            return f"{name} has the shape {tuple(getattr(out, name).shape)}, not {shape} (B, G, length, width)"
    return "" if out.mask.dtype == torch.bool else f"mask is {out.mask.dtype}, not bool"


def independent_samples(s: Subject) -> str:
    """A sample's output depends on that sample alone, not on its neighbours in the batch, their number or order."""
    out = s.run()
    order = torch.arange(len(s.presence)).flip(0)
    shuffled = s.run({m: x[order] for m, x in s.inputs.items()}, s.presence[order])
    neighbours = {m: torch.cat([x[:1], x[1:].flip(0)]) for m, x in s.inputs.items()}
    beside = s.run(neighbours, torch.cat([s.presence[:1], s.presence[1:].flip(0)]))
    alone = s.run({m: x[:1] for m, x in s.inputs.items()}, s.presence[:1])
    for name in out:
        if (gap := _gap(shuffled[name], out[name][order])) > CLOSE:
            return f"the order of the batch changes {name} by {gap:.1e}"
        if (gap := _gap(beside[name][0], out[name][0])) > CLOSE:
            return f"other neighbours change {name} by {gap:.1e}: does attention run across the batch?"
        if (gap := _gap(alone[name][0], out[name][0])) > CLOSE:
            return f"a batch of one changes {name} by {gap:.1e}"
    return ""


def absent_is_absent(s: Subject) -> str:
    """What stands in the place of an absent modality changes no bit of the output."""
    spoiled = {}
    for column, name in enumerate(s.model.modalities):
        x = s.inputs[name]
        here = s.presence[:, column].view(-1, *[1] * (x.ndim - 1))
        worst = torch.full_like(x, float("nan") if x.is_floating_point() else 1)
        spoiled[name] = torch.where(here, x, worst)
    clean, dirty = s.run(), s.run(spoiled)
    wrong = [name for name in clean if not torch.equal(clean[name], dirty[name])]
    return f"NaN in absent modalities changes {', '.join(wrong)}" if wrong else ""


def absent_tokens_are_not_read(s: Subject) -> str:
    """Strategy and imputation look at the mask, and not at what stands in masked tokens."""
    with torch.no_grad():
        tokens, mask = s.model.embed(s.inputs, s.presence)
        dirty = torch.where(mask.unsqueeze(-1), tokens, torch.full_like(tokens, 3.0))
        for fill in (NoImputation(), s.model.imputation):
            a, b = s.model.fusion(*fill(tokens, mask)), s.model.fusion(*fill(dirty, mask))
            seen = a.mask.unsqueeze(-1)
            if not torch.equal(a.tokens.masked_fill(~seen, 0), b.tokens.masked_fill(~seen, 0)):
                return "values of masked tokens reach the fused tokens"
            if not torch.equal(a.weight, b.weight):
                return "values of masked tokens change the branches' weights"
    return ""


def order_of_modalities(s: Subject) -> str:
    """The order in which modalities are given cannot matter."""
    return _differing(s.run(), s.run(dict(reversed(s.inputs.items()))), 0.0)


def gradients(s: Subject) -> str:
    """A gradient reaches every registered parameter that is trained, and every modality, also beside all others."""
    model = copy.deepcopy(s.model).train()
    inputs = {m: x.clone().requires_grad_() if x.is_floating_point() else x for m, x in s.inputs.items()}
    out = model(inputs, s.presence)
    torch.manual_seed(0)
    total = sum((o * torch.randn_like(o)).sum() for o in out.values())
    assert isinstance(total, Tensor)
    total.backward()
    dead = [
        name
        for name, p in model.named_parameters()
        # a softmax cannot see a constant that is added to every key
        if p.requires_grad and (p.grad is None or not p.grad.any()) and not name.endswith("key.bias")
    ]
    if not isinstance(model.imputation, NoImputation):  # then a strategy's own vectors for the absent are idle
        dead = [name for name in dead if not (name.startswith("fusion.") and name.endswith("absent"))]
    rows = s.presence.any(1) if s.make is None else s.presence.all(1)  # trained: α may be 1 on another
    unread = [m for m, x in inputs.items() if x.is_floating_point() and (x.grad is None or not x.grad[rows].any())]
    if s.make is None:  # trained: a ReLU may be dead, an embedding's word not in these samples
        dead = [name for name in dead if dict(model.named_parameters())[name].grad is None]
    if dead:
        return f"no gradient for {len(dead)} parameters, first {dead[0]}"
    return f"no gradient for the modality {', '.join(unread)}" if unread else ""


def nothing_hidden(s: Subject) -> str:
    """No tensor outside of the registered parameters and buffers: it would be neither trained nor saved."""
    found = list(hidden_tensors(s.model))
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0]}{more}: use ParameterList, ModuleList or register_buffer"


def save_and_load(s: Subject) -> str:
    """Saved and loaded into another model of the same kind it gives the same output."""
    if s.make is None:
        raise NotApplicable("it was loaded from its folder already")
    file = io.BytesIO()
    torch.save(s.model.state_dict(), file)
    file.seek(0)
    other = s.make(1)
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        return _differing(s.run(), other(s.inputs, s.presence), 0.0)


def training_mode(s: Subject) -> str:
    """Without dropout and sampling, training gives what evaluation gives: no running statistics over the batch.

    Encoders stay in evaluation: most image models normalise over the batch while they train, on their own side of the
    fusion.
    """
    training = copy.deepcopy(s.model).train()
    training.encoders.eval()
    for module in training.modules():
        for name, value in list(vars(module).items()):
            drawn = "drop" in name or name == "sampling" or (name == "p" and isinstance(module, torch.nn.Dropout))
            if isinstance(value, float) and drawn:
                setattr(module, name, 0.0)
    with torch.no_grad():
        return _differing(s.run(), training(s.inputs, s.presence), CLOSE)


def precision(s: Subject) -> str:
    """In float64 it gives what it gives in float32."""
    double = copy.deepcopy(s.model).double()
    inputs = {m: x.double() if x.is_floating_point() else x for m, x in s.inputs.items()}
    with torch.no_grad():
        out = double(inputs, s.presence)
    return _differing(s.run(), {name: o.float() for name, o in out.items()}, 1e-3)


def device(s: Subject) -> str:
    """On a GPU it gives what it gives on the CPU."""
    if not torch.cuda.is_available():
        raise NotApplicable("no GPU here")
    gpu = torch.device("cuda")
    model = copy.deepcopy(s.model).to(gpu)
    with torch.no_grad():
        out = model({m: x.to(gpu) for m, x in s.inputs.items()}, s.presence.to(gpu))
    return _differing(s.run(), {name: o.cpu() for name, o in out.items()}, 1e-3)


def nan_is_seen(s: Subject) -> str:
    """NaN in a modality that is present makes that sample's output NaN, and no other's."""
    name = next((m for m, x in s.inputs.items() if x.is_floating_point()), None)
    if name is None or s.make is None:
        raise NotApplicable("encoders of real data may take NaN for a missing entry")
    column = s.model.modalities.index(name)
    row = int(s.presence[:, column].nonzero()[0])
    x = s.inputs[name].clone()
    x[row] = float("nan")
    out, dirty = s.run(), s.run({**s.inputs, name: x})
    others = torch.arange(len(s.presence)) != row
    for target in out:
        if not dirty[target][row].isnan().all():
            return f"NaN in {name} gives a number for {target}: a fault in the data would go unseen"
        if not torch.equal(dirty[target][others], out[target][others]):
            return f"NaN in one sample changes {target} of others"
    return ""


def exports(s: Subject) -> str:
    """torch.export takes it, for a batch of any size."""
    size = torch.export.Dim("batch", min=2, max=4096)
    shapes = ({m: {0: size} for m in s.inputs}, {0: size})
    exported = torch.export.export(s.model, (s.inputs, s.presence), dynamic_shapes=shapes).module()
    few = ({m: x[:3] for m, x in s.inputs.items()}, s.presence[:3])
    with torch.no_grad():
        return _differing(s.run(*few), exported(*few), CLOSE)


def closed_form(s: Subject) -> str:
    """With one token, z = Σ_m α_m·x_m / Σ_m α_m over those present; α_m = 1 is the unimodal model, bit for bit."""
    if not isinstance(s.model.fusion, Weighted) or s.strategy is None:
        raise NotApplicable("for weighted fusion")
    one = s.strategy(modalities=s.model.modalities, width=WIDTH, tokens=1)
    tokens = torch.randn(len(s.presence), len(MODALITIES), 1, WIDTH, generator=torch.Generator().manual_seed(0))
    assert isinstance(one, Weighted)
    share = one.alpha.detach() * s.presence
    share = torch.where(share.sum(1, keepdim=True) > 0, share, s.presence.to(share.dtype))
    wanted = (share[..., None] * tokens[:, :, 0]).sum(1) / share.sum(1, keepdim=True)
    with torch.no_grad():
        gap = _gap(one(tokens, s.presence.unsqueeze(-1)).tokens[:, 0, 0], wanted)
    if gap > 1e-5:
        return f"α is off the closed form by {gap:.1e}"
    everything = torch.ones_like(s.presence)
    for m in MODALITIES:
        alone = partial(Weighted, alpha={m: 1.0})
        full, single = (small_model(alone, of, 1, seed=0) for of in (MODALITIES, (m,)))
        with torch.no_grad():
            a, b = full(s.inputs, everything), single({m: s.inputs[m]}, everything[:, :1])
        if fault := _differing(a, b, 0.0):
            return f"α = 1 on {m} is not its unimodal model: {fault}"
    return ""


def _gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def _differing(a: dict[str, Tensor], b: dict[str, Tensor], most: float) -> str:
    for name in a:
        if not (gap := _gap(a[name], b[name])) <= most:  # NaN is a difference
            return f"{name} differs by {gap:.1e}"
    return ""


CONTRACT = "contract"
CHECKS: dict[str, Callable[[Subject], str]] = {
    CONTRACT: contract,
    "samples are independent": independent_samples,
    "absent means absent": absent_is_absent,
    "masked tokens are not read": absent_tokens_are_not_read,
    "modality order": order_of_modalities,
    "gradients": gradients,
    "no hidden tensors": nothing_hidden,
    "save and load": save_and_load,
    "train = eval": training_mode,
    "float64": precision,
    "GPU = CPU": device,
    "NaN is seen": nan_is_seen,
    "export": exports,
    "closed form": closed_form,
}
