"""What a simple model can read off the note and the table: their pattern, so that fusion has something to fuse."""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crossfade.data.medical.synthetic import SyntheticPatients
from crossfade.data.medical.vitals import MEASURES
from crossfade.specs import ModalitySpec

SPECS = {
    "note": ModalitySpec(kind="text"),
    "vitals": ModalitySpec(kind="table", categorical=["sex", "smoking"]),
}
TRAIN, ALL = 800, 1200


def accuracy(model, x, y):
    return model.fit(x[:TRAIN], y[:TRAIN]).score(x[TRAIN:], y[TRAIN:])


def test_bag_of_words_and_logistic_regression_find_the_patterns():
    source = SyntheticPatients(SPECS, {}, 0, samples=ALL)
    evidence = source.state(np.arange(ALL)).evidence
    samples = [source.read(i) for i in range(ALL)]
    words = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=300))
    assert accuracy(words, [s["note"] for s in samples], evidence["note"]) > 0.9
    table = np.array([[s["vitals"][c] for c in MEASURES] for s in samples], dtype=float)  # None → NaN
    table = np.where(np.isnan(table), np.nanmedian(table, axis=0), table)
    numbers = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    assert accuracy(numbers, table, evidence["vitals"]) > 0.9
