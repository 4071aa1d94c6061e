"""Figures as SVG that can stand in a page beside others."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup


def inline(path: Path, name: str) -> Markup:
    """The SVG element of a file that matplotlib wrote; its ids get the name in front, so that no two figures share one.

    The file is our own drawing: what it says needs no escaping.
    """
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = _lean(re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL))
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(xlink:href|href)="#([^"]+)"', rf'\1="#{name}-\2"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    return Markup(text)


def _lean(svg: str) -> str:
    """Without comments, blanks between elements, and digits that nobody sees: a hundredth of a point is left."""
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s*\n\s*<", "><", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    return re.sub(r"(?<![\w.])-?\d+\.\d{3,}(?![\w.])", _rounded, svg)


def _rounded(number: re.Match[str]) -> str:
    value = float(number[0])
    text = f"{value:.{2 if abs(value) >= 1 else 4}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
