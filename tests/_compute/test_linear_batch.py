"""Fits and influences of many small problems, against plain NumPy, one problem after the other."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from oracles import linear as twin
from support.operations import HUBER, LOGISTIC, LOSSES, POISSON, SQUARED_ERROR

from fastaif._compute import get
from fastaif._compute import types as c
from fastaif.utils.arrays import read_only

DELTA, M = 0.7, 4
LENGTHS = [30, 41, 33]
WEIGHTS = np.array([1.0, 0.5, 0.0, 2.0])  # of the attack: one column is fixed


def problems(code, weighted):
    """Rows of all problems, in columns far from zero and of unlike units, and their spans."""
    rng = np.random.default_rng(8)
    n = sum(LENGTHS)
    inner = rng.normal(size=(n, M))
    f = inner @ [0.8, -0.5, 0.3, 0.1] + 0.2
    y = f + rng.standard_t(3, size=n)
    if code == LOGISTIC:
        y = np.where(f + rng.logistic(size=n) > 0.0, 1.0, -1.0)
    elif code == POISSON:
        y = rng.poisson(np.exp(0.5 * f)).astype(float)
    x = inner * [1.0, 20.0, 0.05, 2.0] + [0.0, 50.0, 1.0, -3.0]
    w = rng.integers(0, 4, size=n).astype(float) if weighted else c.EMPTY
    ends = np.cumsum(LENGTHS)
    spans = np.column_stack([ends - LENGTHS, ends]).astype(np.int64)
    return c.Rows(read_only(x), read_only(y), read_only(w)), spans


def run(rows, spans, model, attack):
    k, d = len(spans), M + int(model.fit_intercept)
    found = c.BatchFound(
        np.full((k, d), 7.0), np.full((k, d), 7.0), np.full((k, 3), 7.0),
        np.full((k, 2), -1, dtype=np.int64),
    )  # fmt: skip
    get("linear_batch")(rows, spans, model, attack, found)
    return found


@cache
def fits(code, weighted, intercept, alpha):
    """Each problem's rows, what the twin knows of them, and its θ̂; attacks change none of it."""
    rows, spans = problems(code, weighted)
    found = []
    for span in spans:
        part = slice(*span)
        x, y = rows.x[part], rows.y[part]
        known = {
            "loss": LOSSES[code].name, "fit_intercept": intercept, "delta": DELTA, "alpha": alpha,
            "sample_weight": rows.weight[part] if weighted else None,
        }  # fmt: skip
        found.append((x, y, known, twin.natural_fit(x, y, **known)))
    return found


def wanted(x, y, known, theta, *, damping, p, radius):
    """I and the three numbers of one problem by the twin."""
    result = twin.influence(
        x, y, theta, **known, p=p, radius=radius or "mean_norm", feature_scale=WEIGHTS,
        attackable=WEIGHTS > 0,
    )  # fmt: skip
    damped = result["hessian"] + damping * np.eye(len(theta))
    influence = -np.linalg.solve(damped, result["mixed"])
    numbers = [
        0.5 * influence @ result["hessian_eval"] @ influence, result["value_derivative"],
        result["radius"],
    ]  # fmt: skip
    return influence, numbers


def assert_close(found, right, tol=1e-9, case=""):
    size = np.abs(right).max()
    np.testing.assert_allclose(found, right, rtol=tol, atol=tol * size, err_msg=case)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize(("weighted", "intercept"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("code", [SQUARED_ERROR, LOGISTIC, POISSON, HUBER])
def test_against_the_twin(engine, code, weighted, intercept, p):
    rows, spans = problems(code, weighted)
    inverse = np.divide(1.0, WEIGHTS, out=np.zeros(M), where=WEIGHTS > 0)
    for damping, radius in product([0.0, 0.05], [0.0, 1.7]):
        case = f"damping {damping}, radius {radius}"
        model = c.BatchModel(code, DELTA, 0.03, damping, intercept, True)
        attack = c.BatchAttack(p, radius, read_only(WEIGHTS), read_only(inverse))
        found = run(rows, spans, model, attack)
        assert np.all(found.status[:, 0] == c.FOUND), case
        for b, (*known, theta) in enumerate(fits(code, weighted, intercept, model.alpha)):
            influence, numbers = wanted(*known, theta, damping=damping, p=p, radius=radius)
            assert_close(found.params[b], theta, case=case)
            assert_close(found.influence[b], influence, case=case)
            np.testing.assert_allclose(found.numbers[b], numbers, rtol=1e-9, err_msg=case)


def test_a_problem_that_fails_leaves_nan_and_the_others_alone(engine):
    rows, spans = problems(SQUARED_ERROR, False)
    x = np.array(rows.x)
    x[slice(*spans[1]), 2] = x[slice(*spans[1]), 0]  # one column twice
    model = c.BatchModel(SQUARED_ERROR, DELTA, 0.0, 0.0, True, True)
    attack = c.BatchAttack(2.0, 0.0, read_only(np.ones(M)), read_only(np.ones(M)))
    whole = run(rows, spans, model, attack)
    found = run(rows._replace(x=read_only(x)), spans, model, attack)
    assert list(found.status[:, 0]) == [c.FOUND, c.SINGULAR, c.FOUND]
    for part, before in zip(found[:3], whole[:3], strict=True):
        assert np.isnan(part[1]).all()
        np.testing.assert_array_equal(part[[0, 2]], before[[0, 2]])


def test_a_fit_alone(engine):
    rows, spans = problems(POISSON, True)
    model = c.BatchModel(POISSON, DELTA, 0.0, 0.0, True, False)
    attack = c.BatchAttack(2.0, 0.0, read_only(np.ones(M)), read_only(np.ones(M)))
    found = run(rows, spans, model, attack)
    assert np.isnan(found.influence).all()
    assert np.isnan(found.numbers).all()
    for b, span in enumerate(spans):
        part = slice(*span)
        known = {"loss": "poisson", "sample_weight": rows.weight[part]}
        assert_close(found.params[b], twin.natural_fit(rows.x[part], rows.y[part], **known))
