"""Sums of parts merge to the sum of the whole; sums of unlike things do not merge."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
from support.makers import make
from support.sums import ALL, assert_same_bits, assert_sums, naive_sums, sweep

from fastaif._compute import types as c
from fastaif.bases import Linear
from fastaif.losses import Huber
from fastaif.threat.ball import make_ball

THETA = np.linspace(0.3, -0.2, 6)
EDGES = [0, 13, 100, 101, 250]


def parts(kind):
    X, y, w = make(kind, 250, 5, weighted=True)
    pieces = [slice(a, b) for a, b in itertools.pairwise(EDGES)]
    w = np.maximum(w, 0.5)
    return (X, y, w), [sweep(kind, X[s], y[s], w[s]).run(THETA, ALL) for s in pieces]


def merged(*sums):
    total = copy.deepcopy(sums[0])
    for other in sums[1:]:
        total.merge(copy.deepcopy(other))
    return total


def test_parts_make_the_whole(kind):
    (X, y, w), pieces = parts(kind)
    assert_sums(merged(*pieces), naive_sums(kind, X, y, w, THETA))


def test_commutative_to_the_bit(kind):
    _, (a, b, *_) = parts(kind)
    assert_same_bits(merged(a, b), merged(b, a))


def test_associative_to_rounding(kind):
    (X, y, w), (a, b, d, e) = parts(kind)
    wanted = naive_sums(kind, X, y, w, THETA)
    for order in (
        merged(merged(a, b), merged(d, e)),
        merged(a, merged(b, merged(d, e))),
        merged(merged(merged(e, d), b), a),
    ):
        assert_sums(order, wanted)


def test_merge_leaves_the_other_alone(kind):
    _, (a, b, *_) = parts(kind)
    before = copy.deepcopy(b)
    a.merge(b)
    assert_same_bits(b, before)


def ball(p=2.0, **options):
    given = {"feature_scale": None, "attackable": None, "attack_space": "scaled"} | options
    return make_ball(Linear(), 5, p=p, radius=None, **given)


NORM = ALL & ~c.NEED_YARDSTICK | c.NEED_NORM
UNLIKE = {
    "parameters": ({}, {}, {"theta": THETA + 1e-9}),
    "loss": ({"kind": "huber"}, {}, {}),
    "delta": ({"loss": Huber(7.0)}, {"kind": "huber"}, {}),
    "parts": ({}, {}, {"need": c.NEED_GRADIENT}),
    "radius": ({}, {}, {"kappa": 0.1}),
    "smoothing": ({}, {}, {"kappa": 0.1, "smoothing": 0.1}),
    "norm": ({"ball": ball(1.0)}, {}, {}),
    "units": ({"ball": ball(feature_scale=np.arange(1.0, 6.0))}, {}, {}),
    "attackable": ({"ball": ball(attackable=np.arange(5) > 0)}, {}, {}),
    "basis": ({"basis": Linear(np.ones(5), np.full(5, 2.0))}, {}, {}),
    "intercept": ({"fit_intercept": False}, {}, {}),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_unlike_sums_refuse_to_merge(what):
    X, y, _ = make("linear", 60, 5)
    changed, common, call = (dict(part) for part in UNLIKE[what])
    kind = common.get("kind", "linear")
    loss = changed.pop("loss", None)
    plain = sweep(kind, X, y, ball=ball())
    other = sweep(changed.pop("kind", kind), X, y, **({"ball": ball()} | changed))
    if loss is not None:
        other = copy.copy(other)
        object.__setattr__(other, "loss", loss)
    need, theta = call.pop("need", NORM), call.pop("theta", THETA)
    mine = plain.run(THETA, NORM)
    if "smoothing" in call:
        mine = plain.run(THETA, NORM, kappa=call["kappa"])
    theirs = other.run(theta, need, **call)
    with pytest.raises(ValueError, match="cannot be merged"):
        mine.merge(theirs)
