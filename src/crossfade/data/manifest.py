"""The one road for real data: a table with one row per sample, and the files that it names.

Columns: an ID, optionally a group (patient, drive, household) and a split or fold; per modality
`ModalitySpec.column`, per target `TargetSpec.column`. An empty cell means: modality absent, truth unknown.
A public data set's module only turns its published layout into such a table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crossfade.data.manifest_check import check_manifest
from crossfade.data.manifest_truth import FILES, form_of, read_truth
from crossfade.data.readers import FILE_KINDS, Fault, read_file
from crossfade.data.readers.cells import columns_of, missing_number, missing_word, number, text, word, words
from crossfade.data.readers.paths import Root
from crossfade.data.readers.tables import TableFault, read_table
from crossfade.data.source import Bound, Frame
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

POLICIES = ("error", "skip", "absent")


class ManifestSource:
    """Samples of a CSV, TSV or Parquet file, or of a DataFrame; a `Source`.

    `root`: what paths are relative to (default: the manifest's folder); none may lead outside.
    `id`, `group`, `split`, `fold`: names of columns; the default group is the ID.
    `on_error`: with `error` a missing file or a table cell that is no number is reported at once, otherwise when
    it is read, for the DataModule to skip or mark absent.
    `predict`: the table need not hold truth, group, split and fold, and one row is enough.

    `blank_texts[modality]` counts the rows whose text holds nothing but blanks: absent.
    Raises UserError with all that is wrong in the table at once.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        manifest: str | Path | pd.DataFrame | None = None,
        root: str | Path | None = None,
        id: str = "id",
        group: str | None = None,
        split: str | None = None,
        fold: str | None = None,
        on_error: str = "error",
        predict: bool = False,
    ) -> None:
        if on_error not in POLICIES:
            raise UserError(f"data.on_error={on_error}: allowed are {', '.join(POLICIES)}")
        self.modalities, self.targets, self._asked = modalities, targets, list(targets)
        self.id, self.group, self.split, self.fold = id, group, split, fold
        self.on_error, self.predict = on_error, predict
        self.table, self.name, folder = _load(manifest)
        root = folder if root is None else Path(root).expanduser()
        if not root.is_dir():
            raise UserError(f"data.root={root} is not a folder. Give the one that the manifest's paths start from.")
        self.root = Root(root)
        if predict:  # what the table does not tell is not asked of it
            self.group = group if group in self.table else None
            self.split = split if split in self.table else None
            self.fold = fold if fold in self.table else None
            self.targets = {n: t for n, t in targets.items() if set(columns_of(t.column)) <= set(self.table)}
        self.check(on_error)
        self.blank_texts = {
            name: sum(bool(text(c)) and not text(c).strip() for c in self.table[spec.column])
            for name, spec in modalities.items()
            if spec.kind == "text"
        }
        self._frame = self._make_frame()
        used = {c for m in modalities.values() for c in columns_of(m.column)}
        self._cells = {c: list(self.table[c]) for c in used}  # a DataFrame takes 30 µs per cell, a list 0.03

    def check(self, on_error: str = "error") -> None:
        """Everything that can be seen without opening a file; one UserError with all problems."""
        check_manifest(self, on_error)

    def column(self, name: str) -> list[str | None]:
        """A column of names or labels, None where a cell is empty."""
        return words(self.table[name])

    def frame(self) -> Frame:
        return self._frame

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        """Raw values of the modalities that row `index` has; ReadError on the first that cannot be read."""
        values = {}
        for name, spec in self.modalities.items():
            if name in without:
                continue
            try:
                value = self._value(index, spec)
            except Fault as fault:
                raise ReadError(self._where(index, name, fault), name) from fault
            if value is not None:
                values[name] = value
        return values

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        return None

    def fingerprint(self) -> str:
        """SHA-256 of the used columns' cells, of what is read from them, and of each file's size and mtime."""
        digest = hashlib.sha256()
        used = [self.id, self.group, self.split, self.fold]
        used += [c for m in self.modalities.values() for c in columns_of(m.column)]
        used += [c for t in self.targets.values() for c in columns_of(t.column)]
        for column in sorted({c for c in used if c}):
            digest.update(json.dumps([column, [text(c) for c in self.table[column]]]).encode())
        for name, spec in sorted(self.modalities.items()):
            fields = spec.model_dump(include={"kind", "column", "channels", "slices", "rate", "categorical"})
            digest.update(json.dumps([name, fields], sort_keys=True).encode())
        files = [spec.column for _, spec in sorted(self.modalities.items()) if spec.kind in FILE_KINDS]
        files += [spec.column for _, spec in sorted(self.targets.items()) if form_of(spec) in FILES]
        for cell in (word(c) for column in files for c in self.table[column]):
            if cell is not None and (path := self.root.path(cell)).exists():
                for file in sorted(path.iterdir()) if path.is_dir() else [path]:  # a folder: a DICOM series
                    status = file.stat()
                    digest.update(json.dumps([cell, file.name, status.st_size, status.st_mtime_ns]).encode())
        return digest.hexdigest()

    def _value(self, index: int, spec: ModalitySpec) -> Any | None:
        """One raw value, None where it is absent."""
        if spec.kind == "table":
            return self._table_row(index, spec)
        cell = text(self._cells[str(spec.column)][index])
        if word(cell) is None:
            return None
        return cell if spec.kind == "text" else read_file(self.root.path(cell.strip()), spec)

    def _table_row(self, index: int, spec: ModalitySpec) -> dict[str, float | str | None] | None:
        row: dict[str, float | str | None] = {}
        for column in columns_of(spec.column):
            if column in spec.categorical:
                row[column] = self._categories[column][index]
                continue
            try:
                row[column] = number(self._cells[column][index])
            except ValueError as error:
                raise Fault(f"table column {column!r}: {error}") from error
        return None if all(value is None for value in row.values()) else row

    def _make_frame(self) -> Frame:
        size = len(self.table)
        ids = [w or "" for w in self.column(self.id)]
        groups = ids if self.group is None else [w or "" for w in self.column(self.group)]
        categorical = {c for s in self.modalities.values() if s.kind == "table" for c in s.categorical}
        self._categories = {c: self.column(c) for c in sorted(categorical)}
        present = np.zeros((size, len(self.modalities)), dtype=bool)
        for m, spec in enumerate(self.modalities.values()):
            for column in columns_of(spec.column):
                cells = self.table[column]
                numeric = spec.kind == "table" and column not in spec.categorical
                present[:, m] |= [not (missing_number if numeric else missing_word)(c) for c in cells]
        truth: dict[str, Sequence[Any]] = {name: [None] * size for name in self._asked}
        truth |= {name: read_truth(self.table, spec, self.root) for name, spec in self.targets.items()}
        return Frame(
            ids=ids,
            groups=groups,
            present=present,
            truth=truth,
            split=None if self.split is None else [w or "" for w in self.column(self.split)],
            fold=None if self.fold is None else [int(w or -1) for w in self.column(self.fold)],
        )

    def _where(self, index: int, modality: str, fault: Fault) -> str:
        spec = self.modalities[modality]
        place = f'{self.name}, row {index + 1} (id "{self._frame.ids[index]}"), modality {modality}'
        if spec.kind in FILE_KINDS:
            place += f", column {spec.column!r}, file {text(self._cells[str(spec.column)][index])}"
        return f"{place}: {fault}."


def _load(manifest: str | Path | pd.DataFrame | None) -> tuple[pd.DataFrame, str, Path]:
    """The table, what to call it in messages, and its folder."""
    if isinstance(manifest, pd.DataFrame):
        return manifest.reset_index(drop=True), "the table", Path()
    if manifest is None:
        raise UserError("data.manifest is not given. Say which table to read: data.manifest=my.csv or .parquet.")
    path = Path(manifest).expanduser()
    if not path.is_file():
        raise UserError(f"data.manifest={path}: no such file (looked in {path.absolute().parent}).")
    try:
        return read_table(path), path.name, path.parent
    except TableFault as fault:
        raise UserError(f"data.manifest={path}: {fault}.") from fault
