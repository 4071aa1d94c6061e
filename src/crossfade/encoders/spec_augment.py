"""Spectrograms made a little different in every epoch of the training, so that few recordings go further."""

from __future__ import annotations

import torch
from torch import Tensor


def roll(picture: Tensor, share: float) -> Tensor:
    """Pictures (B, C, F, T), each turned around in time by its own r ~ U(−share, share) of its length."""
    frames = picture.shape[-1]
    by = ((2 * torch.rand(len(picture), 1, device=picture.device) - 1) * share * frames).round()
    place = (torch.arange(frames, device=picture.device) - by.long()) % frames
    return picture.gather(-1, place[:, None, None].expand_as(picture))


def mask(picture: Tensor, share: float) -> Tensor:
    """Pictures (B, C, F, T), one band and one stretch of time of each replaced by the picture's mean.

    Their widths are w ~ U(0, share) of the axis, their places uniform (SpecAugment: Park et al. 2019, arXiv:1904.08779,
    section 2; one mask an axis, no warping).
    """
    mean = picture.mean((1, 2, 3), keepdim=True)
    for dim in (2, 3):
        size, shape = picture.shape[dim], [len(picture), 1, 1, 1]
        width = torch.rand(shape, device=picture.device) * share * size
        start = torch.rand(shape, device=picture.device) * (size - width)
        place = torch.arange(size, device=picture.device).view([-1 if d == dim else 1 for d in range(4)])
        picture = torch.where((place >= start) & (place < start + width), mean, picture)
    return picture
