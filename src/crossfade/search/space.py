"""The space of a search in Hydra's syntax: intervals, ranges and choices become dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from crossfade.config.overrides import plain
from crossfade.errors import UserError

DIGITS = 6  # of a drawn number, in settings and in names of folders
BESIDES = ("singles", "patterns")  # what a trial does without where the user does not ask for it
REPEATS = ("seed", "data.fold")  # what a result is repeated over, not what is chosen


@dataclass(frozen=True)
class Dimension:
    """One key of the space: `low` to `high` (both may be taken), on a grid of `step`, or one of `choices`.

    `log`: drawn evenly in log(value). `whole`: whole numbers. `element` is the key as a setting has it ("++optim.lr").
    """

    key: str
    element: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    def setting(self, value: Any) -> str:
        """The setting that gives the key this value."""
        if self.choices:
            return f"{self.element}={value}"
        return f"{self.element}={int(value) if self.whole else f'{value:.{DIGITS}g}'}"

    def read(self, text: str) -> Any:
        """The value of a setting's text."""
        if self.choices:
            return text
        return int(text) if self.whole else float(text)

    def ends(self) -> list[str]:
        """Settings of the first and the last value, or of every choice."""
        return [self.setting(value) for value in self.choices or (self.low, self.high)]

    def draw(self, rng: np.random.Generator) -> str:
        """The setting of a value drawn evenly (of log(value) with `log`)."""
        u = rng.random()
        if self.choices:
            return self.setting(self.choices[int(u * len(self.choices))])
        if self.step is not None and not self.log:
            count = round((self.high - self.low) / self.step) + 1
            return self.setting(self.low + int(u * count) * self.step)
        edge = 0.5 if self.whole else 0.0  # so that the first and last whole number are drawn as often as others
        low, high = self.low - edge, self.high + edge
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low))) if self.log else low + u * (high - low)
        return self.setting(min(max(round(value) if self.whole else value, self.low), self.high))


@dataclass(frozen=True)
class Space:
    """The settings that all trials share, the dimensions, and what is left out of every trial for speed."""

    fixed: list[str]
    dimensions: list[Dimension]
    besides: list[str]

    @property
    def keys(self) -> list[str]:
        return [dimension.key for dimension in self.dimensions]

    def point(self, values: Mapping[str, Any]) -> list[str]:
        """The settings of the point with these values by key."""
        return self._with(dimension.setting(values[dimension.key]) for dimension in self.dimensions)

    def draw(self, rng: np.random.Generator) -> list[str]:
        """The settings of a random point."""
        return self._with(dimension.draw(rng) for dimension in self.dimensions)

    def ends(self) -> list[list[str]]:
        """The first point, and those that differ from it in one dimension that stands at another end."""
        first = [dimension.ends()[0] for dimension in self.dimensions]
        others = [[*first[:i], end, *first[i + 1 :]] for i, d in enumerate(self.dimensions) for end in d.ends()[1:]]
        return [self._with(values) for values in (first, *others)]

    def typed(self, given: Sequence[str]) -> list[str]:
        """The settings of a trial's job, as they are typed, without what it leaves out for speed."""
        return [text for text in given if f"++{text}" not in self.besides]

    def values(self, settings: Sequence[str]) -> dict[str, Any]:
        """By key what the settings of a job have: choices as they were typed, numbers."""
        texts = {key.lstrip("+"): value for key, _, value in (text.partition("=") for text in settings)}
        return {d.key: d.read(texts[d.key]) for d in self.dimensions if d.key in texts}

    def _with(self, values: Iterable[str]) -> list[str]:
        return [*self.fixed, *self.besides, *values]


def read_space(overrides: Sequence[Override]) -> Space:
    """Split the settings of a search. Raises UserError for what cannot be searched, or where nothing is to be."""
    fixed: dict[str, str] = {}
    dimensions: dict[str, Dimension] = {}
    problems = []
    for override in overrides:
        element = override.get_key_element()
        fixed.pop(element, None)  # the last setting of a key counts
        dimensions.pop(override.key_or_group, None)
        if not override.is_sweep_override():
            fixed[element] = f"{element}={override.get_value_element_as_str()}"
            continue
        try:
            dimensions[override.key_or_group] = _dimension(override, element)
        except UserError as error:
            problems += error.problems
    if not dimensions and not problems:
        problems.append(
            "search: nothing varies, so there is nothing to search. Give a setting several values, "
            "for example alpha='interval(0,1)', optim.lr='tag(log,interval(1e-4,1e-2))' or fusion=weighted,sum,gmu."
        )
    if problems:
        raise UserError(*problems)
    given = {override.key_or_group for override in overrides}
    besides = [f"++{key}=false" for key in BESIDES if key not in given]
    return Space(list(fixed.values()), list(dimensions.values()), besides)


def _dimension(override: Override, element: str) -> Dimension:
    key, sweep = override.key_or_group, override.value()
    text = plain(override.input_line or key)
    if key in REPEATS:
        raise UserError(
            f"{text}: a search would choose the luckiest of them. Search with one {key} (or with folds=k, whose mean "
            f"is then compared), and repeat the best with several: -m {text}."
        )
    if isinstance(sweep, IntervalSweep):
        return _interval(key, element, text, sweep)
    if isinstance(sweep, RangeSweep) and not sweep.shuffle:
        values = [float(value) for value in sweep.range()]
        if len(values) > 1:
            step = abs(values[1] - values[0])
            whole = all(isinstance(v, int) for v in (sweep.start, sweep.stop, sweep.step))
            return Dimension(key, element, (), min(values), max(values), step, _log(text, sweep, min(values)), whole)
    choices = tuple(dict.fromkeys(override.sweep_string_iterator()))
    return Dimension(key, element, choices)


def _interval(key: str, element: str, text: str, sweep: IntervalSweep) -> Dimension:
    assert sweep.start is not None
    assert sweep.end is not None
    low, high = sweep.start, sweep.end
    if not low < high:
        raise UserError(f"{text}: the interval is empty. Its first number must be below its second.")
    whole = isinstance(low, int) and isinstance(high, int)
    return Dimension(key, element, (), float(low), float(high), None, _log(text, sweep, low), whole)


def _log(text: str, sweep: IntervalSweep | RangeSweep, low: float) -> bool:
    if "log" in sweep.tags and low <= 0:
        raise UserError(f"{text}: a logarithmic scale needs numbers above 0.")
    return "log" in sweep.tags
