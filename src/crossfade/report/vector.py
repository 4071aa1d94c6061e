"""Figures as SVG that can stand in a page beside others."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from zlib import crc32

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
    return Markup(_classed(text))


def _classed(svg: str) -> str:
    """Styles that a figure repeats, written once as classes; equal styles of all figures have the same class."""
    styles = Counter(re.findall(r' style="([^"]*)"', svg))
    classes = {style: f"s{crc32(style.encode()):x}" for style, count in styles.items() if count > 2}
    if not classes:
        return svg
    svg = re.sub(
        r' style="([^"]*)"', lambda found: f' class="{classes[found[1]]}"' if found[1] in classes else found[0], svg
    )
    rules = "".join(f".{name}{{{style}}}" for style, name in classes.items())
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>{rules}</style>", svg, count=1)


def _lean(svg: str) -> str:
    """Without what nobody sees: comments, blanks between elements, digits below a hundredth of a point, names of groups
    that nothing refers to, and the fonts after the first, which were 40 % of a figure."""
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s*\n\s*<", "><", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    svg = re.sub(r"font-family: ('[^']+')(?:, '[^']+')+, sans-serif", r"font-family: \1, sans-serif", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    return re.sub(r"(?<![\w.])-?\d+\.\d{3,}(?![\w.])", _rounded, svg)


def _rounded(number: re.Match[str]) -> str:
    value = float(number[0])
    text = f"{value:.{2 if abs(value) >= 1 else 4}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
