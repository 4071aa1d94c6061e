"""A manifest from end to end: what a table and its files hold comes out as it went in."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from crossfade.data.manifest import ManifestSource
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

GREY = np.random.default_rng(0).integers(0, 256, (4, 9, 8), dtype=np.uint8)
SOUND = np.random.default_rng(1).integers(-(2**15), 2**15, 50).astype(np.float32) / 2**15
SERIES = np.random.default_rng(2).normal(size=(6, 2)).astype(np.float32)

MODALITIES = {
    "scan": ModalitySpec(name="scan", kind="image", column="scan"),
    "note": ModalitySpec(name="note", kind="text", column="note"),
    "labs": ModalitySpec(name="labs", kind="table", column=["age", "crp", "sex"], categorical=["sex"]),
    "heart": ModalitySpec(name="heart", kind="series", column="heart"),
    "cough": ModalitySpec(name="cough", kind="audio", column="cough", rate=16000),
}
TARGETS = {
    "outcome": TargetSpec(name="outcome", kind="multiclass", column="outcome"),
    "findings": TargetSpec(name="findings", kind="multilabel", column="findings"),
    "signs": TargetSpec(name="signs", kind="multilabel", column=["fever", "pain"]),
    "stay": TargetSpec(name="stay", kind="regression", column="stay"),
    "dose": TargetSpec(name="dose", kind="regression", column=["dose_a", "dose_b"]),
}
ROWS: dict[str, list[Any]] = {
    "patient": ["a", "b", "c", "d"],
    "house": ["h1", "h1", "h2", "h3"],
    "split": ["train", "train", "val", "test"],
    "fold": [0, 0, 1, -1],
    "scan": ["img/0.png", "img/1.png", None, "img/3.png"],
    "note": ['Fever, "high"\nand cough', None, "  ", "None"],
    "age": [61.0, None, None, 40.0],
    "crp": [1.5, 2.25, None, None],
    "sex": ["F", None, None, "M"],
    "heart": ["s/0.npy", None, None, None],
    "cough": [None, None, "s/2.wav", None],
    "outcome": [1, 0, None, 1],
    "findings": ["x|y", "|", None, "y"],
    "fever": [1, 0, None, 0],
    "pain": [0, 0, None, 1],
    "stay": [1.5, None, 0.0, -2.0],
    "dose_a": [1.0, None, None, 2.0],
    "dose_b": [0.5, None, 3.0, 4.0],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    (tmp_path / "s").mkdir()
    for i, pixels in enumerate(GREY):
        Image.fromarray(pixels).save(tmp_path / "img" / f"{i}.png")
    np.save(tmp_path / "s" / "0.npy", SERIES)
    pytest.importorskip("soundfile").write(tmp_path / "s" / "2.wav", SOUND, 16000, subtype="PCM_16")
    table = pd.DataFrame(ROWS)
    table.to_csv(tmp_path / "my.csv", index=False)
    table.to_csv(tmp_path / "my.tsv", index=False, sep="\t")
    table.to_parquet(tmp_path / "my.parquet")
    return tmp_path


def source(manifest: Any, **fields: Any) -> ManifestSource:
    columns = {"id": "patient", "group": "house", "split": "split", "fold": "fold"}
    return ManifestSource(MODALITIES, TARGETS, 0, manifest, **(columns | fields))


@pytest.mark.parametrize("name", ["my.csv", "my.tsv", "my.parquet", "frame"])
def test_everything_comes_out_as_it_went_in(folder: Path, name: str) -> None:
    made = source(pd.DataFrame(ROWS), root=folder) if name == "frame" else source(folder / name)
    frame = made.frame()
    assert list(frame.ids) == ["a", "b", "c", "d"]
    assert list(frame.groups) == ["h1", "h1", "h2", "h3"]
    assert list(frame.split or []) == ["train", "train", "val", "test"]
    assert list(frame.fold or []) == [0, 0, 1, -1]
    assert list(frame.truth["outcome"]) == ["1", "0", None, "1"]
    assert list(frame.truth["findings"]) == [["x", "y"], [], None, ["y"]]
    assert list(frame.truth["signs"]) == [["fever"], [], None, ["pain"]]
    assert list(frame.truth["stay"]) == [1.5, None, 0.0, -2.0]
    dose = frame.truth["dose"]
    assert [dose[0], dose[1], dose[3]] == [[1.0, 0.5], None, [2.0, 4.0]]
    np.testing.assert_array_equal(dose[2], [np.nan, 3.0])
    np.testing.assert_array_equal(  # scan, note, labs, heart, cough
        frame.present, [[1, 1, 1, 1, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1], [1, 1, 1, 0, 0]]
    )
    assert made.blank_texts == {"note": 1}

    rows = [made.read(i) for i in range(4)]
    assert [sorted(row) for row in rows] == [
        ["heart", "labs", "note", "scan"], ["labs", "scan"], ["cough"], ["labs", "note", "scan"],
    ]  # fmt: skip
    for i in (0, 1, 3):
        np.testing.assert_array_equal(rows[i]["scan"][0], GREY[i])
    np.testing.assert_array_equal(rows[0]["heart"], SERIES)
    np.testing.assert_array_equal(rows[2]["cough"], SOUND)
    assert rows[0]["note"] == 'Fever, "high"\nand cough'
    assert rows[3]["note"] == "None"
    assert rows[0]["labs"] == {"age": 61.0, "crp": 1.5, "sex": "F"}
    assert rows[1]["labs"] == {"age": None, "crp": 2.25, "sex": None}
    assert made.bayes("outcome", ["scan"]) is None


def test_presence_says_what_read_gives(folder: Path) -> None:
    made = source(folder / "my.csv")
    for i, present in enumerate(made.frame().present):
        assert set(made.read(i)) == {name for name, there in zip(MODALITIES, present, strict=True) if there}


def test_without_leaves_modalities_unread(folder: Path) -> None:
    made = source(folder / "my.csv")
    (folder / "img" / "0.png").write_bytes(b"junk")
    assert sorted(made.read(0, without={"scan", "heart"})) == ["labs", "note"]


def test_defaults_group_is_the_id_and_root_the_manifests_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    frame = source(f"{folder.name}/my.csv", group=None, split=None, fold=None).frame()
    assert list(frame.groups) == list(frame.ids)
    assert frame.split is None
    assert frame.fold is None


@pytest.mark.parametrize("policy", ["skip", "absent"])
def test_other_policies_leave_missing_files_to_the_data_module(folder: Path, policy: str) -> None:
    (folder / "img" / "1.png").unlink()
    with pytest.raises(UserError, match=r"1 files do not exist .*img/1\.png \(row 2\)"):
        source(folder / "my.csv")
    with pytest.raises(ReadError, match="no such file"):
        source(folder / "my.csv", on_error=policy).read(1)


@pytest.mark.parametrize(
    ("content", "words"), [(b"junk", "not a readable image"), (None, "corrupt or truncated"), (b"", "not a readable")]
)
def test_a_read_error_names_row_id_column_file_and_modality(folder: Path, content: bytes | None, words: str) -> None:
    path = folder / "img" / "3.png"
    path.write_bytes(path.read_bytes()[:60] if content is None else content)
    with pytest.raises(ReadError, match=words) as caught:
        source(folder / "my.csv").read(3)
    assert caught.value.modality == "scan"
    for part in ("my.csv, row 4", '(id "d")', "modality scan", "column 'scan'", "img/3.png"):
        assert part in str(caught.value)
    back = pickle.loads(pickle.dumps(caught.value))  # as between a worker process and the main one
    assert (str(back), back.modality) == (str(caught.value), "scan")


def test_a_table_cell_that_is_no_number(folder: Path) -> None:
    table = pd.DataFrame(ROWS).astype({"crp": object})
    table.loc[[1, 3], "crp"] = ["?", np.inf]
    with pytest.raises(UserError, match=r'column "crp": 2 cells cannot be read: row 2: .* row 4: .*not finite'):
        source(table, root=folder)
    made = source(table, root=folder, on_error="absent")
    for i, words in ((1, "'\\?' is not a number"), (3, "'inf' is not finite")):
        with pytest.raises(ReadError, match=words) as caught:
            made.read(i)
        assert caught.value.modality == "labs"


def test_nan_in_a_file_is_an_error_in_images_and_a_gap_in_series(folder: Path) -> None:
    holed = SERIES.copy()
    holed[0, 0] = np.nan
    np.save(folder / "s" / "0.npy", holed)
    np.testing.assert_array_equal(source(folder / "my.csv").read(0)["heart"], holed)
    np.save(folder / "img" / "0.npy", holed)
    rows = pd.DataFrame(ROWS)
    rows.loc[0, "scan"] = "img/0.npy"
    with pytest.raises(ReadError, match="1 NaN"):
        source(rows, root=folder).read(0)


def test_fingerprint_follows_cells_files_and_what_is_read(folder: Path) -> None:
    first = source(folder / "my.csv").fingerprint()
    assert first == source(folder / "my.csv").fingerprint() == source(folder / "my.tsv").fingerprint()
    os.utime(folder / "img" / "1.png", ns=(1, 1))
    touched = source(folder / "my.csv").fingerprint()
    rows = pd.DataFrame(ROWS)
    rows.loc[1, "age"] = 62.0
    rows.to_csv(folder / "other.csv", index=False)
    changed = source(folder / "other.csv").fingerprint()
    colour = {**MODALITIES, "scan": ModalitySpec(name="scan", kind="image", column="scan", channels=3)}
    other = ManifestSource(
        colour, TARGETS, 0, folder / "my.csv", id="patient", group="house", split="split", fold="fold"
    )
    assert len({first, touched, changed, other.fingerprint()}) == 4


def test_prediction_needs_neither_truth_nor_split_nor_two_rows(folder: Path) -> None:
    row = pd.DataFrame(ROWS).head(1).drop(columns=["outcome", "findings", "fever", "stay", "split", "fold", "house"])
    frame = source(row, root=folder, predict=True).frame()
    assert (frame.groups, frame.split, frame.fold) == (["a"], None, None)
    truth = {name: list(column) for name, column in frame.truth.items()}
    assert truth == {"outcome": [None], "findings": [None], "signs": [None], "stay": [None], "dose": [[1.0, 0.5]]}


def test_a_source_survives_the_way_to_a_worker_process(folder: Path) -> None:
    copy = pickle.loads(pickle.dumps(source(folder / "my.csv")))
    np.testing.assert_array_equal(copy.read(1)["scan"][0], GREY[1])
