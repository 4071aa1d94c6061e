"""How far the classifiers' probabilities can be trusted, as a part of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from crossfade.analysis.results_table import short
from crossfade.evaluation.certainty import ALPHA
from crossfade.report.section import Section
from crossfade.runs import RunFolder

COLUMNS = {
    "temperature": "temperature",
    "calibration_error": "calib. error",
    "calibration_error_tempered": "tempered",
    "log_loss": "log loss",
    "log_loss_tempered": "tempered",
    "brier": "Brier",
    "aurc": "AURC",
}


def calibration_sections(folder: RunFolder, targets: Sequence[str]) -> Iterator[Section]:
    """One section per target that has certainty_<target>.csv."""
    for target in targets:
        table = folder.table(f"certainty_{target}")
        if table is not None:
            several = f": {target}" if len(targets) > 1 else ""
            yield Section(
                f"Calibration{several}",
                "Temperature and conformal threshold are learned on the validation split, with the same modalities "
                f"taken away. The sets are to hold the truth in {1 - ALPHA:.0%} of the samples; in brackets the 95 % "
                "interval of the share that they hold it in. Set size: classes, the mean. AURC: the mean error over "
                "all shares of the surest samples.",
                headings=["", *COLUMNS.values(), "truth in the set", "set size"],
                rows=[_row("all modalities", table.iloc[0]), *_single_losses(table)],
            )


def _single_losses(table: pd.DataFrame) -> Iterator[list[str]]:
    """The patterns without one modality, where there are more than two."""
    names = [str(name) for name in table.columns[: list(table.columns).index("samples")]]
    if len(names) < 3:
        return
    for name in names:
        without = table[(table[name] == 0) & (table[names].sum(axis=1) == len(names) - 1)]
        for _, row in without.iterrows():
            yield _row(f"without {name}", row)


def _row(label: str, row: pd.Series) -> list[str]:
    numbers = [short(float(row[column])) for column in COLUMNS]
    holds = f"{short(float(row['coverage']))} [{short(float(row['low']))}, {short(float(row['high']))}]"
    return [label, *numbers, holds, short(float(row["size"]), 2)]
