"""Which jobs of a sweep are the same job."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from crossfade.sweeps.distinct import plan, without_idle_alpha


def grid(**values: list[str]) -> list[dict[str, str]]:
    return [dict(zip(values, row, strict=True)) for row in product(*values.values())]


def identity(job: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """α counts for weighted alone."""
    return tuple((k, v) for k, v in sorted(job.items()) if k != "alpha" or job["fusion"] == "weighted")


def test_alpha_counts_only_where_it_is_used() -> None:
    jobs = grid(fusion=["weighted", "sum", "max"], alpha=["0.1", "0.5", "0.9"])
    made = plan(jobs, [identity(job) for job in jobs])
    assert made.jobs == [0, 1, 2, 3, 6]
    assert made.note == "9 jobs, 5 distinct: α plays no part in max, sum"
    assert made.idle == {0: set(), 1: set(), 2: set(), 3: {"alpha"}, 6: {"alpha"}}


def test_the_reason_is_found_among_several_swept_settings() -> None:
    jobs = grid(seed=["0", "1"], alpha=["0.1", "0.5"], fusion=["weighted", "sum"])
    made = plan(jobs, [identity(job) for job in jobs])
    assert made.note == "8 jobs, 6 distinct: α plays no part in sum"


def test_all_distinct() -> None:
    jobs = grid(seed=["0", "1"])
    made = plan(jobs, [identity(job | {"fusion": "sum"}) for job in jobs])
    assert (made.jobs, made.note) == ([0, 1], "2 jobs")


def test_a_setting_that_plays_no_part_anywhere() -> None:
    jobs = grid(width=["1", "2"])
    assert plan(jobs, ["same", "same"]).note == "2 jobs, 1 distinct: width plays no part"


def test_the_same_value_twice() -> None:
    assert plan([{"seed": "1"}, {"seed": "1"}], ["a", "a"]).note == "2 jobs, 1 distinct: repeated settings"


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_one_job_of_each_identity_the_first(identities: list[int]) -> None:
    jobs = [{"seed": str(i)} for i in range(len(identities))]
    made = plan(jobs, identities)
    assert [identities[i] for i in made.jobs] == list(dict.fromkeys(identities))
    assert made.jobs == [identities.index(value) for value in dict.fromkeys(identities)]


def test_alpha_is_dropped_where_the_strategy_has_none() -> None:
    assert without_idle_alpha({"alpha": 0.3, "fusion": {"_target_": "x"}})["alpha"] is None
    assert without_idle_alpha({"alpha": 0.3, "fusion": {"_target_": "x", "alpha": 0.3}})["alpha"] == 0.3
