"""Standard errors of an influence: the Bayesian bootstrap, and Remark 2's normal limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.blas import blas_for_solves
from ..data.rows import RowSource
from ..families.damping import failed_draw
from ..families.linear.bootstrap import draw_weights
from ..families.problem import InfluenceProblem, Replicates
from ..families.registry import replicates_of

Array = NDArray[Any]

N_DRAWS = 200  # where nobody says


def bootstrap(problem: InfluenceProblem, n_draws: int, seed: int) -> Replicates:
    """θ̂, I and S/ε² of `n_draws` draws of the Bayesian bootstrap.

    A draw multiplies the sample weights by standard exponential numbers (so that the weights'
    shares are Dirichlet(1, …, 1)), refits θ̂ and computes I and s with these weights; α stays.
    """
    from tqdm import tqdm

    problem.refuse_without_population()
    together = replicates_of(problem)
    # disable=None: only on a terminal.
    with tqdm(total=n_draws, desc="bootstrap", delay=1.0, leave=False, disable=None) as bar:
        if together is not None:
            return together(problem, n_draws, seed, bar.update)
        with blas_for_solves(len(problem.params)):
            return _one_by_one(problem, n_draws, seed, bar.update)


def _one_by_one(
    problem: InfluenceProblem, n_draws: int, seed: int, advance: Callable[[int], Any]
) -> Replicates:
    """Draw after draw, for any kind of problem."""
    d = len(problem.params)
    out = Replicates(np.empty((n_draws, d)), np.empty((n_draws, d)), np.empty(n_draws))
    for draw in range(n_draws):
        drawn = _drawn(problem, draw, draw_weights(seed, draw, problem.evaluation.n_rows))
        try:
            influence = drawn.influence()
        except np.linalg.LinAlgError as error:
            raise failed_draw(draw, drawn.spectrum()[0]) from error
        out.params[draw], out.influence[draw] = drawn.params, influence
        out.coefficient[draw] = 0.5 * drawn.along(influence, drawn.evaluation)[1]
        advance(1)
    return out


def _drawn(problem: InfluenceProblem, draw: int, g: Array) -> InfluenceProblem:
    """The problem of one draw, refitted. Copies of a sample have its weight."""
    source = problem.source
    factors = np.tile(g, source.n_rows // g.size)
    found = problem.fit_result(factors)
    if not found.converged:
        H = found.local.hessian  # where rows are few none is formed, and it is singular
        raise failed_draw(draw, float(np.linalg.eigvalsh(H)[0]) if H.size else 0.0)
    drawn: dict[str, Any] = {"source": _reweighted(source, factors)}
    if problem.clean is not None:
        drawn["clean"] = _reweighted(problem.clean, g)
    return dataclasses.replace(problem.at(found.x), **drawn)


def _reweighted(source: RowSource, factors: Array) -> RowSource:
    """The rows with their weights times factors, of the same total: α depends on that."""
    w = source.weights()
    base = w if w.size else np.ones(source.n_rows)
    weight = base * factors
    return source._replace(weight=weight * (base.sum() / weight.sum()))


def spread(draws: Array) -> tuple[Array, Array]:
    """Standard deviations over the draws (axis 0), and how far chance puts each of these off.

    The second is the standard error of the first, s √((κ − (B − 3)/(B − 1)) / 4B) with the
    kurtosis κ of the B draws: s/√2B for normal ones.
    """
    n = len(draws)
    deviations, errors = draws - draws.mean(axis=0), draws.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = np.mean((deviations / errors) ** 4, axis=0)
    excess = np.maximum(kurtosis - (n - 3.0) / (n - 1.0), 0.0)
    return errors, np.where(errors > 0.0, errors * np.sqrt(excess / (4.0 * n)), 0.0)


def clt_errors(zeta: Array, source: RowSource) -> Array:
    """Remark 2's standard errors (k,) of weighted means of ζ (n, k): sd(ζ)/√n.

    With weights of shares w̄ the variance is Σ w̄² (ζ − mean)². It holds θ̂, H and s fixed.
    """
    w = source.weights()
    share = w / w.sum() if w.size else np.full(len(zeta), 1.0 / len(zeta))
    deviations = share[:, None] * (zeta - share @ zeta)
    return np.asarray(np.sqrt(np.sum(deviations**2, axis=0)))
