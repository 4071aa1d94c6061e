"""The public glioma MRI set: its layout, its copied sequences, and the counts of the real one where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from crossfade.data.medical.lgg_mri import CLINICAL, GENOMIC, LABELS, SEQUENCES, LggMri, index, read_mask
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "lgg_mri"
CONFIG = yaml.safe_load((REPO / "conf/task/medical/lgg_mri.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}
SIZE = 6


def save(root: Path, patient: str, number: int, colours: tuple[int, int, int], tumour: int) -> None:
    """A slice whose sequences are constant but for one pixel, and a mask with this many pixels of tumour."""
    folder = root / "kaggle_3m" / f"{patient}_19990101"
    folder.mkdir(parents=True, exist_ok=True)
    image = np.full((SIZE, SIZE, 3), colours, np.uint8)
    image[0, 0] = 9
    mask = np.zeros(SIZE * SIZE, np.uint8)
    mask[:tumour] = 255
    Image.fromarray(image).save(folder / f"{folder.name}_{number}.tif")
    Image.fromarray(mask.reshape(SIZE, SIZE)).save(folder / f"{folder.name}_{number}_mask.tif")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path, "TCGA_A_1", 2, (10, 20, 30), 3)
    save(tmp_path, "TCGA_A_1", 10, (11, 21, 31), 5)
    save(tmp_path, "TCGA_A_1", 11, (12, 22, 32), 0)
    save(tmp_path, "TCGA_B_2", 1, (40, 40, 40), 1)  # FLAIR alone, copied
    save(tmp_path, "TCGA_B_3", 1, (50, 60, 60), 2)  # no post-contrast
    rows = [
        {"Patient": p, **dict.fromkeys(GENOMIC, "2"), **dict.fromkeys(CLINICAL, "1"), **dict.fromkeys(LABELS.values(), v)}
        for p, v in (("TCGA_A_1", "1"), ("TCGA_B_2", "2"), ("TCGA_B_3", ""))
    ]
    table = pd.DataFrame(rows).assign(death01=["0", "1", ""], RNASeqCluster=["", "3", "3"])
    table.to_csv(tmp_path / "kaggle_3m" / "data.csv", index=False)
    return tmp_path


def source(root: Path, *targets: str, **fields: Any) -> LggMri:
    return LggMri(MODALITIES, {name: TARGETS[name] for name in targets or ("histology",)}, 0, root, **fields)


def test_the_slice_with_the_largest_tumour_stands_for_a_patient(folder: Path) -> None:
    made = source(folder, "histology", "death")
    frame = made.frame()
    assert list(frame.ids) == list(frame.groups) == ["TCGA_A_1", "TCGA_B_2", "TCGA_B_3"]
    assert list(frame.truth["histology"]) == ["1", "2", None]
    assert list(frame.truth["death"]) == ["no", "yes", None]
    values = made.read(0)
    for name, level in (("pre", 11), ("flair", 21), ("post", 31)):
        expected = np.full((1, SIZE, SIZE), level, np.float32)
        expected[0, 0, 0] = 9
        np.testing.assert_array_equal(values[name], expected)
    assert values["genomic"] == {**dict.fromkeys(GENOMIC, "2"), "RNASeqCluster": None}
    assert values["clinical"]["age_at_initial_pathologic"] == 1.0


def test_a_copy_of_flair_is_an_absent_sequence(folder: Path) -> None:
    made = source(folder)
    images = [list(MODALITIES).index(name) for name in SEQUENCES]
    np.testing.assert_array_equal(made.frame().present[:, images], [[1, 1, 1], [0, 1, 0], [1, 1, 0]])
    assert sorted(made.read(1)) == ["clinical", "flair", "genomic"]


def test_slices_of_a_patient_are_one_group(folder: Path) -> None:
    frame = source(folder, "tumour", per="slice").frame()
    assert list(frame.ids) == ["TCGA_A_1/002", "TCGA_A_1/010", "TCGA_A_1/011", "TCGA_B_2/001", "TCGA_B_3/001"]
    assert list(frame.truth["tumour"]) == ["yes", "yes", "no", "yes", "yes"]
    assert list(frame.groups) == ["TCGA_A_1"] * 3 + ["TCGA_B_2", "TCGA_B_3"]


def test_masks_are_read_when_asked_for(folder: Path) -> None:
    path = folder / index(folder).set_index("id").loc["TCGA_A_1", "mask"]
    mask = read_mask(path)
    assert (mask.dtype, mask.shape, mask.sum()) == (np.uint8, (SIZE, SIZE), 5)
    np.testing.assert_array_equal(mask.ravel()[:6], [1, 1, 1, 1, 1, 0])
    path.write_bytes(b"junk")
    with pytest.raises(ReadError, match=r"_10_mask\.tif: not a readable image"):
        read_mask(path)


def test_folds_are_those_beside_the_data(folder: Path) -> None:
    names = ["TCGA_A_1", "TCGA_B_2", "TCGA_B_3"]
    columns = {f"fold_{column}": [i, 1, -1] for i, column in enumerate(LABELS.values())}
    pd.DataFrame({"Patient": names, **columns}).to_csv(folder / "folds.csv", index=False)
    assert list(source(folder).frame().fold or []) == [0, 1, -1]
    assert list(source(folder, "death").frame().fold or []) == [2, 1, -1]
    assert source(folder, "tumour", per="slice").frame().fold is None
    pd.DataFrame({"Patient": names}).to_csv(folder / "folds.csv", index=False)
    with pytest.raises(UserError, match=r"folds\.csv: columns missing: fold_histological_type"):
        source(folder)


def test_no_target_and_no_name_of_a_hospital_is_an_input() -> None:
    inputs = {c for m in MODALITIES.values() for c in ([m.column] if isinstance(m.column, str) else m.column or [])}
    assert inputs == {*SEQUENCES, *GENOMIC, *CLINICAL}
    assert not inputs & {*LABELS, *LABELS.values(), "patient", "id", "Patient"}


def test_another_layout_is_said_clearly(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*kaggle"):
        LggMri(MODALITIES, TARGETS)
    with pytest.raises(UserError, match=r"no folder kaggle_3m/(?s:.*)Expected the layout of"):
        source(folder / "kaggle_3m")
    with pytest.raises(UserError, match='data.source.per=slices: allowed are patient, slice. Did you mean "slice"'):
        source(folder, per="slices")
    with pytest.raises(UserError, match=r"column is one of pre, flair, post, channels is 1"):
        LggMri({"t1": ModalitySpec(name="t1", kind="image", column="t1")}, TARGETS, 0, folder)
    one = folder / "kaggle_3m" / "TCGA_A_1_19990101"
    (one / "TCGA_A_1_19990101_2_mask.tif").unlink()
    with pytest.raises(UserError, match=r"no file TCGA_A_1_19990101_2_mask\.tif"):
        source(folder)
    (one / "TCGA_A_1_19990101_2.tif").rename(one / "scan.tif")
    (one / "scan_mask.tif").write_bytes(b"")
    with pytest.raises(UserError, match=r"scan\.tif: no slice number in the name"):
        source(folder)
    (folder / "kaggle_3m" / "TCGA_C_9_19990101").mkdir()
    (one / "scan.tif").unlink()
    with pytest.raises(UserError, match=r"data\.csv: no row for the patient of the folder TCGA_C_9_19990101/"):
        source(folder)
    table = pd.read_csv(folder / "kaggle_3m" / "data.csv").drop(columns=["gender", "death01"])
    table.to_csv(folder / "kaggle_3m" / "data.csv", index=False)
    with pytest.raises(UserError, match="columns missing: gender, death01"):
        source(folder)


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@needs_real
def test_the_real_set_has_the_known_counts() -> None:
    made = source(REAL)
    frame = made.frame()
    assert len(frame.ids) == 110
    truth, fold = pd.Series(list(frame.truth["histology"])), np.asarray(frame.fold)
    assert truth.value_counts().to_dict() == {"3": 47, "1": 33, "2": 29}
    assert sorted(np.bincount(fold[fold >= 0])) == [21, 22, 22, 22, 22]
    absent = dict(zip(MODALITIES, (~frame.present).sum(0), strict=True))
    assert absent == {"pre": 6, "flair": 0, "post": 10, "genomic": 0, "clinical": 1}
    for i in range(0, 110, 10):
        assert all(made.read(i)[name].shape == (1, 256, 256) for name in SEQUENCES if name in made.read(i))


@needs_real
def test_the_real_masks_have_the_known_sizes() -> None:
    table = index(REAL, "slice")
    known = pd.read_csv(REAL / "slices.csv")
    both = table.merge(known, left_on=["patient", "slice"], right_on=["Patient", "slice"])
    assert len(both) == len(table) == 438
    assert (both["pixels"] == both["mask_pixels"]).all()
