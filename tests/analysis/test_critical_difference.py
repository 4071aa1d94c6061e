"""Ranks of several models: Demšar's published numbers, sets that cannot be told apart, the diagram."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from crossfade.analysis.critical_difference import draw_critical_difference, indistinguishable, ranking_of
from crossfade.analysis.statistics import Ranking

# Demšar 2006, JMLR 7, table 5 (a): q of Nemenyi's test for two to ten models
Q_05 = [2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
Q_10 = [2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]


@pytest.mark.parametrize(("level", "published"), [(0.95, Q_05), (0.90, Q_10)])
def test_the_critical_difference_is_that_of_demsars_table(level, published):
    for models, q in enumerate(published, start=3):
        scores = pd.DataFrame(np.random.default_rng(0).normal(size=(14, models)))
        found = ranking_of(scores, level=level).critical
        assert found == pytest.approx(q * math.sqrt(models * (models + 1) / (6 * 14)), abs=6e-4)


def test_sets_are_those_of_demsars_example():
    # section 3.2.3: C4.5, +m, +cf, +m+cf on 14 data sets; at 10 % the first is worse than +m and +m+cf
    ranks = np.array([3.143, 2.000, 2.893, 1.964])
    assert indistinguishable(Ranking(ranks, 0.026, 1.12), level=0.90) == [[3, 1, 2], [2, 0]]
    assert indistinguishable(Ranking(ranks, 0.026, 1.25)) == [[3, 1, 2, 0]]


def test_sets_are_the_maximal_ones():
    """Against all subsets: within the critical difference, and no larger one holds them."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        models, critical = int(rng.integers(3, 8)), float(rng.uniform(0.05, 3))
        ranks = rng.uniform(1, models, models)
        subsets = [
            set(some)
            for size in range(2, models + 1)
            for some in itertools.combinations(range(models), size)
            if np.ptp(ranks[list(some)]) <= critical
        ]
        largest = [some for some in subsets if not any(some < other for other in subsets)]
        found = indistinguishable(Ranking(ranks, 0.001, critical))
        assert sorted(map(sorted, found)) == sorted(map(sorted, largest))
        assert all(ranks[a] <= ranks[b] for one in found for a, b in itertools.pairwise(one))


def test_where_friedman_finds_nothing_all_are_one_set():
    assert indistinguishable(Ranking(np.array([1.0, 2.0, 3.0]), 0.2, 0.5)) == [[0, 1, 2]]


def test_blocks_that_lack_a_value_do_not_count():
    table = pd.DataFrame({"a": [1, 2, np.nan], "b": [2, 3, 4], "c": [3, 4, 5]})
    assert ranking_of(table).ranks.tolist() == [3, 2, 1]
    assert ranking_of(table, better="min").ranks.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="three models and two rows"):
        ranking_of(table.iloc[1:])


@pytest.mark.parametrize("models", [3, 10, 36])
def test_the_diagram_holds_every_name_and_rank(tmp_path, models):
    rng = np.random.default_rng(0)
    names = [f"strategy {i} alpha=0.{i}" for i in range(models)]
    table = pd.DataFrame(rng.normal(size=(20, models)) + np.linspace(5, 0, models), columns=names)
    ranking = draw_critical_difference(table, tmp_path / "cd.svg", blocks="4 seeds × 5 folds")
    text = (tmp_path / "cd.svg").read_text(encoding="utf-8")
    for name, rank in zip(names, ranking.ranks, strict=True):
        assert f"{name}  {rank:.2f}" in text or f"{rank:.2f}  {name}" in text
    assert "over 4 seeds × 5 folds" in text
    assert f"critical difference {ranking.critical:.2f}" in text
    draw_critical_difference(table, tmp_path / "cd.png")
    image = np.asarray(Image.open(tmp_path / "cd.png").convert("L"))
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert image.min() < 100
    assert (edge > 250).all()  # nothing is cut off
