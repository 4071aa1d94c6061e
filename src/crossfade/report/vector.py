"""Figures that can stand in a page beside others: SVG, or a picture where that says the same in fewer bytes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from zlib import crc32

from markupsafe import Markup
from PIL import Image

from crossfade.drawing import STYLE
from crossfade.report.budget import FIGURE, PICTURE, weight
from crossfade.report.packed import data_url, within

STYLES = "/* styles that figures share */"  # where in the page's head they stand
POINTS = 4 / 3  # CSS pixels of a point, matplotlib's unit in SVG; 96 of them are an inch
WIDEST = 1064  # CSS pixels, the page's


def inline(path: Path) -> Markup:
    """The SVG element of a file that matplotlib wrote; its ids begin with its name, so that no two figures share one.

    A heavy one, of many marks, is its picture instead, which `drawing.save` left beside it. The file is our own
    drawing: what it says needs no escaping.
    """
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = _lean(re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL))
    svg = _classed(_named(text, path.stem))
    beside = path.with_suffix(".png")
    if weight(svg) > FIGURE and beside.exists():
        picture = drawn(beside, float(re.findall(r'width="([\d.]+)pt"', svg)[0]) * POINTS)
        return min(Markup(svg), picture, key=weight)
    return Markup(svg)


def drawn(path: Path, width: float | None = None) -> Markup:
    """A picture from a file, drawn anew so that nothing but its pixels gets into the page; `width` in CSS pixels."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    width = width or min(picture.width * 96 / STYLE["savefig.dpi"], WIDEST)
    image = within(picture, PICTURE)
    return Markup('<img class="drawn" alt="" width="{:.0f}" height="{:.0f}" src="{}">').format(
        width, width * image.height / image.width, data_url(image)
    )


def hoisted(page: str) -> str:
    """The page with the styles of all of its figures in its head, each once."""
    own = re.compile(r"(<svg[^>]*>)<style>(.*?)</style>", re.DOTALL)
    rules = dict.fromkeys(rule for _, rules in own.findall(page) for rule in re.findall(r"[^{}]+\{[^}]*\}", rules))
    return own.sub(r"\1", page).replace(STYLES, "".join(rules), 1)


def _named(svg: str, name: str) -> str:
    """Short ids, numbered after the figure's name; links in HTML's form."""
    short = {one: f"{name}-{i:x}" for i, one in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg)))}
    svg = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{short[found[1]]}"', svg)
    svg = re.sub(r'(?:xlink:)?href="#([^"]+)"', lambda found: f'href="#{short[found[1]]}"', svg)
    return re.sub(r"url\(#([^)]+)\)", lambda found: f"url(#{short[found[1]]})", svg)


def _classed(svg: str) -> str:
    """Styles that a figure repeats, written once as classes; equal styles of all figures have the same class."""
    styles = Counter(re.findall(r' style="([^"]*)"', svg))
    classes = {style: f"s{crc32(style.encode()):x}" for style, count in styles.items() if count > 1}
    if not classes:
        return svg
    svg = re.sub(
        r' style="([^"]*)"', lambda found: f' class="{classes[found[1]]}"' if found[1] in classes else found[0], svg
    )
    rules = "".join(f".{name}{{{style}}}" for style, name in classes.items())
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>{rules}</style>", svg, count=1)


def _lean(svg: str) -> str:
    """Without what nobody sees: comments, blanks between elements, digits of places below a hundredth of a point, names
    of groups that nothing refers to, and the fonts after the first, which were 40 % of a figure."""
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s*\n\s*<", "><", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    svg = re.sub(r"font-family: ('[^']+')(?:, '[^']+')+, sans-serif", r"font-family: \1, sans-serif", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    number = re.compile(r"(?<![\w.])-?\d+\.\d{3,}(?![\w.])")
    return re.sub(r"<[^>]+>", lambda tag: number.sub(_rounded, tag[0]), svg)  # and no digit of its text


def _rounded(number: re.Match[str]) -> str:
    value = float(number[0])
    text = f"{value:.{2 if abs(value) >= 1 else 4}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
