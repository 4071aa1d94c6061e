"""The flags of `train`: those of Hydra that make sense here, wherever they stand on the line."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.config.explain import defaults
from crossfade.errors import UserError, did_you_mean

MANY = ("-m", "--multirun")
ALONE = (*MANY, "--version", "--resolve", "--hydra-help")
WITH_VALUE = ("-c", "--cfg", "-p", "--package", "-i", "--info", "-sc", "--shell-completion")
ASKING = ("-c", "--cfg", "-i", "--info", "-sc", "--shell-completion", "--hydra-help")
FOLDERS = ("-cp", "--config-path", "-cn", "--config-name", "-cd", "--config-dir")


class Flags(list[str]):
    """Flags with their values, as Hydra reads them."""

    @property
    def many(self) -> bool:
        return any(flag in MANY for flag in self)

    @property
    def asks(self) -> bool:
        """Is it a question about the config, and no training?"""
        return any(flag.split("=")[0] in ASKING for flag in self)


def read_flags(arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """Flags and settings apart. Raises UserError for flags that do not exist, and says how a setting is written."""
    flags, settings, problems = Flags(), list[str](), list[str]()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if not argument.startswith("-"):
            settings.append(argument)
        elif argument in ALONE or (equals and name in WITH_VALUE):
            flags.append(argument)
        elif argument in WITH_VALUE:
            flags.append(argument)
            # --info may stand alone, and the others' values are no settings but for completion's install=bash
            if rest and not rest[0].startswith("-") and ("=" not in rest[0] or name in ("-sc", "--shell-completion")):
                flags.append(rest.pop(0))
        else:
            problems.append(_unknown(name, value, rest))
    if problems:
        raise UserError(*problems)
    return flags, settings


def _unknown(name: str, value: str, rest: list[str]) -> str:
    if name in FOLDERS:
        return f"{name}: not supported, a run's config comes from Crossfade's own folder of groups. Leave it out."
    if not value and rest and not rest[0].startswith("-") and "=" not in rest[0]:
        value = rest.pop(0)
    known = [*ALONE, *WITH_VALUE, "--help"]
    key = name.lstrip("-").replace("-", "_")
    same = [path for path in _paths(defaults()) if path.rpartition(".")[2] == key]
    if same:
        return f"{name}: settings are written without dashes: {same[0]}={value or '…'}"
    return f"{name}: no such flag.{did_you_mean(name, known)} Settings are written key=value, without dashes."


def _paths(node: dict, path: str = "") -> list[str]:
    found = []
    for key, value in node.items():
        here = f"{path}.{key}" if path else str(key)
        found += [here, *(_paths(value, here) if isinstance(value, dict) else [])]
    return found
