"""Coverage of the intervals on Figure 1's model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastaif import experiments
from fastaif.experiments._coverage import population_influence, score_interval


def test_population_influence_by_simulation() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400_000, 2))
    beta, noise = np.array([2.0, -3.4]), 0.1 * np.sqrt(2 / np.pi)
    for p, direction in ((1.0, [0.0, -1.0]), (np.inf, [1.0, -1.0]), (2.0, beta / 15.56**0.5)):
        s = np.linalg.norm(X, p, axis=1).mean()
        wanted = -s * noise * np.array(direction)
        np.testing.assert_allclose(population_influence(p), wanted, rtol=5e-3)
    np.testing.assert_allclose(population_influence(2.0), -0.1 * beta / 15.56**0.5, rtol=1e-12)


@pytest.mark.long
def test_the_bootstrap_covers() -> None:
    found = experiments.coverage(n_repetitions=150, n_draws=60, progress=False)
    assert found.coverage.shape == found.half_width.shape == (2, 3)
    # By chance 150 repetitions of .96 fall below .90 once in two thousand times.
    assert np.all(found.coverage[0, :2] >= 0.90)
    assert np.all(found.coverage[1, :2] >= 0.98)
    assert np.all(found.half_width[1, :2] > 1.2 * found.half_width[0, :2])
    # n = 500: the sample's influence scatters by .133, a hundred and more times its mean's error.
    np.testing.assert_allclose(found.scatter[:2], 0.133, rtol=0.25)
    assert found.truth[2] == pytest.approx(0.01)
    frame = found.to_frame()
    assert list(frame["method"]) == ["bootstrap"] * 3 + ["clt"] * 3
    np.testing.assert_array_equal(frame["coverage"], found.coverage.ravel())
    assert max(len(line) for line in found.summary().splitlines()) <= 80


def test_bars_of_the_figure_stay_within_its_axes() -> None:
    n = 50
    share = np.array([0.0, 0.3, 0.96, 1.0])
    for end, side in zip(score_interval(share, n), (1.0, -1.0), strict=True):
        np.testing.assert_allclose(share - end, side * 2 * np.sqrt(end * (1 - end) / n), atol=1e-15)
    figure = pytest.importorskip("matplotlib.figure").Figure()
    found = experiments.coverage(40, 20, 20, progress=False)
    found.plot(figure=figure)
    left = figure.axes[0]
    low, high = left.get_ylim()
    bars = [segment[:, 1] for lines in left.collections for segment in lines.get_segments()]
    assert len(bars) == 6
    assert all(low < bar.min() < bar.max() <= 1.0 + 1e-12 < high for bar in bars)


def test_one_seed_one_result() -> None:
    first, again, other = (
        experiments.coverage(40, 3, 4, random_state=k, progress=False) for k in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.half_width, again.half_width)
    assert not np.array_equal(first.half_width, other.half_width)


@pytest.mark.parametrize(
    "options",
    [{"n_samples": 2}, {"n_repetitions": 1}, {"n_draws": 1}, {"level": 1.0}, {"p": 0.5},
     {"random_state": -3}],
)  # fmt: skip
def test_refuses(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        experiments.coverage(**({"n_samples": 20, "n_repetitions": 2} | options), progress=False)
