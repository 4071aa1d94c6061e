"""Splits by group: no patient, drive or household is on two sides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from crossfade.data.source import Frame
from crossfade.errors import UserError
from crossfade.seeding import derived

Split = dict[str, np.ndarray]  # "train" | "val" | "test" → sorted sample numbers


def deal(
    groups: Sequence[str], labels: Sequence[Any], shares: Sequence[float], seed: int, *names: object
) -> np.ndarray:
    """The part (0 … len(shares) − 1) of each sample: whole groups, at random, in these shares, stratified by label.

    A group's label is its commonest. The shuffled groups are dealt one by one, each to the part that lacks most: the
    samples that its share of the label and its share of all promise it so far, less those that it holds.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    strata: dict[str, list[str]] = defaultdict(list)
    for group, rows in members.items():
        strata[str(Counter(str(labels[i]) for i in rows).most_common(1)[0][0])].append(group)
    rng = np.random.default_rng(derived(seed, "split", *names))
    part = np.empty(len(groups), dtype=np.int64)
    share = np.asarray(shares) / np.sum(shares)
    size = np.zeros(len(share))
    for label in sorted(strata):
        held = np.zeros(len(share))
        for group in rng.permutation(sorted(strata[label])):
            more = len(members[group])
            lacks = share * (held.sum() + more) - held + share * (size.sum() + more) - size
            chosen = int(np.argmax(lacks + 1e-9 * rng.random(len(share))))  # ties at random
            part[members[group]] = chosen
            held[chosen] += more
            size[chosen] += more
    return part


def make_split(
    frame: Frame, target: str, shares: Sequence[float], seed: int, fold: int | None, folds: int | None
) -> Split:
    """Train, validation and test samples.

    The source's own `split` if it has one. With `fold` f: the test samples are those of fold f, of the source's folds
    or of `folds` new ones, and validation takes its share of the other groups. Else groups are dealt out in `shares`.

    Raises UserError for a group in two splits or folds, a fold that does not exist, or an empty split.
    """
    labels = [_label(truth) for truth in frame.truth[target]]
    groups = np.asarray(frame.groups)
    if fold is not None:
        part = _by_fold(frame, groups, labels, shares, seed, fold, folds)
    elif frame.split is not None:
        part = np.asarray([str(s) for s in frame.split], dtype=object)
        if "val" not in part and "train" in part:
            rows = np.flatnonzero(part == "train")
            part[rows[_validation(groups, labels, rows, shares, seed, "val")]] = "val"
    else:
        names = np.array(["train", "val", "test"], dtype=object)
        part = names[deal(list(groups), labels, shares, seed)]
    split = {name: np.flatnonzero(part == name) for name in ("train", "val", "test")}
    _check(split, groups)
    return split


def inner_split(
    frame: Frame,
    target: str,
    outer: Split,
    shares: Sequence[float],
    seed: int,
    fold: int | None,
    inner_fold: int,
    inner_folds: int,
) -> Split:
    """A split of the outer training and validation samples alone; the outer test samples are in none of its parts.

    Their groups are dealt anew into `inner_folds` folds. The test samples are those of `inner_fold`, validation takes
    its share of the other groups (nested cross-validation: Varma & Simon 2006, doi:10.1186/1471-2105-7-91).

    Raises UserError where the groups are too few for the folds.
    """
    labels = [_label(truth) for truth in frame.truth[target]]
    groups = np.asarray(frame.groups)
    rows = np.sort(np.concatenate([outer["train"], outer["val"]]))
    if len(set(groups[rows].tolist())) <= inner_folds:
        raise UserError(
            f"data.inner_folds={inner_folds}: the {len(rows)} training and validation samples are of "
            f"{len(set(groups[rows].tolist()))} groups, too few for as many folds and a validation split. Take fewer "
            "inner folds (search.inner), or more samples."
        )
    number = deal(list(groups[rows]), [labels[i] for i in rows], [1.0] * inner_folds, seed, "inner", fold)
    rest = rows[number != inner_fold]
    held = _validation(groups, labels, rest, shares, seed, "inner val", fold, inner_fold)
    split = {"train": rest[~held], "val": rest[held], "test": rows[number == inner_fold]}
    _check(split, groups)
    return split


def _label(truth: Any) -> str | None:
    """What a sample is stratified by: a label or labels. Numbers, boxes, and truths not read yet give nothing."""
    if isinstance(truth, list) and all(isinstance(label, str) for label in truth):
        return ",".join(truth)
    return truth if isinstance(truth, str) else None


def _by_fold(
    frame: Frame,
    groups: np.ndarray,
    labels: list[Any],
    shares: Sequence[float],
    seed: int,
    fold: int,
    folds: int | None,
) -> np.ndarray:
    number = (
        np.asarray(frame.fold)
        if frame.fold is not None
        else deal(list(groups), labels, [1.0] * (folds or 5), seed, "fold")
    )
    exist = sorted(set(number.tolist()) - {-1})
    if fold not in exist:
        raise UserError(f"data.fold={fold}: there are folds {', '.join(map(str, exist))}.")
    part = np.full(len(groups), "train", dtype=object)
    part[number == fold] = "test"
    part[number == -1] = "none"
    rows = np.flatnonzero(part == "train")
    part[rows[_validation(groups, labels, rows, shares, seed, "val", fold)]] = "val"
    return part


def _validation(
    groups: np.ndarray,
    labels: list[Any],
    rows: np.ndarray,
    shares: Sequence[float],
    seed: int,
    *names: object,
) -> np.ndarray:
    share = [shares[0], shares[1]]
    return deal(list(groups[rows]), [labels[i] for i in rows], share, seed, *names) == 1


def _check(split: Split, groups: np.ndarray) -> None:
    empty = [name for name, rows in split.items() if not len(rows)]
    if empty:
        raise UserError(
            f"The {' and the '.join(empty)} split holds no sample. Give each some: the split column, data.split, "
            "or more samples and groups."
        )
    sides: dict[str, set[str]] = defaultdict(set)
    for name, rows in split.items():
        for group in groups[rows]:
            sides[str(group)].add(name)
    torn = sorted(group for group, names in sides.items() if len(names) > 1)
    if torn:
        raise UserError(
            f"{len(torn)} group(s) lie in two splits, for example {', '.join(torn[:5])}: their samples would leak from "
            "training into the test. Put each group on one side of the split or fold column."
        )
