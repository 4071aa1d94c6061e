"""What a sweep over α costs as a whole command, against one of its runs: start, data, training, scoring, files, report.

Frozen encoders, whose features are kept from an earlier run; 21 values of α, one token a modality. Both commands take
turns, each in a fresh process with fresh folders; the figure is the median of the ratios of their wall times.

    python benchmarks/whole.py [--widths 32 128] [--turns 3] [--values 21] [--launcher vectorized]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = [
    *("task=medical", "task.modalities=[ct,note]", "data.source.samples=800", "trainer.epochs=10", "singles=false"),
    *("encoder.image.model=mobilenetv3_small_050", "encoder.image.frozen=true", "encoder.text.frozen=true"),
    *("trainer.progress=false", "core.depth=2"),
]


def seconds(place: Path, arguments: list[str]) -> float:
    """The wall time of one command."""
    code = "from crossfade.cli import main; main()"
    since = time.perf_counter()
    with (place / "screen.txt").open("w") as screen:
        done = subprocess.run(
            [sys.executable, "-c", code, "train", *arguments], cwd=place, stdout=screen, stderr=screen
        )
    taken = time.perf_counter() - since
    if done.returncode:
        raise SystemExit((place / "screen.txt").read_text())
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--values", type=int, default=21)
    parser.add_argument("--launcher", default="vectorized")
    given = parser.parse_args()
    alphas = ",".join(f"{i / (given.values - 1):.4g}" for i in range(given.values))
    print(f"{os.cpu_count()} cores; {given.values} values of α with {given.launcher}; {' '.join(SETTINGS)}")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for width in given.widths:
            settings = [*SETTINGS, f"width={width}"]
            seconds(place, [*settings, "alpha=0.5", "hydra.run.dir=first"])  # fills the cache
            one, many = [], []
            for turn in range(given.turns):
                one.append(seconds(place, [*settings, "alpha=0.5", f"hydra.run.dir=one{width}_{turn}"]))
                sweep = [f"alpha={alphas}", f"hydra.sweep.dir=many{width}_{turn}", f"hydra/launcher={given.launcher}"]
                many.append(seconds(place, ["-m", *settings, *sweep]))
            (place / "first").rename(place / f"first{width}")
            ratios = [b / a for a, b in zip(one, many, strict=True)]
            print(
                f"width {width}: one run {statistics.median(one):.1f} s, the sweep {statistics.median(many):.1f} s; "
                f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
