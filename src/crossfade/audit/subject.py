"""What is audited: a way to make the model, and inputs for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crossfade.allowed import find_class
from crossfade.audit.find import where
from crossfade.build import build
from crossfade.config.alpha import simplex_point
from crossfade.config.parts import fault_of
from crossfade.core.transformer import Transformer
from crossfade.encoders.base import Encoder
from crossfade.errors import UserError, did_you_mean
from crossfade.fusion.base import Fusion
from crossfade.imputation.base import Imputation
from crossfade.layers.embedding import Embedding
from crossfade.model import FusionModel
from crossfade.registry import read_option
from crossfade.runs import RunFolder
from crossfade.seeding import seeded
from crossfade.specs import ModalitySpec, TargetSpec
from crossfade.targets import make_target

MODALITIES = ("a", "b", "c")
WIDTH, FEATURES = 16, 6


@dataclass(frozen=True)
class Subject:
    """`make(seed)` gives the model in evaluation mode; `inputs` (N, …) and `presence` (N, M) are what it is tried on.

    `make` is None where the model was trained: there is no second one to load its weights into.
    """

    name: str
    model: FusionModel
    inputs: dict[str, Tensor]
    presence: Tensor
    make: Callable[[int], FusionModel] | None = None
    strategy: Callable[..., Fusion] | None = None  # takes modalities, width, tokens

    def run(self, inputs: Mapping[str, Tensor] | None = None, presence: Tensor | None = None) -> dict[str, Tensor]:
        """The model's outputs without a gradient."""
        with torch.no_grad():
            given = self.inputs if inputs is None else inputs
            return self.model(given, self.presence if presence is None else presence)


def of_option(option: str, given: Mapping[str, Any] | None = None, imputation: str = "none") -> Subject:
    """A strategy of conf/fusion, with the fields of its YAML, or those given, and an imputation; α is left out."""
    part = read_option("fusion", option)
    fields = {k: None if str(v).startswith("${") else v for k, v in part.items() if k != "_target_"}
    if unknown := [key for key in given or {} if key not in fields]:
        has = f"It has {', '.join(fields)}." if fields else "It has none."
        raise UserError(
            *(f"{key}: fusion={option} has no such field.{did_you_mean(key, fields)} {has}" for key in unknown)
        )
    own = dict(given or {})
    if "alpha" in own:
        own["alpha"] = simplex_point(own["alpha"], MODALITIES)
    faults = {key: fault_of("fusion", key, value, part) for key, value in own.items() if key != "alpha"}
    if wrong := [f"{key}={own[key]}: {fault}" for key, fault in faults.items() if fault]:
        raise UserError(*wrong)
    return of_class(option, find_class(part["_target_"]), fields | own, imputation)


def of_class(name: str, strategy: type[nn.Module], fields: dict[str, Any], imputation: str = "none") -> Subject:
    """A small model around a strategy: three modalities, three tokens each, every presence pattern."""

    def make_strategy(modalities: tuple[str, ...], width: int, tokens: int) -> Fusion:
        try:
            return strategy(modalities=modalities, width=width, tokens=tokens, **fields)  # type: ignore[return-value]
        except UserError:
            raise
        except Exception as error:  # of the audited code, whatever it is
            raise UserError(
                f"{name}: cannot be made ({type(error).__name__}: {error}{where(error)}). A strategy takes modalities, "
                "width and tokens; further arguments are given as key=value."
            ) from error

    def make(seed: int) -> FusionModel:
        return small_model(make_strategy, MODALITIES, tokens=3, seed=seed, imputation=imputation)

    with seeded(0, "audit"):
        patterns = torch.tensor([[bool(p >> m & 1) for m in range(3)] for p in range(1, 8)])
        presence = torch.cat([patterns, patterns.flip(0)])
        inputs = {m: torch.randn(len(presence), 4, FEATURES) for m in MODALITIES}
    label = name if imputation == "none" else f"{name} imputation={imputation}"
    return Subject(label, make(0), inputs, presence, make, make_strategy)


def small_model(
    make_strategy: Callable[..., Fusion], modalities: tuple[str, ...], tokens: int, seed: int, imputation: str = "none"
) -> FusionModel:
    """Linear encoders, the imputation, the strategy, a Transformer of one block, a head of three classes."""
    encoders = {}
    embeddings = {}
    for m in modalities:
        with seeded(seed, m):
            encoders[m] = Plain(ModalitySpec(name=m, kind="series"))
            embeddings[m] = Embedding(WIDTH, WIDTH, tokens)
    with seeded(seed, "fusion"):
        fusion = make_strategy(modalities=tuple(sorted(modalities)), width=WIDTH, tokens=tokens)
    with seeded(seed, "imputation"):
        names = tuple(sorted(modalities))
        filled: Imputation = build(read_option("imputation", imputation), modalities=names, width=WIDTH, tokens=tokens)
    with seeded(seed, "core"):
        core = Transformer(WIDTH, getattr(fusion, "length", tokens), depth=1, heads=2, dropout=0.0)
    with seeded(seed, "target"):
        fitted = {"classes": ["x", "y", "z"], "counts": [1, 1, 1]}
        target = make_target(TargetSpec.model_validate({"name": "kind", "kind": "multiclass"}), fitted, WIDTH)
    encoder_of = {m: m for m in modalities}
    return FusionModel(encoders, encoder_of, embeddings, fusion, core, {"kind": target}, filled).eval()


class Plain(Encoder):
    """x ↦ W·x + b on every token: (B, L, F) → (B, L, D)."""

    def __init__(self, spec: ModalitySpec) -> None:
        super().__init__(spec, {}, frozen=False)
        self.width = WIDTH
        self.project = nn.Linear(FEATURES, WIDTH)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.project(x), torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)


def of_run(folder: Path, samples: int = 14) -> Subject:
    """A trained run, on samples of its own test split in random presence patterns."""
    from crossfade.evaluation.reopen import reopen_config, reopen_data, reopen_model

    run = RunFolder.open(folder)
    config = reopen_config(run)
    model = reopen_model(config, run, "best")
    data = reopen_data(config, run)
    batch = data.samples[data.split["test"][:samples].tolist()]
    with seeded(0, "audit"):
        kept = torch.rand(batch.presence.shape) < 0.6
    presence = batch.presence & kept
    presence = torch.where(presence.any(1, keepdim=True), presence, batch.presence)
    return Subject(str(folder), model, batch.inputs, presence)
