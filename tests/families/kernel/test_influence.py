"""The influence of kernel regressions against the slow twin: every kernel, penalty and attack."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gram
from support import kernel_makers as makers
from support.gram_checks import assert_agrees
from support.kernel_makers import ALPHA, CASES, FEW, Case, fitted, make, positive
from support.makers import ORDERS, Data, about, assert_close

import fastaif as fa
from fastaif.utils.warnings import TieWarning

SCALE = np.array([1.0, 0.0, 2.0])
MASK = np.array([True, True, False])
ATTACKS = {
    "radius": {"radius": 1.7},
    "feature_scale": {"feature_scale": SCALE},
    "attackable": {"attackable": MASK},
    "both": {"feature_scale": [0.5, 2.0, 1.5], "attackable": MASK, "radius": 0.4},
    "one feature": {"attackable": [False, True, False]},
}


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_models(case, p, weighted):
    found = fitted(case, make(weighted=weighted))
    result, wanted = found.inspected(p=p)
    assert_agrees(result, wanted)
    np.testing.assert_array_equal(result.params, found.theta)
    assert result.p == p
    assert result.order == np.inf
    assert len(result.names) == len(set(result.names)) == found.theta.size


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("case", FEW, ids=str)
def test_attacks(case, p, attack):
    assert_agrees(*fitted(case, make(weighted=True)).inspected(p=p, **ATTACKS[attack]))


@pytest.mark.parametrize("n", [2, 3, 5, 67])
@pytest.mark.parametrize("case", FEW, ids=str)
def test_sizes(case, n):
    if n < 3 and case.centers == "drawn":
        pytest.skip("three centres are drawn from the rows")
    assert_agrees(*fitted(case, make(n=n)).inspected(p=2.0))


@pytest.mark.parametrize("m", [1, 2, 8, 11])
@pytest.mark.parametrize("case", [c for c in FEW if c.kernel != "ntk"], ids=str)
def test_feature_counts(case, m):
    if case.centers == "fixed" and case.penalty == "rkhs" and m < 3:
        pytest.skip("centres near one another: the Hessian has a condition number of 1e10")
    assert_agrees(*fitted(case, make(m=m)).inspected(p=1.5))


@pytest.mark.parametrize("m", [2, 8, 11])
@pytest.mark.parametrize("penalty", ["l2", "rkhs"])
def test_feature_counts_of_ntk(penalty, m):
    assert_agrees(*fitted(Case("ntk", penalty), make(m=m)).inspected(p=1.5))


@pytest.mark.parametrize("case", FEW, ids=str)
def test_shares(case):
    """The weighted mean of the shares is the influence."""
    data = positive(make())
    result, _ = fitted(case, data).inspected(p=1.5)
    shares = result.per_sample()
    assert shares.shape == (len(data.X), len(result.params))
    assert_close(np.average(shares, axis=0, weights=data.w), result.influence, 1e-11)


@pytest.mark.parametrize("case", FEW, ids=str)
def test_weights_count_relative_to_one_another(case):
    """And equal ones are none at all."""
    X, y, w = positive(make())
    for one, other in ((w, 7.0 * w), (None, np.full(len(y), 3.0))):
        first, _ = fitted(case, Data(X, y, one)).inspected()
        again, _ = fitted(case, Data(X, y, other)).inspected()
        assert_close(again.influence, first.influence, 1e-10)


@pytest.mark.parametrize("case", [Case("rbf", "l2", "drawn"), Case("cubic", "rkhs", "drawn")])
def test_weights_are_repetitions_where_the_centres_are_fixed(case):
    X, y, w = make(weighted=True)
    model = makers.estimator(case).fit(X, y)
    repeated = np.repeat(np.arange(len(y)), w.astype(int))
    weighted = fa.aif(model, X, y, sample_weight=w, refine=True)
    plain = fa.aif(model, X[repeated], y[repeated], refine=True)
    assert_close(weighted.influence, plain.influence, 1e-10)
    assert_close(weighted.hessian, plain.hessian, 1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_damping_is_added_before_the_inverse_alone(case):
    found = fitted(case, make(weighted=True))
    result, wanted = found.inspected()
    X, y, w = found.data
    damped = fa.aif(found.model, X, y, sample_weight=w, damping=0.3)
    assert_close(damped.hessian, wanted["hessian"], 1e-12)
    assert_close(damped.mixed, result.mixed, 1e-12)
    alone = gram.damped_influence(found.twin, found.data.X, found.theta, 0.3)
    assert_close(damped.influence, alone)


@pytest.mark.parametrize("expansion", ["quadratic", "taylor"])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sensitivity(case, expansion, held_out):
    found = fitted(case, make(weighted=True))
    (X, y, w), model = found.data, found.model
    result, wanted = found.inspected(p=1.5)
    other = make(n=40, seed=99)
    given = (other.X, other.y) if held_out else ()
    eps = np.array([0.0, 1e-5, 1e-4])
    values = result.sensitivity(eps, *given, expansion=expansion)
    Xe, ye, we = other if held_out else (X, y, w)
    expected = [
        gram.sensitivity(
            found.twin, model.X_fit_, Xe, ye, found.theta, wanted["influence"], e,
            expansion=expansion, sample_weight=we,
        )
        for e in eps
    ]  # fmt: skip
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    alone = result.sensitivity(1e-4, *given, expansion=expansion)
    assert isinstance(alone, float)
    assert alone == about(values[-1], 1e-13)
    cost = result.sensitivity(1e-4, expansion="quadratic")
    assert cost == about(1e-8 * result.sensitivity_coefficient)
    assert result.predict_params(0.0).tolist() == found.theta.tolist()
    assert_close(result.predict_params(1e-4), found.theta + 1e-4 * result.influence, 1e-15)


# --- kinds of input -------------------------------------------------------------------------


def layouts(X):
    """The same numbers, held otherwise."""
    wide = np.zeros((2 * len(X), X.shape[1] + 2))
    wide[::2, 1:-1] = X
    closed = X.copy()
    closed.setflags(write=False)
    return {"fortran": np.asfortranarray(X), "strided": wide[::2, 1:-1], "read-only": closed}


@pytest.mark.parametrize("case", FEW, ids=str)
def test_layouts(case):
    X, y, w = positive(make())
    wanted = fa.aif(makers.estimator(case).fit(X, y, sample_weight=w), X, y, sample_weight=w)
    for given in layouts(X).values():
        model = makers.estimator(case).fit(given, y, sample_weight=w)
        result = fa.aif(model, given, y, sample_weight=w)
        assert_close(result.influence, wanted.influence, 1e-10)
        assert_close(result.per_sample(), wanted.per_sample(), 1e-10)


@pytest.mark.parametrize("penalty", ["l2", "rkhs"])
@pytest.mark.parametrize("centers", ["moving", "fixed", "drawn"])
def test_single_precision_inputs_are_computed_in_double(penalty, centers):
    X, y, w = make(weighted=True)
    single, target = X.astype(np.float32), y.astype(np.float32)
    case = Case("rbf", penalty, centers)
    small = fitted(case, Data(single, target, w))
    large = fitted(case, Data(single.astype(float), target.astype(float), w))
    assert_close(small.theta, large.theta, 1e-12)
    found, wanted = (f.inspected(p=2.0)[0] for f in (small, large))
    assert_close(found.influence, wanted.influence, 1e-12)
    assert found.sensitivity_coefficient == about(wanted.sensitivity_coefficient)
    held_out = make(n=9, seed=3)
    for X_eval in (held_out.X.astype(np.float32), held_out.X.astype(np.float32).astype(float)):
        value = found.sensitivity(1e-4, X_eval, held_out.y, expansion="taylor")
        assert value == about(wanted.sensitivity(1e-4, X_eval, held_out.y, expansion="taylor"))
    assert_close(small.model.predict(single), large.model.predict(single), 1e-6)


@pytest.mark.parametrize("case", [Case("rbf"), Case("ntk", "rkhs"), Case("matern 5/2", "rkhs")])
def test_single_precision_of_other_kernels(case):
    X, y, _ = make()
    single = X.astype(np.float32)
    found, wanted = (
        fitted(case, Data(given, y, None)).inspected()[0]
        for given in (single, single.astype(float))
    )
    assert_close(found.influence, wanted.influence, 1e-12)


@pytest.mark.parametrize("case", FEW, ids=str)
def test_nothing_that_was_given_is_written_to(case):
    X, y, w = positive(make())
    kept = X.copy(), y.copy(), w.copy()
    found = fitted(case, Data(X, y, w))
    theta, centers = found.theta.copy(), found.model.X_fit_.copy()
    result, _ = found.inspected(p=1.5)
    result.per_sample(), result.sensitivity(1e-4, X, y), result.verify(1e-4), result.summary()
    fa.attack(found.model, X, y, 0.01, sample_weight=w)
    for array, before in zip((X, y, w), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(found.theta, theta)
    np.testing.assert_array_equal(found.model.X_fit_, centers)


# --- samples that coincide -------------------------------------------------------------------


@pytest.mark.parametrize("penalty", ["l2", "rkhs"])
@pytest.mark.parametrize("factor", [1.0, 2.5, -1.5])
def test_parallel_samples_are_kinks_of_the_ntk(penalty, factor):
    X, y, _ = make()
    X = np.concatenate([X, factor * X[:2]])
    y = np.concatenate([y, y[:2] + 0.3])
    model = makers.estimator(Case("ntk", penalty)).fit(X, y)
    with pytest.warns(TieWarning) as record:
        result = fa.aif(model, X, y)
    assert len([entry for entry in record if issubclass(entry.category, fa.InfluenceWarning)]) == 1
    assert record[0].filename == __file__
    assert np.isfinite(result.influence).all()
    assert result.diagnostics["kinked_pairs"] > 0


@pytest.mark.parametrize("case", [c for c in CASES if c.kernel in ("rbf", "cubic")], ids=str)
def test_repeated_samples_of_smooth_kernels(case):
    """They are no kinks there."""
    X, y, _ = make()
    data = Data(np.concatenate([X, X[:2]]), np.concatenate([y, y[:2] + 0.3]), None)
    if case.centers == "fixed" and case.penalty == "rkhs":
        pytest.skip("equal centers share coefficients: see test_repeated_rows.py")
    assert_agrees(*fitted(case, data).inspected())


def test_alpha_is_the_one_of_the_fit():
    """Not a default one."""
    for penalty in ("l2", "rkhs"):
        found = fitted(Case("rbf", penalty), make(), alpha=0.7 * ALPHA)
        assert_agrees(*found.inspected())
