"""Section 5's theorems in samples: what is simulated agrees with what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fastaif import experiments, theory

Array = npt.NDArray[np.float64]

SMALL: dict[str, dict[str, Any]] = {
    "theorem_5_1": {"beta2_norms": [0.0, 0.5], "n_samples": 200, "n_repetitions": 2},
    "theorem_5_2": {"n_features": [1, 4], "n_samples": 50, "n_repetitions": 2},
    "corollary_5_1": {"n_features": [1, 4], "n_samples": 50, "n_repetitions": 2},
    "theorem_5_3": {"n_features": [2, 4], "n_samples": 50, "n_repetitions": 2,
                    "n_population": 1000},
    "theorem_5_4": {"sigma_r": [0.5, 1.0], "n_samples": 50, "n_repetitions": 2},
}  # fmt: skip


def run(name: str, **options: Any) -> Any:
    return getattr(experiments, name)(**({"progress": False} | options))


def assert_within(mean: Array, wanted: Array, standard_error: Array, errors: float = 3.0) -> None:
    assert np.all(np.abs(mean - wanted) <= errors * standard_error)


@pytest.mark.long
def test_theorem_5_1_holds_in_samples() -> None:
    found = experiments.theorem_5_1(
        beta2_norms=[0.0, 0.3, 0.8], n_samples=8000, n_repetitions=30, progress=False
    )
    assert_within(found.linear_mean, found.linear, found.linear_se)
    assert_within(found.quadratic_mean, found.quadratic, found.quadratic_se)
    assert np.all(found.linear_se < 0.02 * found.linear)
    # Both regimes: with a small slope capacity first costs sensitivity, then saves it.
    assert found.quadratic_mean[0, 1] > found.linear_mean[0, 1]
    assert found.quadratic_mean[0, 2] < found.linear_mean[0, 2]
    assert found.quadratic_mean[1, 2] < found.linear_mean[1, 2]


@pytest.mark.long
def test_theorem_5_1_finds_the_crossover() -> None:
    found = experiments.theorem_5_1([0.3, 2.0], n_samples=30, n_repetitions=2, progress=False)
    assert np.isnan(found.crossovers[1])
    assert 0.45 < found.crossovers[0] < 0.5
    b1, b2 = np.full(3, 0.3 / 3**0.5), found.crossovers[0] / 2**0.5 * np.array([1, -1, 0])
    linear, quadratic, *_ = theory.quadratic_vs_linear(b1, b2, 1.0, 1.0)
    assert linear == pytest.approx(quadratic, rel=1e-9)
    assert "|beta2| = 0.477" in found.summary()


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_theorem_5_1_in_other_norms(p: float) -> None:
    found = experiments.theorem_5_1(
        [0.5], [0.2, 0.6], p=p, n_samples=4000, n_repetitions=20, progress=False
    )
    # p = 1: equal slopes are ties in the population, so a sample's direction is a coin's.
    assert_within(found.linear_mean, found.linear, found.linear_se, 4.0)
    if p != 1:
        assert_within(found.quadratic_mean, found.quadratic, found.quadratic_se, 4.0)


@pytest.mark.long
def test_theorem_5_2_holds_in_samples() -> None:
    found = experiments.theorem_5_2([1, 4, 12], 5000, 60, progress=False)
    assert_within(found.mean, found.in_sample, found.standard_error)
    assert np.all(found.standard_error < 0.02 * found.closed_form)
    np.testing.assert_allclose(found.closed_form[1], [0.5, 2.0, 6.0])


def test_terms_in_1_over_n() -> None:
    """Few samples: theory without that term would be many standard errors away."""
    found = experiments.theorem_5_2([6], 400, 200, sigma_noise=0.25, progress=False)
    assert_within(found.mean, found.in_sample, found.standard_error)
    assert np.all(found.mean - found.closed_form > 4 * found.standard_error)
    effects = experiments.corollary_5_1([20], n_samples=2000, n_repetitions=60, progress=False)
    assert_within(effects.mean, effects.in_sample, effects.standard_error)
    assert np.all(effects.mean - effects.closed_form > 4 * effects.standard_error)


@pytest.mark.long
def test_corollary_5_1_holds_in_samples() -> None:
    found = experiments.corollary_5_1([2, 5, 8, 10], 10, 4000, 100, 1.3, 0.7, progress=False)
    assert_within(found.mean, found.in_sample, found.standard_error)
    assert found.peak == pytest.approx((10 * 1.69 + 0.49) / 3.38)
    # A parabola: up, then down.
    assert found.mean[0] < found.mean[1] > found.mean[2] > found.mean[3]


@pytest.mark.long
def test_theorem_5_3_holds_in_samples() -> None:
    found = experiments.theorem_5_3(
        [1.0, 1.5, 3.0, np.inf], [2, 6, 10], 5000, 15, n_population=20_000, progress=False
    )
    # The value is an average as well, over the population's sample.
    error = found.standard_error + 0.004 * found.sensitivity
    assert_within(found.mean, found.sensitivity, error)
    assert np.all(found.bound > found.sensitivity)
    assert np.all(found.bound > found.mean + 3 * found.standard_error)
    assert np.all(np.diff(found.mean_abs_residual) < 0)
    assert found.mean_abs_residual[-1] == pytest.approx((2 / np.pi) ** 0.5)


@pytest.mark.long
def test_theorem_5_4_holds_in_samples() -> None:
    found = experiments.theorem_5_4(
        [1.0, 5.0], [0.3, 0.8, 2.0, 5.0], n_samples=5000, n_repetitions=40, progress=False
    )
    assert_within(found.mean, found.closed_form, found.standard_error)
    assert np.all(found.standard_error < 0.02)
    assert np.all(found.mean[:, -1] < 0.1)
    assert found.mean[1].max() > 1 > found.mean[0].max()
    beta = np.full(5, 1.0)
    np.testing.assert_allclose(
        found.closed_form[1], theory.smoothing_ratio(beta, 1.0, found.sigma_r, 1.0)
    )


@pytest.mark.parametrize("name", SMALL)
def test_frames_and_summaries(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(name, **SMALL[name], progress=True)
    assert name.replace("_", " ", 1).replace("_", ".") in capsys.readouterr().err
    frame = result.to_frame()
    documented = type(result).to_frame.__doc__
    assert all(column in documented for column in frame.columns)
    assert frame.notna().all(None)
    assert len(frame) == (2 if name == "corollary_5_1" else 10 if name == "theorem_5_3" else 4)
    lines = result.summary().splitlines()
    assert max(map(len, lines)) <= 80
    with pytest.raises(AttributeError):
        result.mean = 0


@pytest.mark.parametrize("name", SMALL)
def test_seeds_decide_the_data(name: str) -> None:
    frames = [run(name, **SMALL[name], random_state=seed).to_frame() for seed in (1, 1, 2)]
    assert frames[0].equals(frames[1])
    assert not frames[0].equals(frames[2])
    generator = np.random.default_rng(0)
    assert not run(name, **SMALL[name], random_state=generator).to_frame().equals(frames[0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("theorem_5_1", {"n_features": 1}, "n_features"),
        ("theorem_5_1", {"n_samples": 9}, "n_samples"),
        ("theorem_5_1", {"beta1_norms": [0.0]}, "beta1_norms"),
        ("theorem_5_1", {"beta2_norms": [0.2, 0.1]}, "beta2_norms must increase"),
        ("theorem_5_1", {"p": 3.0}, "p must be 1, 2 or inf"),
        ("theorem_5_2", {"n_features": []}, "n_features"),
        ("theorem_5_2", {"n_features": [1.5]}, "n_features must hold integers"),
        ("theorem_5_2", {"n_features": [50], "n_samples": 50}, "at most 49"),
        ("theorem_5_2", {"sigma_noise": 0.0}, "sigma_noise"),
        ("corollary_5_1", {"n_features": [21]}, "at most 20"),
        ("corollary_5_1", {"n_samples": 20}, "n_samples"),
        ("corollary_5_1", {"n_repetitions": 1}, "n_repetitions"),
        ("corollary_5_1", {"sigma_x": -1.0}, "sigma_x"),
        ("theorem_5_3", {"n_features": [2, 5]}, "n_features must be even"),
        ("theorem_5_3", {"p": [0.5]}, "p must increase from at least 1"),
        ("theorem_5_3", {"p": [2.0, np.nan]}, "p must increase"),
        ("theorem_5_3", {"n_population": 10}, "n_population"),
        ("theorem_5_4", {"signals": [0.0]}, "signals"),
        ("theorem_5_4", {"sigma_r": [0.1, np.inf]}, "sigma_r must be finite"),
        ("theorem_5_4", {"n_samples": 5}, "n_samples"),
    ],
)
def test_bad_arguments(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(name, **options)
