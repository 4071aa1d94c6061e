"""What `crossfade stress` found, for the page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from crossfade.analysis.robustness_figure import draw_adversarial, draw_robustness
from crossfade.analysis.robustness_table import adversarial_words, robustness_words
from crossfade.model import FusionModel
from crossfade.report.section import Section, of_several
from crossfade.report.vector import inline
from crossfade.runs import RunFolder
from crossfade.targets.base import Target


def robustness_sections(folder: RunFolder, model: FusionModel, names: Sequence[str]) -> Iterator[Section]:
    """Per target a section on corruptions, then one on attacks, where they were measured."""
    with tempfile.TemporaryDirectory() as place:
        for name, table, metric, better in _measured(folder, model, names, "robustness"):
            path = Path(place) / f"robustness_{name}.svg"
            draw_robustness(table, metric, path)
            words = robustness_words(table, metric, better)
            yield Section(
                "Corrupted inputs",
                words.note,
                [("Full line: clean, its band the 95 % interval; dashed: without the modality", inline(path))],
                words.headings,
                words.rows,
                fold=True,
                of=of_several(name, names),
                read="One modality is corrupted, the others stay clean, from severity 1 (mild) to 5; where a curve is "
                "worse than the dashed line, the corrupted modality does more harm than its absence.",
                where=f"robustness_{name}.csv",
            )
        for name, table, metric, better in _measured(folder, model, names, "adversarial"):
            path = Path(place) / f"adversarial_{name}.svg"
            draw_adversarial(table, metric, path)
            words = adversarial_words(table, metric, better)
            yield Section(
                "Adversarial inputs",
                words.note,
                [("Each modality attacked alone, and all together", inline(path))],
                words.headings,
                words.rows,
                fold=True,
                of=of_several(name, names),
                read="The worst small change: each value of an input is moved by at most ε so that the loss rises.",
                where=f"adversarial_{name}.csv",
            )


def _measured(
    folder: RunFolder, model: FusionModel, names: Sequence[str], what: str
) -> Iterator[tuple[str, pd.DataFrame, str, str]]:
    """The targets that have this table: name, table, main metric, and which of it is better."""
    for name in names:
        target = model.targets[name]
        assert isinstance(target, Target)
        if (table := folder.table(f"{what}_{name}")) is not None:
            yield name, table, target.main, target.direction(target.main)
