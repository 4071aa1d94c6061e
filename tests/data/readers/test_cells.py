"""Cells and table files: the same values from CSV and Parquet, and no cell lost or guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.data.readers.cells import number, text, word, words, yes
from crossfade.data.readers.tables import TableFault, read_table


@pytest.mark.parametrize("cell", [None, np.nan, float("nan"), pd.NA, pd.NaT, "", "  ", "NaN", "nan"])
def test_missing_is_missing_everywhere(cell: object) -> None:
    assert word(cell) is None
    assert number(cell) is None
    assert yes(cell) is None


def test_a_word_stays_what_it_is() -> None:
    assert words(["None", "NA", "007", " a "]) == ["None", "NA", "007", "a"]
    assert words(["1.0", None, "2.0"]) == ["1", None, "2"]  # whole numbers in a column with gaps
    assert words(["1.0", "1.5"]) == ["1.0", "1.5"]


@pytest.mark.parametrize(
    ("cell", "value"), [("1.5", 1.5), (" -2e3 ", -2000.0), ("NA", None), (True, 1.0), (np.int64(3), 3.0), ("0", 0.0)]
)
def test_numbers(cell: object, value: float | None) -> None:
    assert number(cell) == value


@pytest.mark.parametrize("cell", ["?", "1,5", "1_000", "inf", "-Infinity", np.inf, "12 mg"])
def test_what_is_no_finite_number_is_an_error(cell: object) -> None:
    with pytest.raises(ValueError, match="not"):
        number(cell)


def test_yes_and_no() -> None:
    assert [yes(c) for c in ("1", "true", True, 1, 1.0)] == [True] * 5
    assert [yes(c) for c in ("0", "False", False, 0, 0.0)] == [False] * 5
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        yes("2")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=("Cs",)), max_size=12)
COLUMNS = st.lists(
    st.tuples(
        TEXT,
        st.integers(-(10**9), 10**9),
        st.floats(allow_infinity=False) | st.none(),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=COLUMNS)
def test_csv_and_parquet_hold_the_same_cells(tmp_path: Path, rows: list[tuple[str, int, float | None, bool]]) -> None:
    table = pd.DataFrame(rows, columns=["note", "count", "value", "flag"]).astype({"value": float})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    csv, parquet = read_table(tmp_path / "a.csv"), read_table(tmp_path / "a.parquet")
    assert list(csv["note"]) == list(parquet["note"]) == [note for note, *_ in rows]
    for column in table:
        assert [text(c) for c in csv[column]] == [text(c) for c in parquet[column]]
    for column in ("count", "value"):
        assert [number(c) for c in csv[column]] == [number(c) for c in parquet[column]]


@pytest.mark.parametrize(
    ("content", "words_"),
    [
        (b"", "no header"),
        (b"a,b\n1,2,3\n", "line 2 has 3 cells, the header has 2"),
        (b"a,a\n1,2\n", "names a column twice: a"),
        (b"a;b\n1;2\n", "semicolons"),
        ("a,b\nä,1\n".encode("latin-1"), "UTF-8"),
        (b'a,b\n1,"open\n', "not a readable CSV"),
    ],
)
def test_bad_tables_are_faults(tmp_path: Path, content: bytes, words_: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(TableFault, match=words_):
        read_table(tmp_path / "a.csv")


def test_byte_order_mark_tabs_and_other_extensions(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"\xef\xbb\xbfa\tb\n1\t2\n")
    assert list(read_table(tmp_path / "a.tsv").columns) == ["a", "b"]
    (tmp_path / "a.parquet").write_bytes(b"junk")
    with pytest.raises(TableFault, match="Parquet"):
        read_table(tmp_path / "a.parquet")
    with pytest.raises(TableFault, match=r"\.csv"):
        read_table(tmp_path / "a.xlsx")


def test_a_long_note_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("note\n" + "x" * 200_000 + "\n")
    assert len(read_table(tmp_path / "a.csv")["note"][0]) == 200_000
