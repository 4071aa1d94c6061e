"""`crossfade cache ls|clear [kind=features|data] [older_than=DAYS]`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossfade.commands.arguments import choice, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import Failure, UserError, did_you_mean

if TYPE_CHECKING:
    from crossfade.cache.entries import CacheEntry

ACTIONS = ("ls", "clear")
HELP = {
    "ls": "what lies there: of what, by which encoder, from which data, how large, when last used",
    "clear": "delete it, without asking",
    "kind": "features (outputs of frozen encoders) or data (rendered samples); both where it is not given",
    "older_than": "only what was not used for so many days",
}


def main(arguments: Sequence[str]) -> None:
    """List or clear what is kept on disk for all runs."""
    if wants_help(arguments):
        what = "List or clear what is computed once and kept on disk for all runs ($CROSSFADE_CACHE)."
        show_usage("cache", what, {}, {"kind": "", "older_than": ""}, HELP, "ls|clear ")
        return
    action, *rest = arguments or [""]
    if action not in ACTIONS:
        hint = did_you_mean(action, ACTIONS)
        raise UserError(f"crossfade cache {action}".rstrip() + f": say what to do, {' or '.join(ACTIONS)}.{hint}")
    given = read_arguments(f"cache {action}", rest, {}, {"kind": "", "older_than": ""})
    from crossfade.cache.entries import KINDS, clear, entries
    from crossfade.data.synthetic.cache import cache_folder

    problems = choice("kind", given["kind"], KINDS) if given["kind"] else []
    days = _days(given["older_than"], problems)
    if problems:
        raise UserError(*problems)
    kinds, root = (given["kind"],) if given["kind"] else KINDS, cache_folder()
    if action == "clear":
        try:
            gone = clear(root, kinds, days)
        except OSError as fault:
            raise Failure(f"{root}: cannot be cleared ({fault.strerror or fault}).") from fault
        _show(gone, "Removed" if gone else "Nothing to remove", root)
        return
    last = time.time() - days * 86400
    _show([entry for entry in entries(root, kinds) if entry.used <= last], "In all", root)


def _days(text: str, problems: list[str]) -> float:
    try:
        days = float(text or 0)
    except ValueError:
        days = -1.0
    if not 0 <= days < 10**6:
        problems.append(f"older_than={text}: must be a number of days, such as older_than=30.")
    return days


def _show(found: Sequence[CacheEntry], word: str, root: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if found:
        table = Table("kind", "what", "encoder", "data", "samples", "of one", "size", box=None)
        table.add_column("last used", no_wrap=True)
        for entry in found:
            used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
            said = (entry.kind, entry.what, entry.encoder, entry.data, entry.samples, entry.shape)
            table.add_row(*said, _size(entry.size), used)
        console.print(table)
    total = _size(sum(entry.size for entry in found))
    console.print(f"{word}: {len(found)} file{'s' * (len(found) != 1)}, {total}, in {root}", soft_wrap=True)


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
