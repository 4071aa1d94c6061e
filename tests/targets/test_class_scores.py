"""The metrics of many models at once are torchmetrics' of each."""

from __future__ import annotations

import pytest
import torch

from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.class_scores import class_scores
from crossfade.training.module import compute_metrics


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("case", ["plain", "ties", "a class is missing", "one class only", "certain"])
def test_each_model_gets_what_torchmetrics_says(classes, case):
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(5, 70, classes, generator=generator)
    truth = torch.randint(0, classes, (5, 70), generator=generator)
    if case == "ties":
        logits = logits.round()
    elif case == "a class is missing":
        truth = truth.clamp(max=classes - 2)
        logits[:2, :, -1] = -9.0  # nor is it ever said
    elif case == "one class only":
        truth = torch.zeros_like(truth)
    elif case == "certain":
        logits = logits * 200
    truth[:, ::7] = -1
    truth[1, 40:] = -1
    p = logits.softmax(-1)
    names = [str(c) for c in range(classes)]
    target = make_target(
        TargetSpec(name="y", kind="multiclass"),
        {"classes": names, "counts": [1] * classes},
        8,
    )
    found = class_scores(p, truth)
    for j in range(5):
        expected = compute_metrics(target, p[j], truth[j])
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert float(found[name][j]) == pytest.approx(value, abs=2e-6, nan_ok=True), (name, j)
