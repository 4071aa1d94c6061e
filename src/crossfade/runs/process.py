"""Which process is it? An id is used again some day; with the start time it is one of a kind."""

from __future__ import annotations

import subprocess
from pathlib import Path

_GONE = {"Z", "X"}  # zombie, dead: killed, and its parent has not asked yet


def process_start(pid: int) -> str | None:
    """An opaque word for when process `pid` started; None where no such process lives."""
    if Path("/proc/self/stat").exists():
        return _linux(pid)
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state[0] in _GONE else started.strip()


def _linux(pid: int) -> str | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # "pid (name) state ppid …": the name may hold spaces and brackets, so count from its last bracket
    fields = line.rpartition(")")[2].split()
    return None if fields[0] in _GONE else f"{boot}:{fields[19]}"
