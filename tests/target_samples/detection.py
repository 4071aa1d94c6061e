import numpy as np

FIELDS = {"classes": ["pedestrian", "vehicle"], "grid": 4, "extent": [0, 32, -16, 16], "hidden": 8, "boxes": 6}


def _scene(*boxes):
    return np.array(boxes, dtype=np.float32).reshape(-1, 8)


CAR, WALKER = [1, 20.5, 3.0, 4.5, 1.9, 0.1, 8.0, 0.5], [0, 8.0, -6.0, 0.6, 0.6, 1.5, 0.0, 1.4]
TRUTHS = [
    _scene(CAR, WALKER),
    _scene(WALKER),
    None,
    _scene(),
    _scene([1, 5.0, -3.5, 4.2, 1.8, 3.1, np.nan, np.nan], CAR, [0, 200.0, 0, 0.5, 0.5, 0, 0, 0]),
    _scene(CAR),
    None,
    _scene([0, 30.0, 10.0, 0.5, 0.5, np.nan, 0.3, 0.1]),
]
