"""What holds of every attack set, over the examples of everything that is registered."""

import pkgutil
from importlib import import_module

import numpy as np
import pytest

from fastaif import threat
from fastaif._compute import get
from fastaif.threat.attack_set import ATTACK_SETS, AttackSet
from fastaif.threat.ball import Ball

for module in pkgutil.iter_modules(threat.__path__):  # each registers its sets
    import_module(f"{threat.__name__}.{module.name}")
EXAMPLES = [
    pytest.param(attack_set, id=f"{kind.__name__}-{number}-{attack_set}")
    for kind, examples in ATTACK_SETS.items()
    for number, attack_set in enumerate(examples())
]


def sets_with(*names):
    """Runs a test over every example of the sets that know of all this."""
    known = [
        example
        for example in EXAMPLES
        if all(
            getattr(type(example.values[0]), name) is not getattr(AttackSet, name) for name in names
        )
    ]
    return pytest.mark.parametrize("attacks", known)


every = pytest.mark.parametrize("attacks", EXAMPLES)
SIZE = 0.3


def inputs(attacks):
    """The number of features: those of all examples."""
    return 5


def gradients(attacks, n=40, seed=1):
    return np.random.default_rng(seed).normal(size=(n, inputs(attacks)))


def raw_over_inner(attacks):
    """c/D over the attackable features: by what raw inputs move for a move of the model's."""
    return attacks.own.scale / attacks.own.weights


def inside(attacks, n=200, seed=2):
    """Attacks on raw inputs, of size SIZE."""
    t, delta = np.empty((n, attacks.own.n_free)), np.zeros((n, inputs(attacks)))
    attacks.own.draw(seed, 2, 0, SIZE, t)
    attacks.own.move(delta, t)
    return delta


def test_balls_are_registered():
    assert Ball in ATTACK_SETS


@every
def test_directions_gain_what_they_say(attacks):
    """And no other row's direction gains more where the set is the same for all rows."""
    rows = gradients(attacks, 300)
    moves, gains, ties = attacks.directions(rows.copy(), np.zeros(rows.shape))
    np.testing.assert_allclose(np.einsum("ij,ij->i", moves, rows), gains, rtol=1e-13)
    assert np.max(moves @ rows.T - gains) <= 1e-13 * gains.max()
    assert not ties.any()
    fixed = np.setdiff1d(np.arange(inputs(attacks)), attacks.free)
    assert np.all(moves[:, fixed] == 0.0)


@every
def test_directions_do_not_depend_on_lengths(attacks):
    rows, at = gradients(attacks, 20), np.zeros((20, inputs(attacks)))
    moves, gains, _ = attacks.directions(rows.copy(), at)
    others, more, _ = attacks.directions(3.0 * rows, at)
    np.testing.assert_allclose(others, moves, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(more, 3.0 * gains, rtol=1e-13)


@sets_with("gain", "direction", "own")
def test_the_gain_is_what_the_direction_gains(attacks):
    free = attacks.free
    for beta in gradients(attacks):
        step = attacks.gain_gradient(beta)
        assert np.isclose(step @ beta, attacks.gain(beta), rtol=1e-13)
        np.testing.assert_allclose(
            attacks.direction(beta)[free], step[free] * raw_over_inner(attacks), rtol=1e-13
        )


@sets_with("gain", "own")
def test_no_attack_gains_more_than_the_gain(attacks):
    delta = inside(attacks)[:, attacks.free] / raw_over_inner(attacks)
    for beta in gradients(attacks):
        assert np.max(delta @ beta[attacks.free]) <= SIZE * attacks.gain(beta) * (1 + 1e-13)


@sets_with("direction", "contains")
def test_the_direction_is_in_the_set_and_uses_all_of_it(attacks):
    for beta in gradients(attacks):
        step = attacks.direction(beta)
        assert attacks.contains((1 - 1e-13) * step, 1.0)
        assert not attacks.contains((1 + 1e-13) * step, 1.0)


@sets_with("gains")
def test_gains_scale_and_are_convex(attacks):
    rows, others = gradients(attacks), gradients(attacks, seed=5)
    gain = attacks.gains
    np.testing.assert_allclose(gain(-3.0 * rows), 3.0 * gain(rows), rtol=1e-13)
    assert np.all(gain(rows + others) <= (gain(rows) + gain(others)) * (1 + 1e-13))
    assert np.all(gain(np.zeros((2, inputs(attacks)))) == 0.0)


@sets_with("gain_hessian")
def test_derivatives_agree_with_differences(attacks):
    m, h = inputs(attacks), 1e-6
    for beta in gradients(attacks, 5):
        steps = h * np.eye(m)
        slope = [(attacks.gain(beta + e) - attacks.gain(beta - e)) / (2 * h) for e in steps]
        np.testing.assert_allclose(attacks.gain_gradient(beta), slope, atol=1e-8)
        bend = [
            (attacks.gain_gradient(beta + e) - attacks.gain_gradient(beta - e)) / (2 * h)
            for e in steps
        ]
        np.testing.assert_allclose(attacks.gain_hessian(beta), bend, atol=1e-7)


@sets_with("gain_hessian")
def test_the_hessian_is_zero_along_the_gradient(attacks):
    for beta in gradients(attacks, 5):
        hessian = attacks.gain_hessian(beta)
        np.testing.assert_array_equal(hessian, hessian.T)
        np.testing.assert_allclose(hessian @ beta, 0.0, atol=1e-13 * np.abs(hessian).max())


@sets_with("gains", "gain_gradient")
def test_rows_agree_with_single_gradients(attacks):
    rows = gradients(attacks, 300)
    np.testing.assert_allclose(
        attacks.gains(rows), [attacks.gain(beta) for beta in rows], rtol=1e-14
    )
    steps = [attacks.gain_gradient(beta) for beta in rows]
    np.testing.assert_allclose(attacks.gain_gradient(rows), steps, rtol=1e-13, atol=1e-300)
    moves, gains, ties = attacks.directions(rows.copy())
    np.testing.assert_allclose(moves, steps, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gains, attacks.gains(rows), rtol=1e-13)
    assert not ties.any()


@sets_with("kinks", "own")
def test_kinks_are_counted_as_ties(attacks):
    """Zeros, and entries as large as one another in the attack's own units."""
    m, own = inputs(attacks), attacks.own
    rows = np.random.default_rng(3).integers(-1, 2, size=(50, own.n_free)).astype(float)
    rows[0] = 0.0
    betas = np.zeros((len(rows), m))
    betas[:, own.free] = rows / own.weights
    kinks = attacks.kinks(betas)
    assert not np.delete(kinks, own.free, axis=1).any()
    np.testing.assert_array_equal(kinks.sum(axis=1), [attacks.ties(beta) for beta in betas])
    _, gains, ties = attacks.directions(betas.copy())
    felt = gains > 0.0  # others are not attacked, and not counted by anybody
    np.testing.assert_array_equal(ties[felt], kinks[felt].sum(axis=1))
    if not attacks.has_turns:
        assert not kinks.any()


@sets_with("project", "own")
def test_projections_are_the_nearest_points_and_stay(attacks):
    own, rng = attacks.own, np.random.default_rng(4)
    others = inside(attacks)
    far = np.zeros((20, inputs(attacks)))
    own.move(far, rng.normal(size=(20, own.n_free)))
    near = attacks.project(far, SIZE)
    assert attacks.contains((1 - 1e-12) * near, SIZE).all()
    np.testing.assert_allclose(attacks.project(near, SIZE), near, rtol=1e-12, atol=1e-15)
    for point, end in zip(far, near, strict=True):
        gap, to_others = (
            (rows[..., own.free] - x[own.free]) / own.scale
            for rows, x in ((point, end), (others, end))
        )
        # The variational inequality of projections: no point of the set lies beyond.
        assert np.max(to_others @ gap) <= 1e-12 * max(np.linalg.norm(gap), 1.0)


@sets_with("project", "own")
def test_points_of_the_set_are_their_own_projections(attacks):
    within = 0.9 * inside(attacks, 20)
    assert attacks.contains(within, SIZE).all()
    np.testing.assert_allclose(attacks.project(within, SIZE), within, rtol=1e-13, atol=1e-300)


@sets_with("project", "direction")
def test_what_cannot_be_attacked_stays(attacks):
    fixed = np.setdiff1d(np.arange(inputs(attacks)), attacks.free)
    moved = np.ones((1, inputs(attacks)))
    assert np.all(attacks.direction(gradients(attacks))[:, fixed] == 0.0)
    assert np.all(attacks.project(moved, SIZE)[:, fixed] == 0.0)
    for k in fixed:
        assert not attacks.contains(1e-9 * np.eye(inputs(attacks))[k], SIZE)


@sets_with("project", "own")
def test_ascents_project_their_steps(attacks):
    own, rng = attacks.own, np.random.default_rng(6)
    t, out = np.empty((20, own.n_free)), np.empty((20, own.n_free))
    own.draw(0, 2, 0, SIZE, t)
    slopes, lengths = rng.normal(size=t.shape), rng.uniform(0.1, 1.0, size=20)
    own.climb(t, slopes, lengths, SIZE, out)
    ends = t + lengths[:, None] * slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    wanted, found = (np.zeros((20, inputs(attacks))) for _ in range(2))
    own.move(wanted, ends)
    own.move(found, out)
    np.testing.assert_allclose(found, attacks.project(wanted, SIZE), rtol=1e-11, atol=1e-13)


@sets_with("own", "gains")
def test_own_units_move_both_kinds_of_inputs_alike(attacks):
    own, m = attacks.own, inputs(attacks)
    t = np.random.default_rng(7).normal(size=(4, own.n_free))
    raw, inner = np.zeros((4, m)), np.zeros((4, m))
    own.move(raw, t)
    own.move_inner(inner, t)
    np.testing.assert_allclose(raw[:, own.free], inner[:, own.free] * raw_over_inner(attacks))
    np.testing.assert_allclose(own.enter(inner), t, rtol=1e-14)
    rows = gradients(attacks, 4)
    np.testing.assert_allclose(np.sum(own.slopes(rows) * t, 1), np.sum(rows * inner, 1), rtol=1e-12)
    np.testing.assert_allclose(own.gains(own.slopes(rows)), attacks.gains(rows), rtol=1e-14)
    A = np.random.default_rng(8).normal(size=(m, m))
    np.testing.assert_allclose(
        np.einsum("ij,jk,ik->i", t, own.form(A), t), np.einsum("ij,jk,ik->i", inner, A, inner)
    )
    np.testing.assert_allclose(own.axes(t.T, m).T, inner)


@sets_with("first_turn", "gain_gradient")
def test_the_first_turn_is_where_the_direction_jumps(attacks):
    rows, speeds = gradients(attacks, 6), gradients(attacks, 6, seed=9)
    turn = attacks.first_turn(rows, speeds)
    if not attacks.has_turns:
        assert np.isinf(turn.eps)
        return
    assert 0.0 < turn.eps < np.inf
    assert turn.feature in attacks.free
    before, after = (rows + scale * turn.eps * speeds for scale in (1 - 1e-9, 1 + 1e-9))
    assert not attacks.has_turned(rows, before)
    assert attacks.has_turned(rows, after)
    change = np.abs(attacks.gain_gradient(after) - attacks.gain_gradient(rows))
    assert change[:, turn.feature].max() > 1e-3


@sets_with("first_turn")
def test_no_turn_where_nothing_moves(attacks):
    rows = gradients(attacks, 3)
    assert np.isinf(attacks.first_turn(rows, np.zeros(rows.shape)).eps)
    assert np.isinf(attacks.first_turn(rows[:0], rows[:0]).eps)


@sets_with("operator_norm", "own")
def test_bounds_on_the_change_of_gains(attacks):
    """‖D M δ‖ over unit attacks δ, by search, is within the bounds."""
    m, own = inputs(attacks), attacks.own
    root = np.random.default_rng(10).normal(size=(m, m))
    M = root + root.T
    t = np.empty((2000, own.n_free))
    own.draw(0, 2, 0, 1.0, t)
    t = np.vstack([t, own.directions(t)])
    delta = np.zeros((len(t), m))
    own.move_inner(delta, t)
    reached = attacks.gains(delta @ M).max()
    assert reached <= attacks.operator_norm(M) * (1 + 1e-12)
    assert reached <= attacks.curvature_bound(np.linalg.norm(M, 2)) * (1 + 1e-12)
    assert np.linalg.norm(delta, axis=1).max() <= attacks.longest * (1 + 1e-12)
    raw = np.zeros((len(t), m))
    own.move(raw, t)
    assert np.abs(raw).max() <= attacks.widest * (1 + 1e-12)


@sets_with("operator_norm", "gains")
def test_bounds_on_the_change_of_gains_hold_of_attacks_along_gradients(attacks):
    root = np.random.default_rng(10).normal(size=(5, 5))
    M, rows = root + root.T, np.zeros((400, 5))
    delta, _, _ = attacks.directions(gradients(attacks, 400), rows)
    delta = np.vstack([delta, attacks.directions(delta @ M, rows)[0]])  # and towards the largest
    reached = attacks.gains(delta @ M).max()
    assert reached <= attacks.operator_norm(M) * (1 + 1e-12)
    assert reached <= attacks.curvature_bound(np.linalg.norm(M, 2)) * (1 + 1e-12)


@sets_with("longest")
def test_no_unit_attack_is_longer_than_the_longest(attacks):
    """Of sets made of a ball, too, which have the ball's unless they say their own."""
    moves, _, _ = attacks.directions(gradients(attacks, 400), np.zeros((400, 5)))
    assert np.linalg.norm(moves, axis=1).max() <= attacks.longest * (1 + 1e-12)


@sets_with("compiled", "gains")
def test_what_compiled_operations_take_is_the_same_gain(attacks):
    rows = gradients(attacks)
    out, gains, ties = np.empty((inputs(attacks), 40)), np.empty(40), np.empty(40)
    get("attack_directions")(np.ascontiguousarray(rows.T), attacks.compiled(), out, gains, ties)
    np.testing.assert_allclose(gains, attacks.gains(rows), rtol=1e-13)
    units = np.random.default_rng(11).uniform(0.5, 2.0, size=inputs(attacks))
    weights, _, q = attacks.dual_norm(units)
    wanted = [np.linalg.norm(weights * row, q) for row in rows * units]
    np.testing.assert_allclose(wanted, attacks.gains(rows), rtol=1e-13)


@every
def test_norms_are_those_that_operations_sum(attacks):
    if not attacks.has_compiled_norm:
        with pytest.raises(ValueError, match="a norm within a compiled pass"):
            attacks.compiled_norm()
        return
    rows, norm = gradients(attacks), attacks.compiled_norm()
    if norm.shift.size:
        wanted = np.linalg.norm((rows - norm.shift) * norm.inverse_scale, norm.p, axis=1)
        np.testing.assert_allclose(attacks.norms(rows), wanted, rtol=1e-13)


@sets_with("direction")
def test_unit_attacks_have_norm_one(attacks):
    attack = attacks.direction(gradients(attacks))
    if attacks.has_compiled_norm:
        norm = attacks.compiled_norm()
        origin = norm.shift if norm.shift.size else np.zeros((1, inputs(attacks)))
    else:
        origin = attacks.norm_shift
    np.testing.assert_allclose(attacks.norms(origin + attack), 1.0, rtol=1e-12)


SIZES = np.array([0.0, 1e-12, 0.05, SIZE, 1.0, 1e6])


@every
@pytest.mark.parametrize("size", SIZES)
def test_the_furthest_attacks_are_in_the_set_and_no_others_gain_more(attacks, size):
    """Those along other gradients are points of the same set, at every sample."""
    rng, n = np.random.default_rng(12), 12
    rows = np.zeros((n, inputs(attacks)))
    rows[4:] = rng.uniform(0.0, 0.9, size=(n - 4, 1)) * [0.0, 1.0, 0.2, 0.1, -1.0]
    attacks.refuse_outside(rows, 0, list("abcde"))
    slopes, sizes = gradients(attacks, n), np.full(n, size)
    slopes[2] = 0.0
    slopes[3, 1:4] = 0.0
    found = attacks.furthest(slopes, rows, sizes)
    np.testing.assert_allclose(np.sum(found.moves * slopes, axis=1), found.gains, rtol=1e-13)
    assert attacks.contains((1 - 1e-13) * attacks.raw(found.moves), sizes, rows).all()
    assert found.gains[2] == 0.0
    for others in (slopes[rng.permutation(n)] for _ in range(40)):
        moves = attacks.furthest(others, rows, sizes).moves
        assert np.all(np.sum(moves * slopes, axis=1) <= found.gains * (1 + 1e-12) + 1e-300)


@every
def test_small_attacks_are_the_directions(attacks):
    """As far as there is room for them."""
    rng, n = np.random.default_rng(13), 12
    rows = np.zeros((n, inputs(attacks)))
    rows[4:] = rng.uniform(0.1, 0.9, size=(n - 4, 1)) * [0.0, 1.0, 0.2, 0.1, -1.0]
    slopes = gradients(attacks, n)
    moves, gains, _ = attacks.directions(slopes.copy(), rows)
    room = attacks.room(moves, rows)
    assert np.all(room > 0.0)
    for size in (0.9 * np.minimum(room, 1.0), 1e-9 * np.minimum(room, 1.0)):
        found = attacks.furthest(slopes, rows, size)
        np.testing.assert_allclose(found.moves, moves * size[:, None], rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(found.gains, gains * size, rtol=1e-12)


@every
def test_a_set_is_known_by_what_it_is(attacks):
    assert attacks.radius is None
    assert attacks.with_radius(2.0).radius == 2.0
    assert attacks.with_radius(2.0).with_radius(1.0).fingerprint() != attacks.fingerprint()
    alike = [other for other in EXAMPLES if other.values[0].fingerprint() == attacks.fingerprint()]
    assert len(alike) == 1
    assert str(attacks)


def test_a_gain_has_no_hessian_at_zero():
    for examples in ATTACK_SETS.values():
        for attacks in examples():
            if attacks.has_turns or attacks.varies:
                continue
            with pytest.raises(ValueError, match="no gradient at zero"):
                attacks.gain_hessian(np.zeros(inputs(attacks)))


class FirstOrder(AttackSet):
    """A set that says no more than it has to."""

    radius = None
    free = np.arange(3)

    def __str__(self):
        return "p=2 within bounds"

    def norms(self, rows):
        return np.linalg.norm(rows, axis=1)

    def compiled_norm(self):
        return None

    def with_radius(self, radius):
        return self

    def describe(self):
        return {"p": 2.0, "radius": None}


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda attacks: attacks.gain(np.ones(3)), "a linear predictor"),
        (lambda attacks: attacks.ties(np.ones(3)), "a linear predictor"),
        (lambda attacks: attacks.directions(np.ones((2, 3))), "a pass over many rows"),
        (lambda attacks: attacks.own, "an attack of finite size"),
        (lambda attacks: attacks.project(np.ones(3), 1.0), "an attack of finite size"),
        (lambda attacks: attacks.has_turns, "the reach of the expansion"),
        (lambda attacks: attacks.dual_norm(), "a robust fit"),
    ],
)
def test_what_a_set_does_not_say_is_refused(ask, what):
    with pytest.raises(
        ValueError, match=f"^attacks with p=2 within bounds are not implemented for {what}:"
    ):
        ask(FirstOrder())
    assert not FirstOrder().is_ellipsoid


@every
@pytest.mark.parametrize("width", [0.3, 1e-3])
def test_softened_gains_have_their_derivatives(attacks, width):
    """And attacks that are in the set at any width."""
    if not attacks.has_soft:
        with pytest.raises(ValueError, match="a robust fit"):
            attacks.soft_rows(np.ones(inputs(attacks)), gradients(attacks), np.ones(40), width)
        return
    m, rows, sizes = inputs(attacks), np.zeros((1, inputs(attacks))), np.array([SIZE])

    def soft(beta):
        if not attacks.varies:
            return attacks.soft(beta, width)
        found = attacks.soft_rows(beta, rows, sizes, width)
        v = found.vectors[0]
        return found.values[0], found.attacks[0], np.diag(found.diagonals[0]) - np.outer(v, v)

    h = 1e-6 * np.eye(m)
    for beta in gradients(attacks, 5):
        value, attack, bend = soft(beta)
        size = SIZE if attacks.varies else 1.0
        assert attacks.contains((1 - 1e-12) * attacks.raw(attack), size, rows[0])
        exact = attacks.furthest(beta[None], rows, np.array([size])).gains[0]
        assert attack @ beta <= exact * (1 + 1e-12)
        assert np.isclose(value, exact, rtol=0.0, atol=20 * width)
        slope = [(soft(beta + e)[0] - soft(beta - e)[0]) / 2e-6 for e in h]
        np.testing.assert_allclose(attack, slope, atol=1e-7)
        change = [(soft(beta + e)[1] - soft(beta - e)[1]) / 2e-6 for e in h]
        np.testing.assert_allclose(bend, change, atol=1e-5)
