"""The table at the end of a run, for the terminal and in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich import box
from rich.markup import escape
from rich.table import Table

COLUMNS = 80  # of a terminal
ABREAST = 8  # metrics that fit beside each other
STYLES = {"fused": "bold", "reference": "dim", "chance": "dim", "bound": "dim"}


@dataclass(frozen=True)
class Row:
    """One model or reference: its values by metric, and intervals where they are known."""

    label: str
    role: Literal["fused", "single", "reference", "chance", "bound"]
    values: dict[str, float]
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)


def results_table(
    rows: Sequence[Row], metrics: Sequence[str], main: str, title: str, better: str = "max", over: str = "test groups"
) -> Table:
    """Rows in the order given; the main metric first, with its interval; the best single modality marked.

    `better`: "max" or "min", of the main metric; `over`: what the intervals are over. Metrics for which a terminal is
    too narrow stand below each other.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("", no_wrap=True)
    best = best_single(rows, main, better)
    notes = ["* best single modality"] * (best is not None)
    notes += [f"[95 % interval over {over}]"] * any(main in row.interval for row in rows)
    table.caption, table.caption_justify = escape("; ".join(notes)), "left"
    order = ordered(metrics, main)
    widths = _widths(rows, order, main)
    needed = 2 + max(len(label_of(row, best)) for row in rows) + sum(2 + width for width in widths) + 1
    if len(metrics) > ABREAST or (len(rows) <= len(metrics) and needed > COLUMNS):
        return _tall(table, rows, metrics, main, best)
    for metric, width in zip(order, widths, strict=True):
        table.add_column("\n".join(textwrap.wrap(_short_heading(metric), width)), justify="right", no_wrap=True)
    for row in rows:
        style = STYLES.get(row.role, "")
        cells = [cell(row, metric, metric == main) for metric in order]
        table.add_row(label_of(row, best), *cells, style=style, end_section=row.role == "fused")
    return table


def _widths(rows: Sequence[Row], metrics: Sequence[str], main: str) -> list[int]:
    """Characters that each metric's column needs: of its widest cell, and of the longest word of its heading."""
    return [max(*(len(cell(row, m, m == main)) for row in rows), *map(len, _short_heading(m).split())) for m in metrics]


def _tall(table: Table, rows: Sequence[Row], metrics: Sequence[str], main: str, best: Row | None) -> Table:
    """A column per row, a line per metric; the ends of the main one's interval on lines of their own."""
    for row in rows:
        table.add_column(label_of(row, best), justify="right", style=STYLES.get(row.role, ""))
    for metric in ordered(metrics, main):
        first = metric == main
        table.add_row(spoken_metric(metric), *(cell(row, metric, False) for row in rows), style="bold" if first else "")
        if first and any(main in row.interval for row in rows):
            for end, word in enumerate(("95 % from", "to")):
                cells = ("" if main not in row.interval else short(row.interval[main][end]) for row in rows)
                table.add_row(f"  {word}", *cells, end_section=bool(end))
    return table


def to_markdown(rows: Sequence[Row], metrics: Sequence[str], main: str, better: str = "max") -> str:
    """The same table in Markdown."""
    order = ordered(metrics, main)
    best = best_single(rows, main, better)
    lines = ["| | " + " | ".join(map(spoken_metric, order)) + " |", "|---|" + "---:|" * len(order)]
    lines += [
        f"| {label_of(row, best)} | " + " | ".join(cell(row, metric, metric == main) for metric in order) + " |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def best_single(rows: Sequence[Row], main: str, better: str = "max") -> Row | None:
    """The single modality with the best main metric: the largest, or with better="min" the smallest."""
    singles = [row for row in rows if row.role == "single" and main in row.values]
    return (min if better == "min" else max)(singles, key=lambda row: row.values[main]) if singles else None


def ordered(metrics: Sequence[str], main: str) -> list[str]:
    # macro recall is balanced accuracy under another name
    rest = [m for m in metrics if m != main and not (m.endswith("/recall") and main.endswith("/balanced_accuracy"))]
    return [main, *rest]


def spoken_metric(metric: str) -> str:
    return metric.rsplit("/", 1)[-1].replace("_", " ")


def _short_heading(metric: str) -> str:
    return spoken_metric(metric).replace("calibration", "calib.")  # all metrics of a target in 80 columns


def label_of(row: Row, best: Row | None) -> str:
    return f"{row.label} *" if row is best else row.label


def cell(row: Row, metric: str, with_interval: bool) -> str:
    if metric not in row.values:
        return "–"
    low, high = row.interval.get(metric, (0.0, 0.0))
    interval = f" [{short(low)}, {short(high)}]" if with_interval and low < high else ""
    return short(row.values[metric]) + interval


def short(value: float, digits: int = 3) -> str:
    """So many digits, without the zero before the point: .912; 1.000 and 12.500 as they are."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def short_change(value: float, digits: int = 3) -> str:
    """`short` with its sign: +.012, −.345."""
    return ("+" if value >= 0 else "−") + short(abs(value), digits)
