"""The space of a search: what Hydra's syntax means, and what is drawn from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from crossfade.config.overrides import parse
from crossfade.errors import UserError
from crossfade.search.space import Dimension, read_space


def one(text: str) -> Dimension:
    (dimension,) = read_space([parse(text)]).dimensions
    return dimension


def drawn(text: str, count: int = 2000) -> list[str]:
    rng = np.random.default_rng(0)
    return [one(text).draw(rng).partition("=")[2] for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("++alpha=interval(0,1)", Dimension("alpha", "++alpha", (), 0, 1)),
        ("a=tag(log,interval(1e-4,1e-2))", Dimension("a", "a", (), 1e-4, 1e-2, None, True)),
        ("a=int(interval(1,4))", Dimension("a", "a", (), 1, 4, None, False, True)),
        ("a=range(1,4)", Dimension("a", "a", (), 1, 3, 1, False, True)),
        ("fusion=weighted,sum", Dimension("fusion", "fusion", ("weighted", "sum"))),
        ("fusion=choice(weighted,sum)", Dimension("fusion", "fusion", ("weighted", "sum"))),
    ],
)
def test_hydras_syntax(text: str, expected: Dimension) -> None:
    assert one(text) == expected


def test_an_interval_is_drawn_evenly() -> None:
    values = np.array([float(v) for v in drawn("a=interval(-1,3)")])
    assert stats.kstest(values, stats.uniform(-1, 4).cdf).pvalue > 0.01


def test_on_a_logarithmic_scale_the_logarithm_is() -> None:
    values = np.log([float(v) for v in drawn("a=tag(log,interval(1e-4,1e-1))")])
    assert stats.kstest(values, stats.uniform(math.log(1e-4), math.log(1e3)).cdf).pvalue > 0.01


@pytest.mark.parametrize("text", ["a=range(1,5)", "a=int(interval(1,4))", "a=1,2,3,4"])
def test_whole_numbers_and_choices_are_equally_likely(text: str) -> None:
    values = drawn(text)
    assert set(values) == {"1", "2", "3", "4"}
    assert stats.chisquare([values.count(v) for v in "1234"]).pvalue > 0.01


def test_a_range_with_a_step_keeps_to_it() -> None:
    assert set(drawn("a=range(0,1,0.25)")) == {"0", "0.25", "0.5", "0.75"}


def test_the_last_setting_of_a_key_counts() -> None:
    space = read_space([parse(t) for t in ("width=8", "width=16,32", "a=1,2", "a=3")])
    assert space.keys == ["width"]
    assert space.fixed == ["a=3"]


def test_what_trials_do_without_unless_asked() -> None:
    assert read_space([parse("a=1,2")]).besides == ["++singles=false", "++patterns=false"]
    assert read_space([parse("a=1,2"), parse("singles=true")]).besides == ["++patterns=false"]


def test_the_ends_are_every_choice_and_both_ends() -> None:
    space = read_space([parse(t) for t in ("a=interval(0,1)", "f=x,y,z", "singles=false", "patterns=false")])
    assert [point[2:] for point in space.ends()] == [
        ["a=0", "f=x"],
        ["a=1", "f=x"],
        ["a=0", "f=y"],
        ["a=0", "f=z"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed=0,1", "a search would choose the luckiest"),
        ("a=tag(log,interval(0,1))", "a logarithmic scale needs numbers above 0"),
        ("a=interval(1,1)", "the interval is empty"),
        ("a=1", "nothing varies"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_space([parse(text)])
