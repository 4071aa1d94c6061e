"""What `crossfade stress` found, for the page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from crossfade.analysis.robustness_figure import draw_adversarial, draw_robustness
from crossfade.analysis.robustness_table import adversarial_words, robustness_words
from crossfade.model import FusionModel
from crossfade.report.section import Section
from crossfade.report.vector import inline
from crossfade.runs import RunFolder
from crossfade.targets.base import Target


def robustness_sections(folder: RunFolder, model: FusionModel) -> Iterator[Section]:
    """Per target a section on corruptions and one on attacks, where they were measured."""
    with tempfile.TemporaryDirectory() as place:
        for name, target in model.targets.items():
            assert isinstance(target, Target)
            better = target.direction(target.main)
            if (table := folder.table(f"robustness_{name}")) is not None:
                path = Path(place) / f"robustness_{name}.svg"
                draw_robustness(table, target.main, path)
                words = robustness_words(table, target.main, better)
                caption = "One modality corrupted, the others clean; the band is the 95 % interval of the clean value"
                figure = (caption, inline(path, path.stem))
                yield Section(f"{name}: corrupted inputs", words.note, [figure], words.headings, words.rows)
            if (table := folder.table(f"adversarial_{name}")) is not None:
                path = Path(place) / f"adversarial_{name}.svg"
                draw_adversarial(table, target.main, path)
                words = adversarial_words(table, target.main, better)
                figure = ("Inputs moved by at most ε so that the loss rises", inline(path, path.stem))
                yield Section(f"{name}: adversarial inputs", words.note, [figure], words.headings, words.rows)
