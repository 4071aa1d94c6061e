"""A small real data set in a folder, and whole runs on it, for the tests of the pipeline."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from crossfade.config import RunConfig, compose

SMALL = (
    "width=16",
    "core.depth=1",
    "core.heads=2",
    "encoder.text.hidden=16",
    "encoder.text.layers=1",
    "encoder.text.heads=2",
    "encoder.table.hidden=16",
    "encoder.image.model=test_vit",
    "data.batch_size=8",
    "trainer.epochs=3",
    "singles=false",
    "patterns=false",
)


def data_set(folder: Path, samples: int = 60) -> Path:
    """A manifest with its schema: image (npy), note, table → outcome, size and signs; three classes, learnable."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(samples):
        c = i % 3
        np.save(folder / f"{i}.npy", rng.normal(c, 1, (1, 32, 32)).astype(np.float32))
        rows.append(
            {
                "id": f"P{i:03d}",
                "scan": f"{i}.npy",
                "report": f"the patient has {['fever', 'pain', 'cough'][c] if i % 4 else 'nothing'} today",
                "age": 40 + 10 * c + rng.normal(),
                "sex": "mf"[i % 2],
                "outcome": "abc"[c],
                "size": 2.0 * c,
            }
        )
    pd.DataFrame(rows).to_csv(folder / "set.csv", index=False)
    (folder / "set.yaml").write_text(
        """
id: id
modalities:
  scan: {kind: image, column: scan, size: 32}
  note: {kind: text, column: report, length: 12}
  labs: {kind: table, column: [age, sex], categorical: [sex]}
targets:
  outcome: {kind: multiclass, column: outcome}
  size: {kind: regression, column: size, unit: mm}
"""
    )
    return folder / "set.csv"


def config(manifest: Path, *settings: str) -> RunConfig:
    """The checked config of a small run on `data_set`."""
    return compose("task=custom", f"data.manifest={manifest}", *SMALL, *settings)


def child(code: str, *arguments: str, threads: int = 1, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with tests/ importable."""
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (here, here.parent / "src")))
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, timeout=timeout, check=False
    )
