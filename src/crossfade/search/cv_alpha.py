"""`search=cv_alpha`: α by nested cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfade.config import RunConfig
from crossfade.config.alpha import strategies_with_alpha
from crossfade.config.overrides import parse, plain
from crossfade.errors import UserError
from crossfade.registry import find_part
from crossfade.runs import RunFolder
from crossfade.search.asked import Asked, with_settings
from crossfade.search.choice import Choice, choose
from crossfade.search.outer import Outer, finish
from crossfade.sweeps.ledger import Entry
from crossfade.sweeps.planning import Job

if TYPE_CHECKING:
    from crossfade.sweeps.report.subject import Contents, Subject


@dataclass(frozen=True)
class Cell:
    """One outer split of one setting: the settings of its runs, and the config that they share."""

    settings: list[str]
    label: str  # what varies besides the fold and the seed
    config: RunConfig

    @property
    def fold(self) -> int | None:
        return self.config.data.fold


class CvAlpha:
    """For every outer fold: α by cross-validation of the outer training (and validation) data, then one run with it.

    The inner runs never hold an outer test sample, so that the outer score is that of the whole procedure, choice of α
    included (Stone 1974, doi:10.1111/j.2517-6161.1974.tb00994.x; Varma & Simon 2006, doi:10.1186/1471-2105-7-91).
    Without folds the outer split is the fixed one. Every seed and every other value of the sweep is cross-validated by
    itself.
    """

    def __init__(self, alphas: Sequence[float] = (), inner: int = 4, one_se: bool = False) -> None:
        self.alphas, self.inner, self.one_se = [round(float(a), 12) for a in alphas], inner, one_se

    def __call__(self, asked: Asked) -> None:
        """Run the inner jobs, choose, run the outer ones, and report. Raises UserError before the first job."""
        cells = self._cells(asked)
        check_splits(cells, self.inner)
        places = [(i, a, j) for i in range(len(cells)) for a in self.alphas for j in range(self.inner)]
        keys = _varying(cells)
        jobs = [self._inner(cells[i], a, j) for i, a, j in places]
        plan = asked.planned(jobs, [*keys, "alpha", "data.inner_fold"])
        job_of = dict(zip(places, plan.jobs, strict=True))
        many = f"{len(cells)} outer splits × {len(self.alphas)} α × {self.inner} inner folds"
        print(f"{many}: {len(plan.jobs)} inner jobs, then {len(cells)} outer ones", flush=True)
        with asked.opened(cells[0].config, "cv_alpha", [*keys, "alpha"]) as sweep:
            total = len(plan.jobs) + len(cells)
            entries = sweep.run(plan.jobs, total)
            chosen = [(cell, self._chosen(i, cell, job_of, entries, sweep.place)) for i, cell in enumerate(cells)]
            settled = [(cell, choice) for cell, choice in chosen if choice is not None and not sweep.stopped]
            outer: list[Outer] = []
            if settled:
                last = [with_settings(cell.settings, alpha=choice.alpha) for cell, choice in settled]
                jobs_out = asked.planned(last, [*keys, "alpha"]).jobs
                entries = sweep.run(jobs_out, total)
                for (cell, choice), job in zip(settled, jobs_out, strict=True):
                    entry = entries[job.identity]
                    outer.append(
                        Outer(cell.label, cell.config.seed, cell.fold, choice, sweep.place / entry.name, entry)
                    )
            lost = [entry for entry in sweep.ledger.entries() if entry.state != "finished"]
            finish(outer, len(cells), lost, sweep.place, asked.part)

    @staticmethod
    def page(subject: Subject, part: Mapping[str, Any]) -> Contents:
        """See `page.of_nested`."""
        from crossfade.search.page.of_nested import contents

        return contents(subject, part)

    def _cells(self, asked: Asked) -> list[Cell]:
        """One for each setting and outer fold; raises UserError where α is given, or a strategy has none."""
        if own := (asked.given("alpha") or asked.given("fusion.alpha")):
            raise UserError(
                f"{plain(own.input_line or own.key_or_group)}: search=cv_alpha chooses α itself. Leave it out; "
                "the values to choose from are search.alphas=[0.0,0.25,0.5,0.75,1.0]."
            )
        plan = asked.planned(asked.combinations())
        without = sorted({_strategy(job.config) for job in plan.jobs if "alpha" not in job.config.fusion})
        if without:
            raise UserError(
                f"fusion={','.join(without)}: has no α to choose. These strategies have one: "
                f"{', '.join(strategies_with_alpha())}."
            )
        single = [job for job in plan.jobs if len(job.config.task.modalities) == 1]
        if single:
            raise UserError("task.modalities: one modality alone has no α to choose. Give two or more.")
        cells = []
        others = [key for key in plan.varying if key not in ("seed", "data.fold")]
        for job in plan.jobs:
            values = {o.key_or_group: o.get_value_element_as_str() for o in map(parse, job.settings)}
            label = ",".join(f"{key}={values[key]}" for key in others if key in values)
            config = job.config
            if config.folds is None or config.data.fold is not None:
                cells.append(Cell(job.settings, label, config))
                continue
            for fold in range(config.folds):
                data = config.data.model_copy(update={"fold": fold})
                settings = with_settings(job.settings, data__fold=fold)
                cells.append(Cell(settings, label, config.model_copy(update={"data": data})))
        return cells

    def _inner(self, cell: Cell, alpha: float, fold: int) -> list[str]:
        """The settings of an inner run: like the outer one, on less, and without what is only looked at."""
        return with_settings(
            cell.settings,
            alpha=alpha,
            data__inner_fold=fold,
            data__inner_folds=self.inner,
            singles="false",
            patterns="false",
        )

    def _chosen(
        self,
        i: int,
        cell: Cell,
        job_of: Mapping[tuple[int, float, int], Job],
        entries: Mapping[str, Entry],
        place: Path,
    ) -> Choice | None:
        """The choice of a cell; None where one of its inner runs has no score: the others would not tell the truth."""
        rows: list[list[float]] = []
        higher = True
        for alpha in self.alphas:
            found = [entries[job_of[i, alpha, j].identity] for j in range(self.inner)]
            scores = [entry.value for entry in found if entry.state == "finished" and entry.value is not None]
            if len(scores) < self.inner:
                return None
            rows.append(scores)
            higher = bool(RunFolder(place / found[0].name).summary()["higher_is_better"])
        return choose(self.alphas, rows, higher, 1 / len(cell.config.task.modalities), self.one_se)


def check_splits(cells: Sequence[Cell], inner: int) -> None:
    """Deal every inner split, and read no sample. Raises UserError where there are too few groups for the folds."""
    from crossfade.build import build_data

    for cell in cells:
        inside = cell.config.data.model_copy(update={"inner_folds": inner})
        data = build_data(cell.config.model_copy(update={"data": inside}))
        for data.inner_fold in range(inner):
            data.dealt()


def _varying(cells: Sequence[Cell]) -> list[str]:
    """The keys that tell the outer splits apart."""
    values: dict[str, set[str]] = {}
    for cell in cells:
        for override in map(parse, cell.settings):
            values.setdefault(override.key_or_group, set()).add(override.get_value_element_as_str())
    return [key for key, found in values.items() if len(found) > 1]


def _strategy(config: RunConfig) -> str:
    found = find_part("fusion", config.fusion["_target_"])
    return found[0] if found else str(config.fusion["_target_"])
