"""The panels of a dashboard, section by section, from the names under which runs log their numbers."""

from __future__ import annotations

from typing import Any

import wandb_workspaces.reports.v2 as wr

from crossfade.dashboards.subject import Subject

SYSTEM = {
    "CPU": ["system/cpu", "system/proc.cpu.threads"],
    "Memory": ["system/memory_percent", "system/proc.memory.percent"],
    "GPU": ["system/gpu.0.gpu", "system/gpu.0.memoryAllocated"],
    "Disk": ["system/disk./.usagePercent"],
}


def sections(subject: Subject) -> dict[str, list[Any]]:
    """All panels by the name of their section."""
    return {
        "α landscape": landscape(subject),
        "Strategies": strategies(subject),
        "Modalities": modalities(subject),
        "Training": training(subject),
        "Cost and system": system(),
    }


def landscape(subject: Subject) -> list[Any]:
    """Test metric against α, a point for each run, or for each α of a strategy where runs are grouped."""
    return [
        wr.ScatterPlot(title=f"α landscape: test {main}", x=wr.Config("alpha"), y=wr.SummaryMetric(f"test/{main}"))
        for main in subject.mains
    ]


def strategies(subject: Subject) -> list[Any]:
    """Mean test metric of each strategy, with the standard error over its runs."""
    return [_bars(f"Test {main} by strategy", [f"test/{main}"], by_strategy=True) for main in subject.mains]


def modalities(subject: Subject) -> list[Any]:
    """What each modality is worth: the loss without it, its Shapley value, its model alone."""
    found = []
    for main in subject.mains:
        target = main.partition("/")[0]
        named = {
            f"Drop of {main} without a modality": f"absence/{main}",
            f"Shapley value for {target}": f"shapley/{target}",
            f"{main} of a single modality": f"single/{main}",
        }
        for title, place in named.items():
            found.append(_bars(title, [f"{place}/{modality}" for modality in subject.modalities], by_strategy=False))
    return found


def training(subject: Subject) -> list[Any]:
    """Losses and validation metrics over epochs."""
    lines = [wr.LinePlot(title="Loss", x="epoch", y=["train/loss", "val/loss"])]
    return lines + [wr.LinePlot(title=f"Validation {main}", x="epoch", y=[f"val/{main}"]) for main in subject.mains]


def system() -> list[Any]:
    """Parameters and seconds by strategy; use of the machine over time."""
    bars = [_bars("Trained parameters", ["cost/trained_parameters"], by_strategy=True)]
    bars += [_bars("Seconds of training", ["cost/seconds"], by_strategy=True)]
    return bars + [wr.LinePlot(title=title, x="RelativeTime(Process)", y=[*names]) for title, names in SYSTEM.items()]


def _bars(title: str, metrics: list[str], by_strategy: bool) -> Any:
    return wr.BarPlot(
        title=title,
        metrics=[wr.SummaryMetric(name) for name in metrics],
        groupby=wr.Config("strategy") if by_strategy else None,
        groupby_aggfunc="mean" if by_strategy else None,
        groupby_rangefunc="stderr" if by_strategy else None,
        orientation="h",
    )
