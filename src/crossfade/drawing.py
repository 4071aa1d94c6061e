"""The one plain style of all figures. No pyplot: it has a global state, and figures that must be closed.

@rc_context(STYLE)
def some_figure(…): figure = Figure(figsize=…); …; save(figure, path)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

BLUE, GREY, ORANGE, INK, PALE = "#2b6cb0", "#9aa5b1", "#dd6b20", "#1f2933", "#e4e7eb"
# strategies beside each other; none is the orange of bounds and chance
SERIES = (BLUE, "#7b3294", "#1b8a6b", "#b5305c", "#6b5b2e", "#3aa0c9", "#4d4d4d", "#8f8fd8")
STYLE: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "grid.color": PALE,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "svg.fonttype": "none",  # text stays text: smaller, and can be searched
}


HEAVY = 60_000  # bytes of an SVG from which a page may want a picture instead


def save(figure: Figure, path: Path) -> None:
    """Write the figure, its folder made where it is not there; beside a heavy SVG the same as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    if path.suffix == ".svg" and path.stat().st_size > HEAVY:
        figure.savefig(path.with_suffix(".png"))
