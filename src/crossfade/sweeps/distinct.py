"""Which jobs of a sweep differ in what they compute, and which settings play no part where."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from crossfade.registry import groups, read_option

Job = Mapping[str, str]  # the job's settings: key → value


@dataclass(frozen=True)
class Plan:
    """The jobs that are to run, as places in the list given; `idle[i]` are the keys that job i can do without."""

    jobs: list[int]
    idle: dict[int, set[str]]
    note: str


def plan(jobs: Sequence[Job], identities: Sequence[Hashable]) -> Plan:
    """One job of each identity (what the job's result depends on), the first of the list.

    A setting is idle in a job where its value varies over jobs of the same identity. The note counts the jobs and
    names the idle settings and where they are idle: "9 jobs, 5 distinct: α plays no part in max, sum".
    """
    same: dict[Hashable, list[int]] = {}
    for place, identity in enumerate(identities):
        same.setdefault(identity, []).append(place)
    idle = {places[0]: _varying([jobs[p] for p in places]) for places in same.values()}
    first = sorted(idle)
    if len(first) == len(jobs):
        return Plan(first, idle, f"{len(jobs)} jobs")
    reasons = [_reason(key, jobs, same) for key in sorted(set().union(*idle.values()))]
    return Plan(first, idle, f"{len(jobs)} jobs, {len(first)} distinct: {'; '.join(reasons) or 'repeated settings'}")


def fields_of_others(jobs: Sequence[Job], named: Collection[str] = ()) -> list[set[str]]:
    """Of each job the settings that are fields of an option chosen in other jobs: `fusion.rank` where fusion=sum.

    A field that no job's option has is a mistake, and stays; but `named` may be of jobs that are not among these.
    """
    idle = [{key for key in job if _is_of_another(key, job)} for job in jobs]
    nowhere = set.intersection(*idle).difference(named)
    return [own - nowhere for own in idle]


def _is_of_another(key: str, job: Job) -> bool:
    """Is it a field that the chosen option of its group lacks? Of parts only: their YAML has all fields."""
    for group in job.keys() & groups().keys():
        start, _, field = key.partition(group.replace("/", ".") + ".")
        if not start and field:
            fields = _fields(group, job[group])
            return "_target_" in fields and field.split(".")[0] not in fields
    return False


@cache
def _fields(group: str, option: str) -> frozenset[str]:
    return frozenset(read_option(group, option)) if option in groups()[group] else frozenset()


def _varying(jobs: Sequence[Job]) -> set[str]:
    return {key for key in jobs[0] if len({job.get(key) for job in jobs}) > 1}


def _reason(key: str, jobs: Sequence[Job], same: Mapping[Hashable, list[int]]) -> str:
    word = "α" if key in ("alpha", "fusion.alpha") else key
    idle = [place for places in same.values() if key in _varying([jobs[p] for p in places]) for place in places]
    if len(idle) == len(jobs):
        return f"{word} plays no part"
    for other in sorted(_varying(jobs) - {key}):
        values = {jobs[place][other] for place in idle}
        if {p for p, job in enumerate(jobs) if job[other] in values} == set(idle):
            return f"{word} plays no part in {', '.join(sorted(values))}"
    return f"{word} plays no part in {len(idle)} of them"


def without_idle_alpha(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A composed config of one job of a sweep, without α where its strategy has none.

    In a single run α for such a strategy is a mistake; among the jobs of a sweep it is one of the values to skip.
    """
    fusion = raw.get("fusion")
    if isinstance(fusion, Mapping) and "alpha" not in fusion:
        return {**raw, "alpha": None}
    return dict(raw)
