"""Randomized smoothing: the copies, the fit, and what is evaluated where."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import assert_close, estimator, make

import fastaif as fa
from fastaif.data.noisy_copies import NoisyCopies, Repeated

SIGMA, COPIES = 0.4, 3


def smoothed(inner, **options):
    return fa.RandomizedSmoothing(inner, SIGMA, COPIES, random_state=1, **options)


def copies(model, X, y, w=None):
    """All copies at once, as the fit draws them."""
    noisy = NoisyCopies(X, SIGMA, COPIES, model.seed_)[:]
    return noisy, np.tile(y, COPIES), None if w is None else np.tile(w, COPIES)


def test_copies_are_noise_around_the_samples(rng):
    X = rng.normal(size=(500, 4))
    Z = (NoisyCopies(X, 0.3, 6, 7)[:] - np.tile(X, (6, 1))) / 0.3
    assert stats.kstest(Z.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(Z.T) - np.eye(4)).max() < 0.08
    assert abs(np.corrcoef(Z.reshape(6, -1)) - np.eye(6)).max() < 0.1


def test_any_part_of_the_copies_is_the_same(rng):
    X = rng.normal(size=(11, 3)).astype(np.float32)
    array = NoisyCopies(X, 0.5, 4, 3)
    whole = array[:]
    assert array.shape == whole.shape == (44, 3)
    for start, stop in [(0, 44), (0, 1), (10, 12), (9, 35), (43, 44), (5, 5)]:
        np.testing.assert_array_equal(array[start:stop], whole[start:stop])
    numbers = np.array([40, 3, 11])
    np.testing.assert_array_equal(array[numbers], whole[numbers])
    np.testing.assert_array_equal(array[whole[:, 0] > 0], whole[whole[:, 0] > 0])
    assert array[np.array([], dtype=int)].shape == (0, 3)
    again = NoisyCopies(X, 0.5, 2, 3)[:]  # fewer copies: the same first ones
    np.testing.assert_array_equal(again, whole[:22])


def test_repeated_vector():
    values = np.array([3.0, 1.0, 2.0])
    vector, whole = Repeated(values, 4), np.tile(values, 4)
    np.testing.assert_array_equal(vector[2:9], whole[2:9])
    np.testing.assert_array_equal(vector[np.array([11, 0])], whole[[11, 0]])
    assert len(vector) == 12


@pytest.mark.parametrize("weighted", [False, True])
def test_fit_and_influence_are_those_of_the_copies(kind, weighted):
    X, y, w = make(kind, weighted=weighted)
    model = smoothed(estimator(kind, 0.05)).fit(X, y, w)
    noisy, labels, weights = copies(model, X, y, w)
    plain = estimator(kind, 0.05).fit(noisy, labels, weights)
    np.testing.assert_array_equal(model.estimator_.coef_, plain.coef_)
    result = fa.aif(model, X, y, p=3, sample_weight=w)
    clean = fa.aif(model.estimator_, X, y, p=3, sample_weight=w, refine=True)
    assert result.radius == clean.radius
    wanted = fa.aif(plain, noisy, labels, p=3, sample_weight=weights, radius=result.radius)
    assert_close(result.influence, wanted.influence, 1e-12)
    assert_close(result.hessian, wanted.hessian, 1e-12)
    zeta = result.per_sample()
    assert zeta.shape == (len(y), result.params.size)
    assert_close(np.average(zeta, axis=0, weights=w), result.influence, 1e-10)


@pytest.mark.parametrize("inner", [fa.QuadraticRegression(0.1), Ridge(), "pipeline"])
def test_other_estimators(inner):
    X, y, w = make("linear", n=80, m=3, weighted=True)
    if inner == "pipeline":
        inner = make_pipeline(StandardScaler(), Ridge())
    model = smoothed(inner).fit(X, y, w)
    noisy, labels, weights = copies(model, X, y, w)
    plain = clone(inner)
    if hasattr(plain, "steps"):
        key = {f"{name}__sample_weight": weights for name, _ in plain.steps}
        plain.fit(noisy, labels, **key)
    else:
        plain.fit(noisy, labels, sample_weight=weights)
    result = fa.aif(model, X, y, sample_weight=w)
    wanted = fa.aif(plain, noisy, labels, sample_weight=weights, radius=result.radius)
    assert_close(result.influence, wanted.influence, 1e-10)
    np.testing.assert_allclose(model.predict(X), plain.predict(X), rtol=1e-12)


def test_sensitivity_is_evaluated_on_clean_data():
    X, y, _ = make("linear")
    model = smoothed(fa.LinearRegression()).fit(X, y)
    result = fa.aif(model, X, y)
    assert_close(result.sensitivity(0.01), result.sensitivity(0.01, X, y), 1e-12)
    quadratic = result.sensitivity(0.01, expansion="quadratic")
    assert_close(quadratic, 1e-4 * result.sensitivity_coefficient, 1e-12)
    robust = fa.robust_fit(model, X, y, 1e-4)
    exact = np.mean((robust.estimator.predict(X) - y) ** 2 - (model.predict(X) - y) ** 2)
    found = fa.sensitivity(model, X, y, 1e-4, method="exact")
    assert_close(found, exact, 1e-6)
    assert_close(result.sensitivity(1e-4, expansion="taylor"), exact, 1e-2)


def test_robust_fit_is_that_of_the_copies(kind):
    X, y, _ = make(kind, n=60)
    model = smoothed(estimator(kind, 0.05)).fit(X, y)
    robust = fa.robust_fit(model, X, y, 0.05)
    assert robust.converged
    assert isinstance(robust.estimator, fa.RandomizedSmoothing)
    noisy, labels, _ = copies(model, X, y)
    plain = estimator(kind, 0.05).fit(noisy, labels)
    wanted = fa.robust_fit(plain, noisy, labels, 0.05, radius=robust.radius)
    assert_close(robust.params, wanted.params, 1e-9)
    np.testing.assert_array_equal(robust.estimator.estimator_.coef_, robust.params[:-1])


def test_attacks_are_on_the_clean_rows():
    X, y, _ = make("linear")
    model = smoothed(fa.LinearRegression()).fit(X, y)
    attacked = fa.attack(model, X, y, 0.1)
    np.testing.assert_array_equal(attacked, fa.attack(model.estimator_, X, y, 0.1))
    assert fa.adversarial_loss(model, X, y, 0.1) == pytest.approx(
        np.mean((model.predict(attacked) - y) ** 2), rel=1e-12
    )


def test_no_noise_is_the_plain_model():
    X, y, _ = make("linear")
    plain = fa.LinearRegression().fit(X, y)
    model = fa.RandomizedSmoothing(fa.LinearRegression(), 0.0, 2).fit(X, y)
    assert_close(fa.aif(model, X, y).influence, fa.aif(plain, X, y).influence, 1e-11)


def test_seeds_and_pickles():
    X, y, _ = make("linear")
    one, two = (smoothed(fa.LinearRegression()).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.estimator_.coef_, two.estimator_.coef_)
    unseeded = [fa.RandomizedSmoothing(fa.LinearRegression(), 0.4).fit(X, y) for _ in range(2)]
    assert unseeded[0].seed_ != unseeded[1].seed_
    for model in unseeded:  # the same copies again, also without a random_state
        assert fa.aif(model, X, y).diagnostics["newton_step"] < 1e-6
    back = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(fa.aif(back, X, y).influence, fa.aif(one, X, y).influence)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": -1.0}, "sigma"),
        ({"sigma": np.nan}, "sigma"),
        ({"n_copies": 0}, "n_copies"),
        ({"n_copies": 1.5}, "n_copies"),
        ({"random_state": -3}, "random_state"),
    ],
)
def test_bad_parameters_are_refused(options, message):
    X, y, _ = make("linear")
    model = fa.RandomizedSmoothing(fa.LinearRegression(), **{"sigma": 0.1, **options})
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y)


def test_unfitted_is_refused():
    X, y, _ = make("linear")
    with pytest.raises(NotFittedError):
        fa.aif(smoothed(fa.LinearRegression()), X, y)
