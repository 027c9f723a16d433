"""The experiment on budgets that samples share."""

import numpy as np
import pytest

from fastaif.experiments import wasserstein


@pytest.fixture(scope="module")
def found():
    return wasserstein(progress=False)


@pytest.mark.long
def test_the_corrected_formula_is_right_at_every_order(found):
    smooth = found.eps <= 1e-4
    error = found.error[:, smooth]
    assert error.max() < 0.02
    # Of first order in eps: ten times the error at ten times the eps.
    np.testing.assert_allclose(error[:, 1] / error[:, 0], 10.0, rtol=0.3)
    exact = np.isin(found.orders, [1.0, 2.0, np.inf])
    assert found.converged[exact].all()
    assert [found.method[k] for k in np.flatnonzero(exact)] == ["exact"] * 3


def test_the_printed_formula_is_right_at_order_one_only(found):
    finite = np.isfinite(found.orders) & (found.orders > 1.0)
    assert found.error_paper[finite, 0].min() > 0.1
    assert found.error_paper[finite & (found.orders > 1.2), 0].min() > 1.0
    for order in (1.0, np.inf):  # order inf is Theorem 4.1
        same = found.orders == order
        np.testing.assert_array_equal(found.error_paper[same], found.error[same])


def test_values_fall_as_the_budget_is_spread(found):
    assert (np.diff(found.value_derivative) < 0).all()
    assert (np.diff(found.largest_share) < 0).all()
    assert found.largest_share[0] == 1.0


def test_reports(found):
    frame = found.to_frame()
    assert len(frame) == found.orders.size * found.eps.size
    assert list(frame.columns[:2]) == ["order", "eps"]
    text = found.summary()
    assert max(map(len, text.splitlines())) <= 80
    assert "as printed" in text


def test_figure(found):
    figures = pytest.importorskip("matplotlib.figure")
    figure = found.plot(figures.Figure())
    assert len(figure.axes) == 4
    corrected, printed = figure.axes[0].lines
    assert len(corrected.get_xdata()) == found.orders.size
    assert len(printed.get_xdata()) == np.isfinite(found.orders).sum()  # no formula for inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"orders": [2.0, 1.0]}, "orders must be increasing"),
        ({"orders": [0.5]}, "orders"),
        ({"eps": [0.0]}, "eps must hold numbers above 0"),
        ({"n_samples": 3}, "n_samples must be at least 4"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        wasserstein(progress=False, **arguments)
