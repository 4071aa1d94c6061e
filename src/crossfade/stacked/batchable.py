"""Which fields may differ between runs that train as one stack, which runs cannot be stacked, and when it pays.

This is the one place that says so. Imports no torch until a run's encoders are looked at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from crossfade.config import RunConfig, effective

# of the config; a star stands for every name at that place
BATCHABLE = (
    "seed",
    "fusion.alpha",  # numbers, that is; `learned` is another architecture
    "optim.lr",
    "optim.weight_decay",
    "data.fold",
    "core.dropout",
    "fusion.dropout",
    "encoder.*.dropout",
    "modality.*.encoder.dropout",
    "target.*.label_smoothing",
    "target.*.weight",
)
OF_DATA = ("seed", "task", "modality", "target", "encoder", "tokens", "data", "folds", "absence")
NOT_OF_DATA = tuple(field for field in BATCHABLE if field.startswith(("encoder", "modality", "target")))
NOT_TRAINED = ("singles", "patterns")  # what is done after the training
SMALL_ENCODERS = ("LinearTable", "TableEncoder", "WhitenedTable", "PatchEncoder")  # may train in a stack
BALANCES = ("NoBalance", "ModalityDropout")
IMPUTATIONS = ("NoImputation", "Zeros", "Learned")  # without statistics of the batches or a loss of their own
TARGETS = ("MultiClass", "MultiLabel", "Regression", "Slots", "Alarm", "Forecast")  # heads without convolutions

# measured with benchmarks/sweep.py, see docs/stacked.md
FEWEST = 4  # runs
MOST = 32  # runs in one stack: more gain nothing, and leave the processor's caches
WIDEST = 128  # D


def signature(config: RunConfig) -> str:
    """Equal for two runs that may stand in one stack: all that their training depends on but the batchable fields."""
    plain = effective(config)
    for key in NOT_TRAINED:
        del plain[key]
    learned = config.fusion.get("alpha") == "learned"
    for field in BATCHABLE:
        _mask(plain, field.split("."))
    if "alpha" in plain["fusion"] and learned:
        plain["fusion"]["alpha"] = "learned"
    return json.dumps(plain, sort_keys=True, default=str)


def data_key(config: RunConfig) -> str:
    """Equal for two runs that may share one DataModule: all that samples, split and what they teach depend on."""
    plain = effective(config)
    kept = {key: plain[key] for key in OF_DATA}
    for field in NOT_OF_DATA:
        _mask(kept, field.split("."))
    return json.dumps(kept, sort_keys=True, default=str)


def _mask(node: Any, path: Sequence[str]) -> None:
    first, *rest = path
    if not isinstance(node, dict):
        return
    for key in node if first == "*" else [first]:
        if key not in node:
            continue
        if rest:
            _mask(node[key], rest)
        else:
            node[key] = "*"


def groups(configs: Sequence[RunConfig]) -> list[list[int]]:
    """Places in the list, run by run in one group that can be stacked; a run that cannot stands alone.

    Groups are of at most MOST runs, of like size. Whether a group pays says `worthwhile`.
    """
    same: dict[str, list[int]] = {}
    for place, config in enumerate(configs):
        key = f"alone {place}" if why_not(config) else signature(config)
        same.setdefault(key, []).append(place)
    found = []
    for places in same.values():
        parts = -(-len(places) // MOST)
        found += [places[part::parts] for part in range(parts)]
    return sorted(found)


def worthwhile(config: RunConfig, runs: int) -> bool:
    """Whether so many of these runs are quicker stacked than one after another."""
    return why_not(config) is None and runs >= FEWEST and config.width <= WIDEST


def why_not(config: RunConfig) -> str | None:
    """Why this run can't train in a stack, in words; None where it can."""
    t = config.trainer
    if t.strategy != "auto" or t.nodes > 1 or (t.devices != 1 and not (t.devices == "auto" and t.accelerator == "cpu")):
        return f"trainer.strategy={t.strategy}, devices={t.devices}, nodes={t.nodes}: a stack trains on one device"
    if t.compile:
        return "trainer.compile=true: compiled models are not stacked"
    if t.precision not in ("32-true", "64-true"):
        return f"trainer.precision={t.precision}: a stack trains in 32-true or 64-true"
    if t.accumulate > 1:
        return f"trainer.accumulate={t.accumulate}: a stack steps with every batch"
    if config.callbacks.ema is not None:
        return f"callbacks.ema={config.callbacks.ema}: a stack keeps no moving average of its weights"
    if config.balance is not None and _class(config.balance) not in BALANCES:
        return f"balance ({_class(config.balance)}) steers a run's loss or gradients; of these modality_dropout stacks"
    if config.adversary is not None and _class(config.adversary) != "NoAdversary":
        return f"adversary ({_class(config.adversary)}) attacks each run's own model in every step"
    if config.imputation is not None and _class(config.imputation) not in IMPUTATIONS:
        return f"imputation ({_class(config.imputation)}) keeps statistics, or has a loss of its own, in each run"
    for name in config.task.targets:
        if (kind := config.target[name].target_.rpartition(".")[2]) not in TARGETS:
            return f"target {name} ({kind}) has a head with convolutions, which gains nothing in a stack"
    return _trained_encoders(config)


def _trained_encoders(config: RunConfig) -> str | None:
    from crossfade.build import encoder_part, modality_specs

    for name, spec in modality_specs(config).items():
        part = encoder_part(config, spec)
        if not part.get("frozen") and _class(part) not in SMALL_ENCODERS:
            return (
                f"modality {name} trains its encoder ({_class(part)}), whose own work dwarfs what a stack saves: "
                f"encoder.{spec.kind}.frozen=true keeps its features"
            )
    return None


def _class(part: dict[str, Any]) -> str:
    return str(part["_target_"]).rpartition(".")[2]
