"""One of C classes, against scikit-learn and the equations."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from sklearn.utils.class_weight import compute_class_weight

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.multiclass import MultiClass
from crossfade.training.module import compute_metrics

CLASSES = ["a", "b", "c"]
FITTED = {"classes": CLASSES, "counts": [6, 3, 1]}


def target(**fields):
    return make_target(TargetSpec(name="y", kind="multiclass", **fields), FITTED, 8)


def scores(samples=200, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, samples)
    output = rng.normal(size=(samples, 3))
    output[np.arange(samples), truth] += 1.0
    return torch.tensor(output, dtype=torch.float32), torch.tensor(truth)


def expected_calibration_error(p, y, bins=15):
    confidence, right = p.max(1), p.argmax(1) == y
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    return sum(abs(right[at == b].mean() - confidence[at == b].mean()) * np.mean(at == b) for b in set(at))


def test_a_resample_has_the_main_metric_of_its_rows():
    output, truth = scores()
    rng = np.random.default_rng(1)
    made = target()
    value = made.resampled(made.prediction(output), truth)
    for rows in (np.arange(200), rng.integers(0, 200, 200), np.flatnonzero(truth.numpy() == 1)):
        own = compute_metrics(made, made.prediction(output)[rows], truth[rows])["balanced_accuracy"]
        assert value(rows) == pytest.approx(own, abs=1e-6)
    assert np.isnan(value(np.array([], int)))


def test_metrics_are_those_of_scikit_learn():
    output, truth = scores()
    probability = target().prediction(output)
    ours = compute_metrics(target(), probability, truth)
    p, y, said = probability.numpy().astype(float), truth.numpy(), probability.argmax(1).numpy()
    assert ours == pytest.approx(
        {
            "accuracy": sk.accuracy_score(y, said),
            "balanced_accuracy": sk.balanced_accuracy_score(y, said),
            "precision": sk.precision_score(y, said, average="macro"),
            "recall": sk.recall_score(y, said, average="macro"),
            "f1": sk.f1_score(y, said, average="macro"),
            "auroc": sk.roc_auc_score(y, p / p.sum(1, keepdims=True), multi_class="ovr"),
            "calibration_error": expected_calibration_error(p, y),
        },
        abs=1e-5,
    )


def test_unknown_truth_does_not_count():
    output, truth = scores()
    hidden = torch.arange(200) % 3 == 0
    some = torch.where(hidden, -1, truth)
    of = target()
    a = compute_metrics(of, of.prediction(output), some)
    b = compute_metrics(of, of.prediction(output[~hidden]), truth[~hidden])
    assert a == pytest.approx(b, abs=1e-6)
    torch.testing.assert_close(of.loss(output, some), of.loss(output[~hidden], truth[~hidden]))
    assert of.loss(output, torch.full_like(truth, -1)) == 0


@pytest.mark.filterwarnings("ignore:y_pred contains classes", "ignore:No positive samples")
def test_a_class_that_the_split_has_not_counts_neither_for_nor_against():
    output, truth = scores(classes=2)  # no sample of class c, though c is predicted
    probability = target().prediction(output)
    said = probability.argmax(1).numpy()
    assert 2 in said
    ours = compute_metrics(target(), probability, truth)
    y = truth.numpy()
    assert ours["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, said), abs=1e-6)
    each = [sk.roc_auc_score(y == c, probability[:, c].numpy()) for c in (0, 1)]
    assert ours["auroc"] == pytest.approx(np.mean(each), abs=1e-6)


@pytest.mark.filterwarnings("ignore:No positive samples", "ignore:No negative samples")
def test_auroc_of_a_single_class_is_not_a_number():
    output, _ = scores(20)
    ours = compute_metrics(target(), target().prediction(output), torch.zeros(20, dtype=torch.long))
    assert np.isnan(ours["auroc"])
    assert 0 <= ours["balanced_accuracy"] <= 1


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_loss(smoothing, weights):
    output, truth = scores(50)
    of = target(label_smoothing=smoothing, class_weights=weights)
    o, y = output.double().numpy(), truth.numpy()
    log_p = o - np.log(np.exp(o).sum(1, keepdims=True))
    wanted = np.eye(3)[y] * (1 - smoothing) + smoothing / 3
    weight = np.ones(3)
    if weights == "balanced":
        train = np.repeat([0, 1, 2], FITTED["counts"])
        weight = compute_class_weight("balanced", classes=np.arange(3), y=train)
    expected = np.mean(weight[y] * -(wanted * log_p).sum(1))
    assert of.loss(output, truth).item() == pytest.approx(expected, abs=1e-5)


def test_the_gradient_of_unknown_samples_is_zero():
    output = torch.randn(3, 3, requires_grad=True)
    target().loss(output, torch.tensor([0, -1, 2])).backward()
    assert output.grad[0].any()
    assert not output.grad[1].any()


def test_mix_is_the_mixture_of_probabilities():
    outputs = torch.randn(5, 4, 3)
    weight = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4, [0, 0, 0, 1.0]])
    expected = (weight.unsqueeze(-1) * outputs.softmax(-1)).sum(1)
    torch.testing.assert_close(target().mix(outputs, weight).softmax(-1), expected, atol=1e-6, rtol=1e-5)


def test_chance_is_the_share_of_the_training_split():
    chance = target().chance(torch.zeros(4, dtype=torch.long))
    torch.testing.assert_close(chance, torch.tensor([[0.6, 0.3, 0.1]] * 4))
    ours = compute_metrics(target(), chance, torch.tensor([0, 0, 1, 2]))
    assert (ours["accuracy"], ours["auroc"]) == (0.5, 0.5)
    assert ours["balanced_accuracy"] == pytest.approx(1 / 3)


def test_fit_and_encode():
    spec = TargetSpec(name="y", kind="multiclass")
    assert MultiClass.fit(spec, ["b", "a", None, "b"]) == {"classes": ["a", "b"], "counts": [1, 2]}
    given = TargetSpec(name="y", kind="multiclass", classes=["b", "a"])
    assert MultiClass.fit(given, ["b", "a", "b"]) == {"classes": ["b", "a"], "counts": [2, 1]}
    assert MultiClass.encode(spec, FITTED, ["c", None, "a"]).tolist() == [2, -1, 0]
    assert MultiClass.fit(spec, [1, 0, 0]) == {"classes": ["0", "1"], "counts": [2, 1]}  # numbers are labels too


@pytest.mark.parametrize(
    ("classes", "truths", "says"),
    [
        (None, ["a", "a"], "holds 1 class"),
        (None, [None, None], r"holds 0 class\(es\) \(none\)"),
        (["a", "b"], ["a", "a"], "no sample of class 'b'"),
    ],
)
def test_fit_names_what_the_training_split_lacks(classes, truths, says):
    with pytest.raises(UserError, match=says):
        MultiClass.fit(TargetSpec(name="y", kind="multiclass", classes=classes), truths)


def test_a_label_unseen_in_training_is_named_with_the_nearest_one():
    fitted = {"classes": ["healthy", "ill"], "counts": [1, 1]}
    with pytest.raises(UserError, match=r"'healty' \(row 2\) unseen in training.*Did you mean \"healthy\"\?"):
        MultiClass.encode(TargetSpec(name="y", kind="multiclass"), fitted, ["ill", "healty"])


def test_columns():
    probability = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    table = target().columns(probability, np.array([1, -1]))
    assert list(table) == ["y.truth", "y.predicted", "y.p(a)", "y.p(b)", "y.p(c)"]
    assert table["y.truth"][0] == "b"
    assert table["y.truth"].isna().tolist() == [False, True]
    assert table["y.predicted"].tolist() == ["a", "c"]
    assert "y.truth" not in target().columns(probability, None)
