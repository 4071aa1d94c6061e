"""Chest X-rays with clinical notes and clinical values: COVID-19 or another pneumonia, and went to the ICU or not.

J. P. Cohen, P. Morrison, L. Dao, K. Roth, T. Q. Duong, M. Ghassemi: COVID-19 Image Data Collection: Prospective
Predictions Are the Future, arXiv:2006.11988 (2020). Get it with

    git clone https://github.com/ieee8023/covid-chestxray-dataset

Licence: each image has its own (column `license` of metadata.csv), most of them non-commercial or share-alike;
metadata.csv itself is CC BY-NC-SA 4.0. Not for diagnosis: the images come from publications, often one hospital per
disease, so that a model may tell hospitals apart and not diseases (arXiv:2004.12823 warns of it).

What this module does against the leaks of this set:
- patients who appear under two IDs with byte-identical images are one group;
- the notes name the disease, so they are masked: by `extra/labels_folds_masked_notes.csv` where it exists, else by the
  words below; `notes: raw` gives them as published. The masking is by words, so hints remain;
- columns filled in with hindsight (survival, intubated, went_icu, in_icu, extubated, needed_supplemental_O2,
  RT_PCR_positive, …) are never inputs;
- `finding: todo` and `Unknown` are not labels: rows without a known label for any target are left out.
CT volumes (folder `volumes`, .nii.gz) are rows without an image: a volume is not a 2-D image.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from crossfade.data.manifest import ManifestSource
from crossfade.data.readers.cells import missing_word, number, text, word
from crossfade.data.readers.tables import read_table
from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

EXTRA = "extra/labels_folds_masked_notes.csv"
SITE = "https://github.com/ieee8023/covid-chestxray-dataset"
VALUES = ("age", "offset", "temperature", "pO2_saturation", "leukocyte_count", "neutrophil_count", "lymphocyte_count")
NEEDED = ("patientid", "finding", "went_icu", "sex", *VALUES, "view", "modality", "filename", "clinical_notes")
UNLABELLED = ("", "todo", "unknown")
LABELS = {"covid": ("other", "COVID-19"), "icu": ("no", "yes")}
EXTRA_NOTES = {"covid": "notes_masked_dx", "icu": "notes_masked_outcome"}

# words that give the label away, for copies of the set that come without masked notes
TELLING = {
    "covid": re.compile(
        r"\b(?:covid\S*|(?:novel )?corona ?virus\S*|\w*sars\S*|mers(?:-cov)?|\S*ncov\S*|(?:rt-?)?pcr|swabs?|wuhan"
        r"|\w*pneumoni\w*|pneumocystis|pcp|pjp|jirovecii?|carinii|hiv|aids|\w*viral|virus\w*|influenza\w*|h1n1|ards"
        r"|acute respiratory distress syndrome|bacteri\w*|strepto\w*|pneumococ\w*|staphylo\w*|klebsiella|legionella\S*"
        r"|mycoplasma|chlamydi\w*|chlamydophila|e\.? ?coli|escherichia|varicella\S*|chickenpox|herpes|tubercul\w*|tb"
        r"|nocardi\w*|aspergill\w*|fung\w*|lipoid|aspiration|\w*normal\w*|no finding)\b",
        re.IGNORECASE,
    ),
    "icu": re.compile(
        r"\b(?:icu|ccu|intensive(?: care)?(?: unit)?|critical(?:ly)?(?: care| ill)?|\w*ventilat\w*|\w*intubat\w*|ett"
        r"|(?:endo|naso)?(?:tracheal|gastric) tube|tubes?|central (?:venous )?(?:line|catheter)|catheter|ecmo|trache\w*"
        r"|discharged?|recover\w*|died|dead|death|deceased|expired|fatal)\b",
        re.IGNORECASE,
    ),
}


class CovidChestXray(ManifestSource):
    """The published folder as a manifest. Targets: `covid` (other, COVID-19), `icu` (no, yes).

    `modality`: X-ray, CT, a list of them, or null for all. `view`: PA, AP, AP Supine, L, …, a list, or null for all.
    `notes`: masked or raw. Folds are those of the extra table for the first target, where it exists.
    Raises UserError saying what of the layout is missing, and all that `ManifestSource` checks.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        modality: str | list[str] | None = "X-ray",
        view: str | list[str] | None = None,
        notes: str = "masked",
        on_error: str = "error",
    ) -> None:
        if root is None:
            raise UserError(f"data.root is not given: the folder of the data set. Get it with: git clone {SITE}")
        if notes not in ("masked", "raw"):
            raise UserError(f"data.source.notes={notes}: allowed are masked, raw.")
        used = [str(t.column) for t in targets.values()]
        table = index(Path(root).expanduser(), used, _listed(modality), _listed(view), notes == "masked")
        fold = "fold" if "fold" in table else None
        super().__init__(modalities, targets, seed, table, root, "filename", "group", None, fold, on_error)


def index(
    root: Path,
    labels: Sequence[str] = ("covid",),
    modalities: Collection[str] | None = ("X-ray",),
    views: Collection[str] | None = None,
    masked: bool = True,
) -> pd.DataFrame:
    """The manifest table: one row per image whose label is known for one of `labels` ("covid", "icu"; none: all rows).

    Columns: filename (the ID), patient, group, fold (where known), image (path), note, sex, age (years), offset (days),
    temperature (°C), pO2_saturation (%), cell counts (10³/µL), covid, icu.
    """
    for label in labels:
        if label not in LABELS:
            raise UserError(f"target column {label}: allowed are {', '.join(LABELS)}.{did_you_mean(label, LABELS)}")
    published = _published(root)
    extra = _extra(root)
    table = pd.DataFrame({"filename": published["filename"].map(text), "patient": published["patientid"].map(text)})
    table["image"] = _images(published)
    table["group"] = _groups(root, table, extra)
    for column in VALUES:
        table[column] = [_value(cell) for cell in published[column]]
    table["sex"] = [sex if (sex := word(cell)) in ("M", "F") else None for cell in published["sex"]]
    table["covid"] = [_covid(cell) for cell in published["finding"]]
    table["icu"] = [{"Y": "yes", "N": "no"}.get(text(cell).strip()) for cell in published["went_icu"]]
    table["note"] = _notes(published, extra, labels, masked)
    if extra is not None and labels:
        fold = extra.set_index("filename")[f"fold_{labels[0]}"]
        table["fold"] = [text(fold.get(name)) or "-1" for name in table["filename"]]
    keep = pd.Series(True, index=table.index)
    for column, wanted in (("modality", modalities), ("view", views)):
        if wanted is not None:
            keep &= _among(published[column], wanted, column)
    if labels:
        keep &= table[list(labels)].notna().any(axis=1)
    return table[keep & ~table["filename"].duplicated()].reset_index(drop=True)


def _listed(given: str | list[str] | None) -> list[str] | None:
    return [given] if isinstance(given, str) else given


def _published(root: Path) -> pd.DataFrame:
    """metadata.csv, after checking that the folder is the published one."""
    problems = []
    if not (root / "images").is_dir():
        problems.append(f"data.root={root}: no folder images/.")
    if not (root / "metadata.csv").is_file():
        problems.append(f"data.root={root}: no file metadata.csv.")
    if problems:
        raise UserError(*problems, f"Expected the layout of {SITE}: metadata.csv and images/.")
    try:  # pandas and not our own strict reader: a published file is what it is
        table = pd.read_csv(root / "metadata.csv", dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' ParserError and UnicodeDecodeError are both
        raise UserError(f"{root / 'metadata.csv'}: not a readable CSV: {error}") from error
    missing = [column for column in NEEDED if column not in table]
    if missing:
        raise UserError(
            f"{root / 'metadata.csv'}: columns missing: {', '.join(missing)}. Expected {SITE} of June 2020 or later."
        )
    return table


def _extra(root: Path) -> pd.DataFrame | None:
    """The table of groups, folds and masked notes, where someone has laid it beside the published files."""
    if not (root / EXTRA).is_file():
        return None
    table = read_table(root / EXTRA)
    needed = ("filename", "group_id", *EXTRA_NOTES.values(), *(f"fold_{label}" for label in LABELS))
    missing = [column for column in needed if column not in table]
    if missing:
        raise UserError(f"{root / EXTRA}: columns missing: {', '.join(missing)}. Mend it or take it away.")
    return table.drop_duplicates("filename")


def _images(published: pd.DataFrame) -> list[str | None]:
    """Path of each image; None for the volumes."""
    folders = published["folder"].map(text) if "folder" in published else ["images"] * len(published)
    names = published["filename"].map(text)
    volumes = (".nii", ".nii.gz")
    return [
        None if folder == "volumes" or name.lower().endswith(volumes) else f"{folder.strip() or 'images'}/{name}"
        for folder, name in zip(folders, names, strict=True)
    ]


def _groups(root: Path, table: pd.DataFrame, extra: pd.DataFrame | None) -> list[str]:
    """One name per person: patients are joined by ID, by byte-identical images and by the extra table's groups."""
    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    known = {} if extra is None else dict(zip(extra["filename"], extra["group_id"], strict=True))
    same = _identical(root, table["image"])
    keys = []
    for name, patient, image in zip(table["filename"], table["patient"], table["image"], strict=True):
        own = f"patient {patient}" if patient else f"file {name}"
        keys.append(own)
        for other in (known.get(name), same.get(image)):
            if other is not None:
                leader[find(f"joined {other}")] = find(own)
    return [find(key) for key in keys]


def _identical(root: Path, images: pd.Series) -> dict[str, str]:
    """Image path → digest, for the images that share their size with another: only those can be identical."""
    sizes: dict[int, set[str]] = defaultdict(set)
    for image in images.dropna():
        path = root / image
        if os.path.isfile(path):  # a missing one is the manifest's to report
            sizes[path.stat().st_size].add(image)
    alike = [image for group in sizes.values() if len(group) > 1 for image in group]
    return {image: hashlib.sha256((root / image).read_bytes()).hexdigest() for image in alike}


def _value(cell: object) -> float | None:
    """A clinical value; the set writes "?" and remarks where a value is not known."""
    try:
        return number(cell)
    except ValueError:
        return None


def _covid(finding: object) -> str | None:
    """`finding` is "COVID-19", "COVID-19, ARDS" or, in later versions, "Pneumonia/Viral/COVID-19"."""
    if text(finding).strip().lower() in UNLABELLED:
        return None
    return LABELS["covid"]["COVID-19" in text(finding)]


def _notes(published: pd.DataFrame, extra: pd.DataFrame | None, labels: Sequence[str], masked: bool) -> list[str]:
    """The clinical notes, each label's telling words masked."""
    notes = [text(cell) for cell in published["clinical_notes"]]
    if not masked:
        return notes
    done: dict[str, str] = {}
    if extra is not None and len(labels) == 1:
        done = dict(zip(extra["filename"], extra[EXTRA_NOTES[labels[0]]].map(text), strict=True))
    out = []
    for name, note in zip(published["filename"], notes, strict=True):
        for label in labels or LABELS:
            note = TELLING[label].sub(" ", note)
        out.append(done.get(name, note))
    return out


def _among(column: pd.Series, wanted: Collection[str], name: str) -> pd.Series:
    there = sorted({text(cell) for cell in column if not missing_word(cell)})
    for value in wanted:
        if value not in there:
            near = did_you_mean(value, there)
            raise UserError(f'data.source.{name}: no row has "{value}".{near} There are: {", ".join(there)}.')
    return column.map(text).isin(list(wanted))
