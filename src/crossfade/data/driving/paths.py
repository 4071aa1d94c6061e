"""Paths of vehicles and pedestrians: a straight line, an arc, a straight line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Paths:
    """Straight for `straight` m from (x, y) at `heading` rad, then through `angle` rad with radius `radius` m, then
    straight on; all of one shape (…). An angle of 0 leaves the straight line."""

    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    straight: np.ndarray
    radius: np.ndarray
    angle: np.ndarray  # counter-clockwise

    def at(self, length: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y (m) and heading (rad) at this arc length (m), which may be negative."""
        first = np.minimum(length, self.straight)
        turned = np.clip(length - self.straight, 0, self.arc) / self.radius * np.sign(self.angle)
        last = np.maximum(length - self.straight - self.arc, 0)
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        # the arc in the frame of its beginning: forward r sin φ, leftward ± r (1 − cos φ)
        forward = self.radius * np.sin(np.abs(turned))
        left = np.sign(self.angle) * self.radius * (1 - np.cos(turned))
        heading = self.heading + turned
        x = self.x + cos * (first + forward) - sin * left + np.cos(heading) * last
        y = self.y + sin * (first + forward) + cos * left + np.sin(heading) * last
        return x, y, heading

    @property
    def arc(self) -> np.ndarray:
        """The arc's length, m."""
        return np.abs(self.angle) * self.radius

    def __getitem__(self, index: object) -> Paths:
        return Paths(*(getattr(self, name)[index] for name in self.__dataclass_fields__))
