"""Brain MRI of lower-grade gliomas with tumour masks, genomic clusters and clinical values.

M. Buda, A. Saha, M. A. Mazurowski: Association of genomic subtypes of lower-grade gliomas with shape features
automatically extracted by a deep learning algorithm, Computers in Biology and Medicine 109 (2019). Images from The
Cancer Imaging Archive (TCGA-LGG). Get it from

    https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation

Licence as Kaggle lists it: CC BY-NC-SA 4.0; attribute TCGA-LGG too. Not for diagnosis.

Layout: `kaggle_3m/<patient>_<date>/<patient>_<date>_<slice>.tif`, 256 × 256 pixels, 8 bit, the colours being the
sequences pre-contrast, FLAIR and post-contrast; beside each a `…_mask.tif`, 255 = tumour; `kaggle_3m/data.csv` has a
row per patient. The numbers of its labels and categories are not explained there and stay numbers.

What this module does against the leaks of this set:
- a sequence that a patient lacks is filled in with a copy of FLAIR: it is marked absent in every such slice;
- all slices of a patient are one group;
- the letters of a patient's ID name the hospital; histology, grade and death are targets: none of them is an input.
The slice that stands for a patient is chosen by its mask (largest tumour): an outline drawn by hand is part of the
input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crossfade.data.manifest import ManifestSource
from crossfade.data.manifest_truth import form_of
from crossfade.data.readers.cells import text, word
from crossfade.data.readers.faults import Fault
from crossfade.data.readers.image import read_image
from crossfade.data.readers.tables import read_table
from crossfade.errors import ReadError, UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation"
FOLDER = "kaggle_3m"
SLICE = re.compile(r"(?P<stem>.+)_(?P<number>\d+)")
SEQUENCES = ("pre", "flair", "post")  # the order of the colours
GENOMIC = (
    "RNASeqCluster", "MethylationCluster", "miRNACluster", "CNCluster", "RPPACluster", "OncosignCluster", "COCCluster",
)  # fmt: skip
CLINICAL = ("laterality", "tumor_location", "gender", "age_at_initial_pathologic", "race", "ethnicity")
LABELS = {"histology": "histological_type", "grade": "neoplasm_histologic_grade", "death": "death01"}
PER = ("patient", "slice")
FOLDS = "folds.csv"  # Patient, fold_<column of data.csv>: folds for comparison, where it lies beside


class LggMri(ManifestSource):
    """The published folder as a manifest: columns pre, flair, post (image), `GENOMIC`, `CLINICAL`, mask, `LABELS`.

    `per`: patient = the slice with the largest tumour stands for the patient; slice = every slice is a sample, and
    `tumour` (no, yes) says whether its mask is empty. A mask is read when asked for: uint8 (H, W), 1 = tumour.
    Folds are those of folds.csv for the first target, where it lies beside.
    Raises UserError saying what of the layout is missing, and all that `ManifestSource` checks.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        per: str = "patient",
        on_error: str = "error",
    ) -> None:
        if root is None:
            raise UserError(f"data.root is not given: the folder that holds {FOLDER}/. Get it from {SITE}")
        if per not in PER:
            raise UserError(f"data.source.per={per}: allowed are {', '.join(PER)}.{did_you_mean(per, PER)}")
        for name, spec in modalities.items():
            if spec.kind == "image" and (spec.column not in SEQUENCES or spec.channels != 1):
                raise UserError(
                    f"modality.{name}: column={spec.column}, channels={spec.channels}. An image of this set is one "
                    f"sequence: column is one of {', '.join(SEQUENCES)}, channels is 1."
                )
        labels = [str(t.column) for t in targets.values()]
        table = index(Path(root).expanduser(), per, labels)
        fold = "fold" if "fold" in table else None
        super().__init__(modalities, targets, seed, table, root, "id", "patient", None, fold, on_error)
        for name, target in targets.items():
            if form_of(target) == "image":
                cells = [word(cell) for cell in self.table[str(target.column)]]
                masks = [None if cell is None else partial(read_mask, self.root.path(cell)) for cell in cells]
                self._frame.truth[name] = masks

    def _value(self, index: int, spec: ModalitySpec) -> Any | None:
        """A sequence is one colour of its file."""
        if spec.kind != "image":
            return super()._value(index, spec)
        cell = word(self._cells[str(spec.column)][index])
        if cell is None:
            return None
        return read_image(self.root.path(cell), 3)[SEQUENCES.index(str(spec.column))][None]


def read_mask(path: Path) -> np.ndarray:
    """A mask file as uint8 (H, W): 0 = background, 1 = tumour. Raises ReadError."""
    try:
        mask = read_image(path, 1)[0]
    except (Fault, OSError) as fault:
        raise ReadError(f"{path}: {fault}.", "") from fault
    return (mask > 127).astype(np.uint8)


def index(root: Path, per: str = "patient", labels: list[str] | None = None) -> pd.DataFrame:
    """One row per patient or slice: id, patient, fold (where known), slice, pixels of tumour, paths, values, labels."""
    published = _published(root)
    clinical = published.set_index("Patient")
    rows = []
    for folder in sorted(f for f in (root / FOLDER).iterdir() if f.is_dir()):
        patient = folder.name.rpartition("_")[0]
        if patient not in clinical.index:
            raise UserError(f"{root / FOLDER / 'data.csv'}: no row for the patient of the folder {folder.name}/.")
        slices = list(_slices(root, folder))
        if per == "patient":
            slices = [max(slices, key=lambda one: one["pixels"])]
        known = clinical.loc[patient]
        for one in slices:
            row = {"id": patient if per == "patient" else f"{patient}/{one['slice']:03d}", "patient": patient, **one}
            row |= dict.fromkeys(SEQUENCES, one["file"]) | dict.fromkeys(_copied(root / one["file"]))
            row |= {column: text(known[column]) for column in (*GENOMIC, *CLINICAL)}
            row |= {label: text(known[column]) for label, column in LABELS.items()}
            rows.append(row | {"tumour": "yes" if one["pixels"] else "no"})
    table = pd.DataFrame(rows)
    table["death"] = table["death"].map({"0": "no", "1": "yes"})
    _add_folds(root, table, labels or [])
    return table


def _published(root: Path) -> pd.DataFrame:
    """data.csv, after checking that the folder is the published one."""
    folder = root / FOLDER
    problems = []
    if not folder.is_dir():
        problems.append(f"data.root={root}: no folder {FOLDER}/.")
    else:
        if not (folder / "data.csv").is_file():
            problems.append(f"data.root={root}: no file {FOLDER}/data.csv.")
        if not any(f.is_dir() for f in folder.iterdir()):
            problems.append(f"data.root={root}: {FOLDER}/ holds no folder of a patient.")
    if problems:
        raise UserError(*problems, f"Expected the layout of {SITE}: {FOLDER}/data.csv and {FOLDER}/<patient>_<date>/.")
    table = read_table(folder / "data.csv")
    missing = [column for column in ("Patient", *GENOMIC, *CLINICAL, *LABELS.values()) if column not in table]
    if missing:
        raise UserError(f"{folder / 'data.csv'}: columns missing: {', '.join(missing)}. Expected those of {SITE}.")
    return table


def _slices(root: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Slice number, paths and size of the tumour of each image in a patient's folder, from bottom to top."""
    files = [f for f in folder.glob("*.tif") if not f.stem.endswith("_mask")]
    if not files:
        raise UserError(f"{folder}: holds no image. Expected {folder.name}_<slice>.tif, as at {SITE}.")
    numbered = []
    for file in files:
        named = SLICE.fullmatch(file.stem)
        mask = file.with_name(f"{file.stem}_mask.tif")
        if named is None or not mask.is_file():
            lacks = f"no file {mask.name}" if named else "no slice number in the name"
            raise UserError(f"{file}: {lacks}. Expected the layout of {SITE}.")
        numbered.append((int(named["number"]), file, mask))
    for number, file, mask in sorted(numbered):
        paths = {"file": file.relative_to(root).as_posix(), "mask": mask.relative_to(root).as_posix()}
        yield {"slice": number, "pixels": int(read_mask(mask).sum()), **paths}


def _copied(file: Path) -> list[str]:
    """The sequences that are no more than a copy of FLAIR."""
    try:
        pre, flair, post = read_image(file, 3)
    except Fault as fault:
        raise UserError(f"{file}: {fault}.") from fault
    return [name for name, image in (("pre", pre), ("post", post)) if np.array_equal(image, flair)]


def _add_folds(root: Path, table: pd.DataFrame, labels: list[str]) -> None:
    if not labels or labels[0] not in LABELS or not (root / FOLDS).is_file():
        return
    given = read_table(root / FOLDS)
    column = f"fold_{LABELS[labels[0]]}"
    missing = [name for name in ("Patient", column) if name not in given]
    if missing:
        raise UserError(f"{root / FOLDS}: columns missing: {', '.join(missing)}. Mend it or take it away.")
    fold = dict(zip(given["Patient"], given[column], strict=True))
    table["fold"] = [text(fold.get(patient)) or "-1" for patient in table["patient"]]
