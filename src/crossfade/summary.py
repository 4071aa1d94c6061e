"""summary.json: the numbers of one trained model, with their uncertainty."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from crossfade.analysis.intervals import bootstrap, confusion_interval
from crossfade.config import RunConfig
from crossfade.data.module import SPLITS, DataModule
from crossfade.evaluate import Scored
from crossfade.model import FusionModel
from crossfade.module import compute_metrics, known_rows
from crossfade.targets.base import Target


def summarise(config: RunConfig, model: FusionModel, data: DataModule, scored: Scored) -> dict[str, Any]:
    """Plain data: metrics, the main one with its interval over test groups, chance, Bayes bound, sizes."""
    first = config.task.targets[0]
    target = model.targets[first]
    assert isinstance(target, Target)
    chance: dict[str, float] = {}
    for name, other in model.targets.items():
        assert isinstance(other, Target)
        guess = compute_metrics(other, other.chance(scored.truth[name]), scored.truth[name])
        chance |= {f"{name}/{metric}": value for metric, value in guess.items()}
    bound = data.source.bayes(first, sorted(config.task.modalities))
    fixed = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    return {
        "name": config.name,
        "task": config.task.name,
        "modalities": list(config.task.modalities),
        "fusion": config.fusion["_target_"].rsplit(".", 1)[-1].lower(),
        "alpha": learned_alpha(model) or config.fusion.get("alpha"),
        "main": f"{first}/{target.main}",
        "higher_is_better": target.higher_is_better,
        "metrics": {name: _plain(value) for name, value in scored.metrics.items()},
        "interval": main_interval(target, scored, first),
        "chance": {name: _plain(value) for name, value in chance.items()},
        "bound": None if bound is None else {"value": bound.value, "low": bound.low, "high": bound.high},
        "samples": {split: len(data.split[split]) for split in SPLITS},
        "groups": {split: len({data.frame.groups[i] for i in data.split[split]}) for split in SPLITS},
        "parameters": {"trained": sum(p.numel() for p in model.parameters()) - fixed, "frozen": fixed},
        "data": data.source.fingerprint(),
    }


def main_interval(target: Target, scored: Scored, name: str) -> list[float] | None:
    """95 % interval of the main metric over the test groups; None where it is defined in too few resamples."""
    known = known_rows(scored.truth[name])
    truth, prediction = scored.truth[name][known].numpy(), scored.prediction[name][known].numpy()
    groups = np.asarray(scored.groups)[known.numpy()]
    if target.spec.kind == "multiclass":
        classes = len(target.fitted["classes"])
        found = confusion_interval(truth, prediction.argmax(1), groups, classes, target.main)
    else:
        metric = target.metrics()[target.main]

        def value(prediction: np.ndarray, truth: np.ndarray) -> float:
            metric.reset()
            metric.update(torch.from_numpy(prediction), torch.from_numpy(truth))
            return float(metric.compute())

        truth = truth.astype(int) if target.spec.kind == "multilabel" else truth
        try:
            found = bootstrap(value, [prediction, truth], groups)
        except ValueError:
            return None
    return [float(found.low), float(found.high)]


def learned_alpha(model: FusionModel) -> dict[str, float] | None:
    """α as it was learned, by modality; None where it was not learned."""
    if not getattr(model.fusion, "learned", False):
        return None
    return dict(zip(model.modalities, model.fusion.alpha.tolist(), strict=True))  # type: ignore[operator]


def _plain(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if math.isnan(value) else value
