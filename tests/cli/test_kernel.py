"""The command line's kernel models: the library's numbers, and tables that can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_diabetes
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa
from fastaif.cli import main
from fastaif.cli.models import kernels, make_estimator

N, M = 60, 3
EPS = ["--eps", "1e-4,1e-3"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(N, M)) * [1.0, 5.0, 0.2] + [0.0, 3.0, 1.0]
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    y = np.sin(X[:, 0]) + 0.2 * X[:, 1] + 0.3 * rng.normal(size=N)
    frame["y"] = y - y.mean()
    frame["w"] = rng.uniform(0.5, 2.0, size=N)
    return frame


@pytest.fixture
def path(table: pd.DataFrame, tmp_path: Path) -> Path:
    table.drop(columns="w").to_csv(tmp_path / "d.csv", index=False)
    return tmp_path / "d.csv"


def run(*args: Any) -> Result:
    return CliRunner().invoke(main, ["analyze", *map(str, args), "--model", "kernel"])


def document(*args: Any) -> dict[str, Any]:
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def reference(frame: pd.DataFrame, model: Any, scale: bool = True, **options: Any) -> Any:
    X, y = frame[["a", "b", "c"]], frame["y"]
    steps = [("scaler", StandardScaler()), ("model", model)][0 if scale else 1 :]
    w = options.get("sample_weight")
    fitted = Pipeline(steps).fit(X, y, **{f"{name}__sample_weight": w for name, _ in steps})
    return fa.aif(fitted, X, y, **options)


def assert_is(found: dict[str, Any], result: fa.InfluenceResult) -> None:
    assert found["model"] == "kernel"
    assert found["names"] == list(result.names)
    assert (found["n_samples"], found["n_features"]) == (N, M)
    for key in ("params", "influence"):
        np.testing.assert_allclose(found[key], getattr(result, key), rtol=1e-9)
    for key in ("radius", "sensitivity_coefficient", "value_derivative"):
        assert found[key] == pytest.approx(getattr(result, key), rel=1e-9)
    radius = np.inf if found["validity_radius"] is None else found["validity_radius"]
    assert radius == pytest.approx(result.validity_radius, rel=1e-9)
    for row in found["eps"]:
        check = result.verify(row["eps"])
        assert row["cost"] == pytest.approx(check.exact_cost, rel=1e-6)
        assert row["gain"] == pytest.approx(check.exact_gain, rel=1e-6)


def test_rbf_by_default(path: Path, table: pd.DataFrame) -> None:
    model = fa.KernelRegression(fa.kernels.RBF(1 / M))
    assert_is(document(path, *EPS), reference(table, model))


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        (["--gamma", "0.7"], fa.kernels.RBF(0.7)),
        (["--kernel", "matern"], fa.kernels.Matern(1.5, M**-0.5)),
        (["--kernel", "matern", "--gamma", "0.4"], fa.kernels.Matern(1.5, 0.4)),
        (["--kernel", "polynomial"], fa.kernels.Polynomial(3, 1 / M)),
        (["--kernel", "linear"], fa.kernels.Linear()),
        (["--kernel", "ntk"], fa.kernels.NTK()),
    ],
)
def test_kernels(options: list[str], kernel: Any, path: Path, table: pd.DataFrame) -> None:
    found = document(path, *options, "--alpha", "0.05", "--eps", "1e-4")
    assert_is(found, reference(table, fa.KernelRegression(kernel, alpha=0.05)))


@pytest.mark.parametrize(("option", "kind"), kernels().items())
def test_every_kernel_has_its_option(option: str, kind: Any) -> None:
    made = make_estimator("kernel", None, option, None, M)
    assert type(made.kernel) is kind
    assert getattr(made.kernel, "gamma", None) == kind.usual_gamma(M)


def test_kernels_are_all_there() -> None:
    assert {kind.__name__ for kind in kernels().values()} == set(fa.kernels.__all__)
    assert "rbf|" in CliRunner().invoke(main, ["analyze", "--help"]).output


def test_options_reach_the_library(table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "w.csv", index=False)
    found = document(
        tmp_path / "w.csv", "--weights", "w", "--attackable", "a,c", "--p", "1.5",
        "--no-standardize", "--eps", "1e-4", "--alpha", "0.02",
    )  # fmt: skip
    result = reference(
        table, fa.KernelRegression(fa.kernels.RBF(1 / M), alpha=0.02), scale=False, p=1.5,
        attackable=["a", "c"], sample_weight=table["w"].to_numpy(),
    )  # fmt: skip
    assert_is(found, result)


def test_without_data_it_is_the_diabetes_set() -> None:
    done = run("--eps", "1e-5")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    data = load_diabetes(as_frame=True)
    model = fa.KernelRegression(fa.kernels.RBF(0.1))
    fitted = Pipeline([("scaler", StandardScaler()), ("model", model)]).fit(data.data, data.target)
    result = fa.aif(fitted, data.data, data.target)
    assert found["n_samples"] == 442
    np.testing.assert_allclose(found["influence"], result.influence, rtol=1e-8)
    assert done.stderr.startswith("fastaif: note: the target is 152.1 on average, 77.01 about that")
    assert "no intercept" in done.stderr


def test_the_table_can_be_read(path: Path, tmp_path: Path) -> None:
    options = [path, *EPS, "--alpha", "0.05", "--out", tmp_path / "r.json"]
    result = run(*options, "--plot", tmp_path / "r.png")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 40
    assert sum(line.strip().startswith("dual") for line in lines) == 5
    text = " ".join(result.stdout.split())
    for part in (
        "60 samples, 3 features, alpha = 0.05", "l2 penalty, moving centers", "as found by PGD",
        "under attack", "(5 of 60)", "dual coefficients (dual0 is that of the first row)",
        "Validity radius", "Condition number",
    ):  # fmt: skip
        assert part in text
    assert "per standard deviation" not in text
    assert "Note" not in text  # the target is centered
    written = json.loads((tmp_path / "r.json").read_text())
    assert len(written["params"]) == N
    assert [row["eps"] for row in written["eps"]] == [1e-4, 1e-3]
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_far_off_predictions_without_a_validity_radius(path: Path) -> None:
    result = run(path, "--eps", "0.1", "--alpha", "0.01")
    assert json.loads(result.stdout)["validity_radius"] is None
    assert "predicted moves" in result.stderr
    assert "Predictions are best at smaller eps" in result.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--kernel", "cosine"], "'cosine'"),
        (["--kernel", "ntk", "--gamma", "1"], "--gamma does not apply"),
        (["--kernel", "linear", "--gamma", "1"], "--gamma does not apply"),
        (["--gamma", "-1"], "gamma"),
        (["--gamma", "0"], "gamma"),
        (["--gamma", "wide"], "'wide'"),
        (["--alpha", "-1"], "alpha"),
        (["--attackable", "zz"], "zz"),
    ],
)
def test_bad_options(options: list[str], expected: str, path: Path) -> None:
    assert_refused(run(path, *options), expected)


@pytest.mark.parametrize("option", [["--kernel", "rbf"], ["--gamma", "1"]])
def test_kernel_options_of_other_models(option: list[str], path: Path) -> None:
    result = CliRunner().invoke(main, ["analyze", str(path), *option])
    assert_refused(result, f"{option[0]} is for --model kernel, but the model is linear")


def test_a_zero_row_and_the_ntk(table: pd.DataFrame, tmp_path: Path) -> None:
    frame = table.drop(columns="w")
    frame.loc[4, ["a", "b", "c"]] = 0.0
    frame.to_csv(tmp_path / "z.csv", index=False)
    options = [tmp_path / "z.csv", "--kernel", "ntk", "--no-standardize"]
    assert_refused(run(*options), "zero vector, as row 4")


def test_out_of_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError("Unable to allocate 18.6 GiB")

    monkeypatch.setattr(fa.KernelRegression, "fit", fail)
    assert_refused(run(path), "not enough memory: Unable to allocate 18.6 GiB")


def assert_refused(result: Result, expected: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("fastaif: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr
