"""What `crossfade stress` found, for the page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crossfade.analysis.robustness_figure import draw_adversarial, draw_robustness
from crossfade.analysis.robustness_table import Words, adversarial_words, robustness_words
from crossfade.model import FusionModel
from crossfade.report.section import Section, of_several
from crossfade.report.vector import inline
from crossfade.runs import RunFolder
from crossfade.targets.base import Target


@dataclass(frozen=True)
class _Harm:
    """One kind of harm: its files' name, and how its sections look and are read."""

    file: str
    title: str
    draw: Callable[[pd.DataFrame, str, Path], None]
    words: Callable[[pd.DataFrame, str, str], Words]
    caption: str
    read: str


HARMS = (
    _Harm(
        "robustness",
        "Corrupted inputs",
        draw_robustness,
        robustness_words,
        "Full line: clean, its band the 95 % interval; dashed: without the modality",
        "One modality is corrupted, the others stay clean, from severity 1 (mild) to 5; where a curve is worse than "
        "the dashed line, the corrupted modality does more harm than its absence.",
    ),
    _Harm(
        "adversarial",
        "Adversarial inputs",
        draw_adversarial,
        adversarial_words,
        "Each modality attacked alone, and all together",
        "The worst small change: each value of an input is moved by at most ε so that the loss rises.",
    ),
)


def robustness_sections(folder: RunFolder, model: FusionModel, names: Sequence[str]) -> Iterator[Section]:
    """Per target a section on corruptions, then one on attacks, where they were measured."""
    with tempfile.TemporaryDirectory() as place:
        for harm in HARMS:
            for name in names:
                if (table := folder.table(f"{harm.file}_{name}")) is None:
                    continue
                target = model.targets[name]
                assert isinstance(target, Target)
                path = Path(place) / f"{harm.file}_{name}.svg"
                harm.draw(table, target.main, path)
                words = harm.words(table, target.main, target.direction(target.main))
                yield Section(
                    harm.title,
                    words.note,
                    [(harm.caption, inline(path))],
                    words.headings,
                    words.rows,
                    fold=True,
                    of=of_several(name, names),
                    read=harm.read,
                    where=f"{harm.file}_{name}.csv",
                )
