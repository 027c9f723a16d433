"""Tables as people have them: text, dates, gaps, separators, labels; all that is wrong at once."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support.makers import assert_close

import fastaif as fa
from fastaif.cli import main

COMMON = ["--eps", "0.01", "--format", "json"]


@pytest.fixture(scope="module")
def frame():
    """Numbers with gaps, categories, a date, a name for each row, and a target."""
    rng = np.random.default_rng(0)
    n = 60
    table = pd.DataFrame({"age": rng.normal(40, 9, n).round(1), "bmi": rng.normal(25, 3, n)})
    table["lab"] = np.where(rng.uniform(size=n) < 0.2, np.nan, rng.normal(size=n))
    table["city"] = rng.choice(["Bern", "Oslo", "Rome"], n)
    table["when"] = pd.date_range("2020-01-01", periods=n).astype(str)
    table["name"] = [f"person {k}" for k in range(n)]
    table["y"] = table["age"] / 9 + (table["city"] == "Oslo") + rng.normal(size=n)
    return table


def run(path, *options):
    return CliRunner().invoke(main, ["analyze", str(path), *map(str, options)])


def saved(frame, tmp_path, name="rows.csv", **options):
    frame.to_csv(tmp_path / name, index=False, **options)
    return tmp_path / name


def result_of(path, *options):
    found = run(path, *COMMON, *options)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout), found.stderr


def test_all_problems_in_one_message(frame, tmp_path):
    found = run(saved(frame, tmp_path))
    assert found.exit_code == 2
    assert found.stderr.startswith("fastaif: 3 problems: (1) column 'lab' has ")
    assert "--dropna leaves such rows out, --impute fills them" in found.stderr
    assert "(2) column 'when' holds dates" in found.stderr
    assert "(3) column 'name' has 60 different texts in 60 rows" in found.stderr
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize("gaps", ["--dropna", "--impute"])
def test_categories_and_gaps(frame, tmp_path, gaps):
    """The same as the pipeline by hand."""
    path = saved(frame, tmp_path)
    found, notes = result_of(path, gaps, "--drop", "when,name")
    assert "held fixed and not attacked: 'city'" in notes
    X = frame.drop(columns=["when", "name", "y"])
    y = frame["y"]
    if gaps == "--dropna":
        kept = X["lab"].notna()
        X, y = X[kept], y[kept]
        assert f"{(~kept).sum()} of 60 rows" in notes
    steps = ColumnTransformer([
        ("n", SimpleImputer(strategy="median"), ["age", "bmi", "lab"]),
        ("c", OneHotEncoder(drop="first", sparse_output=False), ["city"]),
    ])  # fmt: skip
    pipe = make_pipeline(steps, StandardScaler(), fa.LinearRegression()).fit(X, y)
    wanted = fa.aif(pipe, X, y)
    assert found["names"] == ["age", "bmi", "lab", "city_Oslo", "city_Rome", "intercept"]
    assert_close(found["influence"], wanted.influence, 1e-12)
    assert found["radius"] == pytest.approx(wanted.radius, rel=1e-12)
    assert {row["method"] for row in found["eps"]} == {"exact"}


def test_text_can_be_refused(frame, tmp_path):
    found = run(saved(frame[["age", "city", "y"]], tmp_path), "--no-one-hot")
    assert found.exit_code == 2
    assert "'city' is not numeric (it begins with" in found.stderr


@pytest.mark.parametrize("name", ["rows.tsv", "rows.csv.gz", "rows.tsv.gz", "semicolons.csv"])
def test_separators_and_compression(frame, tmp_path, name):
    plain = frame[["age", "bmi", "y"]]
    wanted, _ = result_of(saved(plain, tmp_path))
    sep = "\t" if ".tsv" in name else ";" if name == "semicolons.csv" else ","
    text = plain.to_csv(index=False, sep=sep).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    found, _ = result_of(tmp_path / name, *(["--sep", ";"] if sep == ";" else []))
    assert found["influence"] == wanted["influence"]


@pytest.mark.parametrize("labels", ["text", "numbers", "booleans"])
def test_two_labels_are_classification(frame, tmp_path, labels):
    sick = frame["y"] > frame["y"].median()
    y = {"text": np.where(sick, "yes", "no"), "numbers": sick.astype(int), "booleans": sick}[labels]
    path = saved(frame[["age", "bmi"]].assign(y=y), tmp_path)
    found, notes = result_of(path)
    assert found["model"] == "logistic"
    assert "has 2 values, and the model is logistic" in notes
    told, _ = result_of(path, "--model", "logistic")
    assert told["influence"] == found["influence"]
    if labels == "numbers":
        assert result_of(path, "--model", "linear")[0]["model"] == "linear"


def test_three_classes_are_classification_too(frame, tmp_path):
    path = saved(frame[["age", "bmi"]].assign(y=frame["city"]), tmp_path)
    found, notes = result_of(path, "--alpha", "0.1")
    assert found["model"] == "softmax"
    assert "has 3 values, and the model is logistic" in notes
    assert found["names"][:2] == ["age[Bern]", "bmi[Bern]"]


def test_names_of_rows_are_no_classes_and_told_with_the_rest(frame, tmp_path):
    path = saved(frame[["age", "lab"]].assign(y=[f"id{k}" for k in range(len(frame))]), tmp_path)
    found = run(path)
    assert found.exit_code == 2
    assert "2 problems" in found.stderr
    assert f"'y' has {len(frame)} classes ('id0', 'id1', " in found.stderr
    assert "too many for as many rows" in found.stderr


def test_an_index_that_was_saved_is_left_out(frame, tmp_path):
    shuffled = frame[["age", "bmi", "y"]].sample(frac=1.0, random_state=0)
    shuffled.to_csv(tmp_path / "rows.csv")
    found, notes = result_of(tmp_path / "rows.csv")
    assert found["names"] == ["age", "bmi", "intercept"]
    assert "only numbers the rows" in notes


def test_a_column_to_drop_has_to_exist(frame, tmp_path):
    found = run(saved(frame, tmp_path), "--drop", "height")
    assert found.exit_code == 2
    assert "no column 'height'" in found.stderr


def test_paths_follow(frame, tmp_path):
    path = saved(frame[["age", "bmi", "city", "y"]], tmp_path)
    found = CliRunner().invoke(main, ["path", str(path), "--format", "json"])
    assert found.exit_code == 0, found.output
    assert "city_Oslo" in found.stdout
