"""Blocks of rows, added up in any order, give what `aif` gives on all rows at once."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import itertools
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from oracles import basis as basis_twin
from oracles import order as twin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support.basis_makers import BASES
from support.basis_makers import make as make_basis
from support.makers import DELTA, LOSS, ORDERS, estimator, make, relative_error, theta_of
from support.network_makers import fitted as fitted_network
from support.network_makers import make as make_network

import fastaif as fa
from fastaif.families.finite_sum import totals as accumulated_module
from fastaif.families.finite_sum.coordinates import measure

EDGES = [0, 1, 3, 20, 21, 90, 150]
KERNEL = {"centers": "fixed", "n_centers": 8, "random_state": 5}
MODELS = {
    "linear": lambda: estimator("linear"),
    "logistic": lambda: estimator("logistic"),
    "poisson": lambda: estimator("poisson"),
    "huber": lambda: estimator("huber"),
    "no intercept": lambda: estimator("linear", fit_intercept=False),
    "ridge": lambda: Ridge(alpha=3.0),
    "pipeline": lambda: make_pipeline(StandardScaler(), Ridge(alpha=3.0)),
    "products": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge(alpha=3.0)),
    "quadratic": lambda: fa.QuadraticRegression(alpha=0.1),
    "powers": lambda: fa.BasisRegression(BASES["powers 2"](), loss="huber", alpha=0.02),
    "fourier": lambda: fa.BasisRegression(fa.bases.Fourier(7, 0.3), alpha=0.02),
    "custom": lambda: fa.BasisRegression(BASES["custom"](), alpha=0.02),
    "kernel": lambda: fa.KernelRegression(fa.kernels.RBF(0.3), alpha=0.01, **KERNEL),
    "rkhs": lambda: fa.KernelRegression(
        fa.kernels.Matern(2.5, 0.5), alpha=0.01, penalty="rkhs", **KERNEL
    ),
}
LINEAR = ["linear", "logistic", "poisson", "huber", "no intercept", "ridge", "pipeline"]


def data(name, weighted=False):
    """Rows for that model; some weights are zero."""
    kind = name if name in LOSS else "linear"
    source = make if name in LINEAR else make_basis
    return source(kind, 150, 3, weighted=weighted)


@functools.cache
def fitted(name, weighted=False):
    """A model that is stationary on its data."""
    X, y, w = data(name, weighted)
    model = MODELS[name]()
    if hasattr(model, "steps"):
        return model.fit(X, y, **{f"{model.steps[-1][0]}__sample_weight": w})
    return model.fit(X, y, w)


def blocks(X, y, w=None, edges=EDGES):
    """The rows between each pair of edges."""
    for start, stop in itertools.pairwise(edges):
        rows = slice(start, stop)
        yield X[rows], y[rows], None if w is None else w[rows]


def accumulated(model, X, y, w=None, edges=EDGES, **options):
    total = fa.InfluenceAccumulator(model, **options)
    for block in blocks(X, y, w, edges):
        assert total.update(*block) is total
    return total


def quietly(call, *args, **options):
    """Without the warnings about ties and zero gradients, which are not the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        return call(*args, **options)


def assert_same(found, wanted, tol=1e-12):
    """All that sums can tell."""
    assert isinstance(found, fa.InfluenceResult)
    assert found.names == wanted.names
    assert (found.p, found.order) == (wanted.p, wanted.order)
    for name in ("params", "mixed", "hessian"):
        assert relative_error(getattr(found, name), getattr(wanted, name)) <= 1e-13, name
    for name in ("radius", "value_derivative"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-13, abs=0)
    assert relative_error(found.influence, wanted.influence) <= tol
    cost = [r.sensitivity_coefficient for r in (found, wanted)]
    assert cost[0] == pytest.approx(cost[1], rel=2 * tol, abs=0)
    mine, theirs = found.diagnostics, wanted.diagnostics
    for name in ("zero_gradients", "ties", "kinked_pairs", "damping", "solver"):
        assert mine[name] == theirs[name], name


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", MODELS)
def test_blocks_make_the_whole(name, order, weighted):
    X, y, w = data(name, weighted)
    model, p = fitted(name, weighted), {1.0: np.inf, 1.5: 1.0, 3.0: 1.7}.get(order, 2.0)
    options = {"p": p, "order": order}
    wanted = quietly(fa.aif, model, X, y, sample_weight=w, **options)
    found = quietly(accumulated(model, X, y, w, **options).result)
    assert_same(found, wanted, 1e-10 if name in ("rkhs", "kernel") else 1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "logistic"])
def test_networks(loss):
    model, (X, y, w) = fitted_network(loss, "tanh", True), make_network(loss, n=200)
    for attack in ({"p": np.inf}, {"p": 2, "order": 2}, {"p": 2, "order": 1}):
        total = accumulated(model, X, y, w, [0, 50, 51, 200], **attack)
        wanted = quietly(fa.aif, model, X, y, sample_weight=w, **attack)
        assert_same(quietly(total.result), wanted)


@pytest.mark.parametrize("order", [1.0, 1.0001, 1.5, 2.0, np.inf])
def test_against_the_slow_twin(kind, order):
    X, y, w = make(kind, 120, 4, weighted=True)
    model = estimator(kind).fit(X, y, w)
    found = accumulated(model, X, y, w, [0, 40, 41, 120], p=1.5, order=order).result()
    wanted = twin.influence(
        basis_twin.Powers(1), X, y, theta_of(model), loss=LOSS[kind], order=order, alpha=0.02,
        p=1.5, sample_weight=w, delta=DELTA,
    )  # fmt: skip
    assert relative_error(found.influence, wanted["influence"]) <= 1e-10
    assert found.value_derivative == pytest.approx(wanted["value_derivative"], rel=1e-11)


@pytest.mark.parametrize(
    "options",
    [
        {"radius": 1.0},
        {"feature_scale": [1.0, 0.0, 3.0]},
        {"attackable": [True, False, True]},
        {"attackable": ["x0", "x2"]},
        {"attack_space": "raw"},
        {"damping": 0.5},
        {"damping": "auto"},
        {"order": 3.0, "formula": "paper"},
        {"n_threads": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["pipeline", "products"])
def test_options(name, options):
    X, y, _ = data(name)
    model = fitted(name)
    found = quietly(accumulated(model, X, y, **options).result)
    assert_same(found, quietly(fa.aif, model, X, y, **options))


@pytest.mark.parametrize("order", [1.0, 1.0001, 2.0, np.inf])
@pytest.mark.parametrize("name", ["logistic", "quadratic", "rkhs"])
def test_any_order_of_merging(name, order):
    X, y, w = data(name, weighted=True)
    model = fitted(name, weighted=True)
    leaves = [
        fa.InfluenceAccumulator(model, order=order).update(*block) for block in blocks(X, y, w)
    ]
    rng, results = np.random.default_rng(0), []
    for _ in range(6):
        parts = list(leaves)
        while len(parts) > 1:
            a, b = rng.choice(len(parts), 2, replace=False)
            merged = parts[a] + parts[b]
            parts = [part for k, part in enumerate(parts) if k not in (a, b)] + [merged]
        assert parts[0].n_rows == len(X)
        results.append(quietly(parts[0].result))
    for result in results[1:]:
        assert_same(result, results[0], 1e-10 if name == "rkhs" else 1e-12)
    assert_same(
        results[0],
        quietly(fa.aif, model, X, y, order=order, sample_weight=w),
        1e-10 if name == "rkhs" else 1e-12,
    )


def test_a_sum_leaves_both_alone():
    X, y, _ = data("linear")
    model = fitted("linear")
    mine = accumulated(model, X, y, edges=[0, 60], order=2.0)
    other = accumulated(model, X, y, edges=[60, 150], order=2.0)
    before = pickle.dumps((mine._totals, other._totals))
    first = mine + other
    assert pickle.dumps((mine._totals, other._totals)) == before
    whole = first.result().influence.copy()
    first.update(X, y)
    np.testing.assert_array_equal((mine + other).result().influence, whole)


def test_merge_is_in_place():
    X, y, _ = data("linear")
    model = fitted("linear")
    mine = accumulated(model, X, y, edges=[0, 60])
    other = accumulated(model, X, y, edges=[60, 150])
    before = pickle.dumps(other._totals)
    assert mine.merge(other) is mine
    assert mine.n_rows == 150
    assert pickle.dumps(other._totals) == before
    assert_same(mine.result(), fa.aif(model, X, y))
    with pytest.raises(TypeError):
        mine + 1
    with pytest.raises(TypeError, match="merge takes another InfluenceAccumulator"):
        mine.merge(1)


@pytest.mark.parametrize("name", ["linear", "quadratic"])
def test_several_threads_lose_no_rows(name):
    X, y, w = data(name, weighted=True)
    model, n = fitted(name, weighted=True), len(X)
    parts, total = np.array_split(np.arange(n), 40), fa.InfluenceAccumulator(model)
    other = fa.InfluenceAccumulator(model).update(X[:3], y[:3], w[:3])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda rows: total.update(X[rows], y[rows], w[rows]), parts))
        list(pool.map(lambda _: total.merge(other), range(20)))
    assert total.n_rows == n + 60
    again = np.r_[np.arange(n), np.tile(np.arange(3), 20)]
    wanted = quietly(fa.aif, model, X[again], y[again], sample_weight=w[again])
    assert_same(quietly(total.result), wanted)


SAVED = {"p": np.inf, "order": 2.0, "attackable": [True, True, False], "damping": 0.1}


@pytest.mark.parametrize("options", [{}, SAVED, {"radius": 2.0, "feature_scale": [1.0, 2.0, 3.0]}])
@pytest.mark.parametrize("name", ["linear", "logistic", "pipeline", "quadratic", "rkhs"])
def test_files(name, options, tmp_path):
    X, y, w = data(name, weighted=True)
    model, path = fitted(name, weighted=True), tmp_path / "sums.npz"
    total = accumulated(model, X, y, w, [0, 30, 70], **options)
    total.save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["sums.npz"]
    again = fa.InfluenceAccumulator.load(path, model)
    assert again.n_rows == 70
    found, wanted = (quietly(each.update(X[70:], y[70:], w[70:]).result) for each in (again, total))
    np.testing.assert_array_equal(found.influence, wanted.influence)
    assert found.sensitivity_coefficient == wanted.sensitivity_coefficient
    assert (found.p, found.order, found.radius) == (wanted.p, wanted.order, wanted.radius)
    assert_same(quietly((total + fa.InfluenceAccumulator.load(path, model)).result), quietly(
        accumulated(model, np.r_[X, X[:70]], np.r_[y, y[:70]], np.r_[w, w[:70]], [0, 150, 220],
                    **options).result))  # fmt: skip


def test_files_of_frames_and_of_no_rows(tmp_path):
    X, y, _ = data("linear")
    frame, path = pd.DataFrame(X, columns=list("abc")), tmp_path / "sums"
    model = fitted("linear")
    fa.InfluenceAccumulator(model).update(frame, y).save(path)
    again = fa.InfluenceAccumulator.load(path, model)
    assert again.result().names[:3] == ("a", "b", "c")
    with pytest.raises(ValueError, match="in another order"):
        again.update(frame[["b", "a", "c"]], y)
    fa.InfluenceAccumulator(model, p=1).save(path)
    assert fa.InfluenceAccumulator.load(path, model).update(X, y).result().p == 1


def test_files_of_other_models_and_other_files(tmp_path):
    X, y, _ = data("linear")
    path = tmp_path / "sums.npz"
    accumulated(fitted("linear"), X, y).save(path)
    for other, what in (
        (fa.LinearRegression(alpha=0.5).fit(X, y), "the penalty"),
        (fa.HuberRegression().fit(X, y), "the loss"),
        (fa.LinearRegression().fit(X, y + X[:, 0]), "the parameters|the penalty"),
        (fa.LinearRegression(fit_intercept=False).fit(X, y), "the intercept"),
    ):
        with pytest.raises(ValueError, match=f"another model, which differs in .*{what}"):
            fa.InfluenceAccumulator.load(path, other)
    whole = path.read_bytes()
    objects = io.BytesIO()
    np.savez(objects, header=np.array([Ran()], dtype=object))
    for contents in (
        b"",
        b"text",
        whole[: len(whole) // 2],
        pickle.dumps(Ran()),
        objects.getvalue(),
    ):
        path.write_bytes(contents)
        with pytest.raises(ValueError, match="is no file of an InfluenceAccumulator"):
            fa.InfluenceAccumulator.load(path, fitted("linear"))
    assert not Ran.marks
    with pytest.raises(FileNotFoundError):
        fa.InfluenceAccumulator.load(tmp_path / "nowhere", fitted("linear"))


class UnreadableError(Exception):
    """The file was refused, in the words for it."""


def loaded(path, model):
    try:
        return fa.InfluenceAccumulator.load(path, model)
    except ValueError as error:
        if "is no file of an InfluenceAccumulator" in str(error):
            raise UnreadableError from error
        raise


@pytest.mark.parametrize("order", [1.0, np.inf])
def test_damaged_and_edited_files(order, tmp_path):
    X, y, _ = data("linear")
    model, path = fitted("linear"), tmp_path / "sums.npz"
    total = accumulated(model, X, y, order=order)
    total.save(path)
    whole, expected = path.read_bytes(), total.result().influence
    for place in range(0, len(whole), 61):
        torn, flipped, longer = whole[:place], bytearray(whole), bytearray(whole)
        flipped[place] ^= 0x41
        longer[place:place] = b"\0\1"
        for contents in (torn, bytes(flipped), bytes(longer)):
            path.write_bytes(contents)
            with contextlib.suppress(UnreadableError):
                found = loaded(path, model)  # a byte that nobody reads
                np.testing.assert_array_equal(found.result().influence, expected)
    path.write_bytes(whole)
    with np.load(path) as archive:
        arrays = dict(archive)
    for name in arrays:
        for edited in (arrays[name].ravel()[:1], np.zeros(3), np.full(arrays[name].shape, np.nan)):
            np.savez(path, **{**arrays, name: edited})
            with pytest.raises(ValueError, match="is no file of an InfluenceAccumulator"):
                fa.InfluenceAccumulator.load(path, model)


class Ran:
    """Something whose unpickling is seen."""

    marks: list[str] = []  # noqa: RUF012

    def __reduce__(self):
        return Ran.marks.append, ("ran",)


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    X, y, _ = data("linear")
    path = tmp_path / "sums.npz"
    path.write_bytes(b"as it was")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        accumulated(fitted("linear"), X, y).save(path)
    assert path.read_bytes() == b"as it was"
    assert [each.name for each in tmp_path.iterdir()] == ["sums.npz"]


def test_merge_with_an_empty_one():
    X, y, _ = data("linear")
    model = fitted("linear")
    full, empty = accumulated(model, X, y), fa.InfluenceAccumulator(model)
    wanted = fa.aif(model, X, y)
    for merged in (full + empty, empty + full):
        assert_same(merged.result(), wanted)
    assert (empty + empty).n_rows == 0
    with pytest.raises(ValueError, match="would count its rows twice"):
        full.merge(full)
    with pytest.raises(ValueError, match="would count its rows twice"):
        full + full


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_one_goes_on(name):
    X, y, w = data(name, weighted=True)
    model = fitted(name, weighted=True)
    saved = pickle.dumps(accumulated(model, X, y, w, [0, 30, 70], order=2.0))
    live = accumulated(model, X, y, w, [100, 150], order=2.0)
    restored = pickle.loads(saved).update(X[70:100], y[70:100], w[70:100])
    wanted = quietly(fa.aif, model, X, y, order=2.0, sample_weight=w)
    for merged in (restored + live, live + restored):
        assert_same(quietly(merged.result), wanted, 1e-10 if name in ("rkhs", "kernel") else 1e-12)
    again = pickle.loads(pickle.dumps(quietly((live + restored).result)))
    assert again.sensitivity_coefficient == pytest.approx(wanted.sensitivity_coefficient)


def test_largest_powers_do_not_overflow():
    """u = 1.0001 has v = 10001, and gains spread over hundreds of decades."""
    X, y, _ = data("linear")
    model = fitted("linear")
    big = copy.deepcopy(model)
    big.coef_, big.intercept_ = model.coef_ * 1e100, model.intercept_ * 1e100
    parts = [
        fa.InfluenceAccumulator(big, order=1.0001).update(*block) for block in blocks(X, y * 1e100)
    ]
    total = functools.reduce(fa.InfluenceAccumulator.merge, parts).result()
    wanted = fa.aif(model, X, y, order=1.0001)
    assert relative_error(total.influence / 1e100, wanted.influence) <= 1e-10


def test_ties_of_the_steepest_share_across_blocks():
    X, y, _ = data("linear")
    model = fitted("linear")
    J = int(np.argmax(np.abs(model.predict(X) - y)))
    X, y = np.vstack([X, X[[J]]]), np.append(y, y[J])
    w = np.ones(len(y))
    w[[J, -1]] = 0.25, 0.75  # one sample of weight 1, in two blocks
    assert 0 < J < 149
    found = accumulated(model, X, y, w, [0, J + 1, 150, 151], order=1.0).result()
    wanted = fa.aif(model, X[:-1], y[:-1], order=1.0)
    assert relative_error(found.influence, wanted.influence) <= 1e-12


@pytest.mark.parametrize("name", ["linear", "logistic"])
def test_columns_far_from_zero(name):
    """Digits are kept block by block, even where the first block is a single row."""
    X, y, _ = make(name, 150, 3)
    X = np.round(X * 256) / 256  # so that adding the offset is exact
    near = estimator(name).fit(X, y)
    far = copy.deepcopy(near)
    offset = np.array([2.0**20, 0.0, -(2.0**18)])
    far.intercept_ = float(near.intercept_ - far.coef_ @ offset)
    wanted = fa.aif(near, X, y, radius=1.0)
    error_of_aif = relative_error(
        quietly(fa.aif, far, X + offset, y, radius=1.0).influence[:3], wanted.influence[:3]
    )
    for edges in ([0, 150], EDGES):
        total = accumulated(far, X + offset, y, edges=edges, radius=1.0)
        halves = accumulated(far, X + offset, y, edges=[70, 150], radius=1.0).merge(
            accumulated(far, X + offset, y, edges=[0, 1, 70], radius=1.0)
        )
        for part in (total, halves):
            found = quietly(part.result)
            error = relative_error(found.influence[:3], wanted.influence[:3])
            assert error <= 1e-9 + 2 * error_of_aif
            cost = found.sensitivity_coefficient / wanted.sensitivity_coefficient
            assert cost == pytest.approx(1.0, rel=1e-7)


def far_away(n=150):
    """A model, its rows near zero, and the same rows 2^20 away, of the same influence."""
    X, y, _ = make("linear", n, 3)
    X = np.round(X * 256) / 256
    near = estimator("linear").fit(X, y)
    far, offset = copy.deepcopy(near), np.full(3, 2.0**20)
    far.intercept_ = float(near.intercept_ - far.coef_ @ offset)
    return far, X + offset, y, fa.aif(near, X, y, radius=1.0).influence[:3]


NOWHERE = {
    "one row": [[2.0**30] * 3],
    "wide": [[0.0] * 3, [2.0**20] * 3, [2.0**21] * 3],
    "near zero": [[0.0, 1.0, 2.0], [1.0, -1.0, 0.0], [-1.0, 0.5, -2.0], [0.25, -1.0, 1.0]],
}


@pytest.mark.parametrize("first", NOWHERE.values(), ids=NOWHERE)
def test_rows_that_are_nowhere_near_the_others(first):
    """Coordinates of the first block, or of one part, are not those of all: the weights say so."""
    model, X, y, wanted = far_away()
    first = np.array(first)
    targets, light = model.predict(first) + 1.0, np.full(len(first), 1e-30)
    early = fa.InfluenceAccumulator(model, radius=1.0).update(first, targets, light)
    rest = accumulated(model, X, y, edges=[0, 60, 150], radius=1.0)
    totals = [early + rest, rest + early]
    for start, stop in ((0, 60), (60, 150)):
        early.update(X[start:stop], y[start:stop])
    for total in (*totals, early):
        found = quietly(total.result).influence[:3]
        assert relative_error(found, wanted) <= 2e-9


def test_columns_are_measured_once(monkeypatch):
    """Blocks after the first that asks for coordinates take the same ones."""
    model, X, y, _ = far_away()
    calls = []
    monkeypatch.setattr(
        accumulated_module, "measure", lambda *args: calls.append(args) or measure(*args)
    )
    accumulated(model, X, y, edges=[0, 50, 70, 150])
    assert len(calls) == 1


def test_coordinates_are_given_up_where_the_whole_needs_none():
    """A block in which a column hardly varies does not slow down all that follow."""
    X, y, _ = data("linear")
    total = accumulated(fitted("linear"), X, y, edges=[0, 1])
    assert total._totals.work is not None
    assert total.update(X[1:], y[1:])._totals.work is None


# --- kinds of input -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "quadratic"])
@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
def test_float32_and_other_layouts(name, order):
    X, y, w = data(name, weighted=True)
    X32 = X.astype(np.float32)
    model = MODELS[name]().fit(X32.astype(float), y, w)
    wanted = quietly(fa.aif, model, X32.astype(float), y, sample_weight=w, order=order)
    frozen = X32.astype(float)
    frozen.flags.writeable = False
    for array in (X32, np.asfortranarray(X32), np.repeat(X32, 2, axis=0)[::2], frozen):
        found = quietly(accumulated(model, array, y, w, order=order).result)
        assert_same(found, wanted)


def test_frames_give_names():
    X, y, _ = data("linear")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    nameless = fitted("linear")
    total = fa.InfluenceAccumulator(nameless).update(X[:70], y[:70]).update(frame[70:], y[70:])
    assert total.result().names == ("a", "b", "c", "intercept")
    with pytest.raises(ValueError, match="another order"):
        total.update(frame[["b", "a", "c"]], y)
    assert_same(accumulated(nameless, X, y).result(), fa.aif(nameless, X, y))
    other = fa.InfluenceAccumulator(nameless).update(frame.rename(columns={"a": "z"}), y)
    with pytest.raises(ValueError, match="names of the columns"):
        total.merge(other)
    named = MODELS["linear"]().fit(frame, y)
    by_name = accumulated(named, frame, y, attackable=["a", "c"]).result()
    assert_same(by_name, fa.aif(named, frame, y, attackable=["a", "c"]))


def test_labels():
    X, y, _ = data("logistic")
    labels = np.where(y > 0, "yes", "no")
    model = LogisticRegression(tol=1e-12, max_iter=1000).fit(X, labels)
    assert_same(
        accumulated(model, X, labels, order=2.0).result(), fa.aif(model, X, labels, order=2.0)
    )
    with pytest.raises(ValueError, match="'maybe'"):
        fa.InfluenceAccumulator(model).update(X, np.where(y > 0, "maybe", "no"))


@pytest.mark.parametrize("unit", [1e-200, 1e200])
@pytest.mark.parametrize("order", [2.0, np.inf])
def test_extreme_weights(unit, order):
    """Weights whose squares leave the range of numbers, in every block or in one."""
    X, y, w = data("ridge", weighted=True)
    model = Ridge(alpha=3.0 * unit).fit(X, y, w * unit)
    wanted = quietly(fa.aif, fitted("ridge", True), X, y, sample_weight=w, order=order)
    found = quietly(accumulated(model, X, y, w * unit, order=order).result)
    assert relative_error(found.influence, wanted.influence) <= 1e-10
    part = quietly(accumulated(model, X, y, w * unit, [0, 40], order=order).result)
    whole = quietly(fa.aif, model, X[:40], y[:40], sample_weight=w[:40] * unit, order=order)
    step = part.diagnostics["newton_step"]
    assert step == pytest.approx(whole.diagnostics["newton_step"], rel=1e-9)
    assert step > 0.01
    light = np.where(np.arange(len(y)) < 20, unit if unit < 1 else 1.0, 1.0 if unit < 1 else unit)
    rest = estimator("linear", alpha=0.0).fit(X[:50], y[:50])
    found = quietly(accumulated(rest, X, y, light, order=order).result)
    wanted = quietly(fa.aif, rest, X, y, sample_weight=light, order=order)
    assert relative_error(found.influence, wanted.influence) <= 1e-11
    step = found.diagnostics["newton_step"]
    assert step == pytest.approx(wanted.diagnostics["newton_step"], rel=1e-9)


def test_weights_on_both_sides_of_extreme():
    """Blocks whose weights were divided by different units: their squares as well."""
    X, y, _ = data("linear")
    model = estimator("linear", alpha=0.0).fit(X[:50], y[:50])
    w = np.where(np.arange(150) < 90, 1e-61, 3e-60)
    found, wanted = (
        quietly(call) for call in (
            accumulated(model, X, y, w).result,
            lambda: fa.aif(model, X, y, sample_weight=w),
        )
    )  # fmt: skip
    assert_same(found, wanted)
    step = wanted.diagnostics["newton_step"]
    assert found.diagnostics["newton_step"] == pytest.approx(step, rel=1e-9)


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_weights_beyond_all_proportion(order):
    """Rows whose weight vanishes beside that of others cannot be the steepest sample."""
    X, y, _ = data("linear")
    model = fitted("linear")
    light = fa.InfluenceAccumulator(model, order=order)
    light.update(X[:9] * 50, y[:9], np.full(9, 1e-300))
    heavy = fa.InfluenceAccumulator(model, order=order).update(X, y, np.full(150, 1e300))
    wanted = quietly(fa.aif, model, X, y, order=order)
    for merged in (light + heavy, heavy + light):
        assert relative_error(quietly(merged.result).influence, wanted.influence) <= 1e-12


def test_blocks_without_weight():
    X, y, _ = data("linear")
    model, zero = fitted("linear"), np.zeros(40)
    total = fa.InfluenceAccumulator(model, order=2.0).update(X[:40], y[:40], zero)
    with pytest.raises(ValueError, match="zero for all of the 40 rows"):
        total.result()
    total.update(X, y).update(X[:40] * 9, y[:40], zero)
    assert_same(total.result(), fa.aif(model, X, y, order=2.0))
    assert total.n_rows == len(X) + 80


def test_the_estimator_is_copied():
    X, y, _ = data("linear")
    model = MODELS["linear"]().fit(X, y)
    wanted = fa.aif(model, X, y)
    total = fa.InfluenceAccumulator(model).update(X[:70], y[:70])
    model.fit(X, -y)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    found = total.update(frame[70:], y[70:]).result()
    np.testing.assert_array_equal(found.params, wanted.params)
    assert relative_error(found.influence, wanted.influence) <= 1e-12


# --- what is refused ----------------------------------------------------------------------


def total_of(name="linear", **options):
    X, y, _ = data(name)
    return accumulated(fitted(name), X, y, **options)


def test_no_rows_yet():
    with pytest.raises(ValueError, match=r"call update\(X, y\) first"):
        fa.InfluenceAccumulator(fitted("linear")).result()


BAD = {
    "empty": (lambda X, y: (X[:0], y[:0]), ValueError, "empty block .* leave it out"),
    "columns": (lambda X, y: (X[:, :2], y), ValueError, "2 features, but the model .* to 3"),
    "rows": (lambda X, y: (X, y[:-1]), ValueError, "149 entries"),
    "flat": (lambda X, y: (X[0], y), ValueError, "two-dimensional"),
    "none": (lambda X, y: (X, None), TypeError, "y is None"),
    "iterator": (lambda X, y: (None, None), TypeError, "X is None"),
    "complex": (lambda X, y: (X + 0j, y), TypeError, "complex"),
    "nan": (lambda X, y: (np.where(np.arange(150)[:, None] == 7, np.nan, X), y), ValueError,
            "row 7, column 0"),
    "inf in y": (lambda X, y: (X, np.where(np.arange(150) == 9, np.inf, y)), ValueError, "row 9"),
    "weights": (lambda X, y: (X, y, -np.ones(150)), ValueError, "negative"),
}  # fmt: skip


@pytest.mark.parametrize("order", [1.0, np.inf])
@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", ["linear", "quadratic", "rkhs"])
def test_bad_blocks_change_nothing(name, what, order):
    X, y, _ = data(name)
    spoil, error, message = BAD[what]
    total = total_of(name, order=order)
    before = quietly(total.result).influence
    with pytest.raises(error, match=message):
        total.update(*spoil(X, y))
    assert total.n_rows == 150
    np.testing.assert_array_equal(quietly(total.result).influence, before)


UNLIKE = {
    r"p \(2 and inf\)": {"p": np.inf},
    r"order \(inf and 2\)": {"order": 2.0},
    "order .*, formula": {"order": 2.0, "formula": "paper"},
    "radius": {"radius": 1.0},
    "the feature scale": {"feature_scale": [1.0, 2.0, 3.0]},
    "feature scale": {"attackable": [True, True, False]},
    "damping": {"damping": 0.1},
}


@pytest.mark.parametrize("message", UNLIKE)
def test_unlike_attacks_do_not_merge(message):
    with pytest.raises(ValueError, match=f"they differ in .*{message}"):
        total_of().merge(total_of(**UNLIKE[message]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("huber", "the loss"),
        ("no intercept", "the intercept"),
        ("quadratic", "the kind of model"),
        ("ridge", "θ̂"),
        ("pipeline", "the basis or the preprocessing"),
    ],
)
def test_unlike_models_do_not_merge(name, message):
    with pytest.raises(ValueError, match=message):
        total_of().merge(total_of(name))


def test_other_unlike_ones():
    X, y, _ = data("fourier")
    again = MODELS["fourier"]().fit(X, y)  # other frequencies, though drawn from the same "seed"
    with pytest.raises(ValueError, match="the basis"):
        total_of("fourier").merge(accumulated(again, X, y))
    X, y, _ = data("ridge")
    other = copy.deepcopy(fitted("ridge")).set_params(alpha=4.0)
    with pytest.raises(ValueError, match="differ in the penalty:"):
        total_of("ridge").merge(accumulated(other, X, y))
    with pytest.raises(TypeError, match="merge takes another InfluenceAccumulator"):
        total_of().merge(fa.aif(fitted("ridge"), X, y))


REFUSED = {
    "per_sample": lambda r: r.per_sample(),
    "conf_int": lambda r: r.conf_int(level=0.9),
    "std_error": lambda r: r.std_error("clt", of="sensitivity_coefficient"),
    "bootstrap": lambda r: r.bootstrap(10, 0),
    "validity_radius": lambda r: r.validity_radius,
    "validity_reason": lambda r: r.validity_reason,
    "flip_fraction": lambda r: r.flip_fraction(0.1),
    "verify": lambda r: r.verify(0.1),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("name", ["linear", "quadratic"])
def test_what_needs_rows_is_refused(name, what):
    advice = rf"{what} needs the rows themselves.*call aif\(estimator, X, y\) with the data"
    with pytest.raises(ValueError, match=advice):
        REFUSED[what](quietly(total_of(name).result))


@pytest.mark.parametrize("name", ["linear", "poisson", "quadratic", "products", "rkhs"])
def test_what_needs_none_is_given(name):
    X, y, _ = data(name)
    model = fitted(name)
    found, wanted = quietly(total_of(name).result), quietly(fa.aif, model, X, y)
    for given in ((), (X[:40], y[:40])):
        for expansion in ("quadratic", "taylor"):
            eps = np.array([0.0, 1e-6, 1e-5])
            mine = quietly(found.sensitivity, eps, *given, expansion=expansion)
            theirs = quietly(wanted.sensitivity, eps, *given, expansion=expansion)
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-24)
    mine, theirs = (quietly(r.predict_params, 0.5, expansion="linear") for r in (found, wanted))
    np.testing.assert_allclose(mine, theirs, rtol=1e-9)
    np.testing.assert_allclose(found.influence_raw, wanted.influence_raw, rtol=1e-8)
    text = found.summary()
    assert "150" in text
    assert "flipped" not in text
    assert "Validity" not in text
    assert len(found.to_frame()) == len(found.params)
    assert found.plot() is not None
    mine, theirs = found.diagnostics, wanted.diagnostics
    for key in ("condition_number", "least_eigenvalue"):
        assert mine[key] == pytest.approx(theirs[key], rel=1e-6)
    assert mine["newton_step"] == pytest.approx(theirs["newton_step"], abs=1e-6)


def test_networks_on_other_data():
    model = fitted_network("squared_error", "tanh", True)
    X, y, w = make_network("squared_error", n=200)
    found = quietly(fa.InfluenceAccumulator(model).update(X, y, w).result)
    wanted = quietly(fa.aif, model, X, y, sample_weight=w)
    assert found.sensitivity(1e-3, X[:50], y[:50]) == pytest.approx(
        quietly(wanted.sensitivity, 1e-3, X[:50], y[:50]), rel=1e-10
    )
    with pytest.raises(ValueError, match="validity_radius needs the rows"):
        _ = found.validity_radius


def test_estimators_without_sums():
    X, y, _ = data("kernel")
    smooth = fa.RandomizedSmoothing(fa.LinearRegression(), 0.1, random_state=0).fit(X, y)
    moving = fa.KernelRegression(fa.kernels.RBF(0.3)).fit(X, y)
    with pytest.raises(TypeError, match="RandomizedSmoothing: call aif"):
        fa.InfluenceAccumulator(smooth)
    with pytest.raises(ValueError, match="centers='moving' is no mean over samples"):
        fa.InfluenceAccumulator(moving)
    with pytest.raises(NotFittedError):
        fa.InfluenceAccumulator(fa.LinearRegression())
    with pytest.raises(TypeError, match="is not supported"):
        fa.InfluenceAccumulator(object())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 0.5}, "p must be"),
        ({"order": 0.5}, "order must be"),
        ({"formula": "corrected"}, "formula must be one of 'exact', 'paper'"),
        ({"damping": -1.0}, "damping must be"),
        ({"radius": 0.0}, "radius must be"),
        ({"attack_space": "cooked"}, "attack_space must be"),
        ({"feature_scale": [1.0]}, "feature_scale must have shape"),
        ({"attackable": ["z"]}, "unknown features: z"),
        ({"n_threads": 0}, "n_threads must be"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        fa.InfluenceAccumulator(fitted("linear"), **options)


def test_too_many_parameters():
    wide = fa.LinearRegression()
    wide.coef_, wide.intercept_, wide.n_features_in_ = np.ones(20_000), 0.0, 20_000
    with pytest.raises(ValueError, match=r"20001 parameters.*solver='cg'"):
        fa.InfluenceAccumulator(wide)


def test_warnings_and_refusals_of_the_whole():
    X, y, _ = data("linear")
    model = fitted("linear")
    half = accumulated(model, X, y, edges=[0, 60])
    with pytest.warns(fa.InfluenceWarning, match="not stationary.*Add up all of the data"):
        half.result()
    tied = copy.deepcopy(model)
    tied.coef_[1] = 0.0
    assert quietly(accumulated(tied, X, y, p=np.inf).result).diagnostics["pinned_coefficients"] == 1
    nothing = fa.InfluenceAccumulator(model).update(0.0 * X, y)
    with pytest.raises(ValueError, match="every row of X is zero"):
        nothing.result()
    exact = model.predict(X)
    with pytest.raises(ValueError, match="every sample's input gradient is zero"):
        accumulated(model, X, exact).result()
    small = fa.InfluenceAccumulator(model).update(X[:50] * 1e-9, model.predict(X[:50] * 1e-9))
    large = fa.InfluenceAccumulator(model).update(X * 1e9, model.predict(X * 1e9) * (1 + 1e-15))
    for merged in (small + large, large + small):
        with pytest.raises(ValueError, match="every sample's input gradient is zero"):
            merged.result()
    few = fa.LinearRegression()
    few.coef_, few.intercept_, few.n_features_in_ = np.ones(3), 0.0, 3
    with pytest.raises(np.linalg.LinAlgError, match="damping > 0"):
        fa.InfluenceAccumulator(few).update(X[:2], y[:2]).result()


def test_kinks_at_the_centres_are_found():
    X, y, _ = data("kernel")
    model = fa.KernelRegression(
        fa.kernels.NTK(), alpha=0.1, centers="fixed", n_centers=100, random_state=0
    ).fit(X, y)
    with pytest.raises(ValueError, match="centres of the NTK themselves"):
        accumulated(model, X, y).result()


def test_a_basis_of_bound_methods():
    """Its object is copied with the estimator; what counts is that its contents are the same."""
    X, y, _ = data("custom")
    model = fitted("custom")
    parts = [accumulated(model, X, y, edges=edges) for edges in ([0, 50], [50, 150])]
    assert_same(parts[0].merge(pickle.loads(pickle.dumps(parts[1]))).result(), fa.aif(model, X, y))
    other = fa.bases.Custom(np.sin, lambda X, P: np.cos(X) * P, lambda X, t: np.cos(X) * t)
    unlike = fa.BasisRegression(other, alpha=0.02).fit(X, y)
    with pytest.raises(ValueError, match="the basis"):
        parts[0].merge(accumulated(unlike, X, y))


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_quadratic_models_whose_hessian_is_made_of_moments(offset, rng):
    """20 inputs and more; a column far from zero asks for working coordinates as well."""
    X = rng.normal(size=(900, 20))
    y = X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(size=900)
    X[:, 3] += offset
    model = fa.QuadraticRegression(alpha=0.1).fit(X, y)
    wanted = quietly(fa.aif, model, X, y)
    assert wanted.problem.sums.by_moments
    total = accumulated(model, X, y, None, [0, 400, 401, 900])
    found = quietly(total.result)
    scale = np.abs(wanted.influence).max()
    np.testing.assert_allclose(
        found.influence, wanted.influence, rtol=0, atol=(1e-12 if offset == 0.0 else 1e-7) * scale
    )


def far_quadratic(offset, alpha=1e-3):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(400, 3))
    y = Z @ [1.0, 2.0, 3.0] + Z[:, 0] ** 2 + rng.normal(size=400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fa.QuadraticRegression(alpha=alpha).fit(Z + offset, y), Z + offset, y


@pytest.mark.parametrize(("offset", "tolerance"), [(1e2, 1e-9), (1e3, 1e-8), (1e4, 1e-5)])
def test_quadratic_models_far_from_the_origin(offset, tolerance):
    model, X, y = far_quadratic(offset, 0.0)
    whole = quietly(fa.aif, model, X, y, radius=1.0)
    parts = quietly(accumulated(model, X, y, edges=[0, 90, 400], radius=1.0).result)
    near, Z, _ = far_quadratic(0.0, 0.0)
    wanted = fa.aif(near, Z, y, radius=1.0)  # the same functions of the inputs
    for found in (whole, parts):
        assert relative_error(found.influence[3:-1], wanted.influence[3:-1]) <= tolerance
        assert found.sensitivity_coefficient == pytest.approx(
            wanted.sensitivity_coefficient, rel=tolerance
        )
        assert found.diagnostics["least_eigenvalue"] > 0.0
        assert found.diagnostics["condition_number"] > 1e16


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("offset", [0.0, 1e2, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6])
def test_where_quadratic_models_are_rounded_it_is_said(offset, alpha):
    """What is off by more than 1e-8 is warned about or refused, and what is not is not."""
    model, X, y = far_quadratic(offset, alpha)
    near, Z, _ = far_quadratic(0.0, alpha)
    wanted = fa.aif(near, Z, y, radius=1.0).sensitivity_coefficient
    total = accumulated(model, X, y, edges=[0, 90, 400], radius=1.0)
    for call in (lambda: fa.aif(model, X, y, radius=1.0), total.result):
        off, words = 0.0, ""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                off = abs(call().sensitivity_coefficient / wanted - 1.0)
            except ValueError as error:
                words = str(error)
        words += " ".join(str(each.message) for each in told)
        said = "far from the origin" in words
        assert said or off <= 1e-8
        assert not said or offset >= 1e3


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0])
def test_quadratic_models_too_far_from_the_origin_are_refused(alpha):
    model, X, y = far_quadratic(1e6, alpha)
    total = accumulated(model, X, y, edges=[0, 90, 400], radius=1.0)
    for call in (lambda: fa.aif(model, X, y, radius=1.0), total.result):
        with pytest.raises(ValueError, match=r"far from the origin.*centre the columns"):
            call()
    scaled = make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge(alpha=1.0)).fit(X, y)
    near = make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge(alpha=1.0)).fit(X - 1e6, y)
    found, wanted = (
        fa.aif(each, at, y, radius=1.0) for each, at in ((scaled, X), (near, X - 1e6))
    )
    assert relative_error(found.influence, wanted.influence) <= 1e-8
