"""Metrics' names as they are printed in figures and on pages: "brier_ade" is "Brier ADE", "mae_kwh" "MAE [kWh]"."""

from __future__ import annotations

UPPER = {word: word.upper() for word in ["ade", "ap", "auroc", "fde", "iou", "l2", "mae", "psnr", "rmse", "ssim"]}
WORDS = {
    **UPPER,
    "brier": "Brier",
    "dice": "Dice",
    "f1": "F1",
    "r2": "R²",
    "hd95": "HD95",
    "1s": "1 s",
    "2s": "2 s",
    "3s": "3 s",
}
UNITS = {"kwh": "kWh", "kh": "K·h", "mm": "mm", "s": "s", "m": "m"}  # that stand at the end of a name


def printed_metric(metric: str, unit: str = "") -> str:
    """The name without its target, abbreviations in capitals, and its unit in brackets."""
    words = metric.rsplit("/", 1)[-1].split("_")
    if len(words) > 1 and (own := next((word for word in words[1:] if word in UNITS), "")):
        words.remove(own)
        unit = unit or UNITS[own]
    name = " ".join(WORDS.get(word, word) for word in words)
    return f"{name} [{unit}]" if unit else name
