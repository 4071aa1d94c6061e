"""Arrays in one memory-mapped file, in safetensors' layout, with a checksum of every byte.

8 bytes: the header's length (little-endian); the header, JSON padded with blanks to a multiple of 64 bytes; the
arrays, end to end. Any reader of .safetensors opens it. `__metadata__` holds what the entry says of itself, and the
CRC-32 of the header without it and of the data.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SUFFIX = ".safetensors"
CODES = {"F32": np.dtype("<f4"), "BOOL": np.dtype("?")}
NAMES = {dtype: code for code, dtype in CODES.items()}
LONGEST = 2**20  # bytes of a header that can be one

Arrays = dict[str, np.ndarray]


class Damaged(Exception):
    """The file is not what was written; says how one sees it."""


def packed(arrays: Mapping[str, np.ndarray], about: Mapping[str, str]) -> list[memoryview]:
    """The file's content, in parts; the arrays are not copied."""
    layout: dict[str, Any] = {}
    end = 0
    for name, array in arrays.items():
        place = [end, end + array.nbytes]
        layout[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": place}
        end += array.nbytes
    contents = [np.ascontiguousarray(array).data.cast("B") for array in arrays.values()]
    crc = zlib.crc32(_sealed(about, layout))
    for content in contents:
        crc = zlib.crc32(content, crc)
    header = json.dumps({"__metadata__": {**about, "crc32": f"{crc:08x}"}, **layout}).encode()
    header += b" " * (-(8 + len(header)) % 64)
    return [memoryview(len(header).to_bytes(8, "little") + header), *contents]


def write(path: Path, content: Sequence[memoryview]) -> None:
    """Write beside, then rename: nobody ever sees half a file. Raises OSError where the folder takes none.

    It is not flushed to the disk: a file that the machine's crash spoils is found by its checksum.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.writelines(content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read(path: Path) -> Arrays:
    """The arrays, mapped from the file: pages are read when they are looked at, and shared by all processes.

    Raises Damaged where size, header or checksum do not fit, OSError where the file cannot be opened.
    """
    about, layout, start = read_header(path)
    size = max((entry["data_offsets"][1] for entry in layout.values()), default=0)
    there = path.stat().st_size - start
    if there != size:
        raise Damaged(f"it holds {there} bytes of data, not {size}")
    crc = about.pop("crc32", "")
    # "c": a write would stay in memory; torch wants no read-only arrays
    data = np.memmap(path, np.uint8, "c", offset=start) if size else np.empty(0, np.uint8)
    if f"{zlib.crc32(data.data, zlib.crc32(_sealed(about, layout))):08x}" != crc:
        raise Damaged("its bytes are not those that were written")
    found = {}
    for name, entry in layout.items():
        first, last = entry["data_offsets"]
        found[name] = np.asarray(data[first:last]).view(CODES[entry["dtype"]]).reshape(entry["shape"])
    return found


def read_header(path: Path) -> tuple[dict[str, str], dict[str, Any], int]:
    """What the entry says of itself, the arrays' layout, and where the data start. Raises Damaged, OSError."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if 0 < length <= LONGEST else b""
    if len(text) != length or not text:
        raise Damaged("its header is cut off")
    try:
        layout = json.loads(text)
        about = {str(key): str(value) for key, value in layout.pop("__metadata__").items()}
        for entry in layout.values():
            first, last = entry["data_offsets"]
            if last - first != math.prod(entry["shape"]) * CODES[entry["dtype"]].itemsize or first < 0:
                raise Damaged("its header contradicts itself")
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Damaged("its header cannot be read") from fault
    return about, layout, 8 + length


def _sealed(about: Mapping[str, str], layout: Mapping[str, Any]) -> bytes:
    return json.dumps([dict(about), dict(layout)], sort_keys=True).encode()
