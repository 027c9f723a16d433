"""Attacks with bounds, budgets, a metric or groups on models that are not linear predictors."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import HuberRegressor

import fastaif as fa

RNG = np.random.default_rng(4)
X = np.clip(RNG.normal(size=(60, 2)), -1.5, 1.5)
Y = np.sin(1.5 * X[:, 0]) + X[:, 0] * X[:, 1] + 0.3 * RNG.normal(size=60)
LOW, HIGH = np.array([-1.5, -1.5]), np.array([1.5, np.inf])
SIZES = RNG.choice([0.0, 0.5, 1.0, 2.0], size=60)
RESTRICTIONS = {
    "bounds": {"bounds": (LOW, HIGH)},
    "budgets": {"budgets": SIZES},
    "both": {"bounds": (LOW, HIGH), "budgets": SIZES},
    "metric": {"metric": np.array([[1.0, 0.6], [0.6, 0.5]]), "p": 2},
    "groups": {"groups": [[0, 1]]},
}
EPS, TOLERANCE = 0.5, 1e-6


def estimators():
    kernel = fa.kernels.RBF(gamma=0.5)
    labels, classes = Y > 0.0, np.digitize(Y, [-0.5, 0.6])
    centres = {"centers": "fixed", "n_centers": 6, "random_state": 0}
    return {
        "network": (fa.MLPRegression(hidden=3, alpha=0.02, random_state=0), Y),
        "network of labels": (fa.MLPClassification(hidden=3, alpha=0.02, random_state=0), labels),
        "layers": (fa.MLPClassification(hidden=(3, 2), alpha=0.01, random_state=3), classes),
        "softmax": (fa.LogisticRegression(alpha=1e-2), classes),
        "outputs": (fa.LinearRegression(alpha=1e-2), np.column_stack([Y, Y**2 - X[:, 0]])),
        "quadratic": (fa.QuadraticRegression(alpha=1e-2), Y),
        "powers": (fa.BasisRegression(fa.bases.Powers(3), "logistic", alpha=0.1), labels),
        "fixed": (fa.KernelRegression(kernel, **centres, alpha=0.01), Y),
        "scale": (HuberRegressor(), Y),
        "l1": (fa.LinearRegression(alpha=0.05, l1_ratio=0.5), Y),
    }


@cache
def fitted(name):
    model, y = estimators()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y), y


def in_the_set(delta, p, options):
    """Which moves (k, 2) are in the set of size 1."""
    if "metric" in options:
        return np.einsum("ij,jk,ik->i", delta, np.linalg.inv(options["metric"]), delta) <= 1.0
    if "groups" in options:
        p = 2
    return np.linalg.norm(delta, ord=p, axis=1) <= 1.0


def losses(model, inputs, target):
    """What orders attacks of a sample as its loss does."""
    if not hasattr(model, "predict_proba"):
        errors = model.predict(inputs) - target
        return np.sum(errors.reshape(len(inputs), -1) ** 2, axis=1)
    return 1.0 - model.predict_proba(inputs)[:, int(target)]


@pytest.mark.parametrize("name", estimators())
def test_no_point_of_a_grid_is_worse(name):
    model, y = fitted(name)
    rows = np.arange(0, 60, 8)
    axis = np.linspace(-1.0, 1.0, 31)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    for kind, given in RESTRICTIONS.items():
        options = {"p": np.inf, "n_restarts": 10, "random_state": 0, **given}
        if "bounds" in given and name != "l1":
            options["p"] = 2
        if "budgets" in given:
            options["budgets"] = SIZES[rows]
        if name == "l1":
            del options["n_restarts"]  # closed
        found = fa.attack(model, X[rows], y[rows], EPS, radius=1.0, **options)
        kept = 1.6 * grid[in_the_set(1.6 * grid, options["p"], options)]
        for place, row in enumerate(rows):
            size = EPS * (options["budgets"][place] if "budgets" in given else 1.0)
            there = X[row] + size * kept
            if "bounds" in given:
                there = there[np.all((there >= LOW) & (there <= HIGH), axis=1)]
            worst = losses(model, there, y[row]).max()
            reached = losses(model, found[place : place + 1], y[row])[0]
            assert reached >= worst - TOLERANCE * abs(worst), (kind, row)


@pytest.mark.parametrize(
    ("kind", "p"),
    [("both", 2), ("bounds", np.inf), ("budgets", 1.5), ("metric", 2), ("groups", 1)],
)
def test_influence_of_networks_is_the_slope_of_robust_optima(kind, p):
    model, y = fitted("network")
    options, eps = {"p": p, **RESTRICTIONS[kind]}, 1e-6
    result = fa.aif(model, X, y, **options)
    robust = fa.robust_fit(model, X, y, eps, **options)
    slope = (robust.params - result.params) / eps
    assert np.linalg.norm(slope - result.influence) <= 1e-3 * np.linalg.norm(slope)
    rise = fa.adversarial_loss(model, X, y, eps, **options) - fa.adversarial_loss(model, X, y, 0.0)
    assert rise / eps == pytest.approx(result.value_derivative, rel=1e-3)
    assert 0.0 < result.validity_radius < 1.0


def test_influence_of_a_scale_is_the_slope_of_robust_optima():
    model, y = fitted("scale")
    for kind in RESTRICTIONS:
        options, eps = {"p": 2, **RESTRICTIONS[kind]}, 1e-6
        result = fa.aif(model, X, y, refine=True, **options)
        robust = fa.robust_fit(model, X, y, eps, **options)
        slope = (robust.params - result.params) / eps
        assert np.linalg.norm(slope - result.influence) <= 1e-3 * np.linalg.norm(slope), kind


@pytest.mark.parametrize("name", ["network of labels", "softmax", "powers"])
def test_labels_turn_at_their_radius(name):
    model, y = fitted(name)
    labels, some = model.classes_[np.asarray(y, dtype=int)][:20], X[:20]
    for kind in ("both", "groups"):
        options = {"radius": 1.0, **RESTRICTIONS[kind]}
        if "budgets" in options:
            options["budgets"] = SIZES[:20]
        radii, exact = fa.robustness_radius(model, some, labels, return_exact=True, **options)
        assert exact == (name == "softmax")
        assert np.all((radii == 0.0) == (model.predict(some) != labels))
        if "budgets" in options:
            assert np.isinf(radii[(SIZES[:20] == 0.0) & (radii > 0.0)]).all()
        found = fa.adversarial_accuracy(model, some, labels, 0.3, **options)
        assert found == pytest.approx(np.mean(radii > 0.3), abs=0.051)


@pytest.mark.long
@pytest.mark.parametrize("name", ["network", "layers", "softmax", "powers"])
def test_samples_that_gain_no_more_stop_without_a_loss(name, monkeypatch):
    """To what attacks promise; and rows go the same way in blocks of a few as all at once."""
    model, y = fitted(name)
    for given in RESTRICTIONS.values():
        options = {"p": 2 if "bounds" in given else np.inf, "radius": 1.0, **given}
        found = fa.adversarial_loss(model, X, y, EPS, **options)
        with monkeypatch.context() as patch:
            patch.setattr("fastaif.api.attack.ENOUGH", 0.0)
            long = fa.adversarial_loss(model, X, y, EPS, **options)
        assert np.isclose(found, long, rtol=2e-8)
        with monkeypatch.context() as patch:
            patch.setattr("fastaif.families.layered.attack._BLOCK", 14)  # seven rows
            assert np.isclose(fa.adversarial_loss(model, X, y, EPS, **options), found, rtol=1e-9)


def test_what_is_not_known_has_a_way_out():
    for name in ("quadratic", "powers", "fixed", "l1"):
        model, y = fitted(name)
        for call in (fa.robust_fit, fa.robust_path):
            with pytest.raises(ValueError, match=r"only its influence .* describe the attack by p"):
                call(model, X, y, 0.1, bounds=(LOW, HIGH))
    moving = fa.KernelRegression(alpha=0.1).fit(X, Y)
    for call in (fa.attack, fa.robust_fit):
        with pytest.raises(ValueError, match=r"p=2 and bounds are not known for a kernel model"):
            call(moving, X, Y, 0.1, bounds=(LOW, HIGH))
    with pytest.raises(ValueError, match=r"on sums of blocks are not known for a network"):
        fa.InfluenceAccumulator(fitted("network")[0], groups=[[0, 1]])
