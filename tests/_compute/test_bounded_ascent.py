"""Compiled ascents on networks: both versions beside the same in NumPy, a row at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from support.operations import both

from fastaif._compute import types as c
from fastaif.bases import Linear
from fastaif.families.autodiff.rows import Batch
from fastaif.families.layered import attack
from fastaif.families.layered.activations import ACTIVATIONS
from fastaif.families.layered.derivatives import LayeredDerivatives
from fastaif.families.layered.heads import Classes, OneOutput, SeveralOutputs
from fastaif.families.layered.layers import Layers
from fastaif.losses import get
from fastaif.threat.ascent_settings import PgdSettings
from fastaif.threat.ball import Ball
from fastaif.threat.bounded import Bounded

N = 21  # more than climb side by side
HIDDEN = [(5,), (4, 6), (3, 1, 5), ()]
STEPS = [PgdSettings(3), PgdSettings(40, enough=1e-8), PgdSettings(12, 0.3)]
HEADS = {
    "monotone": (OneOutput(get("logistic")), 1),
    "huber": (OneOutput(get("huber")), 1),
    "outputs": (SeveralOutputs(), 3),
    "classes": (Classes(), 4),
}


def targets(rng, head, n_outputs):
    if head == "classes":
        return rng.integers(n_outputs, size=N).astype(float)
    if head == "monotone":
        return np.where(rng.random(N) < 0.5, 1.0, -1.0)
    return rng.normal(size=(N, n_outputs) if n_outputs > 1 else N)


class Problem:
    """A network within bounds, some of whose inputs are not attacked, as ascents see it."""

    def __init__(self, rng, head, activation, hidden, p, m=9):
        kind, n_outputs = HEADS[head]
        layers = Layers((m, *hidden, n_outputs), activation)
        scaler = Linear(rng.normal(size=m), rng.uniform(0.5, 2.0, size=m))
        self.theta = 0.7 * rng.normal(size=layers.n_parameters)
        self.derivatives = LayeredDerivatives(layers, kind, scaler)
        scale = rng.uniform(0.5, 2.0, size=m) * (np.arange(m) % 4 != 3)
        low, high = np.full(m, -0.9), np.where(np.arange(m) % 3 > 0, 0.9, np.inf)
        self.ball = Bounded(Ball(p, scale, scaler.scale, np.zeros(m), False, 1.0), low, high)
        X = np.clip(rng.normal(size=(N, m)), -0.9, 0.9)
        self.batch = Batch(np.arange(N), X, targets(rng, head, n_outputs), np.ones(N))
        budgets = rng.choice([0.0, 0.3, 0.6], size=N)
        self.source = SimpleNamespace(n_rows=N, n_columns=m, budgets=lambda *_: budgets)
        self.n_threads, self.radius = 2, 1.0

    def rising(self, theta, X, y):
        return self.derivatives.rising(theta, X, y)

    def compiled(self, theta):
        return self.derivatives.compiled(theta)

    def displaced(self, X, delta):
        return X + self.ball.raw(delta)

    def in_numpy(self, attacker, start):
        """Ascents that stop when they say so: rows have no others in their blocks."""
        ends = [
            attacker._climb_together(self.theta, Batch(*(part[i : i + 1] for part in self.batch)),
                                     start[i : i + 1])
            for i in range(N)
        ]  # fmt: skip
        return map(np.concatenate, zip(*ends, strict=True))


def climb(operation, problem, settings, still, start):
    delta, heights, batch = start.copy(), np.empty(N), problem.batch
    y, sizes = batch.y.reshape(N, -1), problem.source.budgets()
    pace = c.Pace(min(1.0, settings.step or 1.0), settings.n_steps, settings.enough, still)
    operation(
        batch.X, y, *problem.compiled(problem.theta), problem.ball.box, sizes, pace, delta, heights
    )
    return delta, heights


@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("head", HEADS)
def test_both_versions(extension, rng, head, activation, p):
    which = list(HEADS).index(head) + list(ACTIVATIONS).index(activation)
    problem = Problem(rng, head, activation, HIDDEN[which % 4], p)
    X, sizes = problem.batch.X, problem.source.budgets()
    settings, still = STEPS[which % 3], attack._SETTLED * problem.ball.longest
    attacker = attack.LayeredAttacker(problem, 1.0, settings)
    drawn = problem.ball.cut(problem.ball.drawn(0, 1, np.arange(N), sizes), X)
    for start in (np.zeros(X.shape), drawn):
        wanted, heights = problem.in_numpy(attacker, start)
        for operation in both(extension, "bounded_ascent"):
            delta, found = climb(operation, problem, settings, still, start)
            moved = problem.displaced(X, delta)
            again, _ = problem.rising(problem.theta, moved, problem.batch.y)
            np.testing.assert_allclose(found, again, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(found, heights, rtol=1e-9, atol=1e-9)
            same = np.abs(delta - wanted).max(axis=1) < 1e-6
            assert same.mean() > 0.9  # a kink of relu is met by one and missed by the other
            assert problem.ball.contains(moved - X, sizes + 1e-14, X).all()


def test_rows_are_strangers(extension, rng):
    """Alone, among others, and on threads: the same bits."""
    problem = Problem(rng, "classes", "tanh", (6,), 2.0)
    settings, start = PgdSettings(40, enough=1e-8), np.zeros((N, 9))
    for operation in both(extension, "bounded_ascent"):
        delta, heights = climb(operation, problem, settings, 0.0, start)
        batch, network = problem.batch, problem.compiled(problem.theta)
        pace = c.Pace(1.0, 40, 1e-8, 0.0)
        for rows in (slice(3, 4), slice(5, 22)):
            some, their = start[rows].copy(), np.empty(len(start[rows]))
            operation(
                batch.X[rows], batch.y[rows, None], *network, problem.ball.box,
                problem.source.budgets()[rows], pace, some, their,
            )  # fmt: skip
            np.testing.assert_array_equal(some, delta[rows])
            np.testing.assert_array_equal(their, heights[rows])


def test_blocks_and_threads_change_nothing(rng, monkeypatch):
    problem = Problem(rng, "classes", "tanh", (6,), np.inf)
    attacker = attack.LayeredAttacker(problem, 1.0, PgdSettings(40, enough=1e-8))
    whole = attacker._climb(problem.theta, problem.batch, np.zeros((N, 9)))
    monkeypatch.setattr(attack, "_CHUNK", 5)
    monkeypatch.setattr("fastaif.data.parallel._SERIAL_ENTRIES", 0)
    for mine, theirs in zip(
        whole, attacker._climb(problem.theta, problem.batch, np.zeros((N, 9))), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_what_cannot_be_a_network_is_refused(extension, rng):
    problem = Problem(rng, "classes", "tanh", (6,), 2.0)
    (layers, head), settings = problem.compiled(problem.theta), PgdSettings(3)
    wrong = {
        "lead from the inputs": (layers._replace(widths=np.array([9, 5, 4])), head),
        "one an output": (layers, head._replace(kind=c.SEVERAL_OUTPUTS)),
        "the activation is": (layers._replace(activation=c.N_LAYER_ACTIVATIONS), head),
        "the head is": (layers, head._replace(kind=c.N_HEADS)),
    }
    for operation in both(extension, "bounded_ascent"):
        for words, given in wrong.items():
            problem.compiled = lambda theta, given=given: given
            with pytest.raises(ValueError, match=words):
                climb(operation, problem, settings, 0.0, np.zeros((N, 9)))
        problem.compiled = lambda theta: (layers, head)
        problem.batch.y[3] = 4.0
        with pytest.raises(ValueError, match="numbers of classes"):
            climb(operation, problem, settings, 0.0, np.zeros((N, 9)))
        problem.batch.y[3] = 1.0
