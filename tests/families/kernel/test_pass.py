"""The one pass over the pairs of a kernel regression: what is formed, and how often."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_makers import Case, fitted, make

import fastaif as fa
from fastaif.api.prepare import prepare
from fastaif.families.kernel import core
from fastaif.families.kernel.model import KernelModel
from fastaif.families.registry import adversary_of
from fastaif.threat.threat import Threat

CASES = [
    Case(kernel, penalty, centers)
    for kernel in ("rbf", "ntk")
    for penalty in ("l2", "rkhs")
    for centers in ("moving", "fixed")
    if (kernel, centers) != ("ntk", "fixed")
]
READS = {
    "gradient": lambda problem: problem.gradient,
    "influence": lambda problem: problem.influence(),
    "mixed": lambda problem: problem.mixed(),
    "moves": lambda problem: problem.moves(np.ones(len(problem.params)))[1],
    "damping": lambda problem: np.array(problem.added_damping),
    "products": lambda problem: problem.hess_vec(np.ones(len(problem.params))),
}


def counted(monkeypatch, owner, name):
    calls, original = [], getattr(owner, name)

    def call(*args, **options):
        calls.append(args)
        return original(*args, **options)

    monkeypatch.setattr(owner, name, call)
    return calls


@pytest.mark.parametrize("damping", [0.0, 1e-3, "auto"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_order_of_access_forms_the_gram_matrix_again(case, damping, monkeypatch):
    known = fitted(case, make())
    X, y, _ = known.data
    calls = counted(monkeypatch, core, "make_gram")
    found = []
    for names in (list(READS), list(READS)[::-1]):
        calls.clear()
        problem = fa.aif(known.model, X, y, damping=damping).problem
        fresh = problem.at(problem.params)
        calls.clear()
        found.append({name: READS[name](fresh) for name in names})
        assert len(calls) == 1
    for name in READS:
        np.testing.assert_array_equal(found[0][name], found[1][name])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inputs_are_scaled_once(case, monkeypatch):
    known = fitted(case, make())
    calls = counted(monkeypatch, KernelModel, "inner")
    result = fa.aif(known.model, *known.data[:2])
    result.per_sample()
    result.validity_radius  # noqa: B018
    assert len(calls) == 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_singular_gram_matrix_is_kept_to_multiply_with():
    """Changes of the loss need products with K alone, which has no inverse there."""
    X, y, _ = make(n=12)
    X, y = np.vstack([X, X[:3]]), np.append(y, y[:3] + 1.0)
    model = fa.KernelRegression(fa.kernels.RBF(0.4), alpha=0.0).fit(X, y)
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        fa.aif(model, X, y)
    problem = prepare(model, X, y, Threat(), sample_weight=None)
    v = np.linspace(-1.0, 1.0, len(y))
    K = problem.gram(derivatives=False).K
    np.testing.assert_array_equal(problem.moves(v)[1], K @ v)
    assert np.isfinite(problem.loss_change(problem.params + v))


def test_the_adversary_of_fixed_centers_is_that_of_a_basis():
    known = fitted(Case("rbf", "l2", "fixed"), make())
    problem = fa.aif(known.model, *known.data[:2]).problem
    adversary = adversary_of(problem)
    assert adversary.problem.radius == problem.radius
    np.testing.assert_array_equal(adversary.problem.params, problem.params)
