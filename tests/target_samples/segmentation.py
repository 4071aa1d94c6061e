import numpy as np

FIELDS = {"classes": ["lesion", "vessel"], "critical": "vessel", "margin": 3.0, "spacing": 1.5, "grid": 3, "size": 12}


def _mask(lesion, vessel):
    mask = np.zeros((12, 12), np.uint8)
    mask[vessel] = 2
    mask[lesion] = 1
    return mask


_NONE = (slice(0), slice(0))
TRUTHS = [
    _mask(np.s_[2:6, 3:8], np.s_[7:9, 2:10]),
    _mask(np.s_[1:4, 1:5], np.s_[8:10, 0:9]),
    None,
    _mask(_NONE, np.s_[7:9, 3:11]),
    _mask(np.s_[3:8, 4:9], np.s_[7:10, 6:12]),
    _mask(_NONE, _NONE),
    None,
    _mask(np.s_[0:2, 0:2], _NONE),
]
