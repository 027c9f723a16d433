"""A wrong sign or factor in the formulas turns the comparison with the library red.

The twin is made wrong here, part by part: each mutation moves something the comparison looks at
by far more than its tolerance of 1e-9.
"""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gram, kernels
from support.gram_checks import assert_agrees, radii, slope_of
from support.kernel_makers import Case, fitted, make, positive
from support.makers import relative_error

LEAST = 1e-4
L2, RKHS = Case("cubic", "l2"), Case("cubic", "rkhs")
FIXED, DRAWN = Case("cubic", "l2", "fixed"), Case("rbf", "rkhs", "drawn")


def times(factor):
    """A mutation: the result times a factor."""
    return lambda value: factor * value


def without_diagonal(D):
    return D - np.diag(np.diagonal(D))


def doubled_diagonal(D):
    return D + np.diag(np.diagonal(D))


def first_turned(values):
    values = np.array(values)
    values[0] *= -1.0
    return values


# Which method of which class, the change of its result, and the model that shows it.
MUTATIONS = {
    "steps: sign": (gram.Regression, "directions", times(-1.0), L2),
    "steps: one per mille": (gram.Regression, "directions", times(1.001), RKHS),
    "steps: one sample turned": (gram.Regression, "directions", first_turned, L2),
    "D: factor 2": (gram.Regression, "gram_moves", times(2.0), FIXED),
    "D: no diagonal": (gram.Regression, "gram_moves", without_diagonal, L2),
    "D: diagonal twice": (gram.Regression, "gram_moves", doubled_diagonal, RKHS),
    "D: transposed": (gram.Regression, "gram_moves", np.transpose, FIXED),
    "H: factor 2": (gram.Regression, "hessian", times(2.0), L2),
    "Phi: factor 2": (gram.Regression, "mixed", times(2.0), RKHS),
    "residuals: sign": (gram.Regression, "residuals", times(-1.0), L2),
    "penalty: factor 2": (gram.Regression, "penalty_matrix", times(2.0), DRAWN),
    "gradients: sign": (gram.Regression, "stationary_gradients", times(-1.0), RKHS),
    "shares: factor 2": (gram, "shares", times(2.0), L2),
    "RBF: gradient's factor": (kernels.RBF, "gradients", times(2.0), Case("rbf")),
    "Matern: gradient's factor": (
        kernels.Matern, "gradients", times(1.5), Case("matern 5/2", "rkhs"),
    ),
    "NTK: gradient's factor": (kernels.NTK, "gradients", times(2.0), Case("deep ntk")),
}  # fmt: skip


def mutate(monkeypatch, owner, name, change):
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args, **kw: change(original(*args, **kw)))


def compare(case):
    assert_agrees(*fitted(case, positive(make())).inspected(p=1.5))


def differences(case):
    """How far each part is from the twin's."""
    result, wanted = fitted(case, positive(make())).inspected(p=1.5)
    found = {"per_sample": result.per_sample(), "hessian": result.hessian}
    for name in ("influence", "mixed", "value_derivative"):
        found[name] = getattr(result, name)
    return [relative_error(value, wanted[name]) for name, value in found.items()]


@pytest.mark.parametrize("case", dict.fromkeys(row[-1] for row in MUTATIONS.values()), ids=str)
def test_comparison_is_green_without_a_mutation(case):
    compare(case)
    assert max(differences(case)) <= 1e-9


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutation_turns_the_comparison_red(name, monkeypatch):
    *mutation, case = MUTATIONS[name]
    mutate(monkeypatch, *mutation)
    assert max(differences(case)) >= LEAST
    with pytest.raises(AssertionError):
        compare(case)


def weights_forgotten(self):
    return np.full(len(self.y), 1.0 / len(self.y))


@pytest.mark.parametrize("case", [L2, RKHS, FIXED, DRAWN], ids=str)
def test_forgotten_weights_are_seen(case, monkeypatch):
    monkeypatch.setattr(gram.Regression, "w", property(weights_forgotten))
    with pytest.raises(AssertionError):
        compare(case)


def test_an_ntk_without_its_tangent_is_seen(monkeypatch):
    """The part of the gradient that turns x_i towards z_j."""
    of_angle = kernels.NTK._of_angle
    for change in (0.0, -1.0):

        def changed(self, angle, change=change):
            k, slope = of_angle(self, angle)
            return k, change * slope

        monkeypatch.setattr(kernels.NTK, "_of_angle", changed)
        for penalty in ("l2", "rkhs"):
            assert max(differences(Case("ntk", penalty))) >= LEAST


def test_an_attack_of_the_rows_alone_is_another(monkeypatch):
    """Moving centres are not fixed ones, and the penalty of rkhs moves with them."""
    for kernel in ("rbf", "cubic"):
        data = positive(make())
        moving = fitted(Case(kernel), data).inspected()[0].influence
        fixed = fitted(Case(kernel, "l2", "fixed"), data).inspected()[0].influence
        assert relative_error(moving, fixed) >= 0.01
    found = fitted(RKHS, positive(make()))
    result, wanted = found.inspected()
    X, theta, B = found.data.X, found.theta, wanted["directions"]
    D = found.twin.gram_moves(B, X)
    r = found.twin.w * found.twin.residuals(theta, X)
    still = wanted["mixed"] + 2.0 * (D + D.T) @ r
    assert relative_error(result.mixed, still) >= 0.01


@pytest.mark.parametrize("name", ["steps: one per mille", "D: diagonal twice", "D: factor 2"])
def test_mutation_spoils_the_slope(name, monkeypatch):
    """The comparison with the robust optimum does not need the twin to see it."""
    *mutation, case = MUTATIONS[name]
    found = fitted(case, positive(make()))
    result, _ = found.inspected()
    mutate(monkeypatch, *mutation)
    wrong = found.inspected()[1]["influence"]
    monkeypatch.undo()
    eps = radii(found, result)
    paths = [(found.robust(float(e)).params - result.params) / e for e in eps]
    for influence, true in ((result.influence, True), (wrong, False)):
        error = [np.linalg.norm(path - influence) for path in paths]
        assert bool(abs(slope_of(eps, error) - 1.0) <= 0.1) is true
