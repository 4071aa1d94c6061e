"""The clinical story of the built-in patients, as tables: p(evidence of a modality | diagnosis).

Every patient has one focal liver lesion. Each modality shows one *pattern* of it (its evidence), drawn given
the diagnosis and independently of the other modalities; the rendering sees the pattern and never the
diagnosis. The numbers (per cent) are made up: ordered as in textbooks, sharpened so that every
modality is useful, none suffices, and all together nearly do.

Who hides where: CT cannot tell hepatocellular carcinoma from focal nodular hyperplasia nor an abscess from a
metastasis, MRI takes a haemangioma for a cyst, the laboratory sees nothing in the three benign lesions, the
note hardly tells these apart. A haemangioma is what CT does not call fluid *and* MRI sees as a light bulb: it
takes two. `SyntheticPatients.bayes` says how far every subset of modalities can get.
"""

from __future__ import annotations

import numpy as np

DIAGNOSES = (
    "cyst",
    "haemangioma",
    "abscess",
    "hepatocellular carcinoma",
    "metastasis",
    "focal nodular hyperplasia",
)
MODALITIES = ("ct", "mri", "ultrasound", "note", "vitals")

# Rows: patterns. Columns: diagnoses in the order above. Per cent; every column sums to 100.
PER_CENT: dict[str, dict[str, tuple[int, ...]]] = {
    "ct": {  #               cyst  haem  absc  hcc   met   fnh
        "fluid":            (88,    4,   46,    1,    4,    1),
        "rim":              (2,     4,   46,    5,   58,    1),
        "nodular":          (1,    77,    1,    4,    2,    4),
        "bright":           (1,     8,    1,   77,    4,   85),
        "hypodense":        (8,     7,    6,   13,   32,    9),
    },
    "mri": {
        "light_bulb":       (91,   87,   12,    1,    2,    2),
        "target":           (3,     2,   72,    6,   36,    1),
        "moderate":         (4,     8,   13,   40,   58,   20),
        "fat":              (1,     1,    2,   50,    2,    6),
        "scar":             (1,     2,    1,    3,    2,   71),
    },
    "ultrasound": {
        "anechoic":         (86,    1,   14,    1,    2,    1),
        "hyperechoic":      (4,    77,    3,   14,    8,   13),
        "hypoechoic":       (6,    16,    8,   68,   22,   74),
        "halo":             (2,     4,    8,   13,   64,   10),
        "shadow":           (2,     2,   67,    4,    4,    2),
    },
    "note": {
        "incidental":       (79,   73,    2,    4,    4,   46),
        "pain":             (15,   18,   12,    8,    9,   10),
        "fever":            (2,     2,   82,    2,    3,    1),
        "known_primary":    (2,     2,    2,    2,   76,    2),
        "chronic_liver":    (1,     2,    1,   81,    4,    2),
        "hormones":         (1,     3,    1,    3,    4,   39),
    },
    "vitals": {
        "normal":           (93,   90,    5,   15,   19,   88),
        "inflammation":     (2,     1,   87,    4,    6,    2),
        "afp":              (1,     1,    1,   72,    2,    2),
        "cea":              (1,     1,    1,    2,   64,    1),
        "cholestasis":      (3,     7,    6,    7,    9,    7),
    },
}  # fmt: skip

# What the patterns are called as findings (target `findings`); a pattern that is not listed is no finding.
FINDINGS: dict[str, dict[str, str]] = {
    "ct": {
        "fluid": "fluid attenuation",
        "rim": "rim enhancement",
        "nodular": "nodular enhancement",
        "bright": "hyperenhancement",
        "hypodense": "hypoattenuation",
    },
    "mri": {
        "light_bulb": "T2 light bulb",
        "target": "T2 target",
        "moderate": "T2 moderate signal",
        "fat": "T1 bright",
        "scar": "central scar",
    },
    "ultrasound": {
        "anechoic": "anechoic",
        "hyperechoic": "hyperechoic",
        "hypoechoic": "hypoechoic",
        "halo": "hypoechoic halo",
        "shadow": "acoustic shadow",
    },
    "note": {
        "pain": "abdominal pain",
        "fever": "fever",
        "known_primary": "known primary tumour",
        "chronic_liver": "chronic liver disease",
        "hormones": "hormone therapy",
    },
    "vitals": {
        "inflammation": "inflammation",
        "afp": "raised AFP",
        "cea": "raised CEA",
        "cholestasis": "cholestasis",
    },
}

PRIOR = np.full(len(DIAGNOSES), 1.0 / len(DIAGNOSES))


def patterns(modality: str) -> tuple[str, ...]:
    """Names of a modality's patterns, in the order of the columns of `likelihood`."""
    return tuple(PER_CENT[modality])


def likelihood(modality: str, informativeness: float = 1.0) -> np.ndarray:
    """p(e | c), mixed with its marginal: λ p(e | c) + (1 − λ) Σ_c p(c) p(e | c).

    Shape (diagnoses, patterns), rows sum to 1; `informativeness` λ in [0, 1]: 0 makes the modality useless.
    """
    table = np.array(list(PER_CENT[modality].values()), dtype=float).T / 100
    return informativeness * table + (1 - informativeness) * (PRIOR @ table)
