"""Which encoder a modality gets."""

from __future__ import annotations

from crossfade.build import encoder_part
from crossfade.config import compose

POINTS = ("task.modalities=[ct]", "modality.ct.kind=points")
POINTNET = "crossfade.encoders.pointnet.PointNet"


def part(*settings: str):
    config = compose(*settings)
    return encoder_part(config, config.modality["ct"])


def test_a_modality_changes_fields_of_its_kinds_encoder():
    chosen = part(*POINTS, "encoder.points.layers=3", "modality.ct.encoder.fine=4")
    assert (chosen["layers"], chosen["fine"]) == (3, 4)
    assert chosen["_target_"] == "crossfade.encoders.pillars.Pillars"


def test_a_modality_may_have_an_encoder_of_another_class_with_its_own_fields():
    chosen = part(*POINTS, "encoder.points.layers=3", f"modality.ct.encoder={{_target_: {POINTNET}, hidden: 8}}")
    assert chosen == {
        "_target_": POINTNET, "hidden": 8, "layers": 2, "frozen": False, "pool": "max", "shared": False,
    }  # fmt: skip
