"""Calibration and conformal sets of a run's classifiers, under every presence pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from crossfade.analysis.confidence import (
    brier,
    calibration_error,
    conformal_sets,
    conformal_threshold,
    fitted_temperature,
    log_loss,
    selective_risk,
    tempered,
)
from crossfade.analysis.scores import Scores
from crossfade.data.module import DataModule
from crossfade.evaluation.absence import score_patterns
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.targets.multiclass import MultiClass

ALPHA = 0.1  # of the conformal sets: they are to hold the truth in nine of ten samples


def write_certainty(
    folder: RunFolder, model: FusionModel, data: DataModule, test: Mapping[str, Scores], device: torch.device
) -> dict[str, dict[str, Any]]:
    """certainty_<target>.csv of the multi-class targets; returns what a summary keeps, of the full pattern.

    Temperatures and thresholds are learned on the validation split, with the same modalities taken away.
    """
    names = [name for name, target in model.targets.items() if isinstance(target, MultiClass) and name in test]
    if not names:
        return {}
    validation = score_patterns(model, data, "val", device, names)
    groups = np.array([str(data.frame.groups[i]) for i in data.split["test"]])
    kept: dict[str, dict[str, Any]] = {}
    for name in names:
        table = certainty_table(validation[name], test[name], groups)
        if table is None:
            continue
        folder.write_table(f"certainty_{name}", table)
        full = table.iloc[0].drop(list(test[name].modalities)).to_dict()
        numbers = {str(key): None if value != value else float(value) for key, value in full.items()}
        kept[name] = {"alpha": ALPHA, **numbers}
    return kept


def certainty_table(validation: Scores, test: Scores, groups: np.ndarray) -> pd.DataFrame | None:
    """One row a pattern: calibration before and after its temperature, and its conformal sets on the test split.

    `groups` are those of the test samples. None where one of the splits has no known truth.
    """
    if validation.predictions is None or test.predictions is None:
        return None
    rows = []
    for pattern, of_validation, of_test in zip(test.patterns, validation.predictions, test.predictions, strict=True):
        p_learn, y_learn, _ = _known(of_validation, validation.truth)
        p, y, kept = _known(of_test, test.truth)
        temperature = fitted_temperature(p_learn, y_learn)
        warm = tempered(p, temperature)
        threshold = conformal_threshold(tempered(p_learn, temperature), y_learn, ALPHA)
        rows.append(
            {
                **dict(zip(test.modalities, pattern.astype(int), strict=True)),
                "samples": len(y),
                "temperature": temperature,
                "calibration_error": calibration_error(p, y),
                "calibration_error_tempered": calibration_error(warm, y),
                "log_loss": log_loss(p, y),
                "log_loss_tempered": log_loss(warm, y),
                "brier": brier(p, y),
                "aurc": float(selective_risk(p, y)[1].mean()),
                **conformal_sets(warm, y, threshold, groups[kept])._asdict(),
            }
        )
    return pd.DataFrame(rows)


def _known(predictions: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities and labels of the samples whose truth is known and that the pattern leaves something; which."""
    assert truth is not None
    known = (truth >= 0) & ~np.isnan(predictions).any(1)
    return predictions[known].astype(np.float64), truth[known], known
