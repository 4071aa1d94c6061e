"""Planning is quick, and gives what Hydra would give."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import hydra
import pytest
from omegaconf import open_dict

from crossfade.config import check, effective
from crossfade.config.compose import compose_raw
from crossfade.config.overrides import read_settings
from crossfade.errors import UserError
from crossfade.registry import ROOT_CONFIG, conf_folder
from crossfade.sweeps.distinct import without_idle_alpha
from crossfade.sweeps.planning import planned


@pytest.fixture
def composed() -> Any:
    """Hydra's composition, and how often it was asked for."""
    calls: list[Sequence[str]] = []

    def compose(job: Sequence[str]) -> Any:
        calls.append(job)
        config = hydra.compose(ROOT_CONFIG, overrides=list(job))
        with open_dict(config):
            return config

    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield compose, calls


def jobs(values: Mapping[str, Sequence[str]]) -> list[list[str]]:
    found = []
    for combination in itertools.product(*values.values()):
        texts = [f"{key}={v}" for key, v in zip(values, combination, strict=True)]
        found.append(read_settings(texts).hydra)
    return found


SWEEPS: dict[str, dict[str, list[str]]] = {
    "values and groups": {"fusion": ["weighted", "sum", "gmu"], "alpha": ["0.1", "0.9"], "seed": ["0", "1"]},
    "several tasks": {"task": ["medical", "smart_home"], "optim.lr": ["0.01", "0.001"], "width": ["32", "64"]},
    "mappings are merged": {"data.source": ["{samples: 60}", "{missing: 0.1}"], "seed": ["0", "1"]},
    "numbers and mappings": {"fusion": ["weighted"], "alpha": ["0.3", "{ct: 0.6, note: 0.4}", "learned", "null"]},
    "lists": {"task.modalities": ["[ct,note]", "[ct]"], "tags": ["[a]", "[]"], "seed": ["3"]},
    "fields of the source": {"task": ["synthetic"], "data.source.samples": ["200", "300"], "alpha": ["0.5"]},
}


@pytest.mark.parametrize("name", SWEEPS)
def test_each_job_has_the_config_that_hydra_composes(composed: Any, name: str) -> None:
    compose, _ = composed
    listed = jobs(SWEEPS[name])
    plan = planned(listed, compose)
    expected = {}
    for job in listed:
        config = check(without_idle_alpha(_alone(job)))
        expected.setdefault(str(effective(config)), config)
    assert [job.config for job in plan.jobs] == list(expected.values())


def _alone(job: Sequence[str]) -> dict[str, Any]:
    from hydra.core.global_hydra import GlobalHydra

    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        return compose_raw(job)
    finally:
        GlobalHydra.instance().hydra = before


def test_hydra_composes_once_for_each_choice_of_groups(composed: Any) -> None:
    compose, calls = composed
    seeds = [str(seed) for seed in range(25)]
    plan = planned(jobs({"fusion": ["weighted", "sum"], "alpha": ["0.1", "0.5"], "seed": seeds}), compose)
    assert len(plan.jobs) == 75
    assert len(calls) == 2


def test_the_first_job_does_not_leave_its_gaps_to_the_next(composed: Any) -> None:
    compose, _ = composed
    listed = jobs({"task": ["custom"], "data.manifest": ["no/such.csv"], "seed": ["0", "1"]})
    with pytest.raises(UserError) as caught:
        planned(listed, compose)
    assert len(caught.value.problems) == len(set(caught.value.problems))
    with pytest.raises(UserError) as alone:
        planned(listed[:1], compose)
    assert caught.value.problems == alone.value.problems
