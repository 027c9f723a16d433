"""What would pass as a number or a feature, and is none: refused, or told, by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner

import fastaif as fa
from fastaif.cli import main


@pytest.fixture
def case(rng):
    X = rng.normal(size=(60, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=60)
    return fa.LinearRegression().fit(X, y), X, y


def masked(values, place):
    found = np.ma.array(values)
    found[place] = np.ma.masked
    return found


def test_masked_arrays(case):
    model, X, y = case
    bad = {"X": masked(X, (4, 1)), "y": masked(y, 4), "sample_weight": masked(np.ones(60), 4)}
    for name, values in bad.items():
        given = {"X": X, "y": y} | {name: values}
        with pytest.raises(ValueError, match=f"{name} is a masked array with 1 masked entries"):
            fa.aif(model, **given)
        with pytest.raises(ValueError, match=f"{name} is a masked array"):
            fa.LinearRegression().fit(**given)
    with pytest.raises(ValueError, match="X of block 1 is a masked array"):
        fa.LinearRegression().fit([(X[:30], y[:30]), (bad["X"][:30], y[30:])], None)
    whole = np.ma.array(X)  # nothing is masked
    np.testing.assert_array_equal(
        fa.aif(model, whole, np.ma.array(y)).influence, fa.aif(model, X, y).influence
    )


def test_dates(case):
    _, X, y = case
    days = np.datetime64("2020-01-01") + np.arange(60)
    frame = pd.DataFrame(X, columns=list("abc")).assign(when=days)
    late = frame.assign(when=days - days[0])
    for given in (frame, late, pl.DataFrame({"a": y, "when": days}), frame[["when"]]):
        with pytest.raises(TypeError, match="X has a column 'when' of dates or durations"):
            fa.LinearRegression().fit(given, y)
    with pytest.raises(TypeError, match="X has dates or durations"):
        fa.LinearRegression().fit(np.tile(days[:, None], 2), y)
    for given in (days, days - days[0], pd.Series(days), pl.Series(days)):
        with pytest.raises(TypeError, match="y has dates or durations"):
            fa.LinearRegression().fit(X, given)
    model = fa.LinearRegression().fit(frame[["a", "b"]].assign(when=X[:, 2]), y)
    with pytest.raises(TypeError, match="X has a column 'when' of dates or durations"):
        fa.aif(model, frame[["a", "b", "when"]], y)
    with pytest.raises(TypeError, match="y has dates or durations"):
        fa.aif(fa.LinearRegression().fit(X, y), X, days)


def test_repeated_names(case):
    _, X, y = case
    frame = pd.DataFrame(X, columns=["a", "b", "a"])
    with pytest.raises(ValueError, match="X has several columns named 'a'"):
        fa.LinearRegression().fit(frame, y)
    with pytest.raises(ValueError, match="X has several columns named 'a'"):
        fa.aif(fa.LinearRegression().fit(X, y), frame, y)


@pytest.mark.parametrize("name", ["Unnamed: 0", "__index_level_0__"])
def test_indices_in_frames_are_told(name, case):
    _, X, y = case
    frame = pd.DataFrame(X, columns=["a", "b", name])
    with pytest.warns(fa.InfluenceWarning, match=f"X has a column '{name}'"):
        fa.LinearRegression().fit(frame, y)


@pytest.mark.parametrize("name", [None, "id"])
def test_indices_in_parquet_files_are_no_features(name, case, tmp_path):
    model, X, y = case
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=y)
    frame.index = pd.Index(np.random.default_rng(0).permutation(60), name=name)
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    with pytest.warns(fa.InfluenceWarning, match=name or "__index_level_0__"):
        found = fa.LinearRegression().fit(str(path), "y")
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    np.testing.assert_allclose(found.coef_, model.coef_, rtol=1e-12)
    fa.aif(found, str(path), "y")  # the fit's columns are read, without a word
    plain = pd.DataFrame(X, columns=list("abc")).assign(y=y)
    plain.to_parquet(path)  # an index that numbers the rows is not in the file
    fa.LinearRegression().fit(str(path), "y")


@pytest.mark.parametrize("bad", [2j, np.complex128(2.0), np.complex64(1 + 1j)])
def test_complex_numbers(bad, case):
    model, X, y = case
    for name in ("p", "order", "radius", "damping"):
        with pytest.raises(TypeError, match=f"{name} must be"):
            fa.aif(model, X, y, **{name: bad})


def test_numbers_whose_squares_overflow(case):
    model, X, y = case
    with pytest.raises(ValueError, match=r"radius must be at most 1e\+100"):
        fa.aif(model, X, y, radius=1e300)
    # A scale is a unit: the influence is right in any; NumPy says where a square has no number.
    large, huge = (fa.aif(model, X, y, feature_scale=[1.0, c, 1.0]) for c in (1e100, 1e300))
    np.testing.assert_allclose(huge.influence / 1e200, large.influence, rtol=1e-12)
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert huge.sensitivity_coefficient == np.inf
    assert np.isfinite(fa.aif(model, X, y, radius=1e90).sensitivity_coefficient)


CSVS = {
    "a,b,a,y": r"several columns 'a'", "a,b,,y": "column 3 has no name",
    ",a,b,y": "column 1 has no name", "a,b,c,y": None,
}  # fmt: skip


@pytest.mark.parametrize(("header", "message"), CSVS.items())
def test_headers_of_csv_files(header, message, case, tmp_path):
    _, X, y = case
    path = tmp_path / "rows.csv"
    lines = [",".join(map(str, row)) for row in np.column_stack([X, y])]
    path.write_text("\n".join([header, *lines]))
    found = CliRunner().invoke(main, ["analyze", str(path), "--model", "linear"])
    assert found.exit_code == (0 if message is None else 2), found.output
    if message is not None:
        assert message in found.output


# --- labels and columns of any kind ---------------------------------------------------------------

LABELS = {
    "booleans": lambda b: b, "text": lambda b: np.where(b, "yes", "no"),
    "text objects": lambda b: np.where(b, "yes", "no").astype(object),
    "number objects": lambda b: b.astype(int).astype(object), "single": lambda b: b.astype("f4"),
    "categories": lambda b: pd.Series(np.where(b, "yes", "no")).astype("category"),
    "categories of numbers": lambda b: pd.Series(b.astype(int)).astype("category"),
    "string": lambda b: pd.Series(np.where(b, "yes", "no")).astype("string"),
    "boolean": lambda b: pd.Series(b).astype("boolean"),
    "Int64": lambda b: pd.Series(b.astype(int)).astype("Int64"),
    "a frame": lambda b: pd.DataFrame({"sick": b}), "a list": lambda b: list(np.where(b, "y", "n")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    b = X[:, 0] + rng.normal(size=50) > 0
    y = LABELS[kind](b)
    found = fa.aif(fa.LogisticRegression(alpha=0.1).fit(X, y), X, y)
    wanted = fa.aif(fa.LogisticRegression(alpha=0.1).fit(X, b.astype(int)), X, b.astype(int))
    np.testing.assert_array_equal(found.influence, wanted.influence)


COLUMNS = {
    "nullable": lambda X: X.astype("Float64"), "booleans": lambda X: X > 0,
    "nullable booleans": lambda X: (X > 0).astype("boolean"),
    "categories of numbers": lambda X: X.round().astype("category"),
    "integers": lambda X: X.round().astype("Int64"),
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_numbers_of_any_kind(kind):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(2.0 * rng.normal(size=(50, 2)), columns=["age", "bmi"])
    given, y = COLUMNS[kind](X), X["age"].to_numpy() + rng.normal(size=50)
    found = fa.aif(fa.LinearRegression().fit(given, y), given, y)
    plain = given.astype(float)
    wanted = fa.aif(fa.LinearRegression().fit(plain, y), plain, y)
    np.testing.assert_allclose(found.influence, wanted.influence, rtol=1e-12)


WRONG = {
    "text": (lambda X: X.assign(bmi="u"), TypeError, "column 'bmi' of type .*encode it first"),
    "categories": (
        lambda X: X.assign(bmi=pd.Categorical(["u"] * len(X))), TypeError, "column 'bmi'",
    ),
    "dates": (
        lambda X: X.assign(bmi=pd.Timestamp("2020-01-01")), TypeError, "column 'bmi' of dates",
    ),
    "gaps": (lambda X: X.assign(bmi=X["bmi"].mask(X.index == 3)), ValueError,
             r"first at row 3, column 'bmi'"),
    "nullable gaps": (
        lambda X: X.astype("Float64").assign(bmi=X["bmi"].astype("Float64").mask(X.index == 3)),
        ValueError, r"first at row 3, column 'bmi'",
    ),
    "infinity": (lambda X: X.assign(bmi=np.inf), ValueError, r"first at row 0, column 'bmi'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_fit_and_aif_name_the_column(what):
    change, kind, message = WRONG[what]
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(50, 2)), columns=["age", "bmi"])
    y = X["age"] + rng.normal(size=50)
    model = fa.LinearRegression().fit(X, y)
    with pytest.raises(kind, match=message):
        fa.LinearRegression().fit(change(X), y)
    with pytest.raises(kind, match=message):
        fa.aif(model, change(X), y)
