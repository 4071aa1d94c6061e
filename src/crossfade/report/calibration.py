"""How far the classifiers' probabilities can be trusted, as a part of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from markupsafe import Markup

from crossfade.analysis.results_table import short
from crossfade.evaluation.certainty import ALPHA
from crossfade.report.section import Section, of_several
from crossfade.runs import RunFolder

COLUMNS = {
    "temperature": "temperature",
    "calibration_error": "calib. error",
    "calibration_error_tempered": "… tempered",
    "log_loss": "log loss",
    "log_loss_tempered": "… tempered",
    "brier": "Brier",
    "aurc": "AURC",
}


NOTE = (
    "Tempered: after the logits were divided by the temperature. Temperature and conformal threshold are learned on "
    "the validation split, with the same modalities taken away. The sets are to hold the truth in "
    f"{1 - ALPHA:.0%} of the samples; in brackets the 95 % interval of the share that they hold it in. Set size: "
    "classes, the mean. AURC: the mean error over all shares of the surest samples. Less is better but for the share "
    "of the sets."
)


def calibration_sections(
    folder: RunFolder, targets: Sequence[str], figures: Mapping[str, Sequence[tuple[str, Markup]]]
) -> Iterator[Section]:
    """One section per target that has certainty_<target>.csv, or figures of its confidence."""
    for target in targets:
        table = folder.table(f"certainty_{target}")
        own = figures.get(target, ())
        if table is None and not own:
            continue
        rows = [] if table is None else [_row("all modalities", table.iloc[0]), *_single_losses(table)]
        yield Section(
            "Calibration",
            NOTE if rows else "",
            own,
            ["", *COLUMNS.values(), "truth in the set", "set size"],
            rows,
            of=of_several(target, targets),
            read="Whether a probability of .8 is right in 80 % of the samples, and what is left of that when "
            "modalities are absent.",
            where=f"certainty_{target}.csv, figures/",
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
