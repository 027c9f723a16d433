"""One contract over the adversaries of every family: what attacks, losses and fits promise."""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest
from sklearn.linear_model import HuberRegressor
from support.makers import about

import fastaif as fa
from fastaif.families import registry
from fastaif.families.adversary import Adversary
from fastaif.families.kernel import robust as kernel_robust
from fastaif.families.network import robust as network_robust
from fastaif.threat.ascent_settings import PgdSettings

EPS = 0.05


def waves():
    return fa.bases.Fourier(n_components=5, gamma=0.5, random_state=1)


def differentiable():
    jnp = pytest.importorskip("jax.numpy")

    def losses(params, X, y):
        return jnp.logaddexp(0.0, -y * (X @ params["beta"] + params["b"]))

    start = {"beta": np.array([0.5, -0.3, 0.2]), "b": np.array(0.1)}
    return fa.DifferentiableModel(losses, start, alpha=0.1, backend="jax")


# Every public estimator but those around another, by its defaults and a penalty. Here is what
# more some need, or what makes them a model of another family.
KERNEL = fa.kernels.RBF(0.4)
NEEDS = {
    "BasisRegression": {"basis": waves()},
    "KernelRegression": {"kernel": KERNEL},
    "KernelRegression, fixed": {"kernel": KERNEL, "centers": "fixed"},
    "MLPRegression": {"hidden": 2, "random_state": 0},
    "MLPClassification": {"hidden": 2, "random_state": 0},
    "MLPRegression, of two layers": {"hidden": (2, 2), "random_state": 0},
    "MLPClassification, of two layers and three classes": {"hidden": (2, 2), "random_state": 0},
    "HuberRegressor": {},
    "LogisticRegression, of three classes": {},
    "LinearRegression, with an l1 penalty": {"l1_ratio": 0.5},
    "LinearRegression, of two outputs": {},
}
LABELS = {
    "LogisticRegression, of three classes": lambda X: np.digitize(X[:, 0], [-0.4, 0.5]),
    "LinearRegression, of two outputs": lambda X: X[:, :2] + np.sin(X[:, 1:]),
    "MLPClassification, of two layers and three classes": (
        lambda X: np.digitize(X[:, 0], [-0.4, 0.5])
    ),
}


def public_estimators():
    """Names of the estimators that fit a model of their own."""
    for name, module in fa._WHERE.items():
        if module.startswith("models."):
            parameters = inspect.signature(getattr(fa, name)).parameters
            if "estimator" not in parameters:
                yield name


ESTIMATORS = sorted({*public_estimators(), *NEEDS})


def made(name):
    """An estimator, not fitted."""
    kind = name.split(",")[0]
    if kind == "DifferentiableModel":
        return differentiable()
    if kind == "HuberRegressor":
        return HuberRegressor(alpha=0.05, tol=1e-10, max_iter=5000)
    return getattr(fa, kind)(alpha=0.05, **NEEDS.get(name, {}))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(30, 3))
    return X, np.sign(np.sin(X @ [1.0, -0.5, 0.3]) + 0.3 * rng.normal(size=30))


@pytest.fixture(params=ESTIMATORS)
def family(request):
    return request.param


def problem_of(family, data, **attack):
    X, y = data
    model = made(family)
    if family in LABELS:
        y = LABELS[family](X + np.random.default_rng(6).normal(size=X.shape))
    elif hasattr(model, "loss_description") and model.loss_description().has_positive_targets:
        y = y + 1.5
    if hasattr(model, "fit"):
        model = model.fit(X, y)
    return fa.aif(model, X, y, refine=True, **attack).problem


def adversary_of(family, data, **attack):
    return registry.adversary_of(problem_of(family, data, **attack))


def kind_of(of):
    """The family of an adversary or a problem, by the name of its model."""
    return type(getattr(of, "problem", of).model).__name__


@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
def test_every_family_is_here(data):
    """A new family needs a public estimator, or a way to make one of another in NEEDS."""
    found = {kind_of(problem_of(name, data)) for name in ESTIMATORS}
    assert found == {kind.__name__ for kind in registry._FAMILIES}


def settings_of(adversary):
    return None if adversary.has_exact else PgdSettings(n_restarts=2)


@pytest.mark.parametrize("order", [2.0, np.inf])
def test_attacks_raise_the_loss_that_is_told(family, data, order):
    adversary = adversary_of(family, data, order=order)
    problem, settings = adversary.problem, settings_of(adversary)
    theta = problem.params
    attacked = adversary.attacked(theta, EPS, settings)
    lengths = np.linalg.norm(attacked - data[0], axis=1)
    spent = np.sqrt(np.mean(lengths**2)) if order == 2.0 else lengths.max()
    assert spent <= EPS * problem.radius * (1.0 + 1e-12)
    told, clean = adversary.loss(theta, EPS, settings), problem.mean_loss(theta)
    assert told > clean
    if kind_of(adversary) != "MovingCentersModel":  # there the centres move as well
        found = problem.mean_loss(theta, problem.source._replace(x=attacked))
        assert told == about(found, 1e-9)


def test_a_fit_gains_what_it_says(family, data):
    adversary = adversary_of(family, data)
    solution = adversary.robust_fit(0.01)
    assert solution.converged
    assert solution.method == ("exact" if adversary.has_exact else "pgd")
    gain, natural = adversary.gain(solution.theta, 0.01), adversary.robust_fit(0.0)
    assert gain > 0.0
    np.testing.assert_allclose(natural.theta, adversary.problem.params, rtol=1e-6, atol=1e-9)
    assert adversary.gain(natural.theta, 0.01) == pytest.approx(0.0, abs=1e-6 * abs(gain) + 1e-12)


def test_losses_are_those_of_any_parameters(family, data):
    adversary = adversary_of(family, data)
    theta = adversary.robust_fit(EPS).theta
    elsewhere = dataclasses.replace(adversary, problem=adversary.problem.at(theta))
    told, there = (each.loss(theta, EPS, settings_of(each)) for each in (adversary, elsewhere))
    assert told == about(there, 1e-12)


def test_what_is_not_known_is_refused_by_name(family, data):
    adversary = adversary_of(family, data)
    kind = adversary.problem.model.kind
    if type(adversary).tangent_at is Adversary.tangent_at:
        with pytest.raises(ValueError, match=f"of this {kind} model"):
            adversary.tangent_at(EPS)
    if adversary.has_exact:
        adversary.refuse("exact")
    else:
        with pytest.raises(ValueError, match=f"not known for a {kind} model"):
            adversary.refuse("exact")
    shared = adversary_of(family, data, order=3.0)
    with pytest.raises(ValueError, match="order=3 is not known"):
        shared.refuse("exact")
    if kind_of(adversary) == "L1Model":
        with pytest.raises(ValueError, match="order=3 of a linear model with an l1 penalty"):
            shared.robust_fit(EPS)
    elif kind_of(adversary) != "LinearModel":
        with pytest.raises(ValueError, match="implemented for linear predictors, not for"):
            shared.robust_fit(EPS)


def test_only_linear_predictors_say_how_far_a_prediction_goes(family, data):
    adversary = adversary_of(family, data)
    found = adversary.prediction_error(adversary.problem.influence(), 1e-4)
    is_linear = kind_of(adversary) in ("LinearModel", "L1Model")
    assert (found is None) == (not is_linear)
    has_several = kind_of(adversary) in ("SoftmaxModel", "OutputsModel")
    assert adversary.supports_checkpoint == (is_linear or has_several)


# --- settings of fits by ascent ---------------------------------------------------------------


def seen_settings(monkeypatch, module, name):
    """The settings that a family's ascents are called with."""
    seen, ascend = set(), getattr(module, name)

    def watched(*arguments):
        seen.update(each for each in arguments if isinstance(each, PgdSettings))
        return ascend(*arguments)

    monkeypatch.setattr(module, name, watched)
    return seen


@pytest.mark.parametrize(
    ("family", "module", "name"),
    [("MLPRegression", network_robust, "ascend"), ("KernelRegression", kernel_robust, "worst")],
)
def test_fits_by_ascent_follow_their_settings(family, module, name, data, monkeypatch):
    adversary = adversary_of(family, data)
    wanted = PgdSettings(n_steps=3, n_restarts=3, seed=7)
    seen = seen_settings(monkeypatch, module, name)
    found = adversary.robust_fit(0.01, 1e-12, 6, wanted)
    assert seen == {wanted}
    assert found.method == "pgd"


def test_a_seed_adds_a_random_start(family, data):
    adversary = adversary_of(family, data)
    plain, seeded = adversary.training_settings(None), adversary.training_settings(4)
    assert plain == adversary.training
    assert (seeded.seed, seeded.n_restarts) == (4, 3)
    assert seeded.n_steps == plain.n_steps


@pytest.mark.filterwarnings("ignore::fastaif.SolverWarning")
def test_the_random_state_of_a_fit_by_ascent(data):
    """Two maxima of a wave within a ball, neither of which is next to the sample."""
    X, y = data
    steep = fa.bases.Fourier(n_components=6, gamma=12.0, random_state=0)
    model = fa.BasisRegression(steep, alpha=0.05).fit(X, y)
    options = {"method": "pgd", "max_iter": 3, "radius": 1.0}
    none, one, again, other = (
        fa.robust_fit(model, X, y, 0.6, random_state=seed, **options).params
        for seed in (None, 1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, none)
