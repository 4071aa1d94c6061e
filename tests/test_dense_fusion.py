"""Dense targets see the fused tokens and nothing else."""

from __future__ import annotations

import pytest
import torch

from crossfade.build import build_model
from crossfade.config import compose

DENSE = pytest.mark.parametrize("target", ["guidance", "image_fusion"])
FITTED = {
    "modalities": {"ct": {}, "mri": {"mean": [0.0, 0.0], "sd": [1.0, 1.0]}},
    "targets": {
        "guidance": {"classes": ["lesion", "vein"], "usual": [[0] * 96] * 96, "healthy": False},
        "image_fusion": {"sources": ["ct", "mri"], "mean": [[0.5] * 48] * 48},
    },
}
INPUTS = {"ct": torch.randn(2, 1, 48, 48), "mri": torch.randn(2, 2, 48, 48)}


def output(target, modalities, *settings, inputs=INPUTS):
    chosen = f"task.modalities=[{','.join(modalities)}]"
    config = compose(f"task.targets=[{target}]", chosen, "width=16", "core.depth=1", *settings)
    model = build_model(config, FITTED).eval()
    with torch.no_grad():
        given = {name: inputs[name] for name in modalities}
        return model(given, torch.ones(2, len(modalities), dtype=torch.bool))[target]


@DENSE
def test_with_all_weight_on_one_modality_the_map_is_that_modalitys_bit_for_bit(target):
    both = output(target, ["ct", "mri"], "alpha=1.0")
    assert torch.equal(both, output(target, ["ct"]))
    assert torch.equal(output(target, ["ct", "mri"], "alpha=0.0"), output(target, ["mri"]))


@DENSE
@pytest.mark.parametrize("fusion", ["attention", "concat", "late", "max", "weighted"])
def test_every_kind_of_fusion_gives_a_map_that_depends_on_both(target, fusion):
    whole = output(target, ["ct", "mri"], f"fusion={fusion}")
    assert whole.shape == ((2, 3, 96, 96) if target == "guidance" else (2, 48, 48))
    for name in INPUTS:
        other = {**INPUTS, name: INPUTS[name].roll(1, 0)}
        assert not torch.allclose(whole, output(target, ["ct", "mri"], f"fusion={fusion}", inputs=other))
