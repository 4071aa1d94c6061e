"""What a modality and a target are, as data: names, kinds, units, columns. Imports no torch.

The same classes are the schema of the config's `modality` and `target` nodes and the arguments of the
parts that read, encode and predict, so that a field means one thing everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["image", "text", "audio", "table", "series", "points"]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModalitySpec(Spec):
    """One named input stream of a sample.

    Raw values (numpy, in the modality's unit), by kind:
      image   float32 (C, H, W)          audio   float32 (T,) at `rate` Hz
      text    str                        series  float32 (T, C) at `rate` Hz, NaN = missing entry
      table   dict column → float | str | None (None = missing entry)
      points  float32 (N, F)
    """

    name: str = ""  # filled in from the mapping's key
    kind: Kind
    column: str | list[str] | None = None  # of the manifest: a path or text column, or the table's columns
    unit: str | dict[str, str] | None = None  # "HU", "dB", {"age": "years", …}
    rate: Annotated[float, Field(gt=0)] | None = None  # Hz; audio and series
    encoder: dict[str, Any] = {}  # what this modality's encoder has other than `encoder.<kind>`
    # image
    channels: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=8)] = 64  # pixels; images are resized to size × size
    range: tuple[float, float] | None = None  # raw [low, high] → [−1, 1]; none: mean and sd of the training split
    # audio (samples), series (steps), text (word pieces)
    length: Annotated[int, Field(ge=1)] | None = None
    # table
    categorical: list[str] = []  # the columns of the table that hold categories; the others are numbers


class TargetSpec(Spec):
    """One named thing to predict.

    Truth, by kind: multiclass → one label; multilabel → list of the labels that hold; regression → float or
    list of floats (one per column, in `unit`).
    """

    name: str = ""  # filled in from the mapping's key
    kind: Literal["multiclass", "multilabel", "regression"]
    column: str | list[str] | None = None  # of the manifest; multilabel: one 0/1 column per label, or one "a|b" column
    classes: list[str] | None = None  # none: those seen in the training split, sorted
    unit: str | None = None
    weight: Annotated[float, Field(ge=0)] = 1.0  # of this target's loss in the sum
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
