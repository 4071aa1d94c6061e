"""A command line's `key=value` settings: which are well formed, which name a group, how Hydra should get them.

Hydra wants `+` before a key that the config does not have yet, and its hints for typos follow from that. Here every
key is handed over as "set it, there or not" (`++`), and a key that nobody knows is found by the check of the schema,
which can say what was meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfade.config.explain import defaults
from crossfade.errors import UserError, did_you_mean
from crossfade.registry import groups, read_root

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


@dataclass
class Settings:
    """Settings as Hydra should get them, and what is wrong with those that are left out."""

    hydra: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    faulty: list[str] = field(default_factory=list)  # groups whose option is wrong

    def fail(self, problem: str, group: str | None = None) -> None:
        self.problems.append(problem)
        if group is not None:
            self.faulty.append(group)


def parse(text: str) -> Override:
    """One `key=value`; raises UserError where it is not of that form."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as error:
        detail = str(error).splitlines()[0]
        if "=" not in text:
            known = [*groups(), *defaults()]
            fix = f" Write {text}=…" if text in known else did_you_mean(text, known)
            raise UserError(f"{text}: settings are written key=value.{fix}") from error
        raise UserError(
            f"{text}: cannot be read as key=value ({detail}). Quote a value that has spaces, commas, brackets or "
            "equals signs: 'key=\"value\"'."
        ) from error


SAMPLED = ("random", "optuna")  # the searches that draw from intervals


def chosen_search(texts: Sequence[str]) -> str | None:
    """The search that the settings ask for; None for none."""
    chosen = [value for key, _, value in (text.lstrip("+").partition("=") for text in texts) if key == "search"]
    return chosen[-1] if chosen and chosen[-1] not in ("none", "null", "") else None


def _several(text: str, override: Override, many: bool, search: str | None) -> str | None:
    """What is wrong with several values in this place."""
    if override.key_or_group.split(".")[0] == "search":
        return f"{text}: a sweep has one search. Give one value."
    if override.is_discrete_sweep():
        return _empty(text, override) if many else f"{text}: several values. Add -m to run one job for each."
    if search in SAMPLED:
        return None
    key = override.key_or_group
    how = f"search={search} needs a list" if search else "an interval has no list of values"
    return (
        f"{text}: {how}. Draw from it with search=random or search=optuna, or list values: "
        f"{key}=0.1,0.5,0.9 or {key}='range(0,1,0.1)'."
    )


def _empty(text: str, override: Override) -> str | None:
    """What is wrong with values of which there are none: the sweep would have no jobs."""
    from hydra.core.override_parser.types import Glob, ValueType

    if override.value_type is not ValueType.GLOB_CHOICE_SWEEP:
        if next(iter(override.sweep_string_iterator()), None) is not None:
            return None
        return f"{text}: no values, so the sweep would have no jobs. A range ends before its last: range(0,3) is 0,1,2."
    key, pattern = override.key_or_group, override.value()
    if key not in groups():
        return f"{text}: a pattern chooses options of a group, and {key} is none. List its values: {key}=…,…."
    assert isinstance(pattern, Glob)
    if pattern.filter(groups()[key]):
        return None
    return (
        f"{text}: no {key} is called like that, so the sweep would have no jobs. There are {', '.join(groups()[key])}."
    )


def read_settings(texts: Sequence[str], many: bool = False) -> Settings:
    """Check the form and the group options of all settings; `many` allows several values each (a sweep)."""
    settings = Settings()
    search = chosen_search(texts)
    for text in texts:
        try:
            override = parse(text)
        except UserError as error:
            settings.fail(str(error))
            continue
        if override.is_sweep_override() and (wrong := _several(text, override, many, search)):
            settings.fail(wrong)
        else:
            _read(text, override, settings)
    return settings


def _read(text: str, override: Override, settings: Settings) -> None:
    key = override.key_or_group
    known = groups()
    if key.split(".")[0].split("/")[0] == "hydra" or override.package is not None or override.is_delete():
        settings.hydra.append(text)
    elif key == "target":
        kinds = ", ".join(known[key])
        settings.fail(f"{text}: a target has a name, target.NAME.kind=… ({kinds}). Pick some with task.targets=[…].")
    elif key in known:
        _read_group(text.lstrip("+"), key, override, settings)
    elif key.replace(".", "/") in known and isinstance(override.value(), str):
        right = key.replace(".", "/")
        settings.fail(f"{text}: {right} is a group of options, chosen with a slash: {right}={override.value()}.", right)
    elif "/" in key or (isinstance(override.value(), str) and any(g.startswith(f"{key}/") for g in known)):
        below = [group for group in known if group.startswith(f"{key}/")]
        fix = f" The groups are {', '.join(known)}."
        if below:
            fix = f" Say of which kind, for example {below[0]}={groups()[below[0]][0]}; there are {', '.join(below)}."
        settings.fail(f"{text}: there is no config group {key}.{'' if below else did_you_mean(key, known)}{fix}")
    else:
        settings.hydra.append(f"++{text.lstrip('+')}")


def _read_group(text: str, group: str, override: Override, settings: Settings) -> None:
    options = groups()[group]
    chosen = _values(override)
    if chosen is None:  # a glob, or another sweep that Hydra spells out itself
        settings.hydra.append(text)
        return
    if chosen == [None] or chosen == ["null"]:
        if group == "logger":
            settings.hydra.append("logger=[]")
        elif not _is_optional(group):
            settings.fail(f"{text}: choose one of {', '.join(options)}.", group)
        return  # an optional group that nobody wants is what Hydra has without the setting
    wrong = [option for option in chosen if option not in options]
    for option in wrong:
        where = f"{group}={option}"
        settings.fail(
            f"{where}: there is no such {group}.{did_you_mean(str(option), options)} "
            f"Choose one of {', '.join(options)}."
        )
    if not wrong:
        settings.hydra.append(text)
        return
    # what was probably meant stands in, so that the rest of the line can be checked against it
    near = difflib.get_close_matches(str(wrong[0]), options, n=1)
    if near and len(chosen) == 1:
        settings.hydra.append(f"{group}={near[0]}")
    else:
        settings.faulty.append(group)


def _values(override: Override) -> list[Any] | None:
    from hydra.core.override_parser.types import ValueType

    if override.is_sweep_override():
        if override.value_type not in (ValueType.CHOICE_SWEEP, ValueType.SIMPLE_CHOICE_SWEEP):
            return None
        values = [v.list if hasattr(v, "list") else v for v in override.sweep_iterator()]
        return [option for value in values for option in (value if isinstance(value, list) else [value])]
    value = override.value()
    return list(value) if isinstance(value, list) else [value]


def _is_optional(group: str) -> bool:
    from crossfade.registry import default_choices

    return group in read_root() or default_choices().get(group, "") is None


def first_values(texts: Sequence[str]) -> list[str]:
    """The settings of a sweep's first job."""
    from hydra.core.override_parser.types import ValueType

    first = []
    for text in texts:
        override = parse(text)
        if override.is_sweep_override() and override.is_discrete_sweep():
            if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
                continue  # Hydra spells it out from the folder
            text = f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"
        elif override.is_sweep_override():
            text = f"{override.get_key_element()}={override.value().start}"  # type: ignore[union-attr]  # an interval
        first.append(text)
    return first


def plain(text: str) -> str:
    """A setting as the user would type it."""
    return text.lstrip("+")


def quoted(path: Path) -> str:
    """A path as a value that Hydra reads as it stands."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
