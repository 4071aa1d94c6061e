"""From the settings of a sweep's jobs to checked configs: all of them before the first job starts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override

from crossfade.config import RunConfig, check, effective, groups
from crossfade.config.compose import to_plain
from crossfade.config.overrides import parse, plain
from crossfade.errors import UserError
from crossfade.sweeps.distinct import fields_of_others, plan, without_idle_alpha

LONGEST = 80  # characters of a job folder's name

Settings = Sequence[str]
Compose = Callable[[Settings], Any]
Bases = dict[tuple[str, ...], Any]  # a composed config for each choice of groups


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its settings as Hydra takes them, its checked config, and what makes it differ.

    `identity` is the hash of what its result depends on: two jobs of one identity are the same run.
    """

    identity: str
    settings: list[str]
    label: str
    config: RunConfig

    @property
    def given(self) -> list[str]:
        """The settings as the user would type them."""
        return [plain(text) for text in self.settings]

    def name(self, number: int) -> str:
        """The name of its folder: "07_fusion=weighted,alpha=0.1"."""
        text = re.sub(r"[^A-Za-z0-9_.,=+-]+", "-", self.label)
        return f"{number:02d}_{text}"[:LONGEST].rstrip("_.-,")


@dataclass(frozen=True)
class Planned:
    """The distinct jobs of a sweep in their order, a line that counts them, and which settings vary."""

    jobs: list[Job]
    note: str
    varying: list[str]


def planned(
    jobs: Sequence[Settings], compose: Compose, named: Sequence[str] | None = None, bases: Bases | None = None
) -> Planned:
    """Check every job and keep one of each identity.

    `compose` makes Hydra's config of one job's settings; `named` are the keys that name a job's folder, by themselves
    those whose values vary over these jobs. `bases` keeps what was composed for further jobs, which must then give
    every one of the keys a value. Raises UserError with the faults of all jobs, each once.
    """
    settings = [[_rounded(text) for text in job] for job in jobs]
    parsed = [[_parsed(text) for text in job] for job in settings]
    labels = [{o.key_or_group: o.get_value_element_as_str() for o in job} for job in parsed]
    foreign = fields_of_others(labels, named or ())
    settings = [_without(job, own, keys) for job, own, keys in zip(settings, parsed, foreign, strict=True)]
    parsed = [[o for o in own if o.key_or_group not in keys] for own, keys in zip(parsed, foreign, strict=True)]
    varying = [key for key in labels[0] if len({label[key] for label in labels}) > 1]
    composed = _Composed(compose, {*varying, *(named or ())}, {} if bases is None else bases)
    configs = _checked(settings, parsed, composed, set(varying), named is not None and "alpha" in named)
    identities = [identity_of(config) for config in configs]
    chosen = plan(labels, identities)
    found = []
    for place in chosen.jobs:
        idle = chosen.idle[place] | foreign[place] | ({"alpha"} if configs[place].alpha is None else set())
        kept = [t for t, o in zip(settings[place], parsed[place], strict=True) if o.key_or_group not in idle]
        shown = [key for key in (varying if named is None else named) if key not in idle]
        label = ",".join(f"{key}={labels[place][key]}" for key in shown)
        found.append(Job(identities[place], kept, label, configs[place]))
    return Planned(found, chosen.note, varying)


def _without(job: Settings, parsed: Sequence[Override], keys: Collection[str]) -> list[str]:
    return [text for text, o in zip(job, parsed, strict=True) if o.key_or_group not in keys]


def identity_of(config: RunConfig) -> str:
    """The hash of the effective config."""
    return hashlib.sha256(json.dumps(effective(config), sort_keys=True).encode()).hexdigest()[:16]


_read: dict[str, Override] = {}


def _parsed(text: str) -> Override:
    """`parse`, once for each text: jobs of a sweep share most of them."""
    if text not in _read:
        _read[text] = parse(text)
    return _read[text]


def _rounded(text: str) -> str:
    """range(0,1,0.05) has 0.15000000000000002 among its values; nobody means that."""
    key, equals, value = text.partition("=")
    if re.fullmatch(r"-?\d+\.\d{14,}", value):
        return f"{key}{equals}{float(value):.12g}"
    return text


def _checked(
    jobs: Sequence[Settings],
    parsed: Sequence[Sequence[Override]],
    composed: _Composed,
    varying: set[str],
    others_use_alpha: bool,
) -> list[RunConfig]:
    configs: list[RunConfig] = []
    faults: dict[str, list[str]] = {}
    unused_alpha = []
    for job, overrides in zip(jobs, parsed, strict=True):
        raw = composed.of(job, overrides)
        usable = without_idle_alpha(raw)
        if usable != raw:
            unused_alpha.append(raw)
        try:
            configs.append(check(usable))
        except UserError as error:
            where = ", ".join(plain(text) for text, o in zip(job, overrides, strict=True) if o.key_or_group in varying)
            for problem in error.problems:
                faults.setdefault(problem, []).append(where)
    if len(unused_alpha) == len(jobs) and not others_use_alpha:  # nobody uses it: a mistake, as in a single run
        try:
            check(unused_alpha[0])
        except UserError as error:
            faults |= {problem: [] for problem in error.problems if problem.startswith("alpha=")}
    if faults:
        raise UserError(*(_in_jobs(problem, where, len(jobs)) for problem, where in faults.items()))
    return configs


def _in_jobs(problem: str, where: list[str], count: int) -> str:
    if not where or len(where) == count:
        return problem
    shown = where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more"
    return f"{problem} (in the job {shown})" if len(where) == 1 else f"{problem} (in the jobs {shown})"


class _Composed:
    """The composed config of each job, at the price of one composition for each choice of groups.

    Hydra takes 0.1 s to compose a config. Jobs that choose the same options differ in values only, and these are put
    into one composed config, one job's after the other's.
    """

    def __init__(self, compose: Compose, varying: set[str], base: Bases) -> None:
        self.compose, self.varying, self.base = compose, varying, base

    def of(self, job: Settings, overrides: Sequence[Override]) -> dict[str, Any]:
        from omegaconf import OmegaConf

        is_value = [self._is_value(override) for override in overrides]
        values = [override for override, yes in zip(overrides, is_value, strict=True) if yes]
        fixed = tuple(text for text, yes in zip(job, is_value, strict=True) if not yes)
        if fixed not in self.base:
            self.base[fixed] = self.compose(job)
        config = self.base[fixed]
        OmegaConf.set_struct(config, False)
        for override in values:
            OmegaConf.update(config, override.key_or_group, override.value(), force_add=True)
        return to_plain(config, job)

    def _is_value(self, override: Override) -> bool:
        """Does it only put a value in its place, whatever another job has put there?"""
        key = override.key_or_group
        if key not in self.varying or key in groups() or key in ("data.schema", "data.manifest"):
            return False
        if override.package is not None or override.is_delete() or key.split(".")[0] == "hydra":
            return False
        return not isinstance(override.value(), Mapping)  # that is merged into what is there
