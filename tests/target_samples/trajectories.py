import numpy as np

FIELDS = {"grid": 4, "extent": [0, 32, -16, 16], "hidden": 8, "modes": 2, "steps": 4}


def _moving(x, y, vx, vy, turn=0.0):
    t = np.arange(5)[:, None] / 2
    return np.array([x, y]) + t * [vx, vy] + t**2 * [0, turn]


def _agents(*agents):
    return np.array(agents, dtype=np.float32).reshape(-1, 5, 2)


LOST = _moving(10, 5, 1, 0)
LOST[3:] = np.nan
TRUTHS = [
    _agents(_moving(20, 3, 8, 0, 1.0), _moving(8, -6, 0, 1.4)),
    _agents(),
    None,
    _agents(LOST),
    _agents(_moving(8, -6, 0, 1.4), _moving(500, 0, 1, 1)),
    _agents(_moving(20, 3, 8, 0, -1.0)),
    None,
    _agents(_moving(30, 10, -5, 0)),
]
