"""From the arguments that every public function takes to a problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ..adapters.describe import describe
from ..bases.expansion import Expansion
from ..data.checked_rows import evened, locating, rows_of
from ..data.rows import RowSource
from ..data.sources import LazyRows, opened
from ..families.autodiff.model import AutodiffModel
from ..families.autodiff.problem import AutodiffProblem
from ..families.basis.problem import BasisProblem
from ..families.finite_sum.problem import SumProblem
from ..families.kernel.model import KernelModel
from ..families.kernel.problem import GramProblem
from ..families.linear.model import LinearModel
from ..families.linear.problem import LinearProblem
from ..families.network.model import NetworkModel
from ..families.network.problem import NetworkProblem
from ..families.problem import InfluenceProblem
from ..models.differentiable import DifferentiableModel
from ..models.inputs import columns_of_fit
from ..models.smoothing import RandomizedSmoothing, rebuild_around
from ..passes.executor import Executor
from ..solvers.limits import LARGEST_AUTODIFF, cholesky_fits
from ..threat.attack_set import AttackSet
from ..threat.threat import Threat
from ..utils import validation

Array = NDArray[Any]
Model = LinearModel | KernelModel | AutodiffModel


def prepare(
    estimator: Any,
    X: Any,
    y: Any,
    threat: Threat,
    *,
    sample_weight: Any,
    damping: float | str = 0.0,
    solver: str = "auto",
    random_state: Any = None,
    n_threads: Any = None,
    hessian: str = "exact",
    only_radius: bool = False,
) -> InfluenceProblem:
    """The influence problem of an estimator and its data.

    `only_radius` leaves the pass for H and Φ until something asks for it.
    """
    given = opened(X, y, sample_weight, columns_of_fit(estimator))
    array, columns = validation.matrix(given.X)
    model, smoothing = _describe(estimator, array.shape[1], columns)
    source, factor = evened(rows_of(model, array, given.y, given.sample_weight))
    problem = assemble(
        at_weights(model, factor), source, threat, damping=damping, solver=solver,
        random_state=random_state, n_threads=n_threads, hessian=hessian,
    )  # fmt: skip
    with locating(source):
        if not only_radius and smoothing is None:
            problem.begin()
        refuse_zero_radius(problem)
        if smoothing is not None and not only_radius:
            problem = _on_copies(problem, smoothing)
    return problem


def assemble(
    model: Model,
    source: RowSource,
    threat: Threat,
    *,
    damping: float | str = 0.0,
    solver: str = "auto",
    random_state: Any = None,
    n_threads: Any = None,
    hessian: str = "exact",
) -> InfluenceProblem:
    """The problem of a model, its rows and an attacker."""
    executor = Executor(validation.threads(n_threads))
    ball = threat.attack_set(model.basis, model.feature_names)
    problem = _problem(model, source, ball, damping, executor)
    problem = dataclasses.replace(problem, sharing=threat.budget)
    problem = _with_solver(problem, solver, random_state)
    if isinstance(problem, NetworkProblem):
        problem = dataclasses.replace(problem, gauss_newton=hessian == "gauss_newton")
    return problem


def at_weights(model: Model, factor: float) -> Model:
    """The model for rows whose weights were divided by `factor`: α is that of the true total."""
    if factor == 1.0:
        return model
    return dataclasses.replace(model, alpha=partial(_alpha_of, model.alpha, factor))


def refuse_zero_radius(problem: InfluenceProblem) -> None:
    """Rows of zeros give an attack no length."""
    if problem.radius == 0.0:
        raise ValueError(
            "every row of X is zero, so that radius='mean_norm' is zero; give a radius"
        )


def _problem(
    model: Model, source: RowSource, ball: AttackSet, damping: float | str, executor: Executor
) -> InfluenceProblem:
    """The kind of problem that the model and its data make."""
    if isinstance(model, AutodiffModel):
        return AutodiffProblem(model, source, ball, damping, executor)
    if isinstance(model, NetworkModel):
        return NetworkProblem(model, source, ball, damping, executor)
    if isinstance(model, LinearModel):
        kind = BasisProblem if isinstance(model.basis, Expansion) else LinearProblem
        return kind(model, source, ball, damping, executor)
    if isinstance(source.x, LazyRows):
        if model.moving:
            raise TypeError(
                "X is read block by block, but a kernel regression with centers='moving' needs all "
                "of its rows at once: give an array"
            )
        return BasisProblem(model.at_fixed_centers(), source, ball, damping, executor)
    U = model.inner(source.x)
    at_centers = model.is_at(U)
    if not at_centers and not np.isfinite(U).all():
        validation.locate_nonfinite(source.x, source.y)
    if model.moving and not at_centers:
        raise ValueError(
            "X is not the X of the fit: with centers='moving' the inputs of the fit are the "
            "centres, and an attack moves both; give the data of the fit, in its order, or use "
            "centers='fixed'"
        )
    if not at_centers:
        return BasisProblem(model.at_fixed_centers(), source, ball, damping, executor)
    if not model.moving and not model.kernel.is_smooth:
        raise ValueError(
            f"{model.kernel!r} with centers='fixed' at the attacked inputs themselves has a kink "
            "at every sample: the influence is not defined; use centers='moving', or other centres "
            "(n_centers, or the data of another fit)"
        )
    return GramProblem(model, source, ball, damping, executor)


def _with_solver(
    problem: InfluenceProblem, solver: str, random_state: Any
) -> InfluenceProblem:
    """The problem with its way to H⁻¹: "auto" forms H where there is room for it."""
    seed = validation.seed(random_state) if solver == "lissa" else 0
    if isinstance(problem, SumProblem) and not isinstance(problem, NetworkProblem):
        if solver == "auto":
            solver = "cholesky" if cholesky_fits(len(problem.params)) else "cg"
        return dataclasses.replace(problem, solver=solver, seed=seed)
    if isinstance(problem, AutodiffProblem):
        if solver == "auto":
            fits = cholesky_fits(len(problem.params), LARGEST_AUTODIFF)
            solver = "cholesky" if fits else "cg"
        return dataclasses.replace(problem, solver=solver, seed=seed)
    if solver in ("cg", "lissa"):
        raise ValueError(
            f"solver={solver!r} is not for a {problem.model.kind} model, which has a solver of its "
            "own; use solver='auto'"
        )
    return problem


def _describe(
    estimator: Any, n_features: int, columns: tuple[str, ...] | None
) -> tuple[Model, RandomizedSmoothing | None]:
    """The model, and the randomized smoothing around it if there is one."""
    if isinstance(estimator, DifferentiableModel):
        return estimator.describe(n_features, columns), None
    if not isinstance(estimator, RandomizedSmoothing):
        return describe(estimator, columns), None
    check_is_fitted(estimator, "estimator_")
    model = describe(estimator.estimator_, columns)
    if not isinstance(model, LinearModel):
        raise TypeError(
            "RandomizedSmoothing around a kernel regression is not supported: the noisy copies "
            "would be its centres"
        )
    return dataclasses.replace(model, rebuild=rebuild_around(estimator, model)), estimator


def _on_copies(problem: InfluenceProblem, smoothing: RandomizedSmoothing) -> InfluenceProblem:
    """The objective of the noisy copies, with the radius and evaluation of the clean rows."""
    ball = problem.ball.with_radius(problem.radius)
    clean = problem.source
    problem = dataclasses.replace(
        problem, source=smoothing.copies(clean), ball=ball, clean=clean, clean_ball=problem.ball
    )
    problem.begin()
    return problem


def _alpha_of(alpha: Callable[[float], float], factor: float, weight: float) -> float:
    """α for weights that were divided by `factor`."""
    return alpha(weight * factor)
