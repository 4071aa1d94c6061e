"""Paths of a manifest: relative to a root and never outside of it."""

from __future__ import annotations

import os
from pathlib import Path

from crossfade.data.readers.faults import Fault


class Root:
    """The folder that a manifest's paths are relative to; `data.root`.

    `path` gives the file of a cell, with Fault where it leads outside, links followed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        self._real: dict[Path, Path] = {}  # folder → where it really is
        self._files: dict[Path, dict[str, bool]] = {}  # real folder → its entries: is it a link?

    def path(self, cell: str) -> Path:
        """The file that `cell` names: absolute, inside the root."""
        if "\0" in cell:
            raise Fault("is no path: it holds a null character")
        given = self.folder / cell
        parent = self._real.get(given.parent)
        if parent is None:
            parent = self._real[given.parent] = Path(os.path.realpath(given.parent))
        path = parent / given.name
        if given.name == ".." or self._entries(parent).get(given.name, False):
            path = Path(os.path.realpath(path))
        if not path.is_relative_to(self.folder):
            raise Fault(f"leads outside of data.root={self.folder}")
        return path

    def exists(self, path: Path) -> bool:
        """Is there an entry of this name? Asks the file system once per folder, not once per file."""
        return path.name in self._entries(path.parent)

    def _entries(self, folder: Path) -> dict[str, bool]:
        if folder not in self._files:
            inside = folder.is_relative_to(self.folder) and os.path.isdir(folder)
            self._files[folder] = {e.name: e.is_symlink() for e in os.scandir(folder)} if inside else {}
        return self._files[folder]

    def __getstate__(self) -> dict[str, object]:  # a worker process needs no listing of folders
        return {"folder": self.folder, "_real": {}, "_files": {}}
