"""summary.json: the numbers of one trained model, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from crossfade.analysis.intervals import bootstrap, confusion_interval, percentile_interval, replicates
from crossfade.config import RunConfig
from crossfade.data.module import SPLITS, DataModule
from crossfade.evaluation.cost import flops, milliseconds
from crossfade.evaluation.scored import Scored
from crossfade.fusion.elementwise.weighted import Weighted
from crossfade.model import FusionModel
from crossfade.registry import part_name
from crossfade.targets.base import Target
from crossfade.targets.multiclass import MultiClass
from crossfade.training.module import compute_metrics

TIMED = 5  # predictions, of which the median is kept


def summarise(
    config: RunConfig,
    model: FusionModel,
    data: DataModule,
    scored: Scored,
    resamples: Mapping[str, np.ndarray],
    cost: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Plain data: metrics, each target's main one with its interval over test groups, chance, Bayes bound, sizes.

    `resamples` is of `main_resamples`, `cost` of `prediction_cost`.
    """
    first = config.task.targets[0]
    target = model.targets[first]
    assert isinstance(target, Target)
    chance: dict[str, float] = {}
    intervals: dict[str, list[float] | None] = {}
    references: dict[str, dict[str, float | None]] = {}
    for name, other in model.targets.items():
        assert isinstance(other, Target)
        truth = scored.truth[name]
        intervals[f"{name}/{other.main}"] = main_interval(other, scored, name, resamples.get(name))
        chance |= _named(name, compute_metrics(other, other.chance(truth), truth))
        for rule, prediction in other.references(truth).items():
            found = _named(name, compute_metrics(other, prediction, truth))
            references.setdefault(rule, {}).update({key: _plain(value) for key, value in found.items()})
    main = f"{first}/{target.main}"
    bound = data.source.bayes(first, sorted(config.task.modalities))
    fixed = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    return {
        "name": config.name,
        "task": config.task.name,
        "modalities": list(config.task.modalities),
        "fusion": part_name("fusion", config.fusion["_target_"]),
        "alpha": learned_alpha(model) or config.fusion.get("alpha"),
        "best_alpha": best_alpha(model, data),
        "main": main,
        "higher_is_better": target.direction(target.main) == "max",
        "metrics": {name: _plain(value) for name, value in scored.metrics.items()},
        "interval": intervals[main],
        "intervals": intervals,
        "chance": {name: _plain(value) for name, value in chance.items()},
        "references": references,
        "bound": None if bound is None else {"value": bound.value, "low": bound.low, "high": bound.high},
        "samples": {split: len(data.split[split]) for split in SPLITS},
        "groups": {split: len({data.frame.groups[i] for i in data.split[split]}) for split in SPLITS},
        "cost": dict(cost or prediction_cost(model, data)),
        "parameters": {"trained": sum(p.numel() for p in model.parameters()) - fixed, "frozen": fixed},
        "data": data.source.fingerprint(),
    }


def prediction_cost(model: FusionModel, data: DataModule) -> dict[str, float]:
    """FLOPs and milliseconds of the prediction of one test sample, on the CPU."""
    model = model.eval().cpu()
    one = data.samples[data.split["test"][:1].tolist()]
    return {"flops": flops(model, one), "milliseconds": round(milliseconds(model, one, repeats=TIMED), 3)}


def main_resamples(model: FusionModel, scored: Scored) -> dict[str, np.ndarray]:
    """By target, `replicates` of the main metric over the test groups, where it is no mean over the samples.

    A model's own interval is theirs, and the difference of two models that of theirs (`paired.resampled_difference`).
    """
    found = {}
    for name, target in model.targets.items():
        assert isinstance(target, Target)
        values = _replicates(target, scored, name)
        if values is not None:
            found[name] = values
    return found


def resamples_table(metric: str, values: np.ndarray) -> pd.DataFrame:
    """`replicates` as a table: draw 0 are the test samples themselves."""
    return pd.DataFrame({"draw": np.arange(len(values)), metric: values})


def _replicates(target: Target, scored: Scored, name: str) -> np.ndarray | None:
    truth, prediction, groups = _known(target, scored, name)
    if isinstance(target, MultiClass) or not len(truth) or target.per_sample(prediction, truth) is not None:
        return None
    value = target.resampled(prediction, truth)
    return replicates(value, [np.arange(len(truth))], groups, resamples=target.resamples)


def main_interval(target: Target, scored: Scored, name: str, resamples: np.ndarray | None = None) -> list[float] | None:
    """95 % interval of the main metric over the test groups; None where it is defined in too few resamples.

    `resamples`: of `main_resamples`, where the caller has them.
    """
    truth, prediction, groups = _known(target, scored, name)
    if isinstance(target, MultiClass):
        classes = len(target.classes)
        found = confusion_interval(truth.numpy(), prediction.argmax(1).numpy(), groups, classes, target.main)
        return [found.low, found.high]
    each = target.per_sample(prediction, truth)
    try:
        if each is None:
            values = _replicates(target, scored, name) if resamples is None else resamples
            assert values is not None
            found = percentile_interval(values)
        else:
            counts = ~each.isnan().numpy()
            found = bootstrap(np.mean, [each.double().numpy()[counts]], groups[counts])
    except ValueError:
        return None
    return [found.low, found.high]


def _known(target: Target, scored: Scored, name: str) -> tuple[Tensor, Tensor, np.ndarray]:
    """Truth, prediction and group of the samples whose truth is known."""
    known = target.known(scored.truth[name])
    groups = np.asarray(scored.groups)[known.numpy()]
    return target.measurable(scored.truth[name][known]), scored.prediction[name][known], groups


def _named(target: str, metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{target}/{metric}": value for metric, value in metrics.items()}


def learned_alpha(model: FusionModel) -> dict[str, float] | None:
    """α as it was learned, by modality; None where it was not learned."""
    if not getattr(model.fusion, "learned", False):
        return None
    return dict(zip(model.modalities, model.fusion.alpha.tolist(), strict=True))  # type: ignore[operator]


def best_alpha(model: FusionModel, data: DataModule) -> dict[str, dict[str, float]] | None:
    """The best α by modality, with the ends between which 95 % of training sets of this size put a learned one.

    None where nobody knows it, or where the model could undo α: in a map that is trained before the fusion.
    """
    known = getattr(data.source, "best_alpha", None)
    if known is None or not isinstance(model.fusion, Weighted) or len(model.modalities) == 1:
        return None
    if any(encoder.projected for encoder in model.encoders.values()):
        return None
    scales = {m: data.fitted["modalities"][m]["columns"][0]["sd"] for m in model.modalities}
    found = known(scales, len(data.split["train"]))
    return found and {m: asdict(bound) for m, bound in found.items()}


def _plain(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if math.isnan(value) else value
