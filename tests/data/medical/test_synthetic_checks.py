"""Wrong knobs, modalities and targets: each names itself, what is allowed, and the nearest right word."""

import pytest

from crossfade.data.medical.synthetic import SyntheticPatients
from crossfade.data.medical.tables import MODALITIES
from crossfade.data.synthetic.knobs import per_modality
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

NOTE = {"note": ModalitySpec(kind="text")}


def build(modalities=NOTE, targets=None, seed=0, **fields):
    return SyntheticPatients(modalities, targets or {}, seed, **fields)


def table(**fields):
    return {"vitals": ModalitySpec(kind="table", **{"categorical": ["sex", "smoking"], **fields})}


def test_a_number_is_for_all_a_mapping_for_some_and_none_for_the_default():
    assert per_modality("noise", 2, MODALITIES, "the built-in patients") == dict.fromkeys(MODALITIES, 2.0)
    assert per_modality("noise", {"ct": 0}, MODALITIES, "the built-in patients") == {
        **dict.fromkeys(MODALITIES, 1.0),
        "ct": 0.0,
    }
    assert per_modality("missing", None, MODALITIES, "the built-in patients") == dict.fromkeys(MODALITIES, 0.0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"noise": {"mir": 1}}, ["data.source.noise.mir", 'Did you mean "mri"?', "ultrasound"]),
        ({"noise": -0.1}, ["data.source.noise=-0.1", "≥ 0"]),
        ({"noise": float("nan")}, ["data.source.noise=nan"]),
        ({"noise": float("inf")}, ["data.source.noise=inf"]),
        ({"informativeness": {"ct": 1.01}}, ["data.source.informativeness.ct=1.01", "[0, 1]"]),
        ({"informativeness": "high"}, ["data.source.informativeness='high'"]),
        ({"missing": 1.0}, ["data.source.missing=1.0", "[0, 1)"]),
        ({"missing": {"ct": True}}, ["data.source.missing.ct=True"]),
        ({"samples": 0}, ["data.source.samples=0", "≥ 1"]),
        ({"samples": 2.5}, ["data.source.samples=2.5"]),
        ({"seed": -1}, ["seed=-1"]),
        ({"modalities": {}}, ["task.modalities is empty"]),
        ({"modalities": {"notes": NOTE["note"]}}, ["'notes'", 'Did you mean "note"?']),
        ({"modalities": {"mri": ModalitySpec(kind="image")}}, ["modality.mri.channels=1", "must be 2"]),
        ({"modalities": {"ct": ModalitySpec(kind="text")}}, ["modality.ct.kind=text", "must be image"]),
        ({"modalities": table(column=["crpp"])}, ["'crpp'", 'Did you mean "crp"?']),
        ({"modalities": table(categorical=["sex"])}, ["must list 'smoking'"]),
        ({"modalities": table(categorical=["sex", "smoking", "crp"])}, ["must not list 'crp'"]),
        ({"modalities": table(unit={"crp": "mg/dL"})}, ["modality.vitals.unit.crp='mg/dL'", "'mg/L'"]),
        ({"targets": {"diagnose": TargetSpec(kind="multiclass")}}, ['Did you mean "diagnosis"?']),
        ({"targets": {"findings": TargetSpec(kind="multiclass")}}, ["target.findings.kind", "multilabel"]),
    ],
)
def test_what_is_wrong_is_named(fields, words):
    with pytest.raises(UserError) as fault:
        build(**fields)
    for word in words:
        assert word in str(fault.value)


def test_all_problems_of_a_knob_are_told_at_once():
    with pytest.raises(UserError) as fault:
        per_modality("missing", {"ct": 2, "nte": 0.1}, MODALITIES, "the built-in patients")
    assert len(fault.value.problems) == 2


def test_some_columns_may_be_chosen():
    built = build(table(column=["afp", "sex"], categorical=["sex"]), samples=2)
    assert list(built.read(0)["vitals"]) == ["afp", "sex"]
