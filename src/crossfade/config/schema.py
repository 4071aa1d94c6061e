"""The schema of a run's config: the names, types and ranges of everything that is not a part. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from crossfade.specs import ModalitySpec, TargetSpec

Part = dict[str, Any]  # `_target_` and the fields of one object that build.py makes

Positive = Annotated[int, Field(ge=1, strict=True)]
NotNegative = Annotated[int, Field(ge=0, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[str, Field(strict=True, min_length=1)]
Label = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]  # tags=[1] is a tag
# a float of strict type still takes an int, but neither "0.1" nor true
Rate = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Beta = Annotated[float, Field(ge=0, lt=1, strict=True)]
Decay = Annotated[float, Field(gt=0, lt=1, strict=True)]
Amount = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class TaskConfig(Section):
    """Which of the declared modalities and targets the run uses; the order of the modalities is α's."""

    name: Name
    modalities: Annotated[list[Name], Field(min_length=1)]
    targets: Annotated[list[Name], Field(min_length=1)]


class DataConfig(Section):
    """Where the samples come from, how they are split and served."""

    target_: Name = Field(alias="_target_")
    root: Name | None = None
    manifest: Name | None = None
    schema_file: Name | None = Field(default=None, alias="schema")
    batch_size: Positive
    workers: NotNegative
    split: Annotated[list[Decay], Field(min_length=3, max_length=3)]  # train, val, test
    fold: NotNegative | None = None
    inner_fold: NotNegative | None = None  # of `inner_folds`, within the outer training and validation samples
    inner_folds: Annotated[int, Field(ge=2, strict=True)] | None = None
    on_error: Literal["error", "skip", "absent"]
    memory_gb: Rate = 4.0  # samples are kept as tensors up to this
    source: Part | None = None


class OptimConfig(Section):
    """AdamW with warm-up and a schedule; learning rates per step, warm-up as a share of all steps."""

    lr: Rate
    pretrained_lr: Rate
    weight_decay: Amount
    betas: Annotated[list[Beta], Field(min_length=2, max_length=2)]
    warmup: Share
    schedule: Literal["cosine", "constant"]


class TrainerConfig(Section):
    """Where and how long the training runs."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"]
    devices: Positive | Literal["auto"]
    nodes: Positive
    strategy: Literal["auto", "ddp", "fsdp"]
    precision: Literal["32-true", "64-true", "16-true", "bf16-true", "16-mixed", "bf16-mixed"]
    epochs: Positive
    gradient_clip: Amount | None
    accumulate: Positive
    compile: Flag
    deterministic: Flag | Literal["warn"]
    progress: Flag
    limit_batches: Positive | None


class CallbacksConfig(Section):
    """What watches the training: `monitor` is a logged metric, `early_stopping` in epochs, `ema` a decay."""

    monitor: Name
    early_stopping: Positive | None
    ema: Decay | None


class FeaturesConfig(Section):
    """Outputs of frozen encoders, kept on disk for all runs: up to `max_gb` (2³⁰ bytes) in all."""

    cache: Flag = True
    max_gb: Rate = 10.0


class RunConfig(Section):
    """Everything that determines a run. `check` makes it from a composed config, `load` from a run folder's."""

    name: Label | None = None
    group: Label | None = None
    tags: list[Label] = []
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    alpha: Any = None
    width: Positive
    tokens: Positive  # filled in where it is null: see `config.dense`
    folds: Annotated[int, Field(ge=2, strict=True)] | None = None
    singles: Flag
    patterns: Flag = True
    figures: Flag | None = None
    features: FeaturesConfig = FeaturesConfig()
    resume: Name | None = None
    singles_cache: Name | None = None
    fail_fast: Flag = False
    retry: Flag = False
    search: Part | None = None
    task: TaskConfig
    modality: dict[str, ModalitySpec]
    target: dict[str, TargetSpec]
    encoder: dict[str, Part]
    imputation: Part | None = None
    fusion: Part
    core: Part
    balance: Part | None = None
    adversary: Part | None = None
    data: DataConfig
    absence: Part | None = None
    optim: OptimConfig
    trainer: TrainerConfig
    logger: dict[str, Part] = {}
    callbacks: CallbacksConfig

    @property
    def grid(self) -> int | None:
        """Cells per side of the grid that the run's dense targets need; None without such a target."""
        found = [self.target[name].own.get("grid") for name in self.task.targets if name in self.target]
        return next((int(grid) for grid in found if grid), None)

    def dump(self) -> dict[str, Any]:
        """The config as plain data, for YAML or JSON; `config.load` gives back an equal config."""
        return self.model_dump(mode="json", by_alias=True)
