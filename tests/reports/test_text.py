"""What people read: tables of results, and messages about columns."""

from __future__ import annotations

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

import fastaif as fa


@pytest.fixture(scope="module")
def result():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return fa.aif(fa.LinearRegression().fit(X, y), X, y)


def test_a_verification_is_a_table(result):
    text = str(result.verify(1e-4))
    assert "eps = 0.0001" in text
    assert [line.split()[0] for line in text.splitlines()[1:4]] == ["tangent", "cost", "gain"]


def test_a_robust_fit_says_whether_it_converged(result):
    assert "converged in" in str(result.verify(1e-4).robust)


def test_the_summary_fits_a_terminal(result):
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("bmi" in line for line in lines)
    assert "taylor" not in str(result)


def test_a_penalty_is_pointed_out():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    result = fa.aif(fa.LogisticRegression().fit(X, y), X, y)
    assert "expansion='taylor'" in str(result)
    assert max(map(len, str(result).splitlines())) <= 80


def test_the_frame_has_a_row_for_each_parameter(result):
    frame = result.to_frame()
    assert list(frame.columns) == ["param", "influence", "relative"]
    assert list(frame.index) == list(result.names)
    pd.testing.assert_series_equal(
        frame["influence"] / frame["param"].abs(), frame["relative"], check_names=False
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.rename(columns={"bmi": "BMI"}), r"lack \['bmi'\] and add \['BMI'\]"),
        (lambda X: X[X.columns[::-1]], "are in another order"),
    ],
)
def test_columns_that_are_not_those_of_the_fit(result, change, message):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    with pytest.raises(ValueError, match=message):
        result.sensitivity(1e-4, change(X), y)


def test_the_evaluation_targets_are_named(result):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(TypeError, match="y_eval is None"):
        fa.sensitivity(result.verify(1e-4).robust.estimator, X, y, 1e-4, X_eval=X, method="exact")
