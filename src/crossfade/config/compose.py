"""From settings to the plain data that `check` reads: Hydra composes, a manifest's schema file fills in the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfade.config.check import check, find_problems
from crossfade.config.explain import MISSING, defaults, missing_values, unknown_key
from crossfade.config.overrides import Settings, first_values, parse, read_settings
from crossfade.config.schema import RunConfig
from crossfade.errors import UserError, did_you_mean
from crossfade.registry import ROOT_CONFIG, conf_folder, groups

if TYPE_CHECKING:
    from omegaconf import DictConfig


def compose(*settings: str) -> RunConfig:
    """The checked config of these settings, as the command line would make it: compose("fusion=sum", "seed=1").

    Raises UserError with all problems at once.
    """
    config, _ = checked(settings)
    return config


def checked(texts: Sequence[str]) -> tuple[RunConfig, list[str]]:
    """The checked config, and the settings as Hydra should get them. Raises UserError with all problems at once."""
    settings = read_settings(texts)
    raw, problems = _problems_besides(settings, settings.hydra)
    if problems:
        raise UserError(*problems)
    return check(raw), settings.hydra


def checked_sweep(texts: Sequence[str]) -> list[str]:
    """The settings of a sweep as Hydra should get them, after a check of the groups and of the first job.

    Raises UserError with all problems at once; the other jobs are checked by the sweep itself.
    """
    settings = read_settings(texts, many=True)
    _, problems = _problems_besides(settings, first_values(settings.hydra))
    if settings.problems:
        raise UserError(*problems)
    return settings.hydra


def _problems_besides(settings: Settings, one: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What `one` job composes to, and the problems of the command line and of that job."""
    if "task" in settings.faulty:  # without the task everything else would look wrong
        return {}, settings.problems
    raw = compose_raw(one)
    problems = list(settings.problems)
    for key, message in find_problems(raw).items():
        if not any(key == group or key.startswith(f"{group.replace('/', '.')}.") for group in settings.faulty):
            problems.append(message)
    return raw, problems


def compose_raw(settings: Sequence[str]) -> dict[str, Any]:
    """What Hydra composes from settings that `read_settings` has passed, as plain data."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
            config = hydra.compose(ROOT_CONFIG, overrides=list(settings))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_explained(str(error))) from error
    return to_plain(config, settings)


# launchers that come with an extra of the package, and its name
EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray", "ray_aws": "ray"}
LAUNCHERS = ("basic", "local", "vectorized")


def _explained(message: str) -> str:
    launcher = re.search(r"Could not find 'hydra/launcher/([^']+)'", message)
    if launcher:
        name = launcher[1]
        fix = (
            f' Install it: pip install "crossfade[{EXTRAS[name]}]"; or take one of {", ".join(LAUNCHERS)}.'
            if name in EXTRAS
            else f"{did_you_mean(name, [*LAUNCHERS, *EXTRAS])} There are {', '.join([*LAUNCHERS, *EXTRAS])}."
        )
        return f"hydra/launcher={name}: there is no such launcher here.{fix}"
    gone = re.search(r"Could not delete from config. '(.+)' does not exist", message)
    if gone:
        return f"~{gone[1]}: there is nothing to take away. {unknown_key(gone[1], list(defaults()))}"
    # Hydra's second line proposes a `+` that is never needed here
    return f"The settings do not compose: {message.splitlines()[0]}"


def to_plain(config: DictConfig, settings: Sequence[str]) -> dict[str, Any]:
    """A composed config as plain data: filled in from the manifest's schema file, references resolved.

    The schema file stands above the YAML files and below the user's settings. A value that is still missing stays
    `???`; what refers to it becomes null, so that one gap is one problem.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    OmegaConf.set_struct(config, False)
    overlay = _schema_overlay(config)
    if overlay is not None:
        config.merge_with(overlay)
        for text in settings:
            override = parse(text)
            if override.key_or_group not in groups() and not override.is_delete():
                OmegaConf.update(config, override.key_or_group, override.value(), force_add=True)
    missing = list(missing_values(OmegaConf.to_container(config, resolve=False)))
    for key in missing:
        OmegaConf.update(config, key, None)
    try:
        raw = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(f"The settings refer to something that is not there: {str(error).splitlines()[0]}") from error
    assert isinstance(raw, dict)
    raw.pop("hydra", None)
    for key in missing:
        OmegaConf.update(config, key, MISSING)  # the config stays as it was given
        *path, leaf = key.split(".")
        node = raw
        for part in path:
            node = node[part]
        node[leaf] = MISSING
    return {str(key): value for key, value in raw.items()}


def _schema_overlay(config: DictConfig) -> dict[str, Any] | None:
    from omegaconf import OmegaConf

    schema = OmegaConf.select(config, "data.schema", throw_on_missing=False)
    manifest = OmegaConf.select(config, "data.manifest", throw_on_missing=False)
    if schema is None:
        beside = Path(manifest).expanduser().with_suffix(".yaml") if isinstance(manifest, str) else None
        schema = beside if beside is not None and beside.is_file() else None
    if schema is None or not Path(schema).expanduser().is_file():
        return None  # the check says that the file is not there
    from crossfade.data.schema import load_schema

    return load_schema(Path(schema).expanduser())
