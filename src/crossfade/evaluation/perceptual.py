"""Which modality matters: the perceptual score, what is lost when one modality is exchanged between the samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crossfade.data.module import DataModule
from crossfade.evaluation.absence import decided, embedded_split
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.seeding import derived
from crossfade.targets.base import Target

PERMUTATIONS, FEWEST = 10, 3
TOKENS = 2**18  # fused in all permutations of one modality at most, so that a grid of tokens does not take long
RESAMPLES = 2000  # of groups and permutations, for the intervals


@dataclass(frozen=True)
class Perceived:
    """Of one target and N samples whose truth is known: how right a prediction is, more is better.

    whole (N,) with all as it is; permuted (M, P, N) with one modality from another sample, in each of P permutations;
    nothing (N,) of the best prediction that looks at no input; `best` is what a perfect one has.
    """

    modalities: tuple[str, ...]
    of: str
    best: float
    whole: np.ndarray
    permuted: np.ndarray
    nothing: np.ndarray

    def table(self, groups: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
        """One row a modality: the score, both normalised ones, each with its 95 % interval, and sd over permutations.

            PS_m = S − mean_π S_m^π,   task: PS_m / (S_best − S_chance),   model: PS_m / |S|

        S are means over the samples, S_m^π with modality m permuted. A resample draws groups and permutations, with
        replacement; a denominator of 0 has NaN.
        """
        member = np.unique(np.asarray(groups), return_inverse=True)[1]
        count = int(member.max()) + 1
        rng = np.random.default_rng(seed)
        # the samples themselves first: every group and every permutation once
        drawn = np.vstack([np.ones(count), rng.multinomial(count, np.full(count, 1 / count), size=resamples)])
        turns = self.permuted.shape[1]
        taken = np.vstack([np.ones(turns), rng.multinomial(turns, np.full(turns, 1 / turns), size=resamples)]) / turns
        of_group = np.zeros((count, len(member)))
        of_group[member, np.arange(len(member))] = 1
        size = drawn @ of_group.sum(1)
        whole = drawn @ (of_group @ self.whole) / size
        reach = drawn @ (of_group @ (self.best - self.nothing)) / size
        rows = []
        for name, permuted in zip(self.modalities, self.permuted, strict=True):
            lost = drawn @ (of_group @ (self.whole - permuted).T) / size[:, None]  # (1 + resamples, P)
            score = (lost * taken).sum(1)
            found = {"": score, "task_": _ratio(score, reach), "model_": _ratio(score, np.abs(whole))}
            row: dict[str, object] = {"modality": name}
            for kind, values in found.items():
                low, high = np.nanquantile(values[1:], [0.025, 0.975]) if not np.isnan(values).all() else (np.nan,) * 2
                row |= {f"{kind}value": values[0], f"{kind}low": low, f"{kind}high": high}
            rows.append(row | {"sd": float(lost[0].std(ddof=1)) if turns > 1 else np.nan, "permutations": turns})
        return pd.DataFrame(rows)


def _ratio(score: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(score, by, out=np.full(len(score), np.nan), where=by > 0)


def perceive(
    model: FusionModel,
    data: DataModule,
    split: str = "test",
    device: torch.device | None = None,
    permutations: int | None = None,
) -> dict[str, tuple[Perceived, np.ndarray]]:
    """By target what `Perceived` holds, and its samples' places in the split; of targets that have such a score.

    One modality after the other goes to other samples, among those that have it: who has what stays. Each modality is
    encoded once; a permutation costs one pass of fusion, core and heads. There are ten by themselves, fewer where the
    tokens are many. Gat, Schwartz & Schwing 2021, arXiv:2110.14375, section 3; there the score is accuracy.
    """
    device = device or torch.device("cpu")
    tokens, mask = embedded_split(model, data, split, device)
    turns = permutations or max(FEWEST, min(PERMUTATIONS, TOKENS // mask.numel()))
    rows = np.flatnonzero(mask[:, :, 0].any(1).cpu().numpy())
    wanted = {name: target for name, target in model.targets.items() if name in data.targets}
    truth = {name: data.samples.truth[name][torch.from_numpy(data.split[split])][rows] for name in wanted}
    rng = np.random.default_rng(derived(data.seed, "perceptual"))
    (whole,) = _corrects(model, tokens, mask, rows, wanted, truth)
    permuted: dict[str, list[list[Tensor]]] = {name: [] for name in whole}
    for column in range(len(model.modalities)):
        here = torch.from_numpy(np.flatnonzero(mask[:, column, 0].cpu().numpy())).to(device)
        every = tokens.repeat(turns, 1, 1, 1)  # all permutations at once: one call instead of ten small ones
        for turn in range(turns):
            other = here[torch.from_numpy(rng.permutation(len(here))).to(device)]
            every[turn * len(tokens) + here, column] = tokens[other, column]
        corrects = _corrects(model, every, mask, rows, wanted, truth)
        for name, of_modality in permuted.items():
            of_modality.append([correct[name] for correct in corrects])
    model.cpu()
    found = {}
    for name, each in whole.items():
        of_target = torch.stack([torch.stack(corrects) for corrects in permuted[name]])
        perceived, kept = _perceived(wanted[name], model.modalities, truth[name], each, of_target)
        if len(kept):
            found[name] = (perceived, rows[kept])
    return found


def _perceived(
    target: torch.nn.Module, modalities: tuple[str, ...], truth: Tensor, whole: Tensor, permuted: Tensor
) -> tuple[Perceived, np.ndarray]:
    """What there is of one target, and which of the samples it is of: those that count whatever is permuted."""
    assert isinstance(target, Target)
    nothing = _correct(target, target.chance(truth), truth)
    assert nothing is not None
    kept = ~(permuted.isnan().any(0).any(0) | whole.isnan() | nothing.isnan())
    best = 0.0 if target.direction(target.main) == "min" else 1.0
    known = torch.nonzero(target.known(truth))[:, 0]
    numbers = (x[..., kept].double().numpy() for x in (whole, permuted, nothing))
    return Perceived(modalities, target.correct_is, best, *numbers), known[kept].numpy()


def _corrects(
    model: FusionModel,
    tokens: Tensor,
    mask: Tensor,
    rows: np.ndarray,
    wanted: Mapping[str, torch.nn.Module],
    truth: Mapping[str, Tensor],
) -> list[dict[str, Tensor]]:
    """How right each prediction is, by target, (n,) of the samples whose truth is known; of each turn.

    tokens (T·N, M, K, D): the samples T times over, mask (N, M, K).
    """
    turns = len(tokens) // len(mask)
    everything = torch.ones(mask.shape[1], dtype=torch.bool, device=mask.device)
    places = np.concatenate([turn * len(mask) + rows for turn in range(turns)])
    outputs = decided(model, tokens, mask.repeat(turns, 1, 1), everything, places)
    device = tokens.device
    model.targets.cpu()  # what a prediction takes of its target (a mean, a scale) must be where the outputs are
    found: list[dict[str, Tensor]] = [{} for _ in range(turns)]
    for name, target in wanted.items():
        assert isinstance(target, Target)
        for of_turn, prediction in zip(found, target.prediction(outputs[name]).split(len(rows)), strict=True):
            each = _correct(target, prediction, truth[name])
            if each is not None:
                of_turn[name] = each
    model.targets.to(device)
    return found


def _correct(target: Target, prediction: Tensor, truth: Tensor) -> Tensor | None:
    known = target.known(truth)
    if not known.any():
        return None
    return target.correct(prediction[known].float(), target.measurable(truth[known]))


def write_perceptual(
    folder: RunFolder,
    model: FusionModel,
    data: DataModule,
    groups: Sequence[str],
    device: torch.device,
) -> dict[str, dict[str, object]]:
    """perceptual_<target>.csv; returns what a summary keeps. `groups` are those of the test split's samples."""
    kept: dict[str, dict[str, object]] = {}
    for name, (perceived, places) in perceive(model, data, "test", device).items():
        table = perceived.table(np.asarray(groups)[places].tolist(), seed=data.seed)
        folder.write_table(f"perceptual_{name}", table)
        plain = table.astype(object).where(table.notna(), None).set_index("modality")
        kept[name] = {"of": perceived.of, "values": plain.to_dict("index")}
    return kept
