"""The patients' random streams: the state, the anatomy and each modality's noise have one each."""

from __future__ import annotations

import numpy as np

from crossfade.data.synthetic import draws

STREAMS = {"state": 0, "anatomy": 1, "ct": 2, "mri": 3, "ultrasound": 4, "note": 5, "vitals": 6}


def generators(seed: int, indices: np.ndarray, stream: str) -> list[np.random.Generator]:
    """One generator per patient for this stream."""
    return draws.generators(seed, indices, STREAMS[stream])
