"""How near `crossfade advise` comes to the truth of the benchmark's laws.

    python docs/baselines/advise.py            # two modalities, three seeds; one line a law
    python docs/baselines/advise.py abc        # three modalities: each against the rest

The exact parts are those of what is observed, noise included (docs/tasks/synthetic.md). Prints Markdown.
"""

from __future__ import annotations

import sys

import numpy as np

from crossfade.advise.estimate import REST, estimate
from crossfade.advise.features import of_task
from crossfade.analysis.interplay import Interplay
from crossfade.config import compose
from crossfade.data.known.channel import observed
from crossfade.data.known.information import decompose
from crossfade.data.known.laws import LAWS, joint
from crossfade.data.known.synthetic import CLEAR, SPREAD

SEEDS = (0, 1, 2)


def exact(law: str, names: str) -> np.ndarray:
    """R, U_1, U_2, S of the first modality and all others."""
    sigmas = [SPREAD[m] if law == "gaussian" else CLEAR for m in names]
    which = range(len(names))
    return np.array(decompose(observed(joint(law, len(names)), which, sigmas), [0], which[1:]))


def main(names: str = "ab") -> None:
    print(
        "| law | exact R, U₁, U₂, S | mean of the estimates | largest error | exact in the interval |\n"
        "|---|---|---|---:|---:|"
    )
    every, inside = [], []
    for law in LAWS:
        truth = exact(law, names)
        errors, covered, means = [], [], []
        for seed in SEEDS:
            settings = (
                "task=synthetic",
                f"data.source.law={law}",
                f"seed={seed}",
                f"task.modalities=[{','.join(names)}]",
            )
            found = estimate(of_task(compose(*settings)), seed)
            parts: Interplay = found.parts["a", "b" if len(names) == 2 else REST]
            values = [parts.redundancy, parts.unique_first, parts.unique_second, parts.synergy]
            means.append([v.value for v in values])
            errors.append([abs(v.value - x) for v, x in zip(values, truth, strict=True)])
            covered.append([v.low - 0.01 <= x <= v.high + 0.01 for v, x in zip(values, truth, strict=True)])
        every.append(errors)
        inside.append(covered)
        shown, said = (", ".join(f"{x + 0:.3f}" for x in np.round(row, 3)) for row in (truth, np.mean(means, 0)))
        print(
            f"| {law} | {shown} | {said} | {np.max(errors):.3f} | {int(np.sum(covered))} of {np.size(covered)} |",
            flush=True,
        )
    print(
        f"\nmean error {np.mean(every):.3f}, largest {np.max(every):.3f}; {np.mean(inside):.0%} within 0.01 of the "
        "interval"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
