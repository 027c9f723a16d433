"""Complexity curves: their numbers, labels and figure."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import about, make

import fastaif as fa
from fastaif.api import complexity as _complexity
from fastaif.utils.warnings import FlipWarning

ALPHAS = [100.0, 10.0, 2.0]


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


def ridges():
    return [make_pipeline(StandardScaler(), Ridge(alpha=a)) for a in ALPHAS]


def components(*counts):
    """Regressions on so many principal components, which are what is attacked."""
    return {
        f"{k} components": make_pipeline(
            StandardScaler(), PCA(k), fa.WithInfluence(LinearRegression())
        )
        for k in counts
    }


# --- numbers ----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("expansion", ["quadratic", "taylor"])
def test_means_and_deviations_over_folds(diabetes, expansion):
    X, y = diabetes
    eps = [0.0, 1e-3, 3e-3]
    curve = fa.complexity_curve(ridges(), X, y, eps, cv=4, p=np.inf, expansion=expansion)
    assert curve.n_folds == 4
    assert curve.sensitivity.shape == (3, 3)
    np.testing.assert_array_equal(curve.eps, eps)
    np.testing.assert_array_equal(curve.complexity, [11.0, 11.0, 11.0])
    for k, model in enumerate(ridges()):
        wrapped = fa.WithInfluence(model, p=np.inf)
        scores = [
            -cross_val_score(
                wrapped, X, y, scoring=fa.sensitivity_scorer(e, expansion=expansion), cv=4
            )
            for e in eps
        ]
        assert curve.loss[k] == about(scores[0].mean())
        assert curve.loss_sd[k] == about(scores[0].std(ddof=1))
        for j in range(3):
            cost = scores[j] - scores[0]
            assert curve.sensitivity[k, j] == pytest.approx(cost.mean(), rel=1e-8)
            assert curve.sensitivity_sd[k, j] == pytest.approx(cost.std(ddof=1), rel=1e-8)


def test_training_data(diabetes):
    X, y = diabetes
    model = fa.LinearRegression(alpha=1e-3)
    curve = fa.complexity_curve([model], X, y, 1e-4, cv=None, radius=2.0)
    result = fa.aif(clone(model).fit(X, y), X, y, radius=2.0)
    assert curve.n_folds == 0
    assert curve.loss == about(fa.adversarial_loss(clone(model).fit(X, y), X, y, 0.0))
    assert curve.sensitivity[0, 0] == about(result.sensitivity(1e-4, expansion="quadratic"))
    assert curve.flip_fraction[0, 0] == result.flip_fraction(1e-4)
    assert np.isnan(curve.loss_sd).all()
    assert np.isnan(curve.sensitivity_sd).all()


def test_capacity_can_raise_the_sensitivity_many_times(diabetes):
    """The tenth component's eigenvalue is a tenth of the ninth's."""
    X, y = diabetes
    curve = fa.complexity_curve(components(4, 9, 10), X, y, 0.005)
    np.testing.assert_array_equal(curve.complexity, [5.0, 10.0, 11.0])
    nine, ten = curve.sensitivity[1:, 0]
    assert ten > 50.0 * nine
    assert curve.loss.max() < 1.01 * curve.loss.min()


def test_linear_against_quadratic(diabetes):
    """Products of features win on clean loss, and lose once their sensitivity is priced."""
    X, y = diabetes
    models = [
        fa.LinearRegression(), fa.LinearRegression(alpha=0.03), fa.QuadraticRegression(alpha=3.0),
        fa.QuadraticRegression(alpha=0.01),
    ]  # fmt: skip
    scaled = [make_pipeline(StandardScaler(), model) for model in models]
    with pytest.warns(FlipWarning, match="QuadraticRegression"):
        curve = fa.complexity_curve(scaled, X, y, [0.001, 0.02])
    np.testing.assert_array_equal(curve.n_params, [11.0, 11.0, 66.0, 66.0])
    total = curve.loss[:, None] + curve.sensitivity
    assert list(np.argmin(total, axis=0)) == [2, 1]
    # Neither has a penalty on the coefficients of x, where most of the sensitivity is.
    plain, _, smooth, rough = curve.sensitivity[:, 0]
    assert plain < smooth < 2.0 * plain
    assert rough > 20.0 * smooth


def test_folds_are_the_same_for_all_and_shuffled_on_request():
    X, y = make("linear")[:2]
    models = [Ridge(), Ridge()]
    by_order = fa.complexity_curve(models, X, y, 0.01)
    assert by_order.loss[0] == by_order.loss[1]
    shuffled = fa.complexity_curve(models, X, y, 0.01, random_state=3)
    same = fa.complexity_curve(models, X, y, 0.01, cv=KFold(5, shuffle=True, random_state=3))
    assert shuffled.loss[0] != by_order.loss[0]
    np.testing.assert_array_equal(shuffled.sensitivity, same.sensitivity)


def test_classes_are_in_every_fold():
    X, y = load_breast_cancer(return_X_y=True)
    order = np.argsort(y)  # without stratification a fold would have one class
    models = [make_pipeline(StandardScaler(), fa.LogisticRegression(alpha=a)) for a in (0.1, 0.01)]
    found = fa.complexity_curve(models, X[order], y[order], 0.01, cv=3)
    wanted = fa.complexity_curve(models, X[order], y[order], 0.01, cv=StratifiedKFold(3))
    np.testing.assert_array_equal(found.loss, wanted.loss)
    assert found.sensitivity[0, 0] < found.sensitivity[1, 0]


def test_kinks_are_warned_about_once(diabetes):
    X, y = diabetes
    with pytest.warns(FlipWarning, match=r"1\d% of the samples of 'alpha = 0.1'") as record:
        curve = fa.complexity_curve(
            {f"alpha = {a:g}": make_pipeline(StandardScaler(), Ridge(a)) for a in (30.0, 0.1)},
            X, y, [0.005, 0.022],
        )  # fmt: skip
    assert len(record) == 1
    assert record[0].filename == __file__
    assert (np.diff(curve.flip_fraction, axis=1) > 0).all()


# --- arguments and text -----------------------------------------------------------------


def test_labels(diabetes):
    X, y = diabetes
    models = [fa.WithInfluence(ridges()[0]), fa.LinearRegression(alpha=0.1)]
    curve = fa.complexity_curve(models, X, y, 1e-4, cv=None)
    assert curve.labels == ("Ridge(alpha=100.0)", "LinearRegression(alpha=0.1)")
    curve = fa.complexity_curve(models, X, y, 1e-4, cv=None, labels=["a", "b"], complexity=[2, 1])
    assert curve.labels == ("a", "b")
    np.testing.assert_array_equal(curve.complexity, [2.0, 1.0])
    np.testing.assert_array_equal(curve.n_params, [11.0, 11.0])


def test_a_wrapped_estimator_keeps_its_attack(diabetes):
    X, y = diabetes
    models = [fa.WithInfluence(Ridge(), p=1), Ridge()]
    mixed = fa.complexity_curve(models, X, y, 1e-3, p=np.inf, cv=None)
    for k, p in enumerate([1, np.inf]):
        alone = fa.complexity_curve([Ridge()], X, y, 1e-3, p=p, cv=None)
        assert mixed.sensitivity[k, 0] == alone.sensitivity[0, 0]


def test_frame_and_summary(diabetes):
    X, y = diabetes
    curve = fa.complexity_curve(
        dict(zip("abc", ridges(), strict=True)), X, y, [1e-3, 1e-2], complexity=[1, 2, 3]
    )
    frame = curve.to_frame()
    assert list(frame["label"]) == ["a", "a", "b", "b", "c", "c"]
    row = frame[(frame["label"] == "b") & (frame["eps"] == 1e-2)].iloc[0]
    assert row["sensitivity"] == curve.sensitivity[1, 1]
    assert row["loss_sd"] == curve.loss_sd[1]
    assert (row["complexity"], row["n_params"]) == (2.0, 11.0)
    head, columns, *rows = str(curve).splitlines()
    assert "5 folds" in head
    assert columns.split() == ["complexity", "loss", "S(0.001)", "S(0.01)"]
    # The weakest penalty has the least loss; with S at 0.01 the middle one has.
    assert ["*" in line for line in rows] == [False, True, True]
    assert rows[1].endswith("*")
    assert f"{curve.loss[2]:.6g}*" in rows[2]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"estimators": Ridge()}, TypeError, "put a single one in a list"),
        ({"estimators": []}, ValueError, "empty"),
        ({"labels": ["a"]}, ValueError, "2 strings"),
        ({"labels": "ab"}, ValueError, "2 strings"),
        ({"complexity": [1.0]}, ValueError, "2 finite numbers"),
        ({"complexity": [1.0, np.nan]}, ValueError, "2 finite numbers"),
        ({"eps": -1.0}, ValueError, "eps must be"),
        ({"eps": []}, ValueError, "eps must be"),
        ({"eps": [[0.1]]}, ValueError, "eps must be"),
        ({"expansion": "cubic"}, ValueError, "expansion"),
        ({"p": 0.5}, ValueError, "p must be"),
        ({"estimators": [Ridge(), PCA()]}, TypeError, "PCA is not supported"),
    ],
)
def test_refusals(change, error, message):
    X, y = make("linear")[:2]
    arguments = {"estimators": [Ridge(), Ridge()], "eps": 0.1} | change
    with pytest.raises(error, match=message) as caught:
        fa.complexity_curve(arguments.pop("estimators"), X, y, **arguments)
    if "PCA" in message:
        assert caught.value.__notes__ == ["This was raised for the estimator 'PCA()'."]


# --- the figure -------------------------------------------------------------------------


def drawn(curve):
    pytest.importorskip("matplotlib")
    from support.figures import assert_nothing_overlaps

    from fastaif.plotting import bare_figure

    figure = bare_figure()
    assert curve.plot(figure) is figure
    assert_nothing_overlaps(figure)
    return figure.axes


@pytest.mark.long
def test_figure_of_models_of_growing_size(diabetes):
    X, y = diabetes
    curve = fa.complexity_curve(components(10, 2, 5), X, y, [0.0, 1e-4, 1e-3])
    left, right = drawn(curve)
    clean, first, second = left.lines[-3:]
    np.testing.assert_array_equal(clean.get_xdata(), [3.0, 6.0, 11.0])
    np.testing.assert_array_equal(clean.get_ydata(), curve.loss[[1, 2, 0]])
    total = curve.loss + curve.sensitivity[:, 2]
    np.testing.assert_array_equal(second.get_ydata(), total[[1, 2, 0]])
    assert "ε = 0.0001" in first.get_label()  # nothing is drawn for ε = 0
    assert right.get_yscale() == "log"
    assert right.get_xlabel() == "number of parameters d"
    above = left.child_axes[0].get_xticklabels()
    assert [t.get_text() for t in above] == ["2 components", "5 components", "10 components"]


@pytest.mark.long
def test_figure_of_models_of_one_size(diabetes):
    X, y = diabetes
    left, right = drawn(fa.complexity_curve(ridges(), X, y, 1e-3, expansion="taylor"))
    names = [f"Ridge(alpha={a})" for a in ALPHAS]
    for ax in (left, right):
        assert [label.get_text() for label in ax.get_xticklabels()] == names
    assert "g_" in right.get_ylabel()


def test_figure_with_one_model_far_above_the_rest(diabetes):
    X, y = diabetes
    models = [fa.QuadraticRegression(alpha=a) for a in (1.0, 0.002)]
    scaled = [make_pipeline(StandardScaler(), model) for model in models]
    with pytest.warns(FlipWarning):
        curve = fa.complexity_curve(scaled, X, y, 3e-3, cv=2)
    left, right = drawn(curve)
    names = [label.get_text() for label in left.get_xticklabels()]
    assert names == ["QuadraticReg…on(alpha=1.0)", "QuadraticReg…(alpha=0.002)"]
    assert "left out" in left.get_title()
    assert left.get_ylim()[1] < (curve.loss + curve.sensitivity[:, 0])[1]
    assert right.get_ylim()[1] > curve.sensitivity.max()


@pytest.mark.long
def test_figure_of_many_models_on_training_data(diabetes):
    X, y = diabetes
    strengths = np.geomspace(1e-3, 1.0, 20)
    curve = fa.complexity_curve(
        [fa.LinearRegression(alpha=a) for a in strengths], X, y, np.geomspace(1e-5, 1e-4, 9),
        cv=None, complexity=1.0 / strengths,
    )  # fmt: skip
    left, right = drawn(curve)
    assert left.get_xscale() == "log"
    assert right.get_xlabel() == "complexity"
    assert not left.child_axes  # no room for twenty names
    assert "training data" in left.get_ylabel()
    assert len(left.get_legend().get_texts()) == 7  # the clean loss and as many ε as colours


def test_bars_of_progress(monkeypatch, capsys):
    X, y = make("linear")[:2]
    fa.complexity_curve([Ridge(), Ridge()], X, y, 0.01, progress=False)
    assert list(_complexity._with_progress(2, 3, False)) == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip
    assert capsys.readouterr().err == ""
