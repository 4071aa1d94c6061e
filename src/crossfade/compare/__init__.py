"""Several runs compared: which is best, and which cannot be told from it.

Runs of one setting with other seeds or folds are repeats of one model. With one repeat each, two models are compared
on their test samples; with several, over the seeds and folds that they share, by the corrected resampled t-test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from crossfade.analysis.critical_difference import draw_critical_difference, indistinguishable, ranking_of
from crossfade.analysis.verdict import spoken_p
from crossfade.compare.judge import block_table, judge, shared_places, spoken_places
from crossfade.compare.models import Gathered, gather
from crossfade.compare.tables import differences_table, interval_over_repeats, interval_over_samples, models_table
from crossfade.compare.words import doubts, sentences
from crossfade.errors import UserError


def compare(paths: Sequence[Path], metric: str | None = None, figure: Path | None = None) -> dict[str, Any]:
    """Print the tables and the sentences; return them as plain data.

    `paths` are runs, cross-validations, or folders of runs (a sweep); `metric` is one of the first target, or
    "<target>/<metric>"; `figure` where to draw the critical-difference diagram. Raises UserError for runs that are
    not finished, that were not trained on the same task, or not tested on the same samples, and for a figure where
    there are fewer than three models or two repeats.
    """
    found = gather(paths, metric)
    blocks = block_table(found)
    if figure is not None:
        _draw(found, blocks, figure)
    judged = judge(found)
    console = Console()
    console.print(models_table(found))
    console.print(differences_table(found, judged))
    said = [*sentences(found, judged), *doubts(found, judged)]
    ranks = _ranks(found, blocks)
    for sentence in [*said, *ranks, *found.notes]:
        console.print(sentence, highlight=False, markup=False)
    if figure is not None:
        console.print(f"Figure: {figure}", highlight=False, markup=False, soft_wrap=True)
    return {
        "metric": found.metric,
        "models": [
            {
                "label": m.label,
                "mean": m.mean(found.metric),
                "repeats": len(m.values(found.metric)),
                "over_repeats": interval_over_repeats(m, found.metric),
                "over_samples": interval_over_samples(m, found.metric),
            }
            for m in found.models
        ],
        "comparisons": [
            {
                "label": c.second.label,
                "p": c.p,
                "difference": c.difference and c.difference.value,
                "differ": c.differ,
                "detectable": c.detectable,
                "needed": c.needed,
            }
            for c in judged.against_best
        ],
        "sentences": said,
    }


def _ranks(found: Gathered, blocks: pd.DataFrame) -> list[str]:
    """The models by their mean ranks over seeds and folds, where there are three models and two of those."""
    if _no_ranks(blocks):
        return []
    ranking = ranking_of(blocks, found.better)
    order = ranking.ranks.argsort(kind="stable")
    names = ", ".join(f"{found.models[i].label} {ranking.ranks[i]:.2f}" for i in order)
    sets = indistinguishable(ranking)
    joined = "; ".join(" = ".join(found.models[i].label for i in members) for members in sets)
    over = spoken_places(shared_places(found.models))
    return [
        f"Mean ranks over {over}: {names}. Friedman {spoken_p(ranking.p)}, Nemenyi's critical difference "
        f"{ranking.critical:.2f}; not distinguishable by it: {joined or 'no two'}. Repeats share samples, so ranks "
        "find too much rather than too little."
    ]


def _no_ranks(blocks: pd.DataFrame) -> str:
    """Why there can be no ranks, "" where there can."""
    models, complete = blocks.shape[1], len(blocks.dropna())
    if models < 3 or complete < 2:
        return f"there are {models} models, with {complete} seeds and folds that all of them have"
    return ""


def _draw(found: Gathered, blocks: pd.DataFrame, figure: Path) -> None:
    if reason := _no_ranks(blocks):
        raise UserError(
            f"figure={figure}: a critical-difference diagram needs three models and two seeds or folds of each; "
            f"{reason}. Leave it out."
        )
    draw_critical_difference(blocks, figure, found.better, blocks=spoken_places(shared_places(found.models)))
