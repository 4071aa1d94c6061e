"""The public chest X-ray set: its layout, its leaks, and the counts of the real one where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from crossfade.data.medical.covid_chestxray import NEEDED, TELLING, CovidChestXray, index
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "covid_chestxray"
CONFIG = yaml.safe_load((REPO / "conf/task/medical/covid_chestxray.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}
HINDSIGHT = {"survival", "intubated", "intubation_present", "went_icu", "in_icu", "extubated", "needed_supplemental_O2"}


def row(patient: str, finding: str, name: str, **fields: str) -> dict[str, str]:
    blank = dict.fromkeys((*NEEDED, *HINDSIGHT, "folder", "license"), "")
    common = {"modality": "X-ray", "view": "PA", "folder": "images", "sex": "F", "clinical_notes": "cough"}
    return blank | common | {"patientid": patient, "finding": finding, "filename": name} | fields


ROWS = [
    row("1", "COVID-19", "a.png", age="60", went_icu="Y", clinical_notes="COVID-19 positive, fever. RT-PCR done."),
    row("1", "COVID-19, ARDS", "b.jpg", age="60", temperature="38.5", pO2_saturation="?", went_icu="Y"),
    row("2", "Streptococcus", "c.png", sex="", went_icu="N", clinical_notes="", view="AP"),
    row("3", "Pneumonia/Viral/COVID-19", "d.png", offset="-3", clinical_notes="Admitted to the ICU, intubated."),
    row("4", "No Finding", "e.png"),  # the same image as d: patients 3 and 4 are one
    row("5", "todo", "f.png", went_icu="N"),
    row("6", "Unknown", "g.png"),
    row("7", "COVID-19", "h.nii.gz", modality="CT", view="Axial", folder="volumes", clinical_notes="scan"),
    row("8", "Pneumonia", "i.png", modality="CT", view="Axial"),
    row("1", "COVID-19", "a.png", age="61"),  # published twice
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for i, fields in enumerate(ROWS):
        if fields["folder"] == "images" and fields["filename"] != "e.png":
            Image.fromarray(np.full((9, 8), 10 * i, np.uint8)).save(tmp_path / "images" / fields["filename"])
    (tmp_path / "images" / "e.png").write_bytes((tmp_path / "images" / "d.png").read_bytes())
    pd.DataFrame(ROWS).to_csv(tmp_path / "metadata.csv", index=False)
    return tmp_path


def source(root: Path, *targets: str, **fields: Any) -> CovidChestXray:
    return CovidChestXray(MODALITIES, {name: TARGETS[name] for name in targets or ("covid",)}, 0, root, **fields)


def add_extra(folder: Path) -> None:
    (folder / "extra").mkdir()
    names = [fields["filename"] for fields in ROWS[:5]]
    extra = pd.DataFrame(
        {
            "filename": names,
            "group_id": ["1", "1", "1", "3", "3"],
            "label_covid": [1, 1, 0, 1, 0],
            "fold_covid": [0, 0, 0, 1, 1],
            "label_icu": [1, 1, 0, None, None],
            "fold_icu": [2, 2, 2, -1, -1],
            "notes_masked_dx": [f"dx {name}" for name in names],
            "notes_masked_outcome": [f"outcome {name}" for name in names],
        }
    )
    extra.to_csv(folder / "extra" / "labels_folds_masked_notes.csv", index=False)


def test_labelled_x_rays_become_samples(folder: Path) -> None:
    made = source(folder)
    frame = made.frame()
    assert list(frame.ids) == ["a.png", "b.jpg", "c.png", "d.png", "e.png"]
    assert list(frame.truth["covid"]) == ["COVID-19", "COVID-19", "other", "COVID-19", "other"]
    assert (frame.split, frame.fold) == (None, None)
    np.testing.assert_array_equal(frame.present, [[1, 1, 1], [1, 1, 1], [1, 0, 0], [1, 1, 1], [1, 1, 1]])
    np.testing.assert_array_equal(made.read(2)["image"], np.full((1, 9, 8), 20, np.float32))
    table = made.read(1)["table"]
    assert (table["age"], table["temperature"], table["pO2_saturation"], table["sex"]) == (60.0, 38.5, None, "F")
    assert made.read(3)["table"]["offset"] == -3.0


def test_patients_who_share_an_image_are_one_group(folder: Path) -> None:
    groups = source(folder).frame().groups
    assert groups[0] == groups[1]
    assert groups[3] == groups[4]
    assert len(set(groups)) == 3


def test_icu_is_another_target_with_other_rows(folder: Path) -> None:
    frame = source(folder, "icu").frame()
    assert list(frame.ids) == ["a.png", "b.jpg", "c.png", "f.png"]
    assert list(frame.truth["icu"]) == ["yes", "yes", "no", "no"]
    both = source(folder, "covid", "icu").frame()
    assert list(both.truth["icu"]) == ["yes", "yes", "no", None, None, "no"]
    assert list(both.truth["covid"]) == ["COVID-19", "COVID-19", "other", "COVID-19", "other", None]


def test_volumes_have_no_image_and_modality_and_view_choose(folder: Path) -> None:
    ct = source(folder, modality="CT")
    assert list(ct.frame().ids) == ["h.nii.gz", "i.png"]
    assert sorted(ct.read(0)) == ["note", "table"]
    assert list(source(folder, modality=None).frame().ids) == [
        "a.png", "b.jpg", "c.png", "d.png", "e.png", "h.nii.gz", "i.png",
    ]  # fmt: skip
    with pytest.raises(UserError, match=r'data\.source\.modality: no row has "Xray"\. Did you mean "X-ray"'):
        source(folder, modality="Xray")
    with pytest.raises(UserError, match="There are: AP, Axial, PA"):
        source(folder, view="L")
    assert list(source(folder, "icu", view=["PA"]).frame().ids) == ["a.png", "b.jpg", "f.png"]


def test_notes_are_masked_unless_asked_for(folder: Path) -> None:
    assert "COVID-19 positive" in source(folder, notes="raw").read(0)["note"]
    masked = source(folder).read(0)["note"]
    assert "fever" in masked
    assert not TELLING["covid"].search(masked)
    assert "ICU" in source(folder).read(3)["note"]  # tells the ICU target only
    note = index(folder, ["covid", "icu"]).set_index("filename")["note"]["d.png"]
    assert note.split() == ["Admitted", "to", "the", ",", "."]
    with pytest.raises(UserError, match="allowed are masked, raw"):
        source(folder, notes="open")


@pytest.mark.parametrize(
    "word", ["COVID-19", "covid19.", "SARS-CoV-2", "coronavirus", "RT-PCR", "Pneumocystis", "streptococcal", "E. coli"]
)
def test_disease_words_are_masked(word: str) -> None:
    assert "Lobar" in TELLING["covid"].sub(" ", f"Lobar {word} opacity")
    assert word.split()[-1].strip(".") not in TELLING["covid"].sub(" ", f"Lobar {word} opacity")


def test_the_extra_table_gives_groups_folds_and_notes(folder: Path) -> None:
    add_extra(folder)
    made = source(folder)
    frame = made.frame()
    assert list(frame.fold or []) == [0, 0, 0, 1, 1]
    assert frame.groups[0] == frame.groups[2] != frame.groups[3]
    assert made.read(0)["note"] == "dx a.png"
    icu = source(folder, "icu")
    assert list(icu.frame().fold or []) == [2, 2, 2, -1]  # f.png is not in the extra table
    assert icu.read(0)["note"] == "outcome a.png"
    both = source(folder, "covid", "icu").read(0)["note"]
    assert "dx" not in both  # neither of the extra's columns masks both
    assert "COVID" not in both


def test_no_column_of_hindsight_is_an_input(folder: Path) -> None:
    table = index(folder)
    assert not HINDSIGHT & set(table.columns)
    inputs = {"image", "note", *MODALITIES["table"].column}  # type: ignore[misc]
    assert inputs <= set(table.columns)
    assert not inputs & (HINDSIGHT | {"covid", "icu", "finding"})


def test_another_layout_is_said_clearly(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*git clone"):
        CovidChestXray(MODALITIES, TARGETS)
    with pytest.raises(UserError, match=r"no folder images/(?s:.*)no file metadata\.csv(?s:.*)Expected the layout of"):
        source(folder / "images")
    pd.DataFrame(ROWS).drop(columns=["finding", "view"]).to_csv(folder / "metadata.csv", index=False)
    with pytest.raises(UserError, match="columns missing: finding, view"):
        source(folder)


def test_missing_and_broken_images_follow_the_policy(folder: Path) -> None:
    (folder / "images" / "c.png").unlink()
    with pytest.raises(UserError, match=r"1 files do not exist .*images/c\.png"):
        source(folder)
    made = source(folder, on_error="absent")
    with pytest.raises(ReadError) as caught:
        made.read(2)
    assert caught.value.modality == "image"
    assert made.read(2, without={"image"}) == {}


def test_unknown_labels_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r'target column covd.*Did you mean "covid"'):
        index(folder, ["covd"])


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@needs_real
@pytest.mark.parametrize(
    ("target", "fields", "in_folds", "counts"),
    [
        ("covid", {}, 313, {"COVID-19": 217, "other": 96}),
        ("icu", {"modality": ["X-ray", "CT"]}, 189, {"yes": 133, "no": 69}),
    ],
)
def test_the_real_set_has_the_published_counts(
    target: str, fields: dict[str, Any], in_folds: int, counts: dict[str, int]
) -> None:
    frame = source(REAL, target, **fields).frame()
    truth = pd.Series(list(frame.truth[target]))
    assert truth.value_counts().to_dict() == counts
    fold = np.asarray(frame.fold)
    assert (fold >= 0).sum() == in_folds
    assert set(fold[fold >= 0]) == set(range(5))


@needs_real
def test_every_sample_of_the_real_set_can_be_read() -> None:
    made = source(REAL, modality=None)
    assert len(made.frame().ids) == 362
    for i, present in enumerate(made.frame().present):
        value = made.read(i)
        assert list(value) == [name for name, there in zip(MODALITIES, present, strict=True) if there]
        assert value["image"].shape[0] == 1
        assert 0 <= value["image"].min() < value["image"].max() <= 255


@needs_real
def test_real_groups_merge_the_patient_with_two_ids() -> None:
    table = index(REAL)
    assert table[table["patient"].isin(["97", "178"])]["group"].nunique() == 1
