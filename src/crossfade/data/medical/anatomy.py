"""An axial slice through the upper abdomen with one liver lesion: soft masks of tissues, one set per patient.

Coordinates are millimetres in a square field of view of 310 mm; x runs to the image's right (the patient's
left), y downwards (to the back), as in radiology. A mask is the share of each pixel that the tissue covers;
tissues are painted in order, later ones over earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from crossfade.data.synthetic.draws import Uniforms

FIELD_MM = 310.0
ANATOMY_UNIFORMS = 104


@dataclass(frozen=True)
class Lesion:
    """The lesion: centre and radius (mm), a phase that turns its inner pattern, all (B,)."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    phase: np.ndarray
    lobes: np.ndarray  # relative depth of its lobulation


@dataclass(frozen=True)
class Layer:
    """A tissue's mask inside a window (batch, rows, columns) of the image; outside the window it is zero."""

    tissue: str
    window: tuple[slice, slice, slice]
    mask: np.ndarray
    name: str = ""  # of an organ that a target asks for


@dataclass(frozen=True)
class Slice:
    """Tissue layers in painting order, then the lesion's own polar coordinates, float32 (B, H, W).

    `r` is the distance from the lesion's centre over its radius (1 on the margin), `theta` the angle in
    radians, `liver` the mask that the lesion cannot leave; `pixel` is the pixel's width in units of the radius.
    """

    layers: list[Layer] = field(repr=False)
    r: np.ndarray
    theta: np.ndarray
    liver: np.ndarray
    pixel: np.ndarray
    lesion: Lesion


class Grid:
    """Pixel centres (mm) of a size × size image of `FIELD_MM`, and soft shapes on it."""

    def __init__(self, size: int) -> None:
        self.size, self.mm = size, FIELD_MM / size
        self.axis = ((np.arange(size) + 0.5) * self.mm - FIELD_MM / 2).astype(np.float32)

    def ellipse(self, tissue, x, y, a, b, turn=0.0, wave=None) -> Layer:
        """The ellipse with centre (x, y) and half-axes a, b (mm), turned by `turn` rad; all (B,).

        `wave` = (depth, order, phase) makes the radius r(θ) = 1 + depth · cos(order · θ + phase). The window just
        holds the ellipses of all patients, which spares most of the work.
        """
        reach = np.maximum(a, b) * (1 if wave is None else 1 + wave[0]) + self.mm
        columns = self._window(np.min(x - reach), np.max(x + reach))
        rows = self._window(np.min(y - reach), np.max(y + reach))
        x, y, a, b, turn = (np.atleast_1d(np.asarray(v, np.float32))[:, None, None] for v in (x, y, a, b, turn))
        dx, dy = self.axis[columns][None, None, :] - x, self.axis[rows][None, :, None] - y
        cos, sin = np.cos(turn), np.sin(turn)
        u, v = (cos * dx + sin * dy) / a, (cos * dy - sin * dx) / b
        r = np.sqrt(u * u + v * v)
        edge = np.float32(1.0)
        if wave is not None:
            depth, order, phase = (np.asarray(w, np.float32).reshape(-1, 1, 1) for w in wave)
            edge = 1 + depth * np.cos(order * np.arctan2(v, u) + phase)
        mask = soft((edge - r) * (np.minimum(a, b) / np.float32(self.mm)))
        return Layer(tissue, (slice(None), rows, columns), mask)

    def full(self, layer: Layer) -> np.ndarray:
        """The layer's mask on the whole image, (B, H, W)."""
        mask = np.zeros((len(layer.mask), self.size, self.size), np.float32)
        mask[layer.window] = layer.mask
        return mask

    def _window(self, low: float, high: float) -> slice:
        first, last = ((edge + FIELD_MM / 2) / self.mm for edge in (low, high))
        return slice(max(0, int(np.floor(first))), min(self.size, int(np.ceil(last))))


def soft(distance: np.ndarray) -> np.ndarray:
    """Signed distance to an edge in pixels (inside > 0) → share of the pixel inside."""
    return np.clip(distance + np.float32(0.5), 0, 1)


def draw_lesion(u: Uniforms) -> Lesion:
    """The lesion's nuisance, shared by all images; independent of diagnosis and evidence."""
    return Lesion(
        x=u.between(-82, -50),
        y=u.between(-28, 12),
        radius=u.between(26, 36),
        phase=u.between(-np.pi, np.pi),
        lobes=u.between(0.0, 0.06),
    )


def draw_branch(u: Uniforms, lesion: Lesion) -> tuple[np.ndarray, ...]:
    """A large branch of the portal vein that passes the lesion: centre x, y, half-axes (mm) and turn (rad), all (B,).

    5 to 14 mm beside the margin of a round lesion, on any side but the body wall's. Independent of diagnosis and
    evidence, given the lesion's place.
    """
    side, half, gap = u.between(-2.0, 2.0), u.between(6.0, 8.5), u.between(5, 14)
    away = lesion.radius + gap + half
    turn = side + np.pi / 2 + u.between(-0.35, 0.35)
    return lesion.x + away * np.cos(side), lesion.y + away * np.sin(side), u.between(26, 40), half, turn


def axial_slice(u: Uniforms, size: int) -> Slice:
    """Draw the anatomy of a batch of patients; `u` holds `ANATOMY_UNIFORMS` numbers per patient."""
    grid = Grid(size)
    lesion = draw_lesion(u)
    scale = u.between(0.93, 1.06)  # of the whole patient
    wide, deep = 144 * scale, 118 * scale * u.between(0.95, 1.05)
    fat = u.between(8, 24)
    none = np.zeros_like(scale)
    layers: list[Layer] = []

    def add(tissue: str, x, y, a, b, turn=0.0, within: np.ndarray | None = None, wave: Any = None) -> None:
        layer = grid.ellipse(tissue, x, y, a, b, turn, wave)
        if within is not None:
            layer = Layer(tissue, layer.window, layer.mask * within[layer.window])
        layers.append(layer)

    def place(low: float, high: float) -> np.ndarray:
        return u.between(low, high) * scale

    body_wave = (u.between(0, 0.025), 4.0, u.between(-0.6, 0.6))
    add("skin", none, none, wide, deep, wave=body_wave)
    add("fat", none, none, wide - 3, deep - 3, wave=body_wave)
    add("muscle", none, none, wide - fat, deep - fat, wave=body_wave)
    cavity_a, cavity_b = wide - fat - 11, deep - fat - 11
    add("fat", none, none, cavity_a, cavity_b)
    inside = grid.full(grid.ellipse("", none, none, cavity_a - 1.5, cavity_b - 1.5))
    back = 72 * scale  # of the spine
    for side in (-1, 1):  # muscles beside the spine
        add("muscle", side * 40 * scale, back + 8 * scale, 31 * scale, 19 * scale, side * 0.15)
    for k in range(9):  # ribs, in the wall; none in front of the spine
        angle = np.pi * (1.02 + 0.12 * k + (0.24 if k >= 5 else 0)) + u.between(-0.05, 0.05)
        rx, ry = (wide - fat - 5) * np.cos(angle), (deep - fat - 5) * np.sin(angle)
        turn = np.arctan2(ry * wide / deep, rx * deep / wide) + np.pi / 2
        add("bone", rx, ry, u.between(7, 12), 3.6 * scale, turn)

    # liver: right lobe and left lobe, cut by the cavity's wall
    lobe_wave = (u.between(0.0, 0.04), 3.0, u.between(-np.pi, np.pi))
    right_lobe = (place(-64, -58), place(-12, -4), place(62, 68), place(66, 74), u.between(-0.15, 0.15))
    left_lobe = (place(-14, 6), place(-46, -40), place(52, 66), place(24, 32), u.between(-0.05, 0.25))
    left = grid.full(grid.ellipse("", *left_lobe))
    liver = np.maximum(grid.full(grid.ellipse("", *right_lobe, lobe_wave)), left) * inside
    layers.append(Layer("liver", (slice(None),) * 3, liver))
    for _ in range(4):  # small hepatic and portal veins
        vein = (place(-85, -15), place(-45, 20), u.between(9, 22), u.between(2.5, 4.5), u.between(-1.4, 1.4))
        add("blood", *vein, within=liver)
    x, y, a, b, turn = draw_branch(u, lesion)
    add("portal", x, y, a, b, turn, within=liver)
    layers[-1] = replace(layers[-1], name="vein")

    pancreas = (place(8, 22), place(-12, -2), place(28, 38), place(8, 11), u.between(-0.5, -0.1))
    add("pancreas", *pancreas, within=1 - liver)
    spleen = (place(84, 92), place(14, 26), place(20, 27), place(38, 50), u.between(-0.35, -0.1))
    add("spleen", *spleen, within=inside)
    # stomach: wall, content, and the gas that rises to the front
    sx, sy, sa, sb = place(48, 62), place(-44, -34), place(30, 40), place(24, 32)
    free = inside * (1 - left)
    add("muscle", sx, sy, sa, sb, -0.2, within=free)
    add("content", sx, sy, sa - 5, sb - 5, -0.2, within=free)
    level = (sy - u.between(4, 14)).astype(np.float32)[:, None, None]
    add("gas", sx, sy, sa - 5, sb - 5, -0.2, within=free * soft((level - grid.axis[None, :, None]) / grid.mm))
    for side in (-1, 1):
        kx, ky, kb = side * place(54, 62), place(44, 52), place(22, 27)
        tilt = side * u.between(-0.5, -0.2)
        add("kidney", kx, ky, place(17, 21), kb, tilt, within=inside)
        add("fat", kx - side * 6 * scale, ky, 6 * scale, 9 * scale, tilt)

    front = back - 24 * scale  # of the vertebra: its body's centre
    add("bone", none, back + 12 * scale, 6 * scale, 20 * scale)  # spinous process
    add("bone", none, back + 4 * scale, 31 * scale, 4 * scale)  # transverse processes
    add("bone", none, front, place(21, 25), place(18, 21))
    add("marrow", none, front, 18 * scale, 14.5 * scale)
    add("fluid", none, back + 1 * scale, 10 * scale, 8 * scale)  # spinal canal
    add("blood", place(8, 16), front - 29 * scale, place(10, 12.5), place(10, 12.5))  # aorta
    add("blood", place(-30, -22), front - 26 * scale, place(12, 15), place(9, 12))  # vena cava

    dx = grid.axis[None, None, :] - lesion.x[:, None, None].astype(np.float32)
    dy = grid.axis[None, :, None] - lesion.y[:, None, None].astype(np.float32)
    theta = np.arctan2(dy, dx) + lesion.phase[:, None, None].astype(np.float32)
    margin = lesion.radius[:, None, None] * (1 + lesion.lobes[:, None, None] * (np.cos(3 * theta) + np.sin(5 * theta)))
    r = np.sqrt(dx * dx + dy * dy) / margin.astype(np.float32)
    pixel = (grid.mm / lesion.radius).astype(np.float32)[:, None, None]
    return Slice(layers, r, theta, liver, pixel, lesion)
