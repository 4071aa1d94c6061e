"""The schema of a run's config and its checks. Nothing here imports torch; Hydra only where a config is composed."""

from crossfade.config.check import check, effective, find_problems
from crossfade.config.compose import compose
from crossfade.config.explain import load
from crossfade.config.schema import (
    CallbacksConfig,
    DataConfig,
    OptimConfig,
    Part,
    RunConfig,
    TaskConfig,
    TrainerConfig,
)
from crossfade.registry import conf_folder, groups
from crossfade.specs import ModalitySpec, TargetSpec

__all__ = [
    "CallbacksConfig",
    "DataConfig",
    "ModalitySpec",
    "OptimConfig",
    "Part",
    "RunConfig",
    "TargetSpec",
    "TaskConfig",
    "TrainerConfig",
    "check",
    "compose",
    "conf_folder",
    "effective",
    "find_problems",
    "groups",
    "load",
]
