"""What can be wrong with a manifest and shows without opening a file; all of it in one UserError."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import pandas as pd

from crossfade.data.manifest_truth import FILES, form_of, read_json_cell, read_truth
from crossfade.data.readers import FILE_KINDS, Fault
from crossfade.data.readers.cells import columns_of, number, text, word, yes
from crossfade.data.readers.paths import Root
from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

SPLITS = ("train", "val", "test")
SHOWN = 5  # examples per problem


class Manifest(Protocol):
    """What is checked: a table, what its columns are for, and where the files lie that it names."""

    name: str
    table: pd.DataFrame
    root: Root
    modalities: dict[str, ModalitySpec]
    targets: dict[str, TargetSpec]
    id: str
    group: str | None
    split: str | None
    fold: str | None
    predict: bool

    def column(self, name: str) -> list[str | None]: ...


def check_manifest(source: Manifest, on_error: str) -> None:
    """Raise UserError with every problem found: columns first, since the rest needs them; then rows."""
    problems = list(_columns(source)) or list(_rows(source, on_error))
    if problems:
        raise UserError(*(f"{source.name}: {problem}" for problem in problems))


def _columns(source: Manifest) -> Iterator[str]:
    have = list(source.table.columns)
    wanted = {f"data.source.{role}": [getattr(source, role)] for role in ("id", "group", "split", "fold")}
    for name, modality in source.modalities.items():
        wanted[f"modality.{name}.column"] = columns_of(modality.column)
        yield from _modality(name, modality)
    for name, target in source.targets.items():
        wanted[f"target.{name}.column"] = columns_of(target.column)
        if not columns_of(target.column):
            yield f"target.{name} has no `column`. Say which column holds its truth."
        elif form_of(target) not in ("labels", "numbers", "fields") and not isinstance(target.column, str):
            several = " (for several labels: kind multilabel)" if form_of(target) == "label" else ""
            yield f"target.{name}.column is a list; {target.kind} has one column{several}."
    for key, columns in wanted.items():
        for column in columns:
            if column is not None and column not in have:
                listed = ", ".join(have[:20]) + (", …" if len(have) > 20 else "")
                yield f'{key}: no column "{column}".{did_you_mean(column, have)} The table has: {listed}.'
            elif column is not None and (
                nested := list(_each(source.table[column], text, f'{key}, column "{column}"'))
            ):
                yield from nested


def _modality(name: str, spec: ModalitySpec) -> Iterator[str]:
    key = f"modality.{name}"
    if not columns_of(spec.column):
        yield f"{key} has no `column`. Say which column (table: which columns) it is read from."
    elif spec.kind != "table" and not isinstance(spec.column, str):
        yield f"{key}.column is a list; only kind table is read from several columns."
    if spec.kind == "audio" and spec.rate is None:
        yield f"{key} has no `rate`. Give the rate in Hz that all its files are resampled to, e.g. 16000."
    if spec.kind == "table":
        for column in sorted(set(spec.categorical) - set(columns_of(spec.column))):
            near = did_you_mean(column, columns_of(spec.column))
            yield f'{key}.categorical: "{column}" is not among its columns.{near}'


def _rows(source: Manifest, on_error: str) -> Iterator[str]:
    size, least = len(source.table), 1 if source.predict else 2
    if size < least:
        yield f"has {('no rows', 'one row')[size]}; at least {least} needed."
        if size == 0:
            return
    ids = source.column(source.id)
    yield from _names(ids, "id", source.id)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(ids):
        if name is not None:
            rows_of[name].append(i + 1)
    twice = [f"{name} (rows {_some(rows)})" for name, rows in rows_of.items() if len(rows) > 1]
    if twice:
        yield f'column "{source.id}": {len(twice)} IDs stand more than once: {_some(twice)}. Give each row its own.'
    groups = ids
    if source.group is not None:
        groups = source.column(source.group)
        yield from _names(groups, "group", source.group)
    if source.split is not None:
        splits = source.column(source.split)
        yield from _splits(splits, source.split)
        yield from _one_place(groups, splits, "split")
    if source.fold is not None:
        folds = source.column(source.fold)
        bad = [(i, f) for i, f in enumerate(folds) if f is not None and not _is_fold(f)]
        if bad:
            yield f'column "{source.fold}": not a fold: {_listed(bad)}. A fold is 0, 1, …; blank or -1 is none.'
        yield from _one_place(groups, [None if f == "-1" else f for f in folds], "fold")
    for name, modality in source.modalities.items():
        if modality.kind in FILE_KINDS:
            yield from _files(source, f"modality.{name}", str(modality.column), on_error)
        elif modality.kind == "table" and on_error == "error":
            for column in columns_of(modality.column):
                if column not in modality.categorical:
                    yield from _each(source.table[column], number, f'modality.{name}, column "{column}"')
    for name, target in source.targets.items():
        yield from _truth(source, name, target, on_error)


def _names(cells: list[str | None], what: str, column: str) -> Iterator[str]:
    blank = [i for i, cell in enumerate(cells) if cell is None]
    if blank:
        yield f'column "{column}": {len(blank)} rows have no {what}: rows {_some(i + 1 for i in blank)}.'


def _splits(splits: list[str | None], column: str) -> Iterator[str]:
    unknown = Counter("(blank)" if s is None else s for s in splits if s not in SPLITS)
    for name, count in list(unknown.items())[:SHOWN]:
        near = did_you_mean(name, SPLITS)
        yield f'column "{column}": unknown split {name} in {count} rows.{near} Allowed: {", ".join(SPLITS)}.'


def _one_place(groups: list[str | None], places: list[str | None], what: str) -> Iterator[str]:
    """A group in two splits or folds lets the model meet a test patient in training."""
    seen: dict[str, set[str]] = defaultdict(set)
    for group, place in zip(groups, places, strict=True):
        if group is not None and place is not None:
            seen[group].add(place)
    torn = [f"{group} ({', '.join(sorted(where))})" for group, where in seen.items() if len(where) > 1]
    if torn:
        yield f"{len(torn)} groups are in more than one {what}: {_some(torn)}. Keep each group in one {what}."


def _is_fold(cell: str) -> bool:
    return cell == "-1" or (cell.isascii() and cell.isdigit())


def _files(source: Manifest, key: str, column: str, on_error: str) -> Iterator[str]:
    outside, missing = [], []
    for i, cell in enumerate(source.table[column]):
        given = word(cell)
        if given is None:
            continue
        try:
            path = source.root.path(given)
        except Fault:
            outside.append((i, given))
            continue
        if not source.root.exists(path):
            missing.append((i, given))
    place = f'{key}, column "{column}"'
    if outside:
        yield (
            f"{place}: {len(outside)} paths lead outside of data.root={source.root.folder}: "
            f"{_listed(outside)}. Give paths relative to data.root, or a root above all of them."
        )
    if missing and on_error == "error":
        yield (
            f"{place}: {len(missing)} files do not exist under data.root={source.root.folder}: "
            f"{_listed(missing)}. Mend the paths, or go on without: data.on_error=skip leaves the samples out, "
            "data.on_error=absent marks only the modality absent."
        )


def _truth(source: Manifest, name: str, target: TargetSpec, on_error: str) -> Iterator[str]:
    place = f"target.{name}"
    columns = columns_of(target.column)
    single = isinstance(target.column, str)
    form = form_of(target)
    if form in FILES and (faults := list(_files(source, place, columns[0], on_error))):
        yield from faults
        return
    reads: dict[str, Callable[[Any], Any]] = {"numbers": number, "json": read_json_cell}
    read = yes if form == "labels" and not single else reads.get(form)
    if read is not None:
        faults = [f for c in columns for f in _each(source.table[c], read, f'{place}, column "{c}"')]
        if faults:
            yield from faults
            return
    try:
        truth = read_truth(source.table, target, source.root)
    except ValueError as error:
        yield f"{place}: {error}."
        return
    known = [t for t in truth if t is not None]
    if not source.predict and not known:
        yield f"{place}: no row has a truth; column {_some(columns)} is empty."
    if form == "numbers":
        if not source.predict and len(known) > 1 and all(t == known[0] for t in known):
            yield f"{place}: all rows have the same value, {known[0]}; nothing can be learned."
        return
    if form not in ("label", "labels"):
        return
    labels = Counter(label for t in known for label in ([t] if isinstance(t, str) else t))
    classes = target.classes
    if classes is None:
        if form == "label" and len(labels) == 1 and not source.predict:
            yield f"{place}: all rows have the same label, {next(iter(labels))}; nothing can be learned."
        return
    for label, count in [(k, c) for k, c in labels.items() if k not in classes][:SHOWN]:
        near = did_you_mean(label, classes)
        yield f'{place}: label "{label}" ({count} rows) is not in its classes: {", ".join(classes)}.{near}'


def _each(cells: Iterable[Any], read: Callable[[Any], Any], place: str) -> Iterator[str]:
    """One problem for all cells of a column that cannot be read."""
    faults = [f"row {i + 1}: {fault}" for i, cell in enumerate(cells) if (fault := _fault(read, cell))]
    if faults:
        yield f"{place}: {len(faults)} cells cannot be read: {'; '.join(faults[:SHOWN])}."


def _fault(read: Callable[[Any], Any], cell: Any) -> str:
    try:
        read(cell)
    except ValueError as error:
        return str(error)
    return ""


def _some(items: Iterable[Any]) -> str:
    listed = list(map(str, items))
    return ", ".join(listed[:SHOWN]) + (f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else "")


def _listed(rows: list[tuple[int, str]]) -> str:
    return _some(f"{cell} (row {i + 1})" for i, cell in rows)
