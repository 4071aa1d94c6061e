"""Vital signs and laboratory values: a table with units, correlated entries and gaps.

A value is its usual level, moved by age, sex and smoking, by the pattern, and by a random part that
correlated entries share (an inflamed patient is hot *and* fast; bilirubin rises with ALP). Markers that range
over decades (AFP, CEA, CRP, …) are log-normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SEX = ("female", "male")
SMOKING = ("never", "former", "current")
MISSING_ENTRY = 0.04  # share of entries that nobody measured


@dataclass(frozen=True)
class Measure:
    """One numeric column: usual level and spread (of ln(value) where `log`), shared factors, display."""

    unit: str
    level: float
    spread: float
    log: bool = False
    load: tuple[float, float, float] = (0.0, 0.0, 0.0)  # on acute stress, liver function, build
    low: float = 0.0
    high: float = float("inf")
    digits: int = 0


MEASURES: dict[str, Measure] = {
    "heart_rate": Measure("bpm", 74, 8, load=(0.6, 0.0, 0.2), low=35, high=190),
    "systolic_pressure": Measure("mmHg", 128, 12, load=(0.2, 0.0, 0.6), low=70, high=230),
    "temperature": Measure("°C", 36.7, 0.25, load=(0.5, 0.0, 0.0), low=34.5, high=41.5, digits=1),
    "saturation": Measure("%", 97, 1.2, load=(-0.5, 0.0, -0.2), low=80, high=100),
    "body_mass_index": Measure("kg/m²", 26, 3.5, load=(0.0, 0.0, 0.9), low=15, high=50, digits=1),
    "crp": Measure("mg/L", 3, 0.45, log=True, load=(0.7, 0.0, 0.2), high=500, digits=0),
    "leukocytes": Measure("10⁹/L", 7, 1.3, load=(0.6, 0.0, 0.1), low=1, high=60, digits=1),
    "haemoglobin": Measure("g/dL", 13.8, 1.0, load=(-0.2, -0.3, 0.2), low=6, high=19, digits=1),
    "platelets": Measure("10⁹/L", 250, 45, load=(0.2, -0.4, 0.0), low=20, high=900),
    "alt": Measure("U/L", 26, 0.30, log=True, load=(0.0, 0.7, 0.3), high=2000),
    "alp": Measure("U/L", 75, 0.22, log=True, load=(0.0, 0.6, 0.0), high=2000),
    "bilirubin": Measure("µmol/L", 10, 0.30, log=True, load=(0.0, 0.7, 0.0), high=500, digits=1),
    "albumin": Measure("g/L", 42, 2.8, load=(-0.3, -0.5, 0.0), low=15, high=55),
    "afp": Measure("ng/mL", 4, 0.40, log=True, load=(0.0, 0.3, 0.0), high=50000, digits=1),
    "cea": Measure("ng/mL", 2.2, 0.40, log=True, load=(0.0, 0.1, 0.0), high=5000, digits=1),
}
UNITS = {"age": "years", **{name: measure.unit for name, measure in MEASURES.items()}}
CATEGORICAL = ("sex", "smoking")
COLUMNS = ("age", *CATEGORICAL, *MEASURES)

# What a pattern adds: to the level, or to ln(value) of log-normal measures.
SHIFT: dict[str, dict[str, float]] = {
    "normal": {},
    "inflammation": {
        "heart_rate": 24, "temperature": 1.7, "crp": 3.6, "leukocytes": 7.5, "albumin": -6, "platelets": 70,
    },
    "afp": {"afp": 4.6, "platelets": -60, "albumin": -3, "alt": 0.5},
    "cea": {"cea": 3.4, "haemoglobin": -1.4, "alp": 0.4, "crp": 0.5},
    "cholestasis": {"bilirubin": 2.0, "alp": 1.4, "alt": 0.9},
}  # fmt: skip


def person(rng: np.random.Generator) -> tuple[float, str, str]:
    """Age in years, sex and smoking: what note and table share, whatever the diagnosis."""
    age = float(np.clip(rng.normal(55, 13), 20, 90).round())
    return age, SEX[int(rng.random() < 0.5)], SMOKING[int(np.searchsorted((0.5, 0.78), rng.random()))]


def measure(
    pattern: str, age: float, sex: str, smoking: str, noise: float, rng: np.random.Generator
) -> dict[str, float | str | None]:
    """The table's row of one patient, column → number, category or None (not measured), in the order of COLUMNS.

    `noise` multiplies the random part of every measure; `MISSING_ENTRY` of the entries are None. Age and sex are
    always known.
    """
    factors = rng.standard_normal(3)
    row: dict[str, float | str | None] = {"age": age, "sex": sex, "smoking": smoking}
    for name, kind in MEASURES.items():
        load = np.array(kind.load)
        own = np.sqrt(1 - load @ load)
        z = load @ factors + own * rng.standard_normal()
        base = np.log(kind.level) if kind.log else kind.level
        value = base + SHIFT[pattern].get(name, 0.0) + noise * kind.spread * z
        value += _habit(name, age, sex, smoking) * kind.spread
        value = float(np.exp(value) if kind.log else value)
        row[name] = round(min(max(value, kind.low), kind.high), kind.digits)
    for name, gap in zip(COLUMNS, rng.random(len(COLUMNS)), strict=True):
        if gap < MISSING_ENTRY and name not in ("age", "sex"):
            row[name] = None
    return row


def _habit(name: str, age: float, sex: str, smoking: str) -> float:
    """What age, sex and smoking add, in spreads of the measure."""
    if name == "systolic_pressure":
        return (age - 55) / 20
    if name == "haemoglobin":
        return 0.7 if sex == "male" else -0.7
    if name in ("cea", "leukocytes", "heart_rate"):
        return 0.6 if smoking == "current" else 0.0
    return 0.0
