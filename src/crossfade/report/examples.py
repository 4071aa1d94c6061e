"""Test samples that a run gets wrong, with what the model was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from crossfade.analysis.results_table import short, short_change
from crossfade.data.module import DataModule
from crossfade.report.mistakes import mistakes
from crossfade.report.section import Section, of_several
from crossfade.report.shown import shown
from crossfade.runs import RunFolder

COUNT = 6  # of a target; of many targets fewer of each, but two
SHOWN = 20  # of all targets


def example_sections(
    folder: RunFolder, data: DataModule, targets: Sequence[tuple[str, str, str]], shares: Mapping[str, Any]
) -> list[Section]:
    """Per target its mistakes; `targets` are names with main metric and direction, `shares` the summary's Shapley."""
    table = folder.predictions("test")
    place = {str(sample): i for i, sample in enumerate(data.frame.ids)}
    count = max(2, min(COUNT, SHOWN // len(targets) // 2 * 2))  # even: two stand beside each other
    found = []
    for name, main, better in targets:
        wrong = mistakes(table, name, main.partition("/")[2], better)
        if wrong is None or wrong.rows.empty:
            continue
        own = folder.table(f"shapley_samples_{name}")
        values = {} if own is None else own.assign(id=own["id"].astype(str)).set_index("id").to_dict("index")
        pieces = []
        for row in wrong.rows.head(count).to_dict("records"):
            sample = str(row["id"])
            raw = data.source.read(place[sample])
            inputs = {one: shown(t.spec, raw.get(one)) for one, t in sorted(data.transforms.items())}
            said = said_of(sample, str(row["truth"]), str(row["said"]), row.get("sure"))
            pieces.append(
                card(said, inputs, {str(m): short_change(v, 2) for m, v in values.get(sample, {}).items() if v == v})
            )
        note = wrong.what
        if values:
            note += f" Beside a modality: what it added to the {shares[name]['of']} (Shapley value)."
        of = of_several(name, [one for one, _, _ in targets])
        found.append(
            Section(
                "Where it goes wrong",
                note,
                pieces=pieces,
                of=of,
                read="Each card is one test sample: what is true, what the model said, and what it was shown.",
                where="predictions/",
            )
        )
    return found


def said_of(sample: str, truth: str, said: str, sure: float | None = None) -> Markup:
    """A card's first line; without a truth in words `said` is how good the prediction is."""
    if not truth:
        return Markup("<code>{}</code><b>{}</b>").format(sample, said)
    true = Markup('<span class="true">true <b>{}</b></span>').format(truth)
    with_ = Markup(" with {}").format(short(sure, 2)) if sure is not None else ""
    return Markup('<code>{}</code>{}<span class="said">said <b>{}</b>{}</span>').format(sample, true, said, with_)


def card(said: Markup, inputs: Mapping[str, Markup], notes: Mapping[str, str]) -> Markup:
    """A sample as a card; beside each input's name its note."""
    each = [
        Markup("<div><b>{}{}</b>{}</div>").format(
            name,
            Markup(' <span class="share">{}</span>').format(notes[name]) if name in notes else "",
            what,
        )
        for name, what in inputs.items()
    ]
    return Markup('<div class="example"><p>{}</p><div class="inputs">{}</div></div>').format(
        said, Markup("").join(each)
    )
