"""The only caller of Hydra's `instantiate`: parts from a checked config, behind an allow-list of targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from crossfade.adversary.base import Adversary, NoAdversary
from crossfade.allowed import find_class
from crossfade.balance.base import Balance, NoBalance
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.data.scale import scales_of
from crossfade.data.source import Source
from crossfade.data.transforms import make_transform
from crossfade.encoders.base import Encoder
from crossfade.errors import UserError
from crossfade.imputation.base import Imputation
from crossfade.layers.embedding import Embedding
from crossfade.model import FusionModel
from crossfade.registry import find_part
from crossfade.seeding import seeded
from crossfade.specs import ModalitySpec, TargetSpec
from crossfade.targets import make_target


def build(part: Mapping[str, Any], **given: Any) -> Any:
    """The object that a part of the config describes; `given` are arguments that no YAML holds.

    Raises UserError for a `_target_` outside the allow-list: a config read from a run folder builds nothing else.
    """
    find_class(str(part.get("_target_")))
    made = instantiate({**part, "_recursive_": False, "_convert_": "all", "_partial_": True})
    return made(**given)


def modality_specs(config: RunConfig) -> dict[str, ModalitySpec]:
    """The modalities that the run uses, sorted by name."""
    return {name: config.modality[name] for name in sorted(config.task.modalities)}


def encoder_part(config: RunConfig, spec: ModalitySpec) -> dict[str, Any]:
    """The encoder of a modality: `encoder.<kind>`, with what the modality says otherwise."""
    if spec.kind not in config.encoder:
        raise UserError(
            f"modality.{spec.name}.kind={spec.kind}: no encoder of this kind; there are {', '.join(config.encoder)}."
        )
    part = {**config.encoder[spec.kind], **spec.encoder}
    other = find_part(f"encoder/{spec.kind}", part["_target_"])
    if other and part["_target_"] != config.encoder[spec.kind]["_target_"]:
        part = {**other[1], **spec.encoder}  # the modality has another encoder, whose fields are others
    if config.tokens > 1:
        part["pool"] = "none"  # K tokens are drawn from all of the encoder's, not from their mean
    return part


def check_encoders(config: RunConfig) -> None:
    """Raise UserError with all that the encoders' fields name and that is not there; reads no data."""
    problems: list[str] = []
    for spec in modality_specs(config).values():
        part = encoder_part(config, spec)
        encoder: type[Encoder] = find_class(str(part.get("_target_")))
        try:
            with seeded(config.seed, "check"):  # leaves the program's random numbers as they were
                encoder.check(part)
        except UserError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise UserError(*problems)


def build_model(
    config: RunConfig, fitted: dict[str, Any], given_weights: bool = True, known: dict[str, Encoder] | None = None
) -> FusionModel:
    """The model of a run; `fitted` is what the data's transforms and targets learned from the training split.

    Each component draws its first weights from a seed of its own, so the encoder of `ct` starts the same whichever
    other modalities, fusion or core stand beside it. `given_weights=False` skips loading pretrained weights, for a
    run that is reopened with weights of its own. Of several runs, those that would have the same frozen encoder share
    one: `known` holds the frozen ones that there are, and takes in what is built here.
    """
    known = {} if known is None else known
    specs = modality_specs(config)
    encoder_of = {}
    encoders: dict[str, Encoder] = {}
    embeddings = {}
    for name, spec in specs.items():
        part = encoder_part(config, spec)
        key = spec.kind if part.get("shared") else name
        encoder_of[name] = key
        placed = {"grid": config.grid} if spec.aligned and config.grid else {}
        same = json.dumps([key, part, fitted["modalities"][name], placed, config.seed, given_weights], default=str)
        if key not in encoders and part.get("frozen") and same in known:
            encoders[key] = known[same]
        elif key not in encoders:
            with seeded(config.seed, "encoder", key):
                encoders[key] = build(part, spec=spec, fitted=fitted["modalities"][name], **placed)
                if part.get("frozen"):
                    encoders[key].part = {**part, **placed}  # of what its features depend on
                if given_weights:
                    encoders[key].load_given_weights()
                encoders[key].freeze()
            if part.get("frozen"):
                known[same] = encoders[key]
        else:
            _check_shared(encoders[key], spec, fitted["modalities"][name])
        _check_width(encoders[key], config.width)
        with seeded(config.seed, "embedding", name):
            embeddings[name] = Embedding(
                encoders[key].width,
                config.width,
                config.tokens,
                placed=spec.aligned and config.grid is not None,
                projected=encoders[key].projected,
            )
    with seeded(config.seed, "fusion"):
        fusion = build(config.fusion, modalities=tuple(specs), width=config.width, tokens=config.tokens)
    with seeded(config.seed, "core"):
        core = build(config.core, width=config.width, length=fusion.length)
    targets = {}
    for name in sorted(config.task.targets):
        with seeded(config.seed, "target", name):
            targets[name] = make_target(config.target[name], fitted["targets"][name], config.width)
    return FusionModel(encoders, encoder_of, embeddings, fusion, core, targets, _build_imputation(config, tuple(specs)))


def build_balance(config: RunConfig, model: FusionModel) -> Balance:
    """The balancing method of a run; one modality has nothing to be balanced with."""
    if config.balance is None or len(model.modalities) == 1:
        return NoBalance(model)
    with seeded(config.seed, "balance"):
        made: Balance = build(config.balance, model=model)
    return made


def build_adversary(config: RunConfig, data: DataModule) -> Adversary:
    """The adversary of a run's training; a modality alone that cannot be perturbed is trained without.

    Called once the features of frozen encoders are computed. Raises UserError where it could perturb nothing.
    """
    if config.adversary is None or find_class(str(config.adversary.get("_target_"))) is NoAdversary:
        return NoAdversary()
    scales = {name: scale for name, scale in scales_of(data).items() if name not in data.samples.features}
    if scales:
        made: Adversary = build(config.adversary, scales=scales)
        return made
    if len(data.transforms) == 1:
        return NoAdversary()
    raise UserError(
        "adversary: there is nothing to perturb, every modality is text or has a frozen encoder, whose features are "
        "computed once. Use adversary=none, or set encoder.<kind>.frozen=false."
    )


def _build_imputation(config: RunConfig, modalities: tuple[str, ...]) -> Imputation | None:
    """What absent modalities are imputed with; one modality has no others, and its absence is masked."""
    if config.imputation is None or len(modalities) == 1:
        return None
    with seeded(config.seed, "imputation"):
        made: Imputation = build(config.imputation, modalities=modalities, width=config.width, tokens=config.tokens)
    return made


def _check_width(encoder: Encoder, width: int) -> None:
    if not encoder.projected and encoder.width != width:
        raise UserError(
            f"encoder.{encoder.spec.kind}.hidden={encoder.width}: this encoder's tokens are fused as they are, so it "
            f"must be the run's width, {width}. Leave it out, or set width={encoder.width}."
        )


def _check_shared(encoder: Encoder, spec: ModalitySpec, fitted: dict[str, Any]) -> None:
    first = encoder.spec
    mine: tuple[object, ...] = (spec.channels, spec.size, spec.aligned)
    theirs: tuple[object, ...] = (first.channels, first.size, first.aligned)
    if spec.kind != "image":
        mine, theirs = (spec.rate, fitted), (first.rate, encoder.fitted)
    if mine != theirs:
        raise UserError(
            f"encoder.{spec.kind}.shared=true: {first.name} and {spec.name} cannot share an encoder, their "
            f"channels, sizes, rates or columns differ. Set modality.{spec.name}.encoder.shared=false."
        )


def build_data(
    config: RunConfig, source: Source | None = None, targets: dict[str, TargetSpec] | None = None
) -> DataModule:
    """The DataModule of a config, not prepared yet; of another source or other targets where they are given."""
    specs = modality_specs(config)
    if targets is None:
        targets = {name: config.target[name] for name in config.task.targets}
    d = config.data
    if source is None:
        source = build(d.source or {}, modalities=specs, targets=targets, seed=config.seed)
    return build(
        {"_target_": d.target_},
        source=source,
        transforms={name: make_transform(spec, encoder_part(config, spec)) for name, spec in specs.items()},
        targets=targets,
        seed=config.seed,
        batch_size=d.batch_size,
        workers=d.workers,
        split=d.split,
        fold=d.fold,
        folds=config.folds,
        inner_fold=d.inner_fold,
        inner_folds=d.inner_folds,
        on_error=d.on_error,
        memory_gb=d.memory_gb,
        absence=build(config.absence, modalities=tuple(specs)) if config.absence else None,
        cache_gb=config.features.max_gb if config.features.cache else None,
    )
