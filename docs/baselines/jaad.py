"""Linear baselines on JAAD: `python docs/baselines/jaad.py PATH FOLDS`, FOLDS a table of `sample` and `fold`.

Needs scikit-learn. Inputs are those of `task=driving/jaad`: the track as 64 numbers (standardised), the tables one-hot
(an entry that is missing is a category of its own). Logistic regression with balanced class weights, C = 1 as it comes,
and C chosen on the training folds by grouped cross-validation ("tuned"); histogram gradient boosting as it comes.
Scores: balanced accuracy at p > 0.5 and AUC, mean ± sd over the folds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from crossfade.data.driving.jaad import OFFERS, windows

windows_ = windows(Path(sys.argv[1]))
folds = pd.read_csv(sys.argv[2], usecols=["sample", "fold"]).set_index("sample")["fold"]
fold = np.array([folds[w.id] for w in windows_])
y = np.array([w.crossing == "crossing" for w in windows_])
group = np.array([w.video for w in windows_])
TRAITS = ("age", "gender")


def cells(name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    rows = [w.values[name] or {} for w in windows_]
    return pd.DataFrame([{c: row.get(c) or "missing" for c in columns} for row in rows])


tables = {name: cells(name, offer.columns) for name, offer in OFFERS.items() if offer.kind == "table"}
tables["appearance+traits"] = tables["appearance"]
tables["appearance"] = tables["appearance"].drop(columns=list(TRAITS))
track = np.stack([w.values["track"].ravel() for w in windows_]).astype(float)


def block(name: str, train: np.ndarray) -> np.ndarray:
    """Features (N, F) of all samples; what is learned is learned from the training rows."""
    if name == "track":
        return StandardScaler().fit(track[train]).transform(track)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(tables[name][train])
    return encoder.transform(tables[name])


def probability(model: str, names: list[str], train: np.ndarray) -> np.ndarray:
    x = np.hstack([block(name, train) for name in names])
    if model == "boosting":
        fitted = HistGradientBoostingClassifier(class_weight="balanced", random_state=0).fit(x[train], y[train])
        return fitted.predict_proba(x)[:, 1]
    lr = LogisticRegression(class_weight="balanced", max_iter=5000)
    if model == "logistic":
        return lr.fit(x[train], y[train]).predict_proba(x)[:, 1]
    inner = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(lr, {"C": [0.001, 0.01, 0.1, 1]}, scoring="balanced_accuracy", cv=inner)
    return search.fit(x[train], y[train], groups=group[train]).predict_proba(x)[:, 1]


five = ["track", "behaviour", "ego", "scene", "appearance"]
runs = [("logistic", [name]) for name in (*five, "appearance+traits")]
runs += [(m, ns) for m in ("logistic", "tuned", "boosting") for ns in (five, [*five[:4], "appearance+traits"])]
for model, names in runs:
    scores = []
    for k in sorted(set(fold)):
        test = fold == k
        p = probability(model, names, ~test)[test]
        scores.append((balanced_accuracy_score(y[test], p > 0.5), roc_auc_score(y[test], p)))
    (accuracy, auroc), sd = np.mean(scores, 0), np.std(scores, 0, ddof=1)
    each = " ".join(f"{score[0]:.3f}" for score in scores)
    what = "+".join(names).replace("+".join(five), "all five")
    print(
        f"{model:9} {what:20} balanced accuracy {accuracy:.3f} ± {sd[0]:.3f}  auroc {auroc:.3f}  folds {each}",
        flush=True,
    )
