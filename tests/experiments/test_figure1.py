"""The paper's Figure 1: what it shows must follow from the library's numbers."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif.experiments import Figure1Result, figure1


@pytest.fixture(scope="module")
def result() -> Figure1Result:
    return figure1(progress=False)


def test_errors_vanish_in_proportion_to_eps(result: Figure1Result) -> None:
    assert result.slope_influence == pytest.approx(1.0, abs=0.05)
    assert result.slope_sensitivity == pytest.approx(1.0, abs=0.05)
    assert result.small_error_influence[-1] < 1e-4
    assert result.small_eps[[0, -1]] == pytest.approx([1e-2, 1e-6])


@pytest.mark.parametrize(("p", "n"), [(1, 500), (1.5, 60), (np.inf, 500)])
@pytest.mark.parametrize("seed", [3, 4])
def test_slopes_for_other_norms_and_data(p: float, n: int, seed: int) -> None:
    found = figure1(eps=[0.04], n_samples=n, p=p, random_state=seed, progress=False)
    assert found.slope_influence == pytest.approx(1.0, abs=0.05)
    assert found.slope_sensitivity == pytest.approx(1.0, abs=0.05)


def test_shape_of_the_papers_figure(result: Figure1Result) -> None:
    assert list(result.eps) == [0.04, 0.06, 0.08, 0.10, 0.12]
    # From .04 on flips dominate: the error grows slowly, far from in proportion.
    growth = result.error_influence_exact[-1] / result.error_influence_exact[0]
    assert 1.0 < growth < 2.5
    assert np.all(result.error_influence_exact < 0.6)


def test_both_methods_find_the_same_optima(result: Figure1Result) -> None:
    np.testing.assert_allclose(result.error_influence_pgd, result.error_influence_exact, rtol=0.05)
    np.testing.assert_allclose(
        result.error_sensitivity_pgd, result.error_sensitivity_exact, rtol=0.05, atol=1e-3
    )


def test_errors_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, 2))
    y = X @ [2.0, -3.4] + 0.1 * rng.standard_normal(60)
    found = figure1(eps=[0.1], small_eps=[0.02], n_samples=60, random_state=7, progress=False)
    model = fa.LinearRegression(fit_intercept=False).fit(X, y)
    influence = fa.aif(model, X, y).influence
    np.testing.assert_array_equal(found.influence, influence)
    robust = fa.robust_fit(model, X, y, 0.1, method="exact").params
    slope = np.linalg.norm((robust - model.coef_) / 0.1 - influence)
    assert found.error_influence_exact[0] == pytest.approx(slope, rel=1e-9)
    cost = np.mean((X @ robust - y) ** 2) - np.mean((X @ model.coef_ - y) ** 2)
    predicted = 0.5 * influence @ (2 * X.T @ X / 60) @ influence
    error = abs(cost / 0.01 - predicted)
    assert found.error_sensitivity_exact[0] == pytest.approx(error, rel=1e-6)
    assert np.isnan(found.slope_influence)  # one ε gives no slope


def test_frame_and_summary(result: Figure1Result) -> None:
    frame = result.to_frame()
    assert list(frame.columns) == [
        "eps", "error_influence_exact", "error_influence_pgd", "error_sensitivity_exact",
        "error_sensitivity_pgd", "panel",
    ]  # fmt: skip
    assert dict(frame["panel"].value_counts()) == {"small": 17, "paper": 5}
    small = frame[frame["panel"] == "small"]
    assert small["error_influence_pgd"].isna().all()
    assert frame.drop(columns=["error_influence_pgd", "error_sensitivity_pgd"]).notna().all(None)
    text = result.summary()
    assert f"{result.slope_influence:.4f}" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_seed_decides_the_data() -> None:
    options = {"eps": [0.04], "small_eps": [1e-4], "progress": False}
    first, again, other = (figure1(random_state=s, **options) for s in (1, 1, 2))
    assert first.to_frame().equals(again.to_frame())
    assert first.influence[0] != other.influence[0]


def test_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    figure1(eps=[0.1], small_eps=[1e-4], n_samples=30, progress=True)
    assert "figure 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"eps": []}, "eps"),
        ({"eps": [0.0, 0.1]}, "eps"),
        ({"eps": [[0.1]]}, "eps"),
        ({"small_eps": [-1.0]}, "eps"),
        ({"n_samples": 2}, "n_samples"),
        ({"p": 0.5}, "p must"),
    ],
)
def test_bad_arguments(options: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        figure1(progress=False, **options)
