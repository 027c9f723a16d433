"""`--bounds`: numbers, or the data's own range."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import fastaif as fa
from fastaif.cli.main import main

RNG = np.random.default_rng(0)


@pytest.fixture
def file(tmp_path):
    frame = pd.DataFrame(RNG.uniform(0.0, 1.0, size=(60, 3)).round(1), columns=["a", "b", "c"])
    frame["y"] = frame["a"] - 2.0 * frame["b"] + RNG.normal(size=60)
    frame.to_csv(tmp_path / "data.csv", index=False)
    return tmp_path / "data.csv"


def run(*arguments, status=0):
    found = CliRunner().invoke(main, [str(part) for part in arguments], standalone_mode=True)
    assert found.exit_code == status, found.output
    return found


@pytest.mark.parametrize("bounds", ["0,1", "data"])
def test_they_are_those_of_aif(file, bounds):
    said = json.loads(
        run("analyze", file, "--target", "y", "--no-standardize", "--bounds", bounds).stdout
    )
    frame = pd.read_csv(file)
    X, y = frame[["a", "b", "c"]], frame["y"]
    model = fa.LinearRegression().fit(X, y)
    wanted = fa.aif(model, X, y, bounds=(X.min().to_numpy(), X.max().to_numpy()))
    np.testing.assert_allclose(said["influence"], wanted.influence, rtol=1e-9)
    assert said["influence"] != fa.aif(model, X, y).influence.tolist()


def test_a_path_within_bounds(file):
    said = run("path", file, "--target", "y", "--bounds", ",2", "--eps", "0.05", "--format", "json")
    assert json.loads(said.stdout)


@pytest.mark.parametrize(
    ("bounds", "message"), [("0", "is neither two numbers"), ("0,0.5", "bounds: row")]
)
def test_others_are_refused(file, bounds, message):
    found = run("analyze", file, "--target", "y", "--bounds", bounds, status=2)
    assert message in found.output


def test_the_report_says_what_was_asked(file):
    asked = run("analyze", file, "--target", "y", "--bounds", "0,", "--p", "inf", "--eps", "0.01")
    found = json.loads(asked.stdout)
    assert found["attack"] == "p=inf and bounds"
    assert found["bounds"] == [[0.0, 0.0, 0.0], [None, None, None]]
