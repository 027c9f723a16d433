"""Radii that predictions withstand: exact ones against attacks, bounds against exact ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import make

import fastaif as fa
from fastaif.reports.answer import answers


@pytest.mark.parametrize("p", [1, 1.5, 2, np.inf])
def test_labels_turn_just_beyond_their_radius(p):
    X, y, w = make("logistic", weighted=True)
    model = make_pipeline(StandardScaler(), fa.LogisticRegression(alpha=0.01)).fit(X, y)
    options = {"p": p, "attackable": np.arange(X.shape[1]) != 1, "sample_weight": w}
    radii, exact = fa.robustness_radius(model, X, y, return_exact=True, **options)
    right = model.predict(X) == y
    assert exact
    np.testing.assert_array_equal(radii == 0.0, ~right)
    for k in np.flatnonzero(right)[:12]:
        for share in (0.999, 1.001):
            moved = fa.attack(model, X, y, share * radii[k], **options)
            assert (model.predict(moved)[k] == y[k]) == (share < 1.0)
    assert np.all(fa.robustness_radius(model, X, **options)[right] == radii[right])
    for eps in (0.0, np.median(radii)):
        found = fa.adversarial_accuracy(model, X, y, eps, **options)
        moved = fa.attack(model, X, y, eps * (1.0 + 1e-12), **options)
        assert found == pytest.approx(w[model.predict(moved) == y].sum() / w.sum(), rel=1e-12)


@pytest.mark.parametrize("kind", [fa.LinearRegression, fa.HuberRegression, fa.PoissonRegression])
def test_changes_of_expected_targets(kind):
    X, y, _ = make("poisson")
    model = kind(alpha=0.01).fit(X, y)
    radii = fa.robustness_radius(model, X, y, change=0.5)
    for k in range(5):
        ends = [fa.attack(model, X, np.full(len(X), t), radii[k])[k] for t in (0.0, 1e6)]
        far = np.abs(model.predict(np.array(ends)) - model.predict(X)[k]).max()
        assert far == pytest.approx(0.5, rel=1e-9)


def test_searches_bound_what_is_known():
    """The logistic model on a linear basis is the linear predictor, found by ascent."""
    X, y, _ = make("logistic")
    exact = fa.robustness_radius(fa.LogisticRegression(alpha=0.01).fit(X, y), X, y)
    model = fa.BasisRegression(fa.bases.Linear(), "logistic", alpha=0.01).fit(X, y)
    powers = fa.BasisRegression(fa.bases.Powers(1), "logistic", alpha=0.01).fit(X, y)
    for other in (model, powers):
        found, known = fa.robustness_radius(other, X, y, return_exact=True)
        if not known:
            assert np.all(found >= exact * (1.0 - 1e-9))
            np.testing.assert_allclose(found, exact, rtol=0.02)
        share = fa.adversarial_accuracy(other, X, y, 0.3)
        assert share == pytest.approx(np.mean(exact > 0.3), abs=1e-12)


def test_networks_and_frames():
    X, y, _ = make("logistic")
    frame = pd.DataFrame(X, columns=[f"f{k}" for k in range(X.shape[1])])
    model = fa.MLPClassification(hidden=3, alpha=0.1, random_state=0).fit(frame, y)
    radii, exact = fa.robustness_radius(model, frame, y, return_exact=True)
    assert not exact
    assert np.all((radii == 0.0) == (model.predict(frame) != y))
    found = [fa.adversarial_accuracy(model, frame, y, eps) for eps in (0.0, 0.1, 0.4)]
    assert found[0] == np.mean(model.predict(frame) == y)
    assert found[0] >= found[1] >= found[2]
    assert found[1] == pytest.approx(np.mean(radii > 0.1), abs=0.02)


def test_refusals():
    X, y, _ = make("linear")
    model = fa.LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match="change="):
        fa.robustness_radius(model, X, y)
    with pytest.raises(ValueError, match="classifiers"):
        fa.adversarial_accuracy(model, X, y, 0.1)
    with pytest.raises(ValueError, match="not known"):
        fa.robustness_radius(fa.QuadraticRegression().fit(X, y), X, y, change=1.0)


def three_classes(rng, n=60, m=3):
    X = rng.normal(size=(n, m))
    y = np.argmax(X @ rng.normal(size=(m, 3)) + rng.gumbel(size=(n, 3)), axis=1)
    return X, y, fa.LogisticRegression(alpha=0.02).fit(X, y)


@pytest.mark.parametrize("p", [1, 1.5, 2, np.inf])
def test_several_classes_within_bounds_are_exact(rng, p):
    """Against the largest gain of each class in the box, by a general solver."""
    X, y, model = three_classes(rng)
    bounds = (X.min() - 0.1, X.max() - 0.0)
    radii, exact = fa.robustness_radius(
        model, X, y, p=p, radius=1.0, bounds=bounds, return_exact=True
    )
    assert exact
    W, z = model.coef_, X @ model.coef_.T + model.intercept_
    np.testing.assert_array_equal(radii == 0.0, np.argmax(z, axis=1) != y)
    for k in np.flatnonzero(np.isfinite(radii) & (radii > 0.0))[:10]:
        for share, turned in ((1.0 - 1e-6, False), (1.0 + 1e-6, True)):
            size, own = share * radii[k], y[k]
            found = [
                largest_gain(W[j] - W[own], X[k], size, p, bounds) - (z[k, own] - z[k, j])
                for j in range(3) if j != own
            ]  # fmt: skip
            assert (max(found) > 0.0) == turned
    for eps in (0.1, 0.5):
        shares = fa.adversarial_accuracy(model, X, y, eps, p=p, radius=1.0, bounds=bounds)
        assert shares == np.mean(radii > eps)


def largest_gain(slope, x, size, p, bounds):
    """max ⟨slope, δ⟩ over ‖δ‖_p ≤ size and bounds, by the multiplier of the ball."""
    low, high = bounds[0] - x, bounds[1] - x
    room = np.where(slope > 0.0, high, -low)
    if p == np.inf:
        return np.abs(slope) @ np.minimum(size, room)
    if p == 1:
        order, left, gain = np.argsort(-np.abs(slope)), size, 0.0
        for j in order:
            part = min(left, room[j])
            left, gain = left - part, gain + part * abs(slope[j])
        return gain

    def moved(price):
        return np.minimum(room, (np.abs(slope) / price) ** (1.0 / (p - 1.0)))

    least, most = 1e-12, 1e12
    for _ in range(200):
        price = np.sqrt(least * most)
        if np.sum(moved(price) ** p) > size**p:
            least = price
        else:
            most = price
    return np.abs(slope) @ moved(most)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("options", [{}, {"bounds": (-4.0, 4.0)}])
def test_analyses_tell_the_same_accuracy(rng, classes, options):
    """As worst losses need not turn labels, the share that the attacks leave is a larger one."""
    X, y, model = three_classes(rng, n=200)
    if classes == 2:
        model = fa.LogisticRegression(alpha=0.02).fit(X, y == 1)
        y = y == 1
    result = fa.aif(model, X, y, p=np.inf, **options)
    check = result.verify(0.2)
    (found,) = answers(result, [check])
    shares = found.attacked_accuracy
    for estimator, share in ((model, shares.before), (check.robust.estimator, shares.after)):
        assert share == fa.adversarial_accuracy(estimator, X, y, 0.2, p=np.inf, **options)
