"""What a run prints and draws at its end: the table of results, the verdict, the figures, the next command."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from crossfade.analysis.classification_report import classification_report
from crossfade.analysis.paired import compare_tables
from crossfade.analysis.results_table import Row, results_table, short, short_change, to_markdown
from crossfade.analysis.statistics import corrected_t
from crossfade.analysis.verdict import caution, verdict
from crossfade.config import RunConfig
from crossfade.results.figures import class_predictions, draw_run
from crossfade.results.rows import mains, rows_of
from crossfade.runs import RunFolder, write_json, write_text

console = Console()


def finish_run(config: RunConfig, folder: RunFolder, summary: dict[str, Any], quiet: bool = False) -> None:
    """Write the figures and the table of a run; print the table, the verdict and what to type next."""
    rows = rows_of(summary)
    title = f"{summary['task']} · {summary['samples']['test']} test samples"
    write_text(folder.path / "results.md", _markdown(config, summary, rows))
    if config.figures is not False:
        draw_run(config, folder, summary, folder.figures)
    _write_class_reports(config, folder)
    if quiet:
        main = summary["main"]
        console.print(f"   {main} {_show(summary['metrics'][main])}  → {folder.path}")
        return
    console.print()
    _print_tables(config, summary, rows, title)
    if sentences := list(_verdicts(config, folder, summary)):
        write_text(folder.verdict_file, "".join(f"{sentence}\n" for sentence in sentences))
        console.print("\n".join(sentences))
    for sentence in _absences(config, summary):
        console.print(sentence, highlight=False)
    for sentence in _worths(summary):
        console.print(sentence, highlight=False)
    if isinstance(alpha := summary["alpha"], Mapping):
        console.print("α:  " + "  ".join(f"{name} {short(weight)}" for name, weight in alpha.items()), highlight=False)
    if best := summary.get("best_alpha"):
        ends = (f"{m} {short(a['value'])} [{short(a['low'])}, {short(a['high'])}]" for m, a in best.items())
        said = "  ".join(ends) + "  (where 95 % of training sets of this size put a learned one)"
        console.print(f"best α:  {said}", highlight=False, markup=False)
    _goodbye(folder)


def _print_tables(config: RunConfig, summary: Mapping[str, Any], rows: list[Row], title: str) -> None:
    """One table a target, so that each fits a terminal."""
    for name, main, better in mains(config):
        metrics = [metric for metric in summary["metrics"] if metric.startswith(f"{name}/")]
        shown = [row for row in rows if main in row.values]
        over = summary.get("over", "test groups")
        console.print(results_table(shown, metrics, main, f"{name} · {title}", better, over))


def _markdown(config: RunConfig, summary: Mapping[str, Any], rows: list[Row]) -> str:
    """The same tables in Markdown, each under its target's name where there are several."""
    parts = []
    for name, main, better in mains(config):
        metrics = [metric for metric in summary["metrics"] if metric.startswith(f"{name}/")]
        table = to_markdown([row for row in rows if main in row.values], metrics, main, better)
        parts.append(f"## {name}\n\n{table}" if len(config.task.targets) > 1 else table)
    return "\n".join(parts)


def _verdicts(config: RunConfig, folder: RunFolder, summary: Mapping[str, Any]) -> Iterator[str]:
    """Per target the sentence that compares the fused model with the best single modality, on the same samples."""
    singles = summary.get("singles") or {}
    for name, main, better in mains(config):
        known = {single: v for single, s in singles.items() if (v := s["metrics"][main]) is not None}
        value = summary["metrics"][main]
        if not known or value is None:
            continue
        best = (max if better == "max" else min)(known, key=lambda single: known[single])
        runs = (folder, RunFolder(folder.path / singles[best]["folder"]))
        fused, alone = (run.predictions("test") for run in runs)
        drawn = (runs[0].table(f"resamples_{name}"), runs[1].table(f"resamples_{name}"))
        metric = main.partition("/")[2]
        found = compare_tables(fused, alone, name, metric, config.target[name].kind == "multiclass", drawn)
        if found is None:
            continue
        of = f"{name}: " if len(config.task.targets) > 1 else ""
        evidence = f"{len(fused)} test samples"
        other = f"the best single modality, {best}"
        yield (
            of
            + verdict(summary["fusion"], other, metric, (value, known[best]), found, evidence, better)
            + caution(fused["group"].nunique())
        )


def _absences(config: RunConfig, summary: Mapping[str, Any]) -> Iterator[str]:
    """Per target how much worse the main metric is with one modality taken away, the most missed first."""
    for name, main, better in mains(config):
        found = (summary.get("absence") or {}).get(main)
        if found is None:
            continue
        of = f"{name}, without" if len(config.task.targets) > 1 else "Without"
        sign = -1 if better == "max" else 1
        defined = {m: drop for m, drop in found["drop"].items() if drop is not None}
        worst = sorted(defined.items(), key=lambda item: -item[1])
        yield f"{of}: " + "  ".join(f"{modality} {short_change(sign * drop)}" for modality, drop in worst)


def _worths(summary: Mapping[str, Any]) -> Iterator[str]:
    """Per target each modality's Shapley value, the largest first."""
    found = summary.get("shapley") or {}
    for name, shares in found.items():
        of = f"{name}, worth" if len(found) > 1 else "Worth"
        values = sorted(shares["values"].items(), key=lambda item: -item[1]["value"])
        each = (f"{m} {short(v['value'])}" for m, v in values)
        yield f"{of} (Shapley, {shares['of']}): " + "  ".join(each)


def _write_class_reports(config: RunConfig, folder: RunFolder) -> None:
    """report_<target>.txt and .json: precision, recall and F1 of every class."""
    for name, (truth, predicted, _, classes) in class_predictions(config, folder).items():
        report = classification_report(truth, predicted, classes)
        write_text(folder.path / f"report_{name}.txt", report.text)
        write_json(folder.path / f"report_{name}.json", report.values)


def finish_cross_validation(
    config: RunConfig, folder: RunFolder, summaries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Mean ± standard deviation over the folds, of the fused model and of each single modality."""
    first = summaries[0]
    summary = {
        **{key: first[key] for key in ("name", "task", "modalities", "fusion", "alpha", "main", "higher_is_better")},
        **_over_folds(summaries),
        "chance": _over_folds([{"metrics": s["chance"]} for s in summaries])["metrics"],
        "bound": None,
        "folds": [{"metrics": s["metrics"], "samples": s["samples"]} for s in summaries],
        "samples": {"test": sum(s["samples"]["test"] for s in summaries)},
        "over": "folds",
    }
    main = summary["main"]
    summary["interval"] = summary["intervals"].get(main)
    if first.get("singles"):
        summary["singles"] = {
            name: {**_over_folds([s["singles"][name] for s in summaries]), "main": main} for name in first["singles"]
        }
    folder.write_summary(summary)
    rows = rows_of(summary)
    spread = {summary["fusion"]: summary["sd"]} | {n: s["sd"] for n, s in (summary.get("singles") or {}).items()}
    title = f"{summary['task']} · mean of {len(summaries)} folds · {summary['samples']['test']} samples"
    write_text(folder.path / "results.md", _markdown(config, summary, rows))
    _print_tables(config, summary, rows, title)
    for label, sd in spread.items():
        value = summary["metrics"] if label == summary["fusion"] else summary["singles"][label]["metrics"]
        console.print(f"{label:<14} {main}  {_show(value[main])} ± {_show(sd[main])} (sd over folds)")
    _goodbye(folder)
    return summary


def _over_folds(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, standard deviation and 95 % interval of the mean by `statistics.corrected_t`: folds share samples."""
    mean, sd, intervals = {}, {}, {}
    for name in summaries[0]["metrics"]:
        known = [s for s in summaries if s["metrics"][name] is not None]
        values = [s["metrics"][name] for s in known]
        mean[name] = statistics.fmean(values) if values else None
        sd[name] = statistics.stdev(values) if len(values) > 1 else None
        sizes = [s["samples"] for s in known if "train" in s.get("samples", {})]
        if len(values) > 1 and len(sizes) == len(values):
            found = corrected_t(values, statistics.fmean(one["test"] / one["train"] for one in sizes))
            intervals[name] = [found.low, found.high]
    return {"metrics": mean, "sd": sd, "intervals": intervals}


def print_evaluation(folder: RunFolder, result: Mapping[str, Any], seconds: float) -> None:
    """The metrics of an evaluation, beside those that the run recorded where it is the same split and checkpoint."""
    recorded: Mapping[str, Any] = {}
    if folder.summary_file.exists():
        summary = folder.summary()
        if result["split"] == "test" and result["checkpoint"] == summary.get("checkpoint"):
            recorded = summary["metrics"]
    console.print(f"{folder.path} · {result['checkpoint']}.ckpt · {result['samples']} {result['split']} samples")
    for name, value in result["metrics"].items():
        beside = recorded.get(name)
        same = "" if beside is None else ("  as recorded" if beside == value else f"  recorded: {beside!r}")
        console.print(f"  {name:<34} {value!r}{same}", highlight=False)
    console.print(f"[dim]{seconds:.1f} s[/dim]")


def _goodbye(folder: RunFolder) -> None:
    console.print(f"\nRun folder: [bold]{folder.path}[/bold]", soft_wrap=True)
    console.print(f"Next:       crossfade evaluate run={folder.path}", soft_wrap=True, highlight=False)


def _show(value: float | None) -> str:
    return "–" if value is None else short(value)
