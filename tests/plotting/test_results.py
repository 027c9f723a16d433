"""Figures show the numbers that they are given, and leave matplotlib's state alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.figures import assert_nothing_overlaps

import fastaif as fa
from fastaif import plotting
from fastaif.experiments import figure1

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")


@pytest.fixture
def cancer() -> fa.InfluenceResult:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return fa.aif(make_pipeline(StandardScaler(), fa.LogisticRegression()).fit(X, y), X, y)


@pytest.fixture
def diabetes() -> fa.InfluenceResult:
    X, y = load_diabetes(return_X_y=True)
    return fa.aif(fa.LinearRegression().fit(X, y), X, y, p=np.inf)


def test_bars_are_the_largest_influences(cancer: fa.InfluenceResult) -> None:
    ax = cancer.plot()
    lengths = np.array([bar.get_width() for bar in ax.patches])
    largest = np.sort(np.abs(cancer.influence[:-1]))[::-1][:15]
    np.testing.assert_allclose(np.abs(lengths), largest)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    values = dict(zip(cancer.names, cancer.influence, strict=True))
    assert [values[name] for name in labels] == list(lengths)
    assert "15 of 30" in ax.get_title()
    assert "p = 2" in ax.get_title()
    assert f"s = {cancer.radius:.4g}" in ax.get_title()
    assert "scaled" in ax.get_xlabel()


def test_eps_turns_slopes_into_changes(diabetes: fa.InfluenceResult) -> None:
    _, ax = plt.subplots()
    assert plotting.plot_influence(diabetes, eps=0.02, ax=ax) is ax
    lengths = [bar.get_width() for bar in ax.patches]
    assert len(lengths) == 10  # all coefficients, without the intercept
    assert max(np.abs(lengths)) == pytest.approx(0.02 * np.abs(diabetes.influence[:-1]).max())
    assert "ε = 0.02" in ax.get_xlabel()
    assert "scaled" not in ax.get_xlabel()
    assert "p = inf" in ax.get_title()


def test_names_alike_keep_their_bars() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    object.__setattr__(result.problem.model, "names", ("a" * 30, "a" * 29, "intercept"))
    ax = result.plot()
    assert len(ax.patches) == 2
    assert all(len(label.get_text()) == 24 for label in ax.get_yticklabels())


@pytest.mark.parametrize("eps", [[0.05], [0.05, 0.01], list(np.geomspace(1e-4, 0.1, 9))])
def test_report_shows_the_verification(cancer: fa.InfluenceResult, eps: list[float]) -> None:
    checks = [cancer.verify(e) for e in eps]
    figure = plotting.plot_report(cancer, eps, checks, plotting.bare_figure())
    assert not plt.get_fignums()
    line, *_, gain, cost = figure.axes[1].lines
    order = np.argsort(eps)
    np.testing.assert_array_equal(cost.get_ydata(), [checks[k].exact_cost for k in order])
    np.testing.assert_array_equal(gain.get_ydata(), [checks[k].exact_gain for k in order])
    predicted = np.interp(eps, line.get_xdata(), line.get_ydata())
    np.testing.assert_allclose(predicted, [c.predicted_cost for c in checks], rtol=0.05)
    assert figure.axes[1].get_xscale() == "log"
    assert_nothing_overlaps(figure)


def test_validity_radius_is_marked(diabetes: fa.InfluenceResult) -> None:
    eps = [diabetes.validity_radius / 3, diabetes.validity_radius * 3]
    figure = plotting.plot_report(diabetes, eps, [diabetes.verify(e) for e in eps])
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert any("validity radius" in text for text in texts)
    assert_nothing_overlaps(figure)


@pytest.mark.long
def test_figure1(tmp_path: Path) -> None:
    result = figure1(progress=False)
    figure = result.plot()
    assert plt.get_fignums()
    first, second, third = figure.axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), result.error_influence_exact)
    np.testing.assert_array_equal(first.lines[1].get_ydata(), result.error_influence_pgd)
    np.testing.assert_array_equal(second.lines[0].get_ydata(), result.error_sensitivity_exact)
    np.testing.assert_array_equal(third.lines[0].get_ydata(), result.small_error_influence)
    assert (third.get_xscale(), third.get_yscale()) == ("log", "log")
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    figure.savefig(tmp_path / "figure1.png")
    assert_nothing_overlaps(figure)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, diabetes: fa.InfluenceResult) -> None:
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        diabetes.plot()
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        plotting.bare_figure()


def test_intervals_are_drawn(diabetes: fa.InfluenceResult) -> None:
    options = {"n_draws": 20, "random_state": 0}
    ax = diabetes.plot(eps=0.5, level=0.9, **options)
    ends = 0.5 * diabetes.conf_int(level=0.9, **options)
    (bars,) = [c for c in ax.containers if type(c).__name__ == "ErrorbarContainer"]
    drawn = {tuple(np.round(s[:, 0], 6)) for s in bars[2][0].get_segments()}
    assert drawn == {tuple(np.round(ends[k], 6)) for k in range(10)}
    assert "90 % confidence" in ax.get_legend().get_texts()[0].get_text()
    with pytest.raises(TypeError, match="eps"):
        diabetes.plot(eps="a")


@pytest.mark.parametrize("summed", [False, True])
def test_dual_coefficients_are_named_so(rng, summed):
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    model = fa.KernelRegression(fa.kernels.RBF(0.3), alpha=0.1, centers="fixed").fit(X, y)
    result = fa.InfluenceAccumulator(model).update(X, y).result() if summed else fa.aif(model, X, y)
    assert "dual coefficients" in plotting.plot_influence(result).get_xlabel()
    assert result.problem.model.is_dual
