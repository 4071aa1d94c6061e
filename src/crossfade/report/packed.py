"""Pictures that stand in a page themselves, in as few bytes as can be."""

from __future__ import annotations

import base64
import io

from PIL import Image, features

COLOURS = 64  # of a drawing's palette
QUALITY = 80  # of WebP with losses: below what a print of this size shows


def data_url(image: Image.Image, exact: bool = False) -> str:
    """The picture as a data: URL, PNG or WebP, whichever is smaller; `exact`: without any loss."""
    tries = [_file(image if exact else _few_colours(image), "PNG", optimize=True)]
    if features.check("webp"):
        options = {"lossless": True} if exact else {"quality": QUALITY}
        tries.append(_file(image.convert("RGB"), "WEBP", method=6, **options))
    kind, content = min(tries, key=lambda one: len(one[1]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def within(image: Image.Image, longest: int) -> Image.Image:
    """The picture, made smaller where its longer side has more pixels than that."""
    if max(image.size) <= longest:
        return image
    scale = longest / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _few_colours(image: Image.Image) -> Image.Image:
    return image if image.mode in ("L", "P") else image.convert("RGB").quantize(COLOURS)


def _file(image: Image.Image, kind: str, **options: object) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return kind.lower(), buffer.getvalue()
