"""PCD files (Point Cloud Data 0.7), the form that radars are stored in: a text header and binary records."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossfade.data.readers.faults import Fault

NEEDED = ("FIELDS", "SIZE", "TYPE", "COUNT", "POINTS", "DATA")
TYPES = {"F": "f", "I": "i", "U": "u"}
HEADER = 4096  # bytes in which the header must end


def read_pcd(path: Path) -> np.ndarray:
    """The records (N,) of a binary PCD file as a structured array with the header's fields.

    Raises Fault where the header lacks a line, the data are not binary, or the file is cut off.
    """
    if not path.is_file():
        raise Fault("no such file")
    content = path.read_bytes()
    header, start = _header(content)
    missing = [key for key in NEEDED if key not in header]
    if missing:
        raise Fault(f"its header has no {', '.join(missing)}; expected a PCD file of version 0.7")
    if header["DATA"] != ["binary"]:
        raise Fault(f"its data are {' '.join(header['DATA'])}; only binary is read")
    try:
        points = int(header["POINTS"][0])
        columns = zip(header["FIELDS"], header["TYPE"], header["SIZE"], header["COUNT"], strict=True)
        fields = [(name, f"<{TYPES[kind]}{size}", int(count)) for name, kind, size, count in columns]
        record = np.dtype([(name, form) if count == 1 else (name, form, (count,)) for name, form, count in fields])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Fault(f"its header is damaged: {error}") from error
    if points < 0 or len(content) - start < points * record.itemsize:
        raise Fault(
            f"{len(content) - start} bytes of data, expected {points} points of {record.itemsize} bytes: it is cut off"
        )
    return np.frombuffer(content, record, points, start)


def _header(content: bytes) -> tuple[dict[str, list[str]], int]:
    """The header's lines by their first word, and where the data begin."""
    header: dict[str, list[str]] = {}
    at = 0
    while at < min(len(content), HEADER) and "DATA" not in header:
        end = content.find(b"\n", at, HEADER)
        if end < 0:
            break
        words = content[at:end].decode("ascii", errors="replace").split()
        if words and not words[0].startswith("#"):
            header[words[0]] = words[1:]
        at = end + 1
    return header, at
