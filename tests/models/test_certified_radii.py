"""Certified radii of votes over noise: against the closed form that linear classifiers have."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa
from fastaif.data.noisy_copies import NoisyCopies
from fastaif.models.certified_radii import least_share

SIGMA, LEVEL = 0.5, 0.99


@pytest.fixture(scope="module")
def linear():
    """A linear classifier, and its samples: x + σz is on the side of x with Φ(|f| / (σ ‖w‖))."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = np.where(X @ [1.0, -1.0, 0.5, 0.0] + 0.3 * rng.logistic(size=300) > 0, "yes", "no")
    model = fa.RandomizedSmoothing(fa.LogisticRegression(alpha=1e-3), SIGMA, random_state=1)
    return model.fit(X, y), X, y


def lengths(model, X):
    """|f| / ‖w‖: how far samples are from where the label of the vote changes, as that of f."""
    return np.abs(model.decision_function(X)) / np.linalg.norm(model.estimator_.coef_)


@pytest.mark.long
def test_radii_are_below_the_exact_ones_of_a_linear_classifier_and_come_near(linear):
    model, X, _ = linear
    exact = lengths(model, X)
    found = model.certify(X, n_draws=20_000, n_selection=20_000, level=LEVEL, random_state=0)
    # They may be too long for one sample of a hundred.
    assert np.mean(found.radii > exact) <= 0.02
    # A share of draws is within four standard errors, 2.33 below which the bound is.
    z = exact / SIGMA
    error = SIGMA * np.sqrt(stats.norm.cdf(z) * stats.norm.sf(z) / 20_000) / stats.norm.pdf(z)
    near = z < 2.0
    assert np.all((found.radii <= exact + 2.0 * error)[near])
    assert np.all((found.radii >= exact - 6.5 * error)[near])
    sure = ~found.abstained
    np.testing.assert_array_equal(found.labels[sure], model.predict(X)[sure])
    radii = fa.robustness_radius(model, X, radius=1.0)
    np.testing.assert_allclose(radii, exact, rtol=1e-10)


def test_what_is_far_has_the_longest_radius_that_draws_can_tell(linear):
    model, X, _ = linear
    far = X + 100.0 * np.sign(model.decision_function(X))[:, None] * model.estimator_.coef_
    found = model.certify(far, n_draws=500, level=LEVEL, random_state=0)
    longest = SIGMA * stats.norm.ppf((1.0 - LEVEL) ** (1.0 / 500))
    np.testing.assert_allclose(found.radii, longest, rtol=1e-12)


def test_bounds_hold_as_often_as_they_say():
    """Of samples whose share is known: too large for at most one of a hundred, of 4,000."""
    rng = np.random.default_rng(2)
    for share in (0.55, 0.8, 0.99):
        won = rng.binomial(400, share, size=4000)
        wrong = np.mean(least_share(won, 400, LEVEL) > share)
        assert wrong <= 1.0 - LEVEL + 3.0 * np.sqrt(0.01 * 0.99 / 4000)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.999])
def test_bounds_are_those_of_clopper_and_pearson(level):
    for n in (1, 7, 1000):
        for won in {0, 1, n // 2, n - 1, n}:
            exact = stats.binomtest(won, n, alternative="greater").proportion_ci(level).low
            assert np.isclose(least_share(np.array([won]), n, level)[0], exact, rtol=1e-9)


def test_samples_on_the_boundary_are_abstained(linear):
    model, X, y = linear
    w = model.estimator_.coef_
    on = X - model.decision_function(X)[:, None] * w / (w @ w)
    found = model.certify(on, level=LEVEL, random_state=0)
    assert found.abstained.mean() > 0.97
    np.testing.assert_array_equal(found.radii[found.abstained], 0.0)
    assert np.all(found.least_shares[found.abstained] <= 0.5)
    assert found.accuracy(y) <= 0.03


def test_accuracy_counts_what_is_right_beyond_a_radius(linear):
    model, X, y = linear
    found = model.certify(X, random_state=0)
    for radius in (0.0, 0.3):
        right = [
            label == target and length > radius
            for label, target, length in zip(found.labels, y, found.radii, strict=True)
        ]
        assert found.accuracy(y, radius) == np.mean(right)
    assert found.level == 0.999
    again = model.certify(X, random_state=0)
    np.testing.assert_array_equal(found.radii, again.radii)
    assert np.any(found.radii != model.certify(X, random_state=3).radii)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).radii, found.radii)


def test_three_classes_and_trees():
    """Votes are counted class by class, of whatever classifier."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 2)) + np.repeat([[0, 0], [4, 0], [0, 4]], 20, axis=0)
    y = np.repeat([3, 5, 9], 20)
    inner = RandomForestClassifier(5, random_state=0)
    model = fa.RandomizedSmoothing(inner, SIGMA, random_state=1).fit(X, y)
    found = model.certify(X, n_draws=200, n_selection=50, random_state=0)
    assert found.accuracy(y) > 0.7
    # The second draws, and these alone, say how often the class of the first ones won.
    noisy = NoisyCopies(X, SIGMA, 250, fa.utils.validation.seed(fa.utils.validation.seed(0)))[:]
    labels = model.predict(noisy).reshape(250, 60)
    chosen = [max((3, 5, 9), key=lambda k: (first == k).sum()) for first in labels[:50].T]
    np.testing.assert_array_equal(found.labels, chosen)
    won = (labels[50:] == chosen).sum(axis=0)
    np.testing.assert_allclose(found.least_shares, least_share(won, 200, 0.999), rtol=1e-12)


def test_noise_is_not_that_of_the_fit():
    """Of the same random_state too: a vote over the copies of the fit would be biased."""
    X = np.zeros((5, 2))
    seen = []

    class Sees(fa.LogisticRegression):
        def predict(self, X):
            seen.append(np.array(X))
            return super().predict(X)

    rows = np.random.default_rng(0).normal(size=(40, 2))
    model = fa.RandomizedSmoothing(Sees(), SIGMA, random_state=0).fit(rows, rows[:, 0] > 0)
    model.certify(X, n_draws=3, n_selection=2, random_state=0)
    fitted = NoisyCopies(X, SIGMA, 5, model.seed_)[:]
    assert not np.isin(np.concatenate(seen), fitted).any()


def test_frames_are_handed_on_as_frames(linear):
    _, X, y = linear
    frame = pd.DataFrame(X, columns=list("abcd"))
    inner = make_pipeline(StandardScaler(), fa.LogisticRegression(alpha=1e-3))
    model = fa.RandomizedSmoothing(inner, SIGMA, random_state=1).fit(frame, y)
    found = model.certify(frame, n_draws=200, random_state=0)
    bare = fa.RandomizedSmoothing(inner, SIGMA, random_state=1).fit(X, y)
    np.testing.assert_array_equal(found.radii, bare.certify(X, n_draws=200, random_state=0).radii)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_draws": 0}, ValueError, "n_draws must be an integer of at least 1"),
        ({"n_selection": 0}, ValueError, "n_selection must be an integer of at least 1"),
        ({"level": 1.0}, ValueError, "level must be below 1"),
        ({"level": 0.001}, ValueError, r"level must be a number of at least 0\.5"),
        ({"random_state": "a"}, ValueError, "random_state must be"),
    ],
)
def test_what_is_wrong_with_the_arguments(linear, options, error, message):
    model, X, _ = linear
    with pytest.raises(error, match=message):
        model.certify(X, **options)


def test_what_has_no_votes_is_refused(linear):
    _, X, y = linear
    with pytest.raises(NotFittedError):
        fa.RandomizedSmoothing(fa.LogisticRegression(), SIGMA).certify(X)
    still = fa.RandomizedSmoothing(fa.LogisticRegression(alpha=0.1), 0.0).fit(X, y)
    with pytest.raises(ValueError, match="sigma is 0: give a positive one"):
        still.certify(X)
    model = fa.RandomizedSmoothing(fa.LinearRegression(), SIGMA).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="certify is of classifiers, but LinearRegression"):
        model.certify(X)
