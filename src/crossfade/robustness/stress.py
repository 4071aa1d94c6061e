"""A finished run put under stress: its modalities corrupted and attacked, in tables, files and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from crossfade.analysis.levels import levels_table
from crossfade.analysis.results_table import spoken_metric
from crossfade.analysis.robustness_figure import draw_adversarial, draw_robustness
from crossfade.analysis.robustness_table import Words, adversarial_words, robustness_words
from crossfade.build import build
from crossfade.corruptions.base import Corruption
from crossfade.data.module import DataModule
from crossfade.data.scale import scales_of
from crossfade.evaluation.reopen import device_of, reopen_config, reopen_data, reopen_model
from crossfade.registry import read_option
from crossfade.results.rows import mains
from crossfade.robustness.attacked import attacked_levels, attacked_sets
from crossfade.robustness.bench import Bench, references
from crossfade.robustness.corrupted import corrupted_levels
from crossfade.runs import RunFolder
from crossfade.seeding import derived

console = Console()


def stress(
    folder: Path,
    corruptions: Mapping[str, Sequence[str]],
    severities: Sequence[int],
    attacks: Sequence[str],
    epsilons: Sequence[float],
    samples: int | None,
    split: str,
) -> None:
    """Measure a run under `corruptions` {modality: names} and attacks, on the modalities that are named there.

    `samples` of the split are drawn at random; None takes all. Text is not attacked: its word pieces are no numbers.

    Writes robustness_<target>.csv, adversarial_<target>.csv and the figures of both names into the run's folder, and
    prints a table of each. Raises UserError for a run that cannot be reopened.
    """
    run = RunFolder.open(folder)
    config = reopen_config(run)
    summary = run.summary()
    data = reopen_data(config, run)
    model = reopen_model(config, run, summary["checkpoint"])
    bench = Bench(model, data, _rows(data, split, samples), device_of(config))
    every = scales_of(data)
    scales = {name: every[name] for name in corruptions if name in every}
    built = {m: {name: _built(data, m, name) for name in names} for m, names in corruptions.items()}
    clean = list(references(bench))
    sets = attacked_sets(scales)
    count = len(severities) * sum(map(len, built.values())) + len(attacks) * len(sets) * len(epsilons)
    with _progress() as bar:
        tick = partial(bar.advance, bar.add_task("stress", total=count))
        corrupted = list(corrupted_levels(bench, built, severities, scales, tick))
        attacked = list(attacked_levels(bench, attacks, epsilons, scales, tick))
    for name, main, better in mains(config):
        if not clean[0].measured[name].metrics:
            console.print(f"{name}: the truth is known of none of these samples.", highlight=False)
            continue
        metric = main.partition("/")[2]
        title = f"{name} · {spoken_metric(main)} · {len(bench.rows)} {split} samples"
        if corrupted:
            found = levels_table([*clean, *corrupted], name, metric, "corruption", "severity")
            draw_robustness(found, metric, run.figures / f"robustness_{name}.png")
            _show(robustness_words(found, metric, better), f"{title} · corrupted")
            _say(run.write_table(f"robustness_{name}", found), run.figures / f"robustness_{name}.png")
        if attacked:
            found = levels_table([*clean[:2], *attacked], name, metric, "attack", "epsilon")
            draw_adversarial(found, metric, run.figures / f"adversarial_{name}.png")
            _show(adversarial_words(found, metric, better), f"{title} · attacked")
            _say(run.write_table(f"adversarial_{name}", found), run.figures / f"adversarial_{name}.png")


def _rows(data: DataModule, split: str, samples: int | None) -> np.ndarray:
    """The samples of the split that are used, in its order: all, or so many drawn at random."""
    rows = data.split[split]
    if samples is None or samples >= len(rows):
        return rows
    rng = np.random.default_rng(derived(data.seed, "stress", split))
    return rows[np.sort(rng.choice(len(rows), samples, replace=False))]


def _built(data: DataModule, modality: str, name: str) -> Corruption:
    made: Corruption = build(read_option(f"corruption/{data.transforms[modality].spec.kind}", name))
    return made


def _progress() -> Progress:
    return Progress(
        TextColumn("[bold]{task.description:<12}"), BarColumn(24), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("<"), TimeRemainingColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    )  # fmt: skip


def _show(words: Words, title: str) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for i, heading in enumerate(words.headings):
        table.add_column(heading, justify="left" if i < 2 else "right", no_wrap=True)
    for line, following in zip(words.rows, [*words.rows[1:], None], strict=True):
        whole = bool(line[0])
        table.add_row(
            *line, style="bold" if whole and line[1] == "mean" else "", end_section=bool(following and following[0])
        )
    console.print(table)
    console.print(words.note, highlight=False)


def _say(*paths: Path) -> None:
    console.print("written: " + "  ".join(map(str, paths)) + "\n", highlight=False, soft_wrap=True)
