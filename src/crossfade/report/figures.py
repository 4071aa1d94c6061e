"""The figures of a run by what they are about, and the sections that consist of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from crossfade.model import FusionModel
from crossfade.report.section import Section, of_several
from crossfade.report.vector import drawn, inline
from crossfade.runs import RunFolder
from crossfade.targets.base import Target

Captioned = tuple[str, Markup]
CAPTIONS = {
    "training": "Loss of the training and the validation split, and the validation split's main metric, by epoch",
    "comparison": "Whiskers: 95 % intervals; bold: the fused model and the best single modality",
    "confusion": "Test samples by true (row) and predicted class (column); colour: the share of the true class",
    "reliability": "Accuracy against confidence: on the diagonal a model is calibrated, below it is too sure",
    "certainty": "Left: the error among the surest. Right: conformal sets, a dot for each presence pattern",
    "absence": "Left: a dark dot is a modality that is there. Right: each absent by itself at this rate, mean ± sd",
    "shapley": "Left: values that sum to the model's worth above chance. Right: what two do together beyond each alone",
}


def figures_of(figures: Mapping[str, Path], what: str, target: str = "") -> list[Captioned]:
    """The run's figure of that sort and target, with its caption, in a list; an empty one where there is none."""
    path = figures.get(f"{what} {target}".strip())
    return [] if path is None else [(CAPTIONS[what], inline(path))]


def training_section(figures: Mapping[str, Path]) -> Iterator[Section]:
    """The curves, where an epoch was finished."""
    if curves := figures_of(figures, "training"):
        yield Section(
            "Training",
            figures=curves,
            read="Training is long enough where the validation curve is flat, and too long where it turns.",
            where="metrics.csv",
        )


def absence_sections(figures: Mapping[str, Path], targets: Sequence[str]) -> Iterator[Section]:
    """Per target what presence patterns and rates of absence leave of its main metric."""
    for name in targets:
        if own := figures_of(figures, "absence", name):
            yield Section(
                "Missing modalities",
                figures=own,
                of=of_several(name, targets),
                read="The same model with modalities taken away from the test samples: a row for each pattern of "
                "modalities that are there, the complete one above.",
                where=f"absence_{name}.csv, absence_rate_{name}.csv",
            )


def worth_sections(figures: Mapping[str, Path], targets: Sequence[str]) -> Iterator[Section]:
    """Per target the Shapley values of its modalities."""
    for name in targets:
        if own := figures_of(figures, "shapley", name):
            yield Section(
                "What each modality is worth",
                figures=own,
                of=of_several(name, targets),
                read="Shapley values: what a modality adds on average over all orders in which modalities could come; "
                "with 95 % intervals over test groups.",
                where=f"shapley_{name}.csv, shapley_pairs_{name}.csv",
            )


def prediction_sections(
    figures: Mapping[str, Path], folder: RunFolder, model: FusionModel, targets: Sequence[str]
) -> Iterator[Section]:
    """Per target its confusion matrix, and the figures of its own that the run drew."""
    for name in targets:
        target = model.targets[name]
        assert isinstance(target, Target)
        own = figures_of(figures, "confusion", name)
        for part, path in own_figures(folder, name, targets).items():
            own.append((target.captions.get(part, f"{name} {part}".strip().replace("_", " ")), drawn(path)))
        if own:
            yield Section(
                "Predictions",
                figures=own,
                of=of_several(name, targets),
                read="What the model says of the test split; scenes, images and forecasts are of its first samples, "
                "and not picked.",
                where="figures/, predictions/",
            )


def own_figures(folder: RunFolder, name: str, targets: Sequence[str]) -> dict[str, Path]:
    """The figures that a target drew, by what follows its name: figures/<target>.png and <target>_<part>.png."""
    found = {}
    for path in sorted(folder.figures.glob(f"{name}*.png")):
        of = [one for one in targets if path.stem == one or path.stem.startswith(f"{one}_")]
        if of and max(of, key=len) == name:
            found[path.stem.removeprefix(name).removeprefix("_")] = path
    return found
