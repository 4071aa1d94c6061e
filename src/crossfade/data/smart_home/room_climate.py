"""Room climate: temperature, humidity and light of 3 to 5 sensor nodes in a room → is it occupied, and what is done.

P. Morgner, C. Müller, M. Ring, B. Eskofier, C. Riess, F. Armknecht, Z. Benenson: Privacy Implications of Room
Climate Data, ESORICS 2017. Get it with

    git clone https://github.com/IoTsec/Room-Climate-Datasets

Licence: the repository has no licence file; its README publishes the measurements "as open datasets" and asks to be
cited. One or two people did a set sequence of tasks in three rooms (A, B, C), one file per session.

Layout: `datasets-location_<room>/<measurement>.csv`, no header, twelve columns (`COLUMNS`); every node reports
about every 4 s. What this module makes of it, and the leaks that it closes:
- a sample is a window of two minutes, window w of a session = the rows with ⌊RelT / 120 s⌋ = w; it counts where it
  holds 60 rows and nine tenths of them agree on the number of people, and as many on the activity;
- neighbouring rows are nearly equal, so a group is a session (`folds: measurement`) or a room (`folds: room`);
- no time of day, no time since the session began: the tasks came in a set sequence;
- the statistics look back at most to the session's first minute, and never ahead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crossfade.data.align import Stream
from crossfade.data.readers.cells import columns_of
from crossfade.data.readers.tables import read_table
from crossfade.data.source import Bound, Frame
from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

from .node_series import STATISTICS, on_grid, statistics, streams

SITE = "https://github.com/IoTsec/Room-Climate-Datasets"
COLUMNS = ("EID", "AbsT", "RelT", "NID", "Temp", "RelH", "L1", "L2", "Occ", "Act", "Door", "Win")
QUANTITIES = ("Temp", "RelH", "L1", "L2")  # °C, %, and two light sensors "[nm]" as the authors have it
ACTIVITIES = ("none", "read", "stand", "walk", "work")
WINDOW = 120  # s
LEAST = 60  # rows in a window
AGREE = 0.9  # share of a window's rows with the same label
REFERENCE = "windows_2min.csv"  # location, measurement, window, …, fold: folds for comparison, where it lies beside
TRUTH = ("occupied", "occupants", "activity")
FOLDS = ("measurement", "room")


class RoomClimate:
    """Windows of two minutes; a `Source`. Targets: `occupied` (no, yes), `occupants` (0, 1, 2), `activity`.

    A modality of kind series: `column` names published quantities (Temp, RelH, L1, L2); its value is (T, C) at the
    modality's `rate`, channels = quantity by quantity the nodes by number, NaN where a room has no such node or it
    did not report. Kind table: columns such as `RelH_slope`, see `node_series.statistics`.
    `folds`: measurement (those of windows_2min.csv where it lies in `root`, else dealt anew) or room: 0 = A, 1 = B, …
    Files are read when a sample is; at the start each is read once for its labels.
    Raises UserError saying what of the layout is missing.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        folds: str = "measurement",
    ) -> None:
        if root is None:
            raise UserError(f"data.root is not given: the folder of the data set. Get it with: git clone {SITE}")
        if folds not in FOLDS:
            raise UserError(f"data.source.folds={folds}: allowed are {', '.join(FOLDS)}.{did_you_mean(folds, FOLDS)}")
        self.root = Path(root).expanduser()
        self.modalities, self.targets = modalities, targets
        _check_modalities(modalities)
        for name, target in targets.items():
            if target.column not in TRUTH:
                near = did_you_mean(str(target.column), TRUTH)
                raise UserError(f"target.{name}.column={target.column}: allowed are {', '.join(TRUTH)}.{near}")
        self.windows = index(self.root)
        self.nodes = tuple(sorted({int(n) for nodes in self.windows["nodes"] for n in nodes.split()}))
        self.folds = folds
        self._places = list(zip(self.windows["file"], self.windows.groupby("file").cumcount(), strict=True))
        self._numbers = self.windows["window"].to_list()
        self._known: dict[str, dict[str, np.ndarray]] = {}  # quantity → statistic → (W,), of one session
        self._known_of = ""
        self._frame = self._make_frame()

    def frame(self) -> Frame:
        return self._frame

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        """The series and statistics of window `index`."""
        values: dict[str, Any] = {}
        for name, spec in self.modalities.items():
            if name in without:
                continue
            if spec.kind == "table":
                values[name] = self._statistics(index, columns_of(spec.column))
            else:
                assert spec.rate is not None  # _check_modalities saw to it
                begin = float(self._numbers[index] * WINDOW)
                streams = _streams(self.root / self._places[index][0], tuple(columns_of(spec.column)), self.nodes)
                values[name] = on_grid(streams, begin, begin + WINDOW, spec.rate)
        return values

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        return None

    def fingerprint(self) -> str:
        """SHA-256 of the windows, the folds, the modalities' fields and each file's size and mtime."""
        digest = hashlib.sha256(self.windows.to_csv(index=False).encode())
        digest.update(json.dumps([self.folds, list(map(int, self._frame.fold or []))]).encode())
        for name, spec in sorted(self.modalities.items()):
            digest.update(json.dumps([name, spec.kind, columns_of(spec.column), spec.rate]).encode())
        for file in sorted(set(self.windows["file"])):
            status = (self.root / file).stat()
            digest.update(json.dumps([file, status.st_size, status.st_mtime_ns]).encode())
        return digest.hexdigest()

    def _statistics(self, index: int, columns: list[str]) -> dict[str, float | None]:
        """Statistics of a window; those of a quantity are computed for all windows of a session at once."""
        file, place = self._places[index]
        if self._known_of != file:
            self._known, self._known_of = {}, file
        values: dict[str, float | None] = {}
        for column in columns:
            quantity, _, name = column.partition("_")
            if quantity not in self._known:
                mine = self.windows[self.windows["file"] == file]
                spans = (mine[end].to_numpy() for end in ("start", "stop"))
                self._known[quantity] = statistics(_session(self.root / file), *spans, quantity)
            value = float(self._known[quantity][name][place])
            values[column] = None if np.isnan(value) else value
        return values

    def _make_frame(self) -> Frame:
        table = self.windows
        return Frame(
            ids=list(table["id"]),
            groups=list(table["room" if self.folds == "room" else "measurement"]),
            present=np.ones((len(table), len(self.modalities)), dtype=bool),
            truth={name: list(table[str(spec.column)]) for name, spec in self.targets.items()},
            fold=_folds(self.root, table, self.folds),
        )


def index(root: Path) -> pd.DataFrame:
    """One row per window that counts: id, room, measurement, window, file, start and stop (rows), nodes, labels."""
    files = sorted(root.glob("datasets-location_*/*.csv"))
    if not files:
        packed = sorted(p.name for p in root.glob("*.tar*")) if root.is_dir() else []
        unpack = f" Unpack it first: tar -xf {packed[0]}" if packed else ""
        raise UserError(
            f"data.root={root}: no file datasets-location_<room>/<measurement>.csv.{unpack}",
            f"Expected the layout of {SITE}.",
        )
    parts = [_windows(root, file) for file in files]
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        raise UserError(f"data.root={root}: no window of {WINDOW} s holds {LEAST} rows that agree on their label.")
    return table


def _windows(root: Path, file: Path) -> pd.DataFrame:
    session = _session(file)
    number = (session["RelT"] // WINDOW).to_numpy(int)
    node, people_in, doing = (session[column].to_numpy(int) for column in ("NID", "Occ", "Act"))
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    rows = []
    for start, stop in zip(starts, np.r_[starts[1:], len(number)], strict=True):
        people, activity = _agreed(people_in[start:stop]), _agreed(doing[start:stop])
        if stop - start < LEAST or people is None or activity is None:
            continue
        rows.append(
            {
                "id": f"{file.stem}/{number[start]:03d}",
                "room": file.parent.name.removeprefix("datasets-location_"),
                "measurement": file.stem,
                "window": int(number[start]),
                "file": file.relative_to(root).as_posix(),
                "start": int(start),
                "stop": int(stop),
                "nodes": " ".join(map(str, sorted(set(node[start:stop].tolist())))),
                "occupied": "yes" if people else "no",
                "occupants": str(people),
                "activity": ACTIVITIES[activity],
            }
        )
    return pd.DataFrame(rows)


def _agreed(labels: np.ndarray) -> int | None:
    """The label that nine tenths of the rows have."""
    counts = np.bincount(labels)
    return int(counts.argmax()) if counts.max() >= AGREE * len(labels) else None


@lru_cache(maxsize=2)  # windows are read session by session
def _session(file: Path) -> pd.DataFrame:
    """One measurement file as numbers, after checking that it is one."""
    try:
        table = pd.read_csv(file, header=None, skipinitialspace=True)
    except ValueError as error:  # pandas' ParserError, EmptyDataError and UnicodeDecodeError all are
        raise UserError(f"{file}: not a readable CSV: {error}") from error
    if table.shape[1] != len(COLUMNS):
        raise UserError(f"{file}: has {table.shape[1]} columns, expected {len(COLUMNS)}: {', '.join(COLUMNS)}.")
    table.columns = list(COLUMNS)
    for column in COLUMNS:
        numbers = pd.to_numeric(table[column], errors="coerce")
        bad = np.flatnonzero(~np.isfinite(numbers.to_numpy(float)))
        if len(bad):
            raise UserError(
                f"{file}: column {column}, line {bad[0] + 1}: {table[column].iloc[bad[0]]!r} is no number. Expected a "
                f"file without a header, with the columns {', '.join(COLUMNS)}."
            )
        table[column] = numbers
    if not table["RelT"].is_monotonic_increasing:
        raise UserError(f"{file}: RelT runs backwards. Expected rows in the order of time.")
    for column, allowed in (("Occ", 3), ("Act", len(ACTIVITIES))):
        if not table[column].isin(range(allowed)).all():
            raise UserError(f"{file}: column {column} holds {table[column].max():g}, expected 0 to {allowed - 1}.")
    return table


@lru_cache(maxsize=len(QUANTITIES))
def _streams(file: Path, quantities: tuple[str, ...], nodes: tuple[int, ...]) -> list[Stream]:
    return streams(_session(file), quantities, nodes)


def _folds(root: Path, table: pd.DataFrame, folds: str) -> list[int] | None:
    if folds == "room":
        rooms = sorted(set(table["room"]))
        return [rooms.index(room) for room in table["room"]]
    if not (root / REFERENCE).is_file():
        return None
    given = read_table(root / REFERENCE)
    missing = [column for column in ("measurement", "fold") if column not in given]
    if missing:
        raise UserError(f"{root / REFERENCE}: columns missing: {', '.join(missing)}. Mend it or take it away.")
    fold = dict(zip(given["measurement"], given["fold"], strict=True))
    return [int(fold.get(name, -1)) for name in table["measurement"]]


def _check_modalities(modalities: dict[str, ModalitySpec]) -> None:
    problems = []
    for name, spec in modalities.items():
        if spec.kind not in ("series", "table"):
            problems.append(f"modality.{name}.kind={spec.kind}: this source gives series and tables.")
            continue
        if spec.kind == "series" and spec.rate is None:
            problems.append(f"modality.{name}.rate is not given: steps per second of its grid, e.g. 0.25.")
        allowed = QUANTITIES if spec.kind == "series" else [f"{q}_{s}" for q in QUANTITIES for s in STATISTICS]
        for column in columns_of(spec.column) or [""]:
            if column not in allowed:
                near = did_you_mean(column, allowed)
                problems.append(f'modality.{name}.column: "{column}" is not one of {", ".join(allowed)}.{near}')
    if problems:
        raise UserError(*problems)
