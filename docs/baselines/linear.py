"""Logistic regression on the folds of a public set: `python docs/baselines/linear.py TASK PATH [run=DIR] [SETTING …]`.

TASK is room_climate, esc10, ha_intents, coffee_commands, lgg_mri or covid_chestxray, PATH its folder, a SETTING one of
train.py, such as task.targets=[occupied]. `run=DIR`: a cross-validated run of train.py on the same folds; it is held
against "all", fold by fold (corrected resampled t-test). Needs scikit-learn. The samples, groups and folds are those of
`python train.py` with folds=5 (room_climate with data.source.folds=room: folds=3) and seed 0; all training and
validation samples are used.
Inputs: a table as it is, categories as 0/1, blanks as the mean; of audio mean, sd, and both of the differences of 20
MFCC; TF-IDF of words and word pairs; 16 × 16 pixels. Numbers are standardised by the training samples; C = 1. Every
modality alone, then all together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.fft import dct
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from crossfade.analysis.statistics import corrected_t
from crossfade.build import build_data
from crossfade.config import compose
from crossfade.data.splits import make_split
from crossfade.data.transforms.image import ImageTransform

FOLDERS = {"lgg_mri": "medical", "covid_chestxray": "medical"}


def mfcc(wave: np.ndarray, rate: float) -> np.ndarray:
    """Mean, sd, mean and sd of the differences of 20 mel-frequency cepstral coefficients: (80,)."""
    filters = mel_filter_bank(257, 40, 0.0, rate / 2, round(rate), mel_scale="htk")
    size = round(rate * 0.025)
    power = spectrogram(wave, window_function(size), size, round(rate * 0.01), 512, power=2.0, mel_filters=filters)
    each = dct(np.log(power + 1e-8), axis=0, norm="ortho")[:20]
    step = np.diff(each, axis=1)
    return np.concatenate([each.mean(1), each.std(1), step.mean(1), step.std(1)])


def features(spec, values: list, train: np.ndarray) -> np.ndarray:
    """Features (N, F) of one modality, 0 where it is absent; what is learned is learned from the training rows."""
    if spec.kind == "text":
        texts = [value or "" for value in values]
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
        return words.fit([texts[i] for i in train]).transform(texts).toarray()
    if spec.kind == "table":
        columns = []
        for name in spec.column:
            cells = [None if value is None else value[name] for value in values]
            if name in spec.categorical:
                columns += [[float(cell == word) for cell in cells] for word in sorted({c for c in cells if c})]
            else:
                columns.append([np.nan if cell is None else cell for cell in cells])
        x = np.array(columns, float).T
    elif spec.kind == "audio":
        x = np.stack([mfcc(value, spec.rate) for value in values])
    else:
        small = ImageTransform(spec.model_copy(update={"size": 16}), {})
        x = np.stack([np.full(256, np.nan) if v is None else small.prepare(v).ravel() for v in values])
    x = np.where(np.isnan(x), np.nanmean(x[train], 0), x)
    return StandardScaler().fit(x[train]).transform(x)


def balanced_accuracies(data, target: str, seed: int, shares: list[float]) -> dict[str, list[float]]:
    """Balanced accuracy on each test fold, of every modality alone and of all."""
    frame, source = data.frame, data.source
    names = [name for name, spec in source.modalities.items() if spec.kind != "series"]
    values = [source.read(i) for i in range(len(frame.ids))]
    truth = np.array([str(t) for t in frame.truth[target]])
    known = np.array([t is not None for t in frame.truth[target]])
    scores: dict[str, list[float]] = {}
    for fold in sorted(set(frame.fold or range(5)) - {-1}):
        split = make_split(frame, target, shares, seed, fold, 5)
        test = split["test"][known[split["test"]]]
        train = np.concatenate([split["train"], split["val"]])
        train = train[known[train]]
        x = {name: features(source.modalities[name], [v.get(name) for v in values], train) for name in names}
        for name, parts in {**{name: [name] for name in names}, "all": names}.items():
            block = np.hstack([x[part] for part in parts])
            model = LogisticRegression(class_weight="balanced", max_iter=2000).fit(block[train], truth[train])
            score = balanced_accuracy_score(truth[test], model.predict(block[test]))
            scores.setdefault(name, []).append(float(score))
    return scores


def against(run: Path, target: str, linear: list[float]) -> str:
    """The run's mean ± sd over folds, and its mean difference to the linear model's folds, with interval and p."""
    folds = json.loads((run / "summary.json").read_text(encoding="utf-8"))["folds"]
    ours = [fold["metrics"][f"{target}/balanced_accuracy"] for fold in folds]
    share = np.mean([fold["samples"]["test"] / (fold["samples"]["train"] + fold["samples"]["val"]) for fold in folds])
    found = corrected_t([a - b for a, b in zip(ours, linear, strict=True)], float(share))
    each = " ".join(f"{score:.3f}" for score in ours)
    interval = f"[{found.low:+.3f}, {found.high:+.3f}], p = {found.p:.3f}"
    return f"{np.mean(ours):.3f} ± {np.std(ours, ddof=1):.3f}   {each}\nΔ to all {found.value:+.3f} {interval}"


task, path, *settings = sys.argv[1:]
runs = [Path(setting.removeprefix("run=")) for setting in settings if setting.startswith("run=")]
settings = [setting for setting in settings if not setting.startswith("run=")]
for run in runs:
    if not (run / "summary.json").is_file():
        sys.exit(f"run={run}: no summary.json. Give the folder of a finished run of train.py with folds=5.")
config = compose(f"task={FOLDERS.get(task, 'smart_home')}/{task}", f"data.root={path}", "folds=5", *settings)
scores = balanced_accuracies(build_data(config), config.task.targets[0], config.seed, config.data.split)
for name, each in scores.items():
    print(f"{name:24} {np.mean(each):.3f} ± {np.std(each, ddof=1):.3f}   {' '.join(f'{s:.3f}' for s in each)}")
for run in runs:
    print(f"{run.name:24} {against(run, config.task.targets[0], scores['all'])}")
