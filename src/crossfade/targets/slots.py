"""A spoken or written command: its intent and its slots."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from crossfade.errors import UserError, did_you_mean
from crossfade.specs import TargetSpec
from crossfade.targets.base import Scene, Target, class_entropy, first_rows, full, linear_head, some
from crossfade.targets.slot_scores import ExactMatch, IntentAccuracy, SlotF1, picked

log = logging.getLogger("crossfade")

INTENT = "intent"
NONE = "none"  # how a slot that the command does not name is written


class Slots(Target):
    """A raw truth is {"intent": str, "<slot>": str | None, …}; None, "none" or no entry: the command names none.

    p_f = softmax(W_f·LN(r) + b_f) for the intent and each slot f, "none" being a class of every slot; the loss is the
    mean of the fields' cross-entropies. A sample without a command has the truth None.

    Intents are a closed set: one unseen in training is an error, as with multiclass. Slots are open: a device or a room
    that training never named is warned of and counts as wrong, since that is what becomes of such a command.
    Truth (N, F): a number per field, C_f for a slot's unseen word. Prediction (N, Σ C_f): the fields side by side.
    """

    main = "exact_match"
    form = "fields"
    captions: ClassVar[Mapping[str, str]] = {
        "fields": "Counts of true (row) and predicted words (column) of each field; colour: the row's share"
    }
    logits = True

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        slots: Sequence[str] = ("device", "room", "value"),
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(spec, fitted)
        self.fields: list[str] = [INTENT, *slots]
        self.labels: list[list[str]] = fitted["labels"]
        self.sizes = [len(labels) for labels in self.labels]
        self.label_smoothing: float | Tensor = label_smoothing
        self.head = linear_head(width, sum(self.sizes))

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        commands = _commands(spec, truths)
        known = [command for command in commands if command is not None]
        seen = [Counter(column) for column in zip(*known, strict=True)]
        if not any(len(counts) > 1 for counts in seen):
            raise UserError(
                f"target.{spec.name}: the training split holds {min(len(known), 1)} different command(s), at least two "
                "are needed. Check the target's column and the split."
            )
        for slot, counts in zip(_slots(spec), seen[1:], strict=True):
            if set(counts) == {NONE}:
                keys = sorted({str(key) for t in truths if t is not None for key in t} - {INTENT})
                raise UserError(
                    f"target.{spec.name}.slots: no command of the training split names a {slot}."
                    f"{did_you_mean(slot, keys)} The truth has {', '.join(keys) or 'no slots'}. Leave {slot} out."
                )
        intents = spec.classes or sorted(seen[0])
        if other := [intent for intent in seen[0] if intent not in intents]:
            raise UserError(
                f"target.{spec.name}: intent(s) {some(other)} are not in its classes: {', '.join(intents)}."
                f"{did_you_mean(other[0], intents)}"
            )
        labels = [list(intents), *([NONE, *sorted(set(counts) - {NONE})] for counts in seen[1:])]
        (commonest, _), *_ = Counter(known).most_common(1)
        return {"labels": labels, "commonest": [of.index(word) for of, word in zip(labels, commonest, strict=True)]}

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        labels = fitted["labels"]
        commands = _commands(spec, truths)
        intents = labels[0]
        unseen = first_rows(((i, c[0]) for i, c in enumerate(commands) if c is not None), intents)
        if unseen:
            raise UserError(
                f"target.{spec.name}: intent(s) {unseen} unseen in training, where the {len(intents)} intents are "
                f"{some(intents)}.{did_you_mean(unseen.split(chr(39))[1], intents)} Mend the labels, split otherwise, "
                "or drop those samples."
            )
        numbers = [{word: i for i, word in enumerate(of)} for of in labels]
        for f, slot in enumerate(_slots(spec), start=1):
            unseen = first_rows(((i, c[f]) for i, c in enumerate(commands) if c is not None), numbers[f])
            if unseen:
                log.warning("target.%s: %s %s unseen in training; counted as wrong.", spec.name, slot, unseen)
        rows = [
            [-1] * len(labels) if c is None else [n.get(word, len(n)) for n, word in zip(numbers, c, strict=True)]
            for c in commands
        ]
        return torch.tensor(rows, dtype=torch.int64).view(len(rows), len(labels))

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        return [intent for i, intent in enumerate(fitted["labels"][0]) if not (truth[:, 0] == i).any()]

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """log Σ_g w_g·softmax(o_g) of each field."""
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log().unsqueeze(-1)
        fields = outputs.split(self.sizes, -1)
        return torch.cat([(field.log_softmax(-1) + share).logsumexp(1) for field in fields], -1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        total = torch.zeros((), device=output.device)
        for f, logits in enumerate(full(output).split(self.sizes, -1)):
            label = truth[:, f]
            known = (label >= 0) & (label < self.sizes[f])
            label = torch.where(known, label, 0)
            each = class_entropy(logits, label, self.label_smoothing)
            total = total + (each * known).sum() / known.sum().clamp(min=1)
        return total / len(self.sizes)

    def prediction(self, output: Tensor) -> Tensor:
        return torch.cat([field.softmax(-1) for field in output.float().split(self.sizes, -1)], -1)

    def metrics(self) -> MetricCollection:
        return MetricCollection(
            {
                "exact_match": ExactMatch(self.sizes),
                "intent_accuracy": IntentAccuracy(self.sizes),
                "slot_f1": SlotF1(self.sizes),
            },
            compute_groups=False,
        )

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """1 where all fields are right, else 0."""
        return (picked(prediction, self.sizes) == truth).all(1).float()

    def chance(self, truth: Tensor) -> Tensor:
        """The training split's commonest command, for every sample."""
        certain = torch.zeros(sum(self.sizes))
        start = 0
        for size, i in zip(self.sizes, self.fitted["commonest"], strict=True):
            certain[start + i] = 1.0
            start += size
        return certain.expand(len(truth), -1)

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """Per field the truth, the prediction and all probabilities; `action` is JSON for a home's controller.

        {"intent": …, "slots": {the slots that are named}, "confidence": …}; the confidence is the probability that all
        fields are right, if they are independent: Π_f max p_f.
        """
        name = self.spec.name
        fields = np.split(prediction, np.cumsum(self.sizes)[:-1], axis=1)
        words = [[of[i] for i in p.argmax(1)] for of, p in zip(self.labels, fields, strict=True)]
        sure = np.prod([p.max(1) for p in fields], axis=0)
        table: dict[str, Any] = {}
        if truth is not None:
            for f, field in enumerate(self.fields):
                table[f"{name}.truth[{field}]"] = [self._written(f, int(i)) for i in truth[:, f]]
        for field, column in zip(self.fields, words, strict=True):
            table[f"{name}.predicted[{field}]"] = column
        table[f"{name}.action"] = [
            self._action(command, float(p)) for command, p in zip(zip(*words, strict=True), sure, strict=True)
        ]
        for field, of, p in zip(self.fields, self.labels, fields, strict=True):
            for i, label in enumerate(of):
                table[f"{name}.p[{field}]({label})"] = p[:, i]
        return pd.DataFrame(table)

    def _written(self, field: int, i: int) -> str | None:
        labels = self.labels[field]
        return None if i < 0 else labels[i] if i < len(labels) else "(unseen in training)"

    def _action(self, command: Sequence[str], confidence: float) -> str:
        named = {slot: word for slot, word in zip(self.fields[1:], command[1:], strict=True) if word != NONE}
        action = {INTENT: command[0], "slots": named, "confidence": round(confidence, 4)}
        return json.dumps(action, ensure_ascii=False)

    def draw(self, folder: Path, scene: Scene) -> None:
        """A confusion matrix per field: <target>_fields.png."""
        from crossfade.targets.slot_figure import draw_fields

        known = self.known(scene.truth)
        if known.any():
            predicted = picked(scene.prediction[known], self.sizes).numpy()
            truth = scene.truth[known].numpy()
            draw_fields(truth, predicted, self.fields, self.labels, folder / f"{self.spec.name}_fields.png")


def _slots(spec: TargetSpec) -> list[str]:
    return list(spec.own["slots"])


def _commands(spec: TargetSpec, truths: Sequence[Any]) -> list[tuple[str, ...] | None]:
    """The words of each command, the intent's first, "none" where a slot is not named.

    The truth's keys are "intent" and the slots, or the columns of a manifest in that order.
    """
    fields = [INTENT, *_slots(spec)]
    keys = fields if spec.column is None else [spec.column] if isinstance(spec.column, str) else spec.column
    if len(keys) != len(fields):
        raise UserError(
            f"target.{spec.name}.column={list(keys)}: needs a column for the intent and one for each of "
            f"target.{spec.name}.slots={fields[1:]}. Give {len(fields)} columns, or set slots to their names."
        )
    commands: list[tuple[str, ...] | None] = []
    for truth in truths:
        if truth is None:
            commands.append(None)
            continue
        if not isinstance(truth, Mapping) or truth.get(keys[0]) is None:
            raise UserError(
                f"target.{spec.name}: the command {truth!r} has no {keys[0]}. Fill it in, or leave the whole "
                "command out where there is none."
            )
        words = (truth.get(key) for key in keys)
        commands.append(tuple(NONE if word is None else str(word) for word in words))
    return commands
