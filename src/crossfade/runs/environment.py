"""Where a run took place: code, packages, machine. Imports no torch."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from crossfade.runs.status import now

LARGEST_DIFF = 2**20  # bytes; a larger one is some data file, and is left out


def environment(command: list[str] | None = None) -> dict[str, Any]:
    """The run's surroundings as plain data; `command` defaults to this process's command line."""
    return {
        "started": now(),
        "command": list(sys.argv if command is None else command),
        "folder": str(Path.cwd()),
        "host": socket.gethostname(),
        "git": git_state(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": _gpus(),
        "packages": _packages(),
    }


@cache
def _packages() -> dict[str, str]:
    """What is installed, with its versions: hundreds of small files to read, once in a process."""
    return dict(sorted((d.metadata["Name"], d.version) for d in distributions() if d.metadata["Name"]))


def git_state() -> dict[str, Any] | None:
    """Root, commit, branch, whether files differ from the commit, and which are untracked; None without git.

    Looks at the repository that crossfade is installed from, else at the one that the command runs in.
    """
    repository = _repository()
    if repository is None:
        return None
    names = (_git(repository, "rev-parse", "HEAD", "--abbrev-ref", "HEAD") or "").splitlines()
    commit, branch = names if len(names) == 2 else (None, None)
    changes = (_git(repository, "status", "--porcelain", "--untracked-files=all", strip=False) or "").splitlines()
    untracked = [line.removeprefix("?? ") for line in changes if line.startswith("?? ")]
    return {
        "root": str(repository),
        "commit": commit,
        "branch": branch,
        "dirty": len(untracked) < len(changes),
        "untracked": untracked[:50],
    }


def git_diff() -> str:
    """The tracked files' changes since the commit; empty without git, without changes, or above 1 MB."""
    repository = _repository()
    diff = (_git(repository, "diff", "HEAD", strip=False) or "") if repository else ""
    return diff if len(diff.encode()) <= LARGEST_DIFF else ""


def _repository() -> Path | None:
    return _repository_from(Path.cwd())


@cache
def _repository_from(here: Path) -> Path | None:
    for folder in (Path(__file__).parent, here):
        # a virtual environment inside another repository is not part of it: the file must be tracked there
        if folder == Path(__file__).parent and not _git(folder, "ls-files", "--", Path(__file__).name):
            continue
        root = _git(folder, "rev-parse", "--show-toplevel")
        if root:
            return Path(root)
    return None


def _git(folder: Path, *arguments: str, strip: bool = True) -> str | None:
    """What git says; None where it is not installed, or there is no repository or commit."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    return answer.stdout.strip() if strip else answer.stdout


def _cpu() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "name": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "usable": usable,
        "threads": torch.get_num_threads() if torch else None,
    }


def _gpus() -> list[str] | None:
    """The GPUs' names; None where torch is not loaded, so that nobody pays for its import here."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
