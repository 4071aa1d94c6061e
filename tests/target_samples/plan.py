import numpy as np

FIELDS = {"steps": 4, "road": 8, "extent": [-8, 24, -16, 16], "hidden": 8}
ROAD = np.zeros((16, 16), dtype=np.uint8)
ROAD[:, 5:11] = 1  # 12 m wide, straight ahead


def _drive(speed, frame, drive=0, turn=0.0, **known):
    t = np.arange(1, 5) / 2
    way = np.stack([speed * t, turn * t**2], 1)
    here = 4e5 + speed * frame * 0.5  # of the world: metres that a float32 cannot tell apart
    return {
        "waypoints": way,
        "pose": np.array([here, 5e6, 0.0, 1.6e9 + 0.5 * frame]),
        "drive": drive,
        "frame": frame,
        **known,
    }


AHEAD = np.tile(np.array([20.0, 0.0, 0.0, 4.5, 1.9], dtype=np.float32), (1, 4, 1))
TRUTHS = [
    _drive(5.0, 0, agents=AHEAD, road=ROAD),
    _drive(5.0, 1, agents=AHEAD - [2.5, 0, 0, 0, 0], road=ROAD),
    None,
    _drive(8.0, 0, 1, 0.3, agents=np.zeros((0, 4, 5)), road=ROAD),
    _drive(2.0, 7, 2, -0.5),
    {"waypoints": [[0.0, 0.0]] * 4, "agents": [], "road": ROAD.tolist()},
    None,
    _drive(5.0, 2, road=ROAD),
]
