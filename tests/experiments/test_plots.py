"""The experiments' figures show their numbers, and the command line writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from support.figures import assert_nothing_overlaps

from fastaif import cli, experiments, plotting

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

QUICK: dict[str, dict[str, Any]] = {
    "figure2a": {"n_samples": 200, "n_repetitions": 5},
    "theorem_5_1": {"beta2_norms": [0.0, 0.3, 0.8], "n_samples": 200, "n_repetitions": 2},
    "theorem_5_2": {"n_samples": 100, "n_repetitions": 3},
    "corollary_5_1": {"n_samples": 100, "n_repetitions": 3},
    "theorem_5_3": {"n_samples": 100, "n_repetitions": 2, "n_population": 1000},
    "theorem_5_4": {"n_samples": 100, "n_repetitions": 2},
    "coverage": {"n_samples": 50, "n_repetitions": 4, "n_draws": 5},
}


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")


def run(name: str) -> Any:
    return getattr(experiments, name)(**QUICK[name], progress=False)


def heights(ax: Any) -> list[Any]:
    """The heights of all lines and points of some axes, without their error bars' caps."""
    lines = [line.get_ydata() for line in ax.lines]
    return [np.asarray(y) for y in lines if len(y) > 2]


def assert_shows(ax: Any, *wanted: Any) -> None:
    for values in wanted:
        assert any(y.shape == values.shape and np.allclose(y, values) for y in heights(ax))


@pytest.mark.long
@pytest.mark.parametrize("name", QUICK)
def test_figures_are_labelled_and_nothing_overlaps(name: str) -> None:
    result = run(name)
    figure = plotting.bare_figure()
    assert result.plot(figure) is figure
    assert not plt.get_fignums()
    assert figure.axes[0].get_ylabel()
    assert all(ax.get_title() for ax in figure.axes)
    assert figure.axes[0].get_legend() is not None
    assert all(ax.get_xlabel() for ax in figure.axes) or figure.get_supxlabel()
    assert_nothing_overlaps(figure)
    result.plot()
    assert plt.get_fignums()


@pytest.mark.long
def test_figures_show_the_results() -> None:
    curve = run("figure2a")
    assert_shows(curve.plot().axes[0], curve.sensitivity_mean)
    capacity = run("theorem_5_1")
    for row, ax in enumerate(capacity.plot().axes):
        assert_shows(ax, capacity.linear[row], capacity.quadratic_mean[row])
        assert f"= {capacity.beta1_norms[row]:g}" in ax.get_title()
    designs = run("theorem_5_2")
    assert_shows(designs.plot().axes[0], *designs.closed_form, *designs.mean)
    parabola = run("corollary_5_1")
    assert_shows(parabola.plot().axes[0], parabola.closed_form, parabola.mean)
    bounded = run("theorem_5_3")
    for row, ax in enumerate(bounded.plot().axes):
        assert_shows(ax, bounded.bound[row], bounded.sensitivity[row], bounded.mean[row])
    assert bounded.plot().axes[-1].get_title() == "p = inf"


def test_figure_of_smoothing() -> None:
    result = run("theorem_5_4")
    assert_shows(result.plot().axes[0], *result.closed_form, *result.mean)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long) for name in QUICK])
def test_command_line_writes_table_and_figure(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = getattr(experiments, name)

    def quick(random_state: int, progress: bool) -> Any:
        options = QUICK.get(name, {"eps": [0.1], "small_eps": [1e-4], "n_samples": 30})
        return full(**options, random_state=random_state, progress=progress)

    monkeypatch.setattr(experiments, name, quick)
    done = CliRunner().invoke(cli.main, ["reproduce", name, "--out", str(tmp_path), "--seed", "3"])
    assert done.exit_code == 0, done.stderr
    result = quick(random_state=3, progress=False)
    written = pd.read_csv(tmp_path / f"{name}.csv")
    pd.testing.assert_frame_equal(written, result.to_frame(), check_dtype=False)
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert result.summary() in done.stdout
