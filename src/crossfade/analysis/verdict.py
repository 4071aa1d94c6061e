"""The sentence under a table: better, worse, or not distinguishable."""

from __future__ import annotations

from crossfade.analysis.statistics import Compared

LEVEL = 0.95
FEW = 30  # test groups under which an interval by bootstrap is too short to be trusted


def verdict(
    label: str,
    other: str,
    metric: str,
    values: tuple[float, float],
    difference: Compared,
    evidence: str,
    better: str = "max",
) -> str:
    """Two models in one sentence; `values` are theirs, `difference` the first's minus the second's.

    `evidence` says what it rests on ("300 test samples"), `better` whether "max" or "min" of the metric is.
    """
    d = difference
    numbers = f"Δ = {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], {spoken_p(d.p)}, {evidence}"
    first, second = f"{label} ({metric.replace('_', ' ')} {values[0]:.3f})", f"{other} ({values[1]:.3f})"
    if not is_difference(d):
        return f"{first} is not distinguishable from {second}: {numbers}."
    return f"{first} {'beats' if (d.value > 0) == (better == 'max') else 'is worse than'} {second}: {numbers}."


def is_difference(d: Compared, p: float | None = None) -> bool:
    """Whether test and interval agree on a difference; `p` where it was adjusted for several tests."""
    return (d.p if p is None else p) < 1 - LEVEL and not d.low <= 0 <= d.high


def caution(groups: int) -> str:
    """What to add where there are few test groups; else an empty string."""
    return f" Only {groups} test groups: take the interval with caution." if groups < FEW else ""


def spoken_p(p: float) -> str:
    """ "p < .001", "p = .310"."""
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".")
