"""What it costs to plan a sweep: every job composed, checked and compared with the others, before the first starts.

Beside it: each job composed with Hydra, as a launcher of Hydra's does; measured on the first jobs, and scaled up.

    python benchmarks/planning.py [--jobs 5000] [--composed 50]
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from typing import Any

import hydra

from crossfade.config.overrides import read_settings
from crossfade.registry import ROOT_CONFIG, conf_folder
from crossfade.sweeps.planning import planned

FUSIONS = ("weighted", "loglinear", "late", "gmu", "sum")
ALPHAS = [i / 10 for i in range(10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--composed", type=int, default=50)
    given = parser.parse_args()
    seeds = range(max(1, given.jobs // len(FUSIONS) // len(ALPHAS)))
    jobs = [
        read_settings([f"fusion={fusion}", f"alpha={alpha}", f"seed={seed}"]).hydra
        for fusion, alpha, seed in itertools.product(FUSIONS, ALPHAS, seeds)
    ]
    composing = 0.0

    def compose(job: Sequence[str]) -> Any:
        nonlocal composing
        since = time.perf_counter()
        config = hydra.compose(ROOT_CONFIG, overrides=list(job))
        composing += time.perf_counter() - since
        return config

    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        compose(jobs[0])
        composing = 0.0
        since = time.perf_counter()
        plan = planned(jobs, compose)
        seconds, within = time.perf_counter() - since, composing
        since = time.perf_counter()
        for job in jobs[: given.composed]:
            hydra.compose(ROOT_CONFIG, overrides=list(job))
        each = (time.perf_counter() - since) / given.composed
    count = len(jobs)
    print(f"{count} jobs, {len(plan.jobs)} distinct: {seconds:.1f} s, {1e3 * seconds / count:.1f} ms a job")
    print(f"of these {within:.1f} s ({100 * within / seconds:.0f} %) in Hydra's composition")
    whole = each * count
    print(f"each composed with Hydra: {1e3 * each:.0f} ms a job, {whole:.0f} s; ratio {whole / seconds:.1f}")


if __name__ == "__main__":
    main()
