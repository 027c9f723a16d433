"""Units that the penalty has switched off: as if they were not there."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import scale

import fastaif as fa


def data(kind):
    if kind == "regression":
        X, y = load_diabetes(return_X_y=True)
        return scale(X), scale(y)
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), y


def fitted(kind, activation="tanh", hidden=8, alpha=0.3, seed=0):
    models = {"regression": fa.MLPRegression, "classification": fa.MLPClassification}
    model = models[kind](hidden, activation, alpha=alpha, random_state=seed)
    return model.fit(*data(kind))


def pruned(model):
    """The same function without its idle units, and where its parameters are in the whole."""
    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    live = np.abs(w2) > 1e-6
    m, h = w1.shape
    places = np.arange(m * h).reshape(m, h)[:, live].ravel()
    places = np.concatenate(
        [places, m * h + np.flatnonzero(live), m * h + h + np.flatnonzero(live), [(m + 2) * h]]
    )
    options = model.get_params() | {"hidden": int(live.sum())}
    small = type(model)(**options)
    small.n_features_in_ = m
    if hasattr(model, "classes_"):
        small._prepare_targets(model.classes_)
    theta = np.concatenate([w1[:, live].ravel(), b1[live], w2[live], [b2]])
    small.set_parameters(theta, m)
    return small, places


# Softplus units rather run off to where they are linear than to zero.
CASES = [(kind, name) for kind in ("regression", "classification") for name in ("tanh", "gelu")]


@pytest.mark.parametrize(("kind", "activation"), CASES)
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("order", [2.0, np.inf])
def test_as_if_they_were_not_there(kind, activation, p, order):
    X, y = data(kind)
    model = fitted(kind, activation)
    small, places = pruned(model)
    idle = model.hidden - small.hidden
    assert idle > 0
    found, wanted = (fa.aif(each, X, y, p=p, order=order) for each in (model, small))
    assert found.diagnostics["idle_units"] == idle
    assert wanted.diagnostics["idle_units"] == 0
    scale_of = np.abs(wanted.influence).max()
    np.testing.assert_allclose(
        found.influence[places], wanted.influence, rtol=0.0, atol=1e-9 * scale_of
    )
    rest = np.delete(found.influence, places)
    np.testing.assert_allclose(rest, 0.0, atol=1e-9 * scale_of)
    assert found.sensitivity_coefficient == pytest.approx(wanted.sensitivity_coefficient, rel=1e-9)
    assert found.value_derivative == pytest.approx(wanted.value_derivative, rel=1e-9)
    assert found.diagnostics["least_eigenvalue"] > 0.0
    zeta = found.per_sample()
    np.testing.assert_allclose(zeta.mean(axis=0), found.influence, atol=1e-10 * scale_of)


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_most_networks_have_an_influence(kind):
    """A fit is stationary to rounding, its H definite but for the idle units."""
    X, y = data(kind)
    for seed in range(3):
        for alpha in (0.03, 0.3):
            result = fa.aif(fitted(kind, alpha=alpha, seed=seed), X, y)
            assert result.diagnostics["newton_step"] < 1e-3
            assert np.isfinite(result.influence).all()


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_robust_fits_keep_them_idle(kind):
    X, y = data(kind)
    model = fitted(kind)
    result = fa.aif(model, X, y)
    checks = [result.verify(eps) for eps in (1e-5, 1e-4)]
    assert all(check.robust.converged for check in checks)
    assert checks[0].params_error < 1e-2
    assert checks[1].params_error < 1e-1
    idle = np.abs(model.coefs_[1]) < 1e-6
    assert np.abs(checks[1].robust.estimator.coefs_[1][idle]).max() < 1e-6


def test_without_a_penalty_small_units_count():
    """Nothing then says that they stay where they are."""
    X, y = data("regression")
    model = fitted("regression", alpha=0.1)
    model.alpha = 0.0
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.aif(model, X, y)
