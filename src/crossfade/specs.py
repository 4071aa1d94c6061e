"""What a modality and a target are, as data: names, kinds, units, columns. Imports no torch.

The same classes are the schema of the config's `modality` and `target` nodes and the arguments of the
parts that read, encode and predict, so that a field means one thing everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crossfade.registry import groups, read_option

Kind = Literal["image", "text", "audio", "table", "series", "points"]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModalitySpec(Spec):
    """One named input stream of a sample.

    Raw values (numpy, in the modality's unit), by kind:
      image   float32 (C, H, W)          audio   float32 (T,) at `rate` Hz
      text    str                        series  float32 (T, C) at `rate` Hz, NaN = missing entry
      table   dict column → float | str | None (None = missing entry)
      points  float32 (N, F), the first three columns x, y, z in m

    Several frames of a camera stand one after another in the channels, the oldest first.
    """

    name: str = ""  # filled in from the mapping's key
    kind: Kind
    column: str | list[str] | None = None  # of the manifest: a path or text column, or the table's columns
    unit: str | dict[str, str] | None = None  # "HU", "dB", {"age": "years", …}
    rate: Annotated[float, Field(gt=0)] | None = None  # Hz; audio and series
    encoder: dict[str, Any] = {}  # what this modality's encoder has other than `encoder.<kind>`
    aligned: bool = False  # it lies in the plane of the dense targets: its tokens keep their place on their grid
    extent: tuple[float, float, float, float] | None = None  # m: x_min, x_max, y_min, y_max that the plane covers
    # image; of points: the columns
    channels: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=8)] = 64  # pixels; images are resized to size × size
    range: tuple[float, float] | None = None  # raw [low, high] → [−1, 1]; none: mean and sd of the training split
    slices: Literal["middle"] | list[int] | None = None  # of a volume: those that become the channels, 0 the first
    # audio (samples), series (steps), text (word pieces), points (most that are kept)
    length: Annotated[int, Field(ge=1)] | None = None
    # table
    categorical: list[str] = []  # the columns of the table that hold categories; the others are numbers


class TargetSpec(Spec):
    """One named thing to predict: what all kinds have, and the fields of its own kind (`own`), whose names and
    defaults are those of conf/target/<kind>.yaml.

    The raw truth of each kind is described in its file under `crossfade.targets`.
    """

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    name: str = ""  # filled in from the mapping's key
    kind: str
    target_: str = Field(alias="_target_")  # the class; filled in from the kind
    column: str | list[str] | None = None  # of the manifest; multilabel: one 0/1 column per label, or one "a|b" column
    classes: list[str] | None = None  # none: those seen in the training split, sorted
    unit: str | None = None
    weight: Annotated[float, Field(ge=0)] = 1.0  # of this target's loss in the sum

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        """Fill in what the YAML of the kind says."""
        if not isinstance(given, Mapping) or "kind" not in given:
            return given
        kinds = groups()["target"]
        if given["kind"] not in kinds:
            raise ValueError(f"one of {', '.join(kinds)}")
        return {**read_option("target", given["kind"]), **given}

    @property
    def own(self) -> dict[str, Any]:
        """The fields that only this kind has."""
        return dict(self.model_extra or {})
