"""Out of memory: whether an exception says so, and what the kernel has counted of processes that it killed for it."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REMEDY = (
    "Take smaller batches (data.batch_size), in a sweep fewer workers (hydra.launcher.workers), or a machine with more "
    "memory"
)
MACHINE = Path("/proc/vmstat")
WORDS = (  # of errors of torch's that have no class of their own
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
)


def memory_fault(error: BaseException) -> str:
    """What asked for more memory than there is, where that is behind this exception; else an empty string."""
    seen: BaseException | None = error
    while seen is not None:
        named = any(kind.__name__ == "OutOfMemoryError" for kind in type(seen).__mro__)  # torch's, of a GPU
        refused = isinstance(seen, OSError) and seen.errno == errno.ENOMEM
        if named or refused or isinstance(seen, MemoryError) or any(word in str(seen) for word in WORDS):
            first = str(seen).partition("\n")[0].strip()
            return f"out of memory ({type(seen).__name__}{f': {first}' if first else ''})"
        seen = seen.__cause__ or seen.__context__
    return ""


@dataclass(frozen=True)
class Counter:
    """A file with a line "oom_kill N"; `shared`: it counts for the whole machine, other people's processes too."""

    path: Path
    shared: bool

    def read(self) -> int | None:
        """How many processes the kernel has killed for memory; None where the file does not say."""
        with suppress(OSError):
            for line in self.path.read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
        return None

    @classmethod
    def nearest(cls, cgroup: Path = Path("/proc/self/cgroup"), mounts: Path = Path("/proc/self/mountinfo")) -> Counter:
        """That of this process's own control group, else that of the machine.

        Version 2: memory.events; version 1: memory.oom_control, where the root group is the whole machine.
        """
        with suppress(OSError):
            for line in cgroup.read_text().splitlines():
                _, controllers, own = line.split(":", 2)
                kind, name = ("cgroup2", "memory.events") if not controllers else ("cgroup", "memory.oom_control")
                if kind == "cgroup" and "memory" not in controllers.split(","):
                    continue
                place = _mounted(own, kind, mounts.read_text())
                found = place and cls(place / name, kind == "cgroup" and own == "/")
                if found and found.read() is not None:
                    return found
        return cls(MACHINE, True)


def _mounted(group: str, kind: str, mounts: str) -> Path | None:
    """The folder of a control group; `mounts` has the lines of mountinfo (proc(5))."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        type_, _, options = after.split(maxsplit=2)
        if type_ != kind or (kind == "cgroup" and "memory" not in options.split(",")):
            continue
        if Path(group).is_relative_to(root):
            return Path(point, Path(group).relative_to(root))
        return Path(point)  # of a container that sees its own group alone, by its name outside
    return None
