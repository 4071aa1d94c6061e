"""Where a model looks: the samples that `crossfade explain` has explained, with heat over their inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from crossfade.analysis.results_table import short, short_change
from crossfade.data.module import DataModule
from crossfade.report.examples import card, said_of
from crossfade.report.heat import heat
from crossfade.report.section import Section
from crossfade.results.explained import METHODS, Explained, explanations
from crossfade.runs import RunFolder

COUNT = 16  # samples of an explanation that the page shows, where they fit
TOKENS = 16  # fused tokens whose shares are written out; of more, a grid's, they stand in the CSV


def looks(folder: RunFolder, data: DataModule) -> list[Section]:
    """A section for each explanation in the run's folder; none where nothing was explained.

    Drawn anew from the values and the data: nothing that stands in a folder is put into the page as it is.
    """
    place = {str(sample): i for i, sample in enumerate(data.frame.ids)}
    found = []
    for explained in explanations(folder):
        shares = folder.table(f"shapley_samples_{explained.target}")
        known = [sample for sample in explained.samples if sample["id"] in place]  # the data may have changed since
        pieces: list[Markup] = []
        for sample in known[:COUNT]:
            pieces.append(sample_piece(explained, sample, data, data.source.read(place[sample["id"]]), shares))
        where = f"{explained.folder.relative_to(folder.path)}/"
        more = f" {len(known) - COUNT} more samples: {where}." if len(known) > COUNT else ""
        found.append(
            Section(
                "Where it looks",
                note(explained) + more,
                pieces=pieces,
                of=f"{explained.target}, {METHODS[explained.method]}",
                read="Each card is one sample; colour says which places of its inputs the prediction comes from.",
                where=where,
            )
        )
    return found


def note(explained: Explained) -> str:
    """What the colours mean, and where there are none."""
    if explained.method == "rollout":
        said = (
            "What the encoder's output is made of, as far as attention tells: red more than an even share, blue less, "
            "the deepest twice as much or nothing. It is the same for every target."
        )
    else:
        said = (
            "Red adds to the number that is explained, blue takes from it, beginning with the training split's mean "
            "images and series, no words and no entries; beside each modality the sum over its places. Each modality "
            "has a scale of its own."
        )
    lacking = "; ".join(f"{name}: {why}" for name, why in explained.lacking.items())
    return said + (f" Not shown: {lacking}." if lacking else "")


def sample_piece(
    explained: Explained,
    sample: Mapping[str, Any],
    data: DataModule,
    raw: Mapping[str, Any],
    shares: pd.DataFrame | None,
) -> Markup:
    """HTML of one explained sample: what was said, and each input with its heat, its sum and its Shapley value."""
    table = explained.values(sample)
    own = shapley_of(shares, sample["id"])
    inputs, notes = {}, {}
    for name, transform in sorted(data.transforms.items()):
        rows = table[table["modality"] == name]
        told = []
        if explained.method != "rollout" and len(rows):
            told.append(short_change(float(rows["value"].sum())))
        if name in own:
            told.append(f"Shapley {short_change(own[name])}")
        if told:
            notes[name] = ", ".join(told)
        inputs[name] = heat(transform.spec, raw.get(name), rows, share=explained.method == "rollout")
    core = table[table["modality"] == "core"]
    if 0 < len(core) <= TOKENS:
        parts = " · ".join(f"{row['name']} {short(row['value'])}" for _, row in core.iterrows())
        inputs["fused tokens in the core"] = Markup("<span>{}</span>").format(parts)
    return card(_heading(sample), inputs, notes)


def shapley_of(shares: pd.DataFrame | None, sample: str) -> dict[str, float]:
    """The sample's Shapley values by modality, where the run has them and they are known."""
    if shares is None:
        return {}
    row = shares[shares["id"].astype(str) == sample]
    values = {} if row.empty else row.iloc[0].drop("id").to_dict()
    return {str(name): float(value) for name, value in values.items() if not math.isnan(value)}


def _heading(sample: Mapping[str, Any]) -> Markup:
    said = said_of(sample["id"], str(sample["truth"] or "–"), str(sample["predicted"]))
    if sample.get("value") is None:
        return said
    return said + Markup('<span class="said">{}: {} → {}</span>').format(
        sample["explained"], short(sample["baseline"]), short(sample["value"])
    )
