"""The perceptual scores of a run, as a table a target."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.analysis.results_table import short_change
from crossfade.report.section import Section, of_several
from crossfade.runs import RunFolder


def perceived(folder: RunFolder, targets: Sequence[str]) -> list[Section]:
    """A section for each target that has scores, the modality that is missed most above."""
    found = []
    for name in targets:
        table = folder.table(f"perceptual_{name}")
        if table is None:
            continue
        of = folder.summary()["perceptual"][name]["of"]
        rows = [
            [
                str(row["modality"]),
                f"{short_change(row['value'])} [{short_change(row['low'])}, {short_change(row['high'])}]",
                *("–" if row[f"{kind}_value"] != row[f"{kind}_value"] else short_change(row[f"{kind}_value"])
                  for kind in ("task", "model")),
            ]
            for _, row in table.sort_values("value", ascending=False).iterrows()
        ]  # fmt: skip
        turns = int(table["permutations"].iloc[0])
        note = (
            f"95 % intervals over {turns} permutations and the test groups. Of the task: divided by what a perfect "
            "prediction has more than chance. Of the model: divided by what it has itself."
        )
        headings = ["", f"{of}, lost", "of the task", "of the model"]
        found.append(
            Section(
                "Perceptual score",
                note,
                headings=headings,
                rows=rows,
                of=of_several(name, targets),
                read="What is lost when a modality comes from another sample: how much the model looks at it.",
                where=f"perceptual_{name}.csv",
            )
        )
    return found
