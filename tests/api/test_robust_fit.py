"""robust_fit and verify at several radii, and what a robust fit says of itself."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale
from support.makers import ORDERS, assert_close, make
from support.makers import estimator as plain

import fastaif as fa
from fastaif.utils.warnings import SolverWarning

RADII = [0.2, 0.02, 0.1, 0.05, 0.02]


@pytest.mark.parametrize("p", ORDERS)
def test_radii_at_once_are_radii_one_by_one(kind, p):
    X, y, w = make(kind, weighted=True)
    model = plain(kind, alpha=0.01).fit(X, y, w)
    fits = fa.robust_fit(model, X, y, RADII, p=p, sample_weight=w)
    assert isinstance(fits, list)
    assert [fit.eps for fit in fits] == RADII
    for fit, e in zip(fits, RADII, strict=True):
        alone = fa.robust_fit(model, X, y, e, p=p, sample_weight=w)
        assert fit.converged
        assert alone.converged
        assert_close(fit.params, alone.params, 1e-9)
        assert_close(fit.objective, alone.objective, 1e-13)


def test_radii_cost_the_same_from_anywhere():
    """From the natural optimum no more passes than from the radius before."""
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    model = fa.LinearRegression().fit(X, y)
    radii = np.linspace(0.01, 0.1, 10)
    together = fa.robust_fit(model, X, y, radii)
    alone = [fa.robust_fit(model, X, y, e) for e in radii]
    assert sum(f.n_iter for f in together) <= 160
    assert sum(f.n_iter for f in alone) <= 160


@pytest.mark.parametrize("options", [{"order": 2}, {"order": 1}, {"order": 3}, {"method": "pgd"}])
def test_radii_of_other_attacks(options):
    X, y, _ = make("linear", n=60, m=3)
    model = fa.LinearRegression(alpha=0.1).fit(X, y)
    fits = fa.robust_fit(model, X, y, (0.1, 0.02), **options)
    for fit, e in zip(fits, (0.1, 0.02), strict=True):
        np.testing.assert_array_equal(
            fit.params, fa.robust_fit(model, X, y, e, **options).params
        )


def test_radii_of_other_models_and_none_and_zero():
    X, y, _ = make("linear", n=60, m=3)
    model = fa.QuadraticRegression(alpha=0.1).fit(X, y)
    for fit, e in zip(fa.robust_fit(model, X, y, [0.05, 0.0]), (0.05, 0.0), strict=True):
        np.testing.assert_array_equal(fit.params, fa.robust_fit(model, X, y, e).params)
    assert fa.robust_fit(model, X, y, []) == []


def test_from_beyond_the_radius_at_which_nothing_is_left():
    X, y, _ = make("linear")
    fits = fa.robust_fit(fa.LinearRegression().fit(X, y), X, y, [50.0, 5.0, 0.1])
    assert all(fit.converged for fit in fits)
    assert not fits[0].params[:-1].any()
    assert fits[2].params[:-1].all()


def test_verify_at_several_radii(kind):
    X, y, _ = make(kind)
    result = fa.aif(plain(kind, alpha=0.01).fit(X, y), X, y)
    several = result.verify(np.array([0.05, 0.01]))
    assert isinstance(several, list)
    for found, e in zip(several, (0.05, 0.01), strict=True):
        alone = result.verify(e)
        assert isinstance(alone, fa.Verification)
        assert found.eps == found.robust.eps == e
        assert found.predicted_cost == alone.predicted_cost
        assert_close(found.exact_cost, alone.exact_cost, 1e-7)
        assert_close(found.exact_gain, alone.exact_gain, 1e-7)


def test_each_unsolved_radius_is_named():
    X, y, _ = make("logistic")
    model = plain("logistic").fit(X, y)
    with (
        pytest.warns(SolverWarning, match=r"eps=0\.1 "),
        pytest.warns(SolverWarning, match=r"eps=0\.05 "),
    ):
        fits = fa.robust_fit(model, X, y, [0.1, 0.05], max_iter=1)
    assert [fit.converged for fit in fits] == [False, False]


def test_a_checkpoint_of_several_radii(tmp_path):
    X, y, _ = make("linear")
    model = fa.LinearRegression().fit(X, y)
    path = tmp_path / "sums"
    fits = fa.robust_fit(model, X, y, [0.1, 0.05], checkpoint=path)
    wanted = fa.robust_fit(model, X, y, [0.1, 0.05])
    for fit, other in zip(fits, wanted, strict=True):
        np.testing.assert_array_equal(fit.params, other.params)
    assert not path.exists()


@pytest.mark.parametrize(
    ("eps", "error"),
    [
        ([0.1, -0.1], ValueError), ([0.1, np.nan], ValueError), ([[0.1]], ValueError),
        (["0.1"], TypeError), (True, TypeError), (None, TypeError), ("0.1", TypeError),
    ],
)  # fmt: skip
def test_radii_that_are_refused(eps, error):
    X, y, _ = make("linear")
    model = fa.LinearRegression().fit(X, y)
    with pytest.raises(error, match="eps must be"):
        fa.robust_fit(model, X, y, eps)
    with pytest.raises(error, match="eps must be"):
        fa.aif(model, X, y).verify(eps)


def test_verify_wants_positive_radii():
    X, y, _ = make("linear")
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    with pytest.raises(ValueError, match="above 0"):
        result.verify([0.1, 0.0])


# --- what a fit says of itself --------------------------------------------------------------


def test_the_frame():
    pd = pytest.importorskip("pandas")
    X, y, _ = make("linear")
    names = ["age", "income", "size", "weight", "rest"]
    model = fa.LinearRegression().fit(pd.DataFrame(X, columns=names), y)
    fit = fa.robust_fit(model, pd.DataFrame(X, columns=names), y, 0.1)
    frame = fit.to_frame()
    assert list(frame.index) == [*names, "intercept"] == list(fit.names)
    assert list(frame.columns) == ["natural", "robust", "change"]
    np.testing.assert_array_equal(frame["natural"], [*model.coef_, model.intercept_])
    np.testing.assert_array_equal(frame["robust"], fit.params)
    np.testing.assert_array_equal(frame["change"], fit.params - fit.natural_params)


def test_the_summary_shows_what_moves_most():
    pytest.importorskip("pandas")
    X, y, _ = make("linear", m=14)
    fit = fa.robust_fit(fa.LinearRegression().fit(X, y), X, y, 0.1)
    lines = fit.summary().splitlines()
    assert "\n".join(lines[:3]) == str(fit)
    shown = [line.split()[0] for line in lines[5:15]]
    change = fit.to_frame()["change"].abs().sort_values(ascending=False)
    assert shown == list(change.index[:10])
    assert lines[-1].strip() == "(5 more parameters move less)"
    assert "natural_params" not in repr(fit)


def test_what_a_fit_came_from_cannot_be_written_into():
    X, y, _ = make("linear")
    fit = fa.robust_fit(fa.LinearRegression().fit(X, y), X, y, 0.1)
    with pytest.raises(ValueError, match="read-only"):
        fit.natural_params[0] = 0.0


def test_a_verification_is_drawn():
    pytest.importorskip("matplotlib")
    X, y, _ = make("linear")
    found = fa.aif(fa.LinearRegression().fit(X, y), X, y).verify(0.05)
    ax = found.plot()
    heights = [bar.get_height() for bar in ax.patches]
    wanted = [found.predicted_cost, found.predicted_gain, found.exact_cost, found.exact_gain]
    assert heights == wanted
    assert found.plot(ax) is ax
