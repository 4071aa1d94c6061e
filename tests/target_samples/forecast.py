import numpy as np

HOURS = 6
FIELDS = {"hours": HOURS}


def day(seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    return {
        "load": rng.gamma(2.0, 0.3, HOURS),
        "occupied": rng.uniform(size=HOURS).round(1),
        "outdoor": rng.normal(3.0, 4.0, HOURS),
        "indoor": rng.uniform(18, 21),
        "resistance": 8.0,
        "capacity": 5.0,
        "heater": 6.0,
    }


# all of it, a gap in the load, a house that is not known, the loads alone
TRUTHS = [
    *(day(i) for i in range(6)),
    None,
    {**day(6), "load": [0.5, None, 0.4, 0.3, float("nan"), 1.0]},
    {"load": day(7)["load"], "occupied": day(7)["occupied"]},
    day(8)["load"],
    None,
]
