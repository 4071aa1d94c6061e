"""`crossfade advise`: the tables, the sentences, the sweep that would test them, and what a sweep says of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crossfade.advise.claims import SAID, advised, by_family, claims_of, sentences, to_try
from crossfade.advise.estimate import WAYS, Estimate, estimate
from crossfade.advise.features import of_run, of_task
from crossfade.advise.sweep import Judged, Sweep, judge, ranked, read_sweep
from crossfade.advise.ways import Strategy, strategies
from crossfade.analysis.intervals import Interval
from crossfade.analysis.results_table import short
from crossfade.config import RunConfig
from crossfade.registry import find_part
from crossfade.runs import RunFolder, write_json

OWN = ("fusion=", "alpha=", "seed=", "fusion.", "hydra.")  # settings that the proposed sweep chooses itself


def advise_task(config: RunConfig, settings: Sequence[str], output: Path | None = None) -> dict[str, Any]:
    """Advice on a task before any training."""
    return _advise(config, estimate(of_task(config), config.seed), settings, output)


def advise_run(folder: Path, output: Path | None = None) -> dict[str, Any]:
    """Advice from what a run's encoders have learned."""
    run = RunFolder.open(folder)
    config = run.run_config()
    return _advise(config, estimate(of_run(run), config.seed), run.overrides(), output)


def advise_sweep(folder: Path, output: Path | None = None) -> dict[str, Any]:
    """What would have been advised before the sweep, from the same data untrained, and whether it held."""
    first = read_sweep(folder).config
    found = estimate(of_task(first), first.seed)
    sweep = read_sweep(folder, found.target)
    known = strategies(first)
    judged = judge(sweep, claims_of(found))
    console = Console()
    _show_information(console, found)
    _show_ways(console, found, known)
    _show_ranks(console, found, sweep)
    _show_outcomes(console, sweep, judged)
    result = {
        **_plain(found, known, first),
        "sweep": {
            "folder": folder,
            "metric": sweep.metric,
            "margin": sweep.margin,
            "ways": [_ranked_row(row) for row in ranked(sweep, lambda s: s.way)],
            "families": [_ranked_row(row) for row in ranked(sweep, lambda s: s.family)],
            "claims": [
                {**asdict(j.claim), "difference": j.difference and j.difference._asdict(), "evidence": j.evidence,
                 "outcome": j.outcome}
                for j in judged
            ],
        },
    }  # fmt: skip
    return _written(console, result, output)


def _advise(config: RunConfig, found: Estimate, settings: Sequence[str], output: Path | None) -> dict[str, Any]:
    known = strategies(config)
    console = Console()
    _show_information(console, found)
    _show_ways(console, found, known)
    words = list(sentences(found, known, core_name(config)))
    for sentence in words:
        console.print(f"• {escape(sentence)}", highlight=False)
    command = sweep_command(settings, to_try(known))
    console.print("\nA sweep that would test it:", highlight=False)
    console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
    console.print("and then:  crossfade advise sweep=logs/sweeps/…", highlight=False, markup=False)
    result = {**_plain(found, known, config), "advice": words, "command": command}
    return _written(console, result, output)


def sweep_command(settings: Sequence[str], names: Sequence[str]) -> str:
    """The command line of a sweep over these strategies with the settings that the advice was given for."""
    kept = [setting for setting in settings if not setting.startswith(OWN)]
    return shlex.join(["crossfade", "train", "-m", *kept, f"fusion={','.join(names)}", "seed=0,1,2"])


def core_name(config: RunConfig) -> str:
    """The option of the core."""
    known = find_part("core", str(config.core["_target_"]))
    return known[0] if known else str(config.core["_target_"]).rpartition(".")[2]


def _show_information(console: Console, found: Estimate) -> None:
    table = Table(
        title=f"Information about {found.target}, bits [95 % interval]", title_justify="left", box=box.SIMPLE_HEAD
    )
    for heading in ("first", "second"):
        table.add_column(heading)
    for heading in ("redundant", "unique to first", "unique to second", "synergy"):
        table.add_column(heading, justify="right", min_width=14)
    for (first, second), p in found.parts.items():
        cells = (_ends(part) for part in (p.redundancy, p.unique_first, p.unique_second, p.synergy))
        table.add_row(first, second, *cells)
    console.print(table)
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/dim]", highlight=False)


def _show_ways(console: Console, found: Estimate, known: Sequence[Strategy]) -> None:
    table = Table(title="\nProbes on the same features", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("")
    for heading in ("bits", "balanced accuracy"):
        table.add_column(heading, justify="right")
    table.add_column("families and their strategies", overflow="fold")
    best = found.best_single
    for m in found.modalities:
        r = found.reached[m]
        table.add_row(
            f"{m}{' *' if m == best else ''}",
            _ends(r.bits),
            _ends(r.accuracy),
            "",
            end_section=m == found.modalities[-1],
        )
    for way in WAYS:
        r = found.reached[way]
        families = "; ".join(f"{family}: {', '.join(names)}" for family, names in by_family(known, way).items())
        table.add_row(way, _ends(r.bits), _ends(r.accuracy), families or "–")
    table.caption, table.caption_justify = "* best single modality", "left"
    console.print(table)
    for way in WAYS:
        console.print(f"[dim]{way}: {SAID[way]}[/dim]", highlight=False)
    console.print()


def _show_ranks(console: Console, found: Estimate, sweep: Sweep) -> None:
    expected = advised(found)
    spoken = sweep.metric.replace("/", " · ").replace("_", " ")
    table = Table(title=f"In the sweep: {spoken}", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("way", "family"):
        table.add_column(heading)
    for heading in ("mean", "runs", "rank", "advised"):
        table.add_column(heading, justify="right")
    table.add_column("strategies", overflow="fold")
    for rank, (name, mean, runs, names) in enumerate(ranked(sweep, lambda s: f"{s.way} {s.family}"), start=1):
        way, family = name.split()
        table.add_row(way, family, short(mean), str(runs), str(rank), str(expected[way]), ", ".join(names))
    console.print(table)
    for note in sweep.notes:
        console.print(f"[dim]{escape(note)}[/dim]", highlight=False)


def _show_outcomes(console: Console, sweep: Sweep, judged: Sequence[Judged]) -> None:
    for j in judged:
        console.print(f"• {escape(spoken_outcome(j, sweep.margin))}", highlight=False)


def spoken_outcome(judged: Judged, margin: float) -> str:
    """One claim and what became of it, in a sentence."""
    claim = judged.claim
    expected = {
        "better": f"{claim.first} should beat {claim.second}",
        "no difference": f"{claim.first} should not beat {claim.second}",
        "open": f"{claim.first} against {claim.second} was open",
    }[claim.expected]
    first = f"{expected}: {judged.outcome}" if claim.expected != "open" else f"{expected}: nothing to hold"
    d = judged.difference
    if d is None:
        return f"{first} ({judged.evidence})."
    interval = f"Δ = {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
    return f"{first} ({interval}, {judged.evidence}; less than {margin:.3f} counts as none)."


def _ends(interval: Interval) -> str:
    return escape(f"{short(interval.value)} [{short(interval.low)}, {short(interval.high)}]")


def _ranked_row(row: tuple[str, float, int, list[str]]) -> dict[str, Any]:
    return dict(zip(("name", "mean", "runs", "strategies"), row, strict=True))


def _plain(found: Estimate, known: Sequence[Strategy], config: RunConfig) -> dict[str, Any]:
    """The estimate as JSON takes it."""

    def ends(interval: Interval) -> dict[str, float]:
        return interval._asdict()

    return {
        "target": found.target,
        "modalities": list(found.modalities),
        "classes": found.classes,
        "samples": found.samples,
        "notes": found.notes,
        "core": core_name(config),
        "information": [
            {"first": a, "second": b, **{name: ends(part) for name, part in vars(parts).items()}}
            for (a, b), parts in found.parts.items()
        ],
        "probes": {
            name: {"bits": ends(r.bits), "balanced_accuracy": ends(r.accuracy)} for name, r in found.reached.items()
        },
        "margin": found.margin,
        "claims": [{**asdict(c), "probes": ends(c.probes)} for c in claims_of(found)],
        "ways": {way: {"rank": rank, "families": by_family(known, way)} for way, rank in advised(found).items()},
        "best_single": found.best_single,
    }


def _written(console: Console, result: Mapping[str, Any], output: Path | None) -> dict[str, Any]:
    if output is not None:
        write_json(output, result)
        console.print(f"\nWritten to [bold]{escape(str(output))}[/bold]", soft_wrap=True, highlight=False)
    return dict(result)
