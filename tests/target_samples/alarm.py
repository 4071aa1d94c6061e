NAN = float("nan")
FIELDS = {"period_s": 5.0, "class_weights": "balanced"}
TRUTHS = [
    {"intruder": 0, "episode": 7, "since_s": NAN},
    {"intruder": 1, "episode": 7, "since_s": 2.0},
    {"intruder": 1, "episode": 7, "since_s": 7.0},
    None,
    {"intruder": 0, "episode": 8, "since_s": NAN},
    {"intruder": 0, "episode": 8, "since_s": NAN},
    {"intruder": 1, "episode": 9, "since_s": 4.0},
    None,
    0,
    1,
]
