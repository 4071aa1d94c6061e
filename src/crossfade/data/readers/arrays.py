"""NumPy files: .npy, and .npz with one array."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossfade.data.readers.faults import Fault, reason


def load_array(path: Path) -> np.ndarray:
    """The one array of a .npy or .npz file, as stored. Raises Fault; pickled objects are refused."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            if len(loaded.files) != 1:
                raise Fault(f"holds {len(loaded.files)} arrays ({', '.join(loaded.files[:5])}), expected one")
            return loaded[loaded.files[0]]
    except Fault:
        raise
    except Exception as error:  # the decoder raises all sorts; each means a bad file
        raise Fault(f"not a readable NumPy file: {reason(error)}") from error
