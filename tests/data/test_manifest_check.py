"""What is wrong with a table is said at once, all of it, with the place and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.data.manifest import ManifestSource
from crossfade.data.readers import Fault
from crossfade.data.readers.paths import Root
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

NOTE = {"note": ModalitySpec(name="note", kind="text", column="note")}
SCAN = {"scan": ModalitySpec(name="scan", kind="image", column="scan")}
OUTCOME = {"outcome": TargetSpec(name="outcome", kind="multiclass", column="outcome")}
ROWS: dict[str, list[Any]] = {
    "id": ["a", "b", "c", "d"],
    "house": ["h", "h", "i", "j"],
    "note": ["one", "two", "three", "four"],
    "outcome": ["yes", "no", "yes", "no"],
}


def make(
    modalities: dict[str, ModalitySpec] = NOTE, targets: dict[str, TargetSpec] = OUTCOME, rows: int = 4, **fields: Any
) -> ManifestSource:
    columns = {name: fields.pop(name) for name in list(fields) if isinstance(fields[name], list)}
    table = pd.DataFrame(ROWS | columns).head(rows)
    return ManifestSource(modalities, targets, 0, table, **fields)


def problems(*args: Any, **fields: Any) -> str:
    with pytest.raises(UserError) as caught:
        make(*args, **fields)
    return str(caught.value)


def test_the_base_table_has_no_problem() -> None:
    assert len(make().frame().ids) == 4


def test_missing_columns_are_all_named_with_the_nearest() -> None:
    targets = {"outcome": TargetSpec(name="outcome", kind="multiclass", column="outcom")}
    said = problems(targets=targets, id="ids", group="hous")
    assert 'data.source.id: no column "ids". Did you mean "id"?' in said
    assert 'data.source.group: no column "hous". Did you mean "house"?' in said
    assert 'target.outcome.column: no column "outcom". Did you mean "outcome"?' in said
    assert "The table has: id, house, note, outcome." in said


def test_several_problems_come_in_one_message() -> None:
    with pytest.raises(UserError) as caught:
        make(id="key", split="place", key=["a", "a", "c", "d"], place=["train", "tst", "val", "test"])
    assert len(caught.value.problems) == 3  # twice the ID, the split, and so a in two splits


def test_duplicate_ids_are_listed_up_to_five() -> None:
    table = pd.DataFrame({"id": list("aabbccddeeffg"), "note": "x", "outcome": list("ynynynynynyny")})
    with pytest.raises(UserError, match=r"6 IDs stand more than once: a \(rows 1, 2\), b \(rows 3, 4\), .* and 1 more"):
        ManifestSource(NOTE, OUTCOME, 0, table)


@pytest.mark.parametrize(("rows", "words"), [(0, "has no rows"), (1, "has one row; at least 2 needed")])
def test_too_few_rows(rows: int, words: str) -> None:
    assert words in problems(rows=rows)


def test_header_only_csv(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("id,note,outcome\n")
    with pytest.raises(UserError, match=r"my\.csv: has no rows"):
        ManifestSource(NOTE, OUTCOME, 0, tmp_path / "my.csv")


def test_a_group_in_two_splits_or_folds() -> None:
    said = problems(group="house", split="place", place=["train", "test", "val", "test"])
    assert "1 groups are in more than one split: h (test, train)" in said
    said = problems(group="house", fold="part", part=[0, 1, 0, 2])
    assert "1 groups are in more than one fold: h (0, 1)" in said
    assert list(make(group="house", fold="part", part=[0, -1, 0, None]).frame().fold or []) == [0, -1, 0, -1]


@pytest.mark.parametrize("name", ["valid", "Train", "dev", None])
def test_unknown_splits(name: str | None) -> None:
    said = problems(split="place", place=["train", name, "val", "test"])
    assert f"unknown split {name or '(blank)'} in 1 rows" in said
    assert "Allowed: train, val, test" in said


@pytest.mark.parametrize("fold", ["first", "1.5", "-2"])
def test_what_is_no_fold(fold: str) -> None:
    assert f"not a fold: {fold} (row 2)" in problems(fold="part", part=["0", fold, "1", "2"])


def test_blank_ids_and_groups() -> None:
    said = problems(id="key", group="home", key=[None, "b", "", "d"], home=["x", None, "y", "z"])
    assert 'column "key": 2 rows have no id: rows 1, 3.' in said
    assert 'column "home": 1 rows have no group: rows 2.' in said


def test_missing_files_are_counted_and_five_listed(tmp_path: Path) -> None:
    (tmp_path / "0.png").touch()
    table = pd.DataFrame({"id": range(8), "scan": [f"{i}.png" for i in range(8)], "outcome": list("yn" * 4)})
    with pytest.raises(UserError, match=r"7 files do not exist .*1\.png \(row 2\), .*5\.png \(row 6\) and 2 more"):
        ManifestSource(SCAN, OUTCOME, 0, table, tmp_path)
    assert ManifestSource(SCAN, OUTCOME, 0, table, tmp_path, on_error="skip").frame().present.all()


@pytest.mark.parametrize("policy", ["error", "skip", "absent"])
@pytest.mark.parametrize("path", ["../x.png", "/etc/hostname", "sub/../../x.png", "link/x.png", "linked.png", ".."])
def test_paths_outside_the_root_are_errors_under_every_policy(tmp_path: Path, path: str, policy: str) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "x.png").touch()
    (root / "link").symlink_to(tmp_path)
    (root / "linked.png").symlink_to(tmp_path / "x.png")
    table = pd.DataFrame({"id": ["a", "b"], "scan": [path, None], "outcome": ["y", "n"]})
    with pytest.raises(UserError, match=r"1 paths lead outside of data\.root"):
        ManifestSource(SCAN, OUTCOME, 0, table, root, on_error=policy)


def test_links_and_dots_that_stay_inside_are_fine(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "x.png")
    root = Root(tmp_path)
    for cell in ("x.png", "./x.png", "sub/../x.png", "link.png", str(tmp_path / "x.png")):
        path = root.path(cell)
        assert root.exists(path)
        assert path == (tmp_path / "x.png").resolve()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cell=st.text("ab./\\ \0é", max_size=20) | st.text("a", min_size=300, max_size=600))
def test_no_path_ever_leaves_the_root(tmp_path: Path, cell: str) -> None:
    root = Root(tmp_path)
    try:
        path = root.path(cell)
    except Fault:
        return
    assert path.resolve().is_relative_to(tmp_path.resolve())
    assert not root.exists(path) or path == tmp_path.resolve()


def test_labels_outside_the_declared_classes() -> None:
    targets = {"outcome": TargetSpec(name="outcome", kind="multiclass", column="outcome", classes=["yes", "nope"])}
    said = problems(targets=targets)
    assert 'label "no" (2 rows) is not in its classes: yes, nope.' in said
    several = {"signs": TargetSpec(name="signs", kind="multilabel", column="signs", classes=["fever"])}
    assert 'label "pain" (1 rows)' in problems(targets=several, signs=["fever|pain", "fever", "|", None])


def test_targets_that_teach_nothing() -> None:
    assert "all rows have the same label, yes" in problems(outcome=["yes"] * 4)
    assert "no row has a truth" in problems(outcome=[None] * 4)


@pytest.mark.parametrize(("cell", "words"), [("long", "'long' is not a number"), ("inf", "'inf' is not finite")])
def test_regression_needs_numbers(cell: str, words: str) -> None:
    targets = {"stay": TargetSpec(name="stay", kind="regression", column="stay")}
    said = problems(targets=targets, stay=["1", cell, "", "2"])
    assert f'target.stay, column "stay": 1 cells cannot be read: row 2: {words}' in said


def test_multilabel_columns_hold_zero_or_one_and_all_or_none() -> None:
    targets = {"signs": TargetSpec(name="signs", kind="multilabel", column=["fever", "pain"])}
    said = problems(targets=targets, fever=["1", "2", "0", "0"], pain=["1", "0", "0", "0"])
    assert "column \"fever\": 1 cells cannot be read: row 2: '2' is neither 0 nor 1" in said
    assert "fill in all of a row or none" in problems(
        targets=targets, fever=["1", "", "0", "0"], pain=["1", "0", "0", "0"]
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ModalitySpec(kind="text"), "has no `column`"),
        (ModalitySpec(kind="text", column=["note", "house"]), "only kind table is read from several columns"),
        (ModalitySpec(kind="audio", column="note"), "has no `rate`"),
        (ModalitySpec(kind="table", column=["house"], categorical=["hous"]), 'Did you mean "house"?'),
    ],
)
def test_modalities_that_cannot_be_read_from_a_table(spec: ModalitySpec, words: str) -> None:
    assert words in problems(modalities={"m": spec})


def test_targets_that_cannot_be_read_from_a_table() -> None:
    assert "has no `column`" in problems(targets={"t": TargetSpec(kind="multiclass")})
    assert "multilabel" in problems(targets={"t": TargetSpec(kind="multiclass", column=["note", "house"])})


def test_manifest_root_and_policy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.manifest is not given"):
        ManifestSource(NOTE, OUTCOME)
    with pytest.raises(UserError, match=r"no\.csv: no such file"):
        ManifestSource(NOTE, OUTCOME, 0, tmp_path / "no.csv")
    (tmp_path / "my.csv").write_text("a;b\n1;2\n")
    with pytest.raises(UserError, match="semicolons"):
        ManifestSource(NOTE, OUTCOME, 0, tmp_path / "my.csv")
    with pytest.raises(UserError, match=r"data\.root=.*is not a folder"):
        make(root=tmp_path / "no")
    with pytest.raises(UserError, match=r"data\.on_error=ignore: allowed are error, skip, absent"):
        make(on_error="ignore")


@pytest.mark.parametrize("cell", [["x", "y"], {"path": "a.png"}, b"text", np.array([1.0, 2.0]), []])
@pytest.mark.parametrize("column", ["id", "note", "outcome"])
def test_what_only_parquet_can_hold_is_no_cell(column: str, cell: Any) -> None:
    table = pd.DataFrame(ROWS | {column: [cell, *ROWS[column][1:]]})
    with pytest.raises(UserError) as caught:
        ManifestSource(NOTE, OUTCOME, 0, table)
    said = str(caught.value)
    assert f'column "{column}": 1 cells cannot be read: row 1: holds a ' in said


def test_a_number_that_never_changes_teaches_nothing() -> None:
    targets = {"size": TargetSpec(name="size", kind="regression", column="size")}
    assert "all rows have the same value, 3.0" in problems(targets=targets, size=["3", "3.0", "3", ""])
