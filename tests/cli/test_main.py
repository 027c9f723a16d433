"""The command line: its numbers are the library's, and bad input is one line with status 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa
from fastaif.cli import main

ROOT = Path(fa.__file__).parent.parent  # the package that is tested, installed or not
KEYS = [
    "model", "attack", "bounds", "alpha", "n_samples", "n_features", "features", "names",
    "p", "order", "radius", "params",
    "influence", "sensitivity_coefficient", "value_derivative", "validity_radius", "eps",
    "diagnostics",
]  # fmt: skip


def run(*args: Any) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


def document(*args: Any) -> dict[str, Any]:
    result = run("analyze", *args)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def reference(
    X: Any, y: Any, model: Any = None, w: Any = None, scale: bool = True, **options: Any
) -> fa.InfluenceResult:
    model = fa.LinearRegression() if model is None else model
    steps = [("scaler", StandardScaler()), ("model", model)] if scale else [("model", model)]
    weights = {f"{name}__sample_weight": w for name, _ in steps}
    return fa.aif(Pipeline(steps).fit(X, y, **weights), X, y, sample_weight=w, **options)


def assert_is(found: dict[str, Any], result: fa.InfluenceResult, eps: list[float]) -> None:
    """Equal to the last bit: JSON's numbers are not rounded."""
    assert list(found) == KEYS
    assert found["names"] == list(result.names)
    assert found["alpha"] == result.problem.alpha
    assert found["n_samples"] == result.problem.source.n_rows
    assert found["influence"] == result.influence.tolist()
    assert found["params"] == result.params.tolist()
    for key in ("radius", "sensitivity_coefficient", "value_derivative"):
        assert found[key] == getattr(result, key)
    radius = np.inf if found["validity_radius"] is None else found["validity_radius"]
    assert radius == result.validity_radius
    assert [row["eps"] for row in found["eps"]] == eps
    for row in found["eps"]:
        check = result.verify(row["eps"])
        assert (row["cost"], row["gain"]) == (check.exact_cost, check.exact_gain)
        assert row["predicted_cost"] == result.sensitivity(row["eps"])
        assert row["sensitivity"] == row["eps"] ** 2 * result.sensitivity_coefficient
        assert row["flip_fraction"] == result.flip_fraction(row["eps"])
        assert row["rough"] == result.rough_at(row["eps"], expansion="quadratic")
        assert row["params"] == check.robust.params.tolist()
    assert found["diagnostics"]["condition_number"] == result.diagnostics["condition_number"]


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 3)) * [1.0, 5.0, 0.2] + [0.0, 3.0, 1.0]
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame["y"] = X @ [1.0, -0.3, 2.0] + rng.normal(size=80)
    frame["w"] = rng.uniform(0.5, 2.0, size=80)
    return frame


def test_diabetes_by_default() -> None:
    data = load_diabetes(as_frame=True)
    found = document()
    assert_is(found, reference(data.data, data.target), [0.046, 0.05, 0.15, 0.42])
    fitted = Pipeline([("scaler", StandardScaler()), ("model", fa.LinearRegression())])
    fitted.fit(data.data, data.target)
    end = fa.zero_radius(fitted, data.data, data.target)
    shares = [row["eps"] / end for row in found["eps"] if row["eps"] != 0.05]
    assert shares == pytest.approx([0.1, 1 / 3, 0.9], rel=0.04)
    path = fa.robust_path(fitted, data.data, data.target, end)
    for row in found["eps"]:
        e = row["eps"]
        assert row["clean_loss"] == pytest.approx(path.clean_loss(e), rel=1e-8)
        assert row["clean_loss_before"] == pytest.approx(path.clean_loss(0.0), rel=1e-12)
        assert row["adversarial_loss"] == pytest.approx(path.adversarial_loss(e), rel=1e-8)
        before = path.adversarial_loss(0.0, e)
        assert row["adversarial_loss_before"] == pytest.approx(before, rel=1e-12)
        change = row["clean_loss"] - row["clean_loss_before"]
        assert row["clean_loss_change"] == change == pytest.approx(row["cost"], rel=1e-9)
        assert row["accuracy"] is None
        assert row["tangent_is_off"] == (row["sensitivity"] > 2.0 * row["cost"])
        np.testing.assert_allclose(row["reach"], e * found["radius"] * data.data.std(ddof=0))
    assert (found["model"], found["p"], found["order"]) == ("linear", 2.0, None)


def test_an_order() -> None:
    data = load_diabetes(as_frame=True)
    found = document("--order", "2", "--eps", "0.001")
    assert (found["order"], found["eps"][0]["converged"]) == (2.0, True)
    steps = [("scaler", StandardScaler()), ("model", fa.LinearRegression())]
    model = Pipeline(steps).fit(data.data, data.target)
    wanted = fa.aif(model, data.data, data.target, order=2)
    assert found["influence"] == wanted.influence.tolist()
    table = run("analyze", "--order", "2", "--eps", "0.001", "--format", "table").output
    assert "order 2" in table


def test_breast_cancer_with_an_infinite_validity_radius() -> None:
    data = load_breast_cancer(as_frame=True)
    found = document("breast_cancer", "--model", "logistic", "--alpha", "0.01", "--eps", "0.02")
    model = fa.LogisticRegression(alpha=0.01)
    assert_is(found, reference(data.data, data.target, model), [0.02])
    assert found["validity_radius"] is None


def test_quadratic_model() -> None:
    data, options = load_diabetes(as_frame=True), ["--model", "quadratic", "--eps", "1e-5"]
    found = document(*options, "--p", "inf")
    assert_is(found, reference(data.data, data.target, fa.QuadraticRegression(), p=np.inf), [1e-5])
    assert "bmi s5" in found["names"]
    table = run("analyze", *options, "--p", "inf", "--format", "table").stdout
    assert "as found by PGD" in table
    assert "(10 of 65)" in table
    assert "loss, exactly" in run("analyze", *options, "--format", "table").stdout


def test_options_reach_the_library(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "d.csv", index=False)
    found = document(
        tmp_path / "d.csv", "--weights", "w", "--p", "inf", "--attackable", "a, c",
        "--model", "huber", "--alpha", "0.1", "--eps", "0.001", "--seed", "3",
    )  # fmt: skip
    X, w = frame[["a", "b", "c"]], frame["w"].to_numpy()
    result = reference(
        X, frame["y"], fa.HuberRegression(alpha=0.1), w, p=np.inf, attackable=["a", "c"]
    )
    assert_is(found, result, [0.001])
    assert found["p"] is None


def test_without_standardizing(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "d.csv", index=False)
    found = document(tmp_path / "d.csv", "--no-standardize", "--weights", "w", "--eps", "0.01")
    X, w = frame[["a", "b", "c"]], frame["w"].to_numpy()
    assert_is(found, reference(X, frame["y"], w=w, scale=False), [0.01])


def test_file_formats_agree(frame: pd.DataFrame, tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    X = frame[["a", "b", "c"]].to_numpy()
    frame.to_csv(tmp_path / "plain.csv", index=False)
    frame.to_csv(tmp_path / "numbered.csv")
    pl.DataFrame({name: frame[name].to_numpy() for name in frame}).write_parquet(
        tmp_path / "d.parquet"
    )
    arrays = {"X": X, "y": frame["y"], "w": frame["w"]}
    np.savez(tmp_path / "named.npz", names=["a", "b", "c"], **arrays)
    np.savez(tmp_path / "bare.npz", **arrays)
    names = ["plain.csv", "numbered.csv", "d.parquet", "named.npz"]
    documents = [document(tmp_path / name, "--weights", "w") for name in names]
    assert all(d == documents[0] for d in documents)
    bare = document(tmp_path / "bare.npz", "--weights", "w")
    assert bare.pop("names") == ["x0", "x1", "x2", "intercept"]
    assert bare.pop("features") == ["x0", "x1", "x2"]
    assert bare == {key: documents[0][key] for key in bare}
    note = run("analyze", tmp_path / "numbered.csv", "--weights", "w").stderr
    assert "numbers the rows" in note


def test_labels_that_are_text(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["y"] = np.where(frame["y"] > frame["y"].median(), "yes", "no")
    frame.to_csv(tmp_path / "d.csv", index=False)
    found = document(tmp_path / "d.csv", "--model", "logistic", "--eps", "0.01")
    X = frame[["a", "b", "c", "w"]]
    result = reference(X, frame["y"] == "yes", fa.LogisticRegression())
    assert_is(found, result, [0.01])


def test_table_for_a_person(tmp_path: Path) -> None:
    result = run("analyze", "breast_cancer", "--model", "logistic", "--format", "table")
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    texts = "569 samples, 30 features", "(the cost)", "worst texture", "classified rightly"
    for text in (*texts, "exactly", "x within", "+10.06%", "-0.2 pts", "S (eq. 4)"):
        assert text in result.stdout
    # With --out the report is a file, and stdout is for the person who wrote it there.
    result = run("analyze", "--out", tmp_path / "r.json", "--plot", tmp_path / "r.png")
    assert result.exit_code == 0
    assert "Note: at eps=0.42" in result.stdout
    assert json.loads((tmp_path / "r.json").read_text()) == document()
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_notes_go_to_stderr_beside_json() -> None:
    result = run("analyze", "--format", "json")
    far_off, flips = result.stderr.splitlines()
    assert far_off.startswith("fastaif: note: at eps = 0.046, 0.05, 0.15, 0.42 the predicted mov")
    assert flips.startswith("fastaif: note: at eps=0.42 about 47%")
    assert json.loads(result.stdout)["n_features"] == 10


def test_no_note_where_the_prediction_holds() -> None:
    assert run("analyze", "--format", "json", "--eps", "1e-5").stderr == ""


BAD_FILES = {
    "text.csv": ("a,b,y\n1,x,3\n2,y,4\n3,z,1\n", "fits every target exactly"),  # categories
    "hole.csv": ("a,b,y\n1,2,3\n2,,4\n3,5,1\n", "row 2"),
    "hole_y.csv": ("a,b,y\n1,2,3\n2,3,\n3,5,1\n", "'y' has 1 empty"),
    "nameless.csv": ("a,b,c\n1,2,3\n2,4,4\n", "'a', 'b', 'c'"),
    "two.csv": ("a,y,target\n1,2,3\n2,4,4\n", "--target"),
    "singular.csv": ("a,b,y\n1,2,3\n2,4,4\n3,6,1\n5,10,2\n", "--alpha"),
    "empty.csv": ("", "cannot read"),
    "header.csv": ("a,y\n", "0 rows"),
    "alone.csv": ("y\n1\n2\n", "0 feature"),
    "ragged.csv": ("a,b,y\n1,2,3\n1,2,3,4,5\n", "cannot read"),
    "long.csv": ("a,b,y\n1,2,3,4\n1,2,3,4\n", "more cells"),
    "junk.npz": ("junk", "cannot read"),
    "junk.parquet": ("junk", "cannot read"),
    "data.txt": ("a,y\n1,2\n", "no .csv, .tsv"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    content, expected = BAD_FILES[name]
    (tmp_path / name).write_text(content)
    assert_refused(run("analyze", tmp_path / name), expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["missing.csv"], "no such file: missing.csv"),
        (["--target", "nope"], "no column 'nope'"),
        (["--weights", "nope"], "no column 'nope'"),
        (["--weights", "s1"], "negative"),
        (["--weights", "s1", "--target", "s1"], "both"),
        (["--model", "forest"], "linear, huber, expectile, logistic, probit, cloglog, squared"),
        (["--model", "logistic"], "214 classes"),
        (["--model", "poisson", "--target", "s1"], "negative"),
        (["--p", "0.5"], "[1, inf]"),
        (["--p", "nan"], "[1, inf]"),
        (["--p", "two"], "'two'"),
        (["--eps", "0.1,-1"], "above 0"),
        (["--eps", "inf"], "finite"),
        (["--eps", "small"], "0.01,0.05"),
        (["--alpha", "-1"], "alpha"),
        (["--attackable", "s1,zz"], "zz"),
        (["--attackable", ","], "--attackable"),
        (["--out", "no/such/dir/r.json"], "no directory"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_bad_options(options: list[str], expected: str) -> None:
    assert_refused(run("analyze", *options), expected)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_overflow() -> None:
    assert_refused(run("analyze", "--eps", "1e300"), "overflow")


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"y": np.ones(4)}, "'X'"),
        ({"X": np.ones(4), "y": np.ones(4)}, "two-dimensional"),
        ({"X": np.ones((4, 2)), "y": np.ones(3)}, "4 rows"),
        ({"X": np.ones((4, 2)), "y": np.ones(4), "names": ["a"]}, "2 different names"),
        ({"X": np.ones((4, 2)), "y": np.ones(4), "names": ["a", "y"]}, "'y' names both"),
        ({"X": np.ones((4, 2)) * 1j, "y": np.ones(4)}, "not numeric"),
        ({"X": np.array([[None], [1]]), "y": np.ones(2)}, "cannot read"),
    ],
)
def test_bad_arrays(arrays: dict[str, Any], expected: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    assert_refused(run("analyze", tmp_path / "d.npz"), expected)


def test_bad_commands(tmp_path: Path) -> None:
    assert_refused(run("nonsense"), "nonsense")
    assert_refused(run("reproduce", "figure9"), "figure9")
    (tmp_path / "file").touch()
    assert_refused(run("reproduce", "figure1", "--out", tmp_path / "file"), "file")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, module, None)
    assert_refused(run("analyze", "--plot", tmp_path / "r.png"), "pip install matplotlib")
    assert_refused(run("reproduce", "figure1", "--out", tmp_path / "new"), "pip install matplotlib")
    assert not list(tmp_path.iterdir())


def assert_refused(result: Result, expected: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("fastaif: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr


def test_path_writes_its_nodes_and_figure(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "d.csv", index=False)
    options = [tmp_path / "d.csv", "--target", "y", "--weights", "w", "--p", "inf"]
    found = run("path", *options, "--format", "json")
    assert found.exit_code == 0, found.stderr
    document = json.loads(found.stdout)
    X, w = frame[["a", "b", "c"]], frame["w"]
    steps = [("scaler", StandardScaler()), ("model", fa.LinearRegression())]
    weights = {"scaler__sample_weight": w, "model__sample_weight": w}
    model = Pipeline(steps).fit(X, frame["y"], **weights)
    end = fa.zero_radius(model, X, frame["y"], p=np.inf, sample_weight=w)
    wanted = fa.robust_path(model, X, frame["y"], end, p=np.inf, sample_weight=w).to_frame()
    pd.testing.assert_frame_equal(pd.DataFrame(document["nodes"]), wanted)
    assert document["zero_radius"] == end
    table = run(
        "path", *options, "--eps", "0.01,0.1", "--out", tmp_path / "p.csv", "--plot",
        tmp_path / "p.png", "--kind", "loss",
    )  # fmt: skip
    assert "Robust path" in table.stdout
    assert list(pd.read_csv(tmp_path / "p.csv")["eps"]) == [0.0, 0.01, 0.1]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert_refused(run("path", *options, "--plot", tmp_path / "p.what"), "no such kind of figure")


@pytest.mark.long
def test_reproduce_writes_its_table_and_figure(tmp_path: Path) -> None:
    result = run("reproduce", "figure1", "--out", tmp_path / "new", "--seed", "1")
    assert result.exit_code == 0, result.stderr
    written = pd.read_csv(tmp_path / "new" / "figure1.csv")
    assert list(written["eps"][:5]) == [0.04, 0.06, 0.08, 0.10, 0.12]
    assert (tmp_path / "new" / "figure1.png").read_bytes().startswith(b"\x89PNG")
    assert "theory: 1" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()[:-1]) <= 80


@pytest.mark.long
def test_reproduce_is_as_large_as_asked(tmp_path: Path) -> None:
    options = ("--n-samples", "200", "--out", tmp_path)
    quick = run("reproduce", "theorem_5_4", "--quick", *options)
    few = run("reproduce", "theorem_5_4", "--repetitions", "2", *options)
    assert quick.exit_code == 0
    assert quick.stdout == few.stdout
    assert "n = 200" in few.stdout
    assert_refused(run("reproduce", "figure1", "--repetitions", "3"), "leave --repetitions out")


def test_help_version_and_config() -> None:
    assert run().stdout == run("--help").stdout
    assert fa.__version__ in run("--version").stdout
    brief, whole = run("config").stdout, run("config", "--verbose").stdout
    assert brief.startswith(f"fastaif {fa.__version__}")
    assert "operation linear_sums" in whole
    assert "operation linear_sums" not in brief
    assert "operations: " in brief
    for command in ("analyze", "path", "reproduce", "config"):
        assert run(command, "--help").exit_code == 0


@pytest.mark.long
def test_module_in_a_process_of_its_own(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.drop(columns="w").to_csv(tmp_path / "d.csv", index=False)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "fastaif", "analyze", "d.csv", "--eps", "0.001"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    result = reference(frame[["a", "b", "c"]], frame["y"])
    assert_is(json.loads(done.stdout), result, [0.001])
    assert done.stderr == ""


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, fastaif.cli\n"
        "heavy = {'numpy', 'sklearn', 'pandas', 'matplotlib', 'numba'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_what_can_fail_does_so_before_the_work(frame: pd.DataFrame, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    frame.to_csv(data, index=False)
    before = data.read_bytes()
    report, picture = tmp_path / "report.json", tmp_path / "report.png"
    for options, said in (
        (["--out", str(report), "--plot", str(report)], "the same file"),
        (["--out", str(data)], "DATA and --out are the same file"),
        (["--plot", str(tmp_path / "." / "rows.csv")], "DATA and --plot are the same file"),
        (["--plot", str(tmp_path / "report.xyz")], "no such kind of figure"),
        (["--out", str(tmp_path / "none" / "a.json")], "there is no directory"),
    ):
        found = CliRunner().invoke(main, ["analyze", str(data), "--target", "y", *options])
        assert found.exit_code == 2
        assert said in found.output
    assert data.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    done = CliRunner().invoke(
        main, ["analyze", str(data), "--target", "y", "--out", str(report), "--plot", str(picture)]
    )
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report.json", "report.png", "rows.csv"
    ]  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_outputs_are_written_whole_or_not_at_all(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    data, picture = tmp_path / "rows.csv", tmp_path / "report.png"
    frame.to_csv(data, index=False)
    picture.write_bytes(b"an earlier one")
    monkeypatch.setattr(Figure, "savefig", full)
    found = CliRunner().invoke(
        main, ["analyze", str(data), "--target", "y", "--plot", str(picture)]
    )
    assert found.exit_code == 2
    assert "No space left" in found.output
    assert picture.read_bytes() == b"an earlier one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.png", "rows.csv"]


def test_pipes(frame: pd.DataFrame, tmp_path: Path) -> None:
    import threading

    text, data = frame.to_csv(index=False), tmp_path / "rows.csv"
    data.write_text(text)
    options = ["--target", "y", "--format", "json"]
    wanted = CliRunner().invoke(main, ["analyze", str(data), *options])
    found = CliRunner().invoke(main, ["analyze", "-", *options], input=text)
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["influence"] == json.loads(wanted.stdout)["influence"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    through = CliRunner().invoke(main, ["analyze", str(pipe), *options])
    writer.join()
    assert json.loads(through.stdout)["influence"] == json.loads(wanted.stdout)["influence"]
    broken = CliRunner().invoke(main, ["analyze", "-", *options], input="")
    assert broken.exit_code == 2
    assert "from the pipe" in broken.output


@pytest.mark.long
@pytest.mark.parametrize("command", ["analyze", "config"])
def test_a_closed_stdout_ends_quietly(command: str) -> None:
    code = f"import sys; from fastaif.cli import main; sys.argv[1:] = ['{command}']; main()"
    with subprocess.Popen(
        [sys.executable, "-uc", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(fa.__file__).parents[1])},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(120) == 1
    assert b"Traceback" not in said
    assert b"BrokenPipe" not in said
    assert b"Errno" not in said


@pytest.mark.long
def test_a_stdout_that_the_shell_closed(tmp_path: Path) -> None:
    """`>&-`: the report is written all the same, and there is no traceback."""
    command = f"{sys.executable} -m fastaif analyze --eps 1e-5 --out r.json >&-"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, check=True
    )
    assert done.stderr == b""
    assert json.loads((tmp_path / "r.json").read_text())["n_features"] == 10


@pytest.mark.long
@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no such device here")
def test_the_device_of_stdin(frame: pd.DataFrame, tmp_path: Path) -> None:
    """Behind a pipe and behind `< rows.csv` alike."""
    frame.to_csv(tmp_path / "rows.csv", index=False)
    wanted = document(tmp_path / "rows.csv")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = f"{sys.executable} -m fastaif analyze /dev/stdin --target y"
    for command in (f"cat rows.csv | {call}", f"{call} < rows.csv"):
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=True
        )
        assert json.loads(done.stdout) == wanted


def test_a_report_into_a_pipe_leaves_it_a_pipe(tmp_path: Path) -> None:
    import threading

    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    found = run("analyze", "--eps", "1e-5", "--out", pipe)
    reader.join(60)
    assert found.exit_code == 0, found.output
    assert json.loads(heard[0])["n_features"] == 10
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("reader", ["pandas", "polars"])
def test_an_index_that_pandas_stored_is_told(
    reader: str, frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    frame.to_csv(tmp_path / "plain.csv", index=False)
    wanted = document(tmp_path / "plain.csv")
    path = tmp_path / "d.parquet"
    frame.set_axis(np.arange(80) * 3 + 1).to_parquet(path)
    if reader == "polars":
        pytest.importorskip("polars")

        def absent(*_: Any) -> None:
            raise ImportError

        monkeypatch.setattr(pd, "read_parquet", absent)
    found = run("analyze", path)
    assert json.loads(found.stdout) == wanted
    assert "index that pandas stored with the frame, '__index_level_0__', was left out" in (
        found.stderr
    )
    frame.to_parquet(path)  # an index that only numbers the rows
    assert "index" not in run("analyze", path).stderr


def test_report_is_a_page(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = run("analyze", "--eps", "0.01,0.05", "--report", report, "--format", "table")
    assert done.exit_code == 0, done.output
    page = report.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "linear model of diabetes" in page
    assert page.count("<svg ") == 3


def test_report_in_no_directory_is_refused(tmp_path: Path) -> None:
    done = run("analyze", "--report", tmp_path / "none" / "report.html")
    assert done.exit_code == 2
    assert "there is no directory" in done.output
