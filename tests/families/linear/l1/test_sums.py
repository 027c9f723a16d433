"""Models with an l1 penalty by sums over blocks: accumulators, iterators, files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastaif as fa


def fitted(kind="LinearRegression", ratio=0.8, far=0.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 6)) + far
    f = (X - far) @ [1.0, -0.5, 0.0, 0.0, 0.2, 0.1] + rng.normal(size=90)
    y = f if kind == "LinearRegression" else np.sign(f)
    w = rng.uniform(0.5, 2.0, size=90)
    return getattr(fa, kind)(alpha=0.15, l1_ratio=ratio).fit(X, y, w), X, y, w


def blocks(X, y, w):
    return [(X[k : k + 20], y[k : k + 20], w[k : k + 20]) for k in range(0, len(X), 20)]


@pytest.mark.parametrize("far", [0.0, 1e4])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kind", ["LinearRegression", "LogisticRegression"])
def test_sums_of_blocks_have_the_influence_of_the_rows(kind, p, far):
    model, X, y, w = fitted(kind, far=far)
    wanted = fa.aif(model, X, y, p=p, sample_weight=w)
    total = fa.InfluenceAccumulator(model, p=p)
    for block in blocks(X, y, w):
        total.update(*block)
    atol = 1e-11 * (1.0 + far)
    for found in (total.result(), fa.aif(model, iter(blocks(X, y, w)), None, p=p)):
        np.testing.assert_allclose(found.influence, wanted.influence, rtol=1e-9, atol=atol)
        assert np.all(found.influence[:6][model.coef_ == 0.0] == 0.0)
        np.testing.assert_allclose(
            found.sensitivity(1e-8, expansion="taylor"),
            wanted.sensitivity(1e-8, expansion="taylor"), rtol=1e-6, atol=1e-20,
        )  # fmt: skip


def test_accumulators_of_other_penalties_do_not_merge(tmp_path):
    model, X, y, w = fitted()
    other, *_ = fitted()
    other.l1_ratio = 0.4
    one, two = fa.InfluenceAccumulator(model), fa.InfluenceAccumulator(other)
    one.update(X[:40], y[:40], w[:40])
    two.update(X[40:], y[40:], w[40:])
    with pytest.raises(ValueError, match="the penalty"):
        one.merge(two)
    other.l1_ratio, other.alpha = 0.8, 0.15
    one.merge(fa.InfluenceAccumulator(other).update(X[40:], y[40:], w[40:]))
    wanted = fa.aif(model, X, y, sample_weight=w).influence
    np.testing.assert_allclose(one.result().influence, wanted, rtol=1e-9, atol=1e-12)
    again = pickle.loads(pickle.dumps(one)).result().influence
    np.testing.assert_array_equal(again, one.result().influence)
