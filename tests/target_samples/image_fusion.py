import numpy as np

FIELDS = {"sources": ["ct", "mri"], "grid": 4, "size": 16}


def _pair(seed):
    rng = np.random.default_rng(seed)
    smooth = rng.random((2, 4, 4)).repeat(4, 1).repeat(4, 2)
    return (0.8 * smooth + 0.2 * rng.random((2, 16, 16))).astype(np.float32)


TRUTHS = [_pair(0), None, _pair(1), _pair(2), None, _pair(3)]
