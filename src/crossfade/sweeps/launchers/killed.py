"""Why a worker was killed: by the system for want of memory, or by someone."""

from __future__ import annotations

import signal
import time

from crossfade.runs.memory import REMEDY, Counter

RECENT = 10.0  # seconds in which a process that was killed for memory is seen to have ended


class Killed:
    """Looks at the kernel's count of kills for memory, and remembers when it last rose: `look` often, then `why`."""

    def __init__(self, counter: Counter | None = None) -> None:
        self.counter = counter or Counter.nearest()
        self.count = self.counter.read()
        self.rose: float | None = None

    def look(self) -> None:
        """Has the kernel killed anything since?"""
        count = self.counter.read()
        if count is not None and count > (self.count or 0):
            self.rose = time.monotonic()
        self.count = count

    def why(self, number: int) -> str:
        """What is known of a process that signal `number` has ended just now."""
        self.look()
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        if number != signal.SIGKILL:
            return f"its process was killed ({name})"
        if self.count is None:
            return f"its process was killed ({name}, perhaps by the system for memory)"
        if self.rose is None or time.monotonic() - self.rose > RECENT:
            return f"its process was killed ({name}; the system counts no kill for memory)"
        if self.counter.shared:
            return (
                f"its process was killed ({name}), perhaps for memory: just then the system killed something on this "
                f"machine for it. If that was this process: {REMEDY[0].lower()}{REMEDY[1:]}"
            )
        return f"its process was killed by the system: out of memory. {REMEDY}"
