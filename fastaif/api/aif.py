"""`aif`: the adversarial influence of a fitted estimator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data.blas import blas_for_solves
from ..data.parallel import overlapped
from ..data.sources.blocks import as_block, is_one_shot, refuse_weights
from ..families.problem import InfluenceProblem
from ..influence.along_path import along_path
from ..influence.compute import conclude
from ..influence.result import InfluenceResult
from ..threat.threat import Threat
from ..utils import validation
from ..utils.inputs import (
    AttackableLike,
    BoundsLike,
    GroupsLike,
    MatrixLike,
    RandomState,
    ScaleLike,
    TargetsLike,
    WeightsLike,
)
from .accumulator import InfluenceAccumulator
from .prepare import prepare, start


def aif(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    formula: str = "exact",
    damping: float | str = 0.0,
    solver: str = "auto",
    hessian: str = "exact",
    refine: bool = False,
    random_state: RandomState = None,
    n_threads: int | None = None,
    at: float = 0.0,
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> InfluenceResult:
    """How adversarial training would move a fitted model: ``I = dθ_ε/dε`` at ε = 0+.

    θ_ε minimises ``E max ℓ(f_θ(x + δ), y) + α ‖β‖²`` over attacks ``‖δ/c‖_p ≤ ε s``.
    The influence is ``I = −H⁻¹ Φ`` (Theorem 4.1, eq. 5 of Deng, Dwork, Wang & Zhang,
    2020), found in one pass over the rows and without any adversarial training.

    Parameters
    ----------
    estimator
        A fitted model: fastaif's own (linear predictors, QuadraticRegression,
        BasisRegression, KernelRegression, networks, RandomizedSmoothing around one of
        these, a DifferentiableModel of your own in torch or JAX), scikit-learn's linear
        and generalised linear models and KernelRidge, behind preprocessing of any depth,
        which is held fixed under attack, a result of statsmodels, or what
        `fastaif.adapters.register` describes. docs/MODELS.md lists them.
    X : array (n, m)
        The data of the fit: any layout, float64 or float32, memory maps, frames, SciPy's sparse
        matrices, Dask arrays and dataframes, paths of parquet files, the frame that a pipeline was
        fitted to (strings and missing cells included), or an iterable of (X, y) or
        (X, y, sample_weight) blocks. What is not in memory is read block by block. An iterator,
        which can be gone through only once, is enough; its result is that of
        `InfluenceAccumulator`.
    y : array (n,)
        The name of the target column for parquet files, None for blocks.
    p : float in [1, inf], default 2
        The attack's norm.
    order : float, default inf
        u of a budget that the samples share, ``(E ‖δ_i/c‖_p^u)^{1/u} ≤ ε s`` (Wasserstein
        attacks, section 6.2); inf: each sample has its own, εs; 1: what is best for the
        attack goes to the sample of the steepest loss.
    radius : "mean_norm" or float, default "mean_norm"
        s. "mean_norm" is the paper's ``E‖x/c‖_p``; 1.0 makes ε absolute.
    feature_scale : array (m,), optional
        Multiplies c: the unit in which each feature may be moved; 0 excludes it. A Series or a
        mapping is taken by the features' names.
    attackable : boolean array (m,) or list of feature names, optional
        Which features may be attacked; all by default.
    attack_space : {"scaled", "raw"}, default "scaled"
        Behind a scaler: whether attacks are measured in each feature's scale (c = σ, s from the
        scaled inputs) or in raw units (c = 1). Only scalers before features of several inputs
        count. What a pipeline drops, categories and missing cells are not attacked, nor in s.
    sample_weight : array (n,), optional
        Of the rows in every mean, s included: 2 is the row twice. θ̂ is to be that of the weights.
    formula : {"exact", "paper", "ball"}, default "exact"
        "paper": Theorem 6.1 as printed, which gives all of a shared budget to one sample.
        It is right for order 1, and for comparison only at other finite orders; at inf the
        paper has Theorem 4.1, the same as "exact". "ball", with order=1: the Wasserstein ball
        itself, whose distributions may split samples, ``Φ = s Lip(ℓ) ∇‖c∘β‖_q``; for linear
        predictors and losses that are Lipschitz in f (logistic, Huber).
    damping : float or "auto", default 0.0
        Added to the diagonal of H before it is inverted (section 4.1's surrogate). "auto" adds
        nothing to a positive definite H, and otherwise what brings its least eigenvalue up to
        1.5e-8 of the largest; ``diagnostics["damping"]`` says how much.
    solver : {"auto", "cholesky", "cg", "lissa"}, default "auto"
        How H is inverted (Remark 1). "cholesky" forms H. "cg", preconditioned conjugate
        gradients, passes over the rows for every product with H and never forms it.
        "lissa", a stochastic Neumann series over sampled rows, is an estimate with a relative
        residual of 1e-4, for well-conditioned H. "auto" is "cholesky" up to 10,000 parameters
        (4,000 of a DifferentiableModel) where memory allows, then "cg"; of linear predictors with
        more than 400 parameters and 1.5 times as many as rows it is a matrix of the rows,
        "woodbury"; ``diagnostics["solver"]`` says which. Kernel regression with moving centres and
        networks of fastaif's own have one way only, and take "auto" or "cholesky".
    hessian : {"exact", "gauss_newton"}, default "exact"
        Of networks "gauss_newton" leaves out ``E ℓ' ∇²_θ f``: what is left is never
        indefinite. The same for models that are linear in θ.
    refine : bool, default False
        First bring θ̂ to a stationary point of (X, y) by Newton's method.
    random_state : optional
        The seed of solver="lissa"; the others draw nothing.
    n_threads : int, optional
        All cores by default; the result is the same to the bit on any number.
    at : float, default 0.0
        The ε at which the derivative is taken, to the right. Above 0 for linear predictors (without
        an l1 penalty), softmax models and several outputs at order inf: θ_at is found from θ̂,
        `params` is θ_at, `predict_params` and `sensitivity` go on from there, and `validity_radius`
        is the ε at which the tangent meets its next kink: an estimate, the better the nearer the
        kink is, that may pass others by. Of several predictions it is as good as the worst attacks
        that ascents find, and refused where it is not known which of them are as bad.
    bounds : (lo, hi), optional
        Between which attacked samples stay, in raw units: each a number, an array (m,), a dict
        or Series of some features (the others are free) or None (free). To first order a sample at
        a bound cannot move outward; s stays as without. This and the three below are for all models
        but kernels with moving centres, at order inf.
    budgets : array (n,), optional
        What multiplies ε s, a number a sample: ``‖δ_i/c‖_p ≤ ε s t_i``.
    metric : array (m, m), optional
        Σ, symmetric and positive definite, of ``(δ/c)ᵀΣ⁻¹(δ/c) ≤ ε² s²``, p = 2, with c = 1 or, in
        the scaled space, a scaler's σ; s is the mean of the same norm, so that diag(c²) is
        feature_scale=c. What is not attackable stays.
    groups : lists of features, optional
        Names or numbers: ``‖(‖δ_G/c‖₂)_G‖_p ≤ ε s``; features in no list are groups alone.

    Returns
    -------
    InfluenceResult

    Raises
    ------
    NotFittedError, TypeError, ValueError
        For what is wrong with the arguments; the message names it.
    numpy.linalg.LinAlgError
        The Hessian is singular or indefinite, or "lissa" diverges on it.

    Warns
    -----
    InfluenceWarning
        Some gradients are zero, the attack direction is not unique, θ̂ is not
        stationary on (X, y), or an iterative solver stopped early.

    See Also
    --------
    InfluenceAccumulator : the same for rows that come in blocks.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> result = fa.aif(fa.LinearRegression().fit(X, y), X, y, p=2)
    >>> result.influence.shape
    (11,)
    """
    threat = Threat(
        p, order, radius, feature_scale, attackable, attack_space, formula, bounds, budgets, metric,
        groups,
    )  # fmt: skip
    size = validation.number(at, "at", low=0.0)
    if size > 0.0:
        options = {"damping": damping != 0.0, "solver": solver not in ("auto", "cholesky"),
                   "refine": refine}  # fmt: skip
        _refuse_beside_at(size, options)
        problem = prepare(
            estimator, X, y, threat, sample_weight=sample_weight, n_threads=n_threads
        )  # fmt: skip
        return along_path(problem, size)
    return influence_of(
        estimator, X, y, threat, sample_weight, damping, solver, hessian, refine, random_state,
        n_threads,
    )  # fmt: skip


def _refuse_beside_at(at: float, options: dict[str, bool]) -> None:
    for name, given in options.items():
        if given:
            raise ValueError(
                f"{name} is of the influence at ε = 0: it has no meaning beside at={at:g}, where "
                "the robust optimum itself is solved"
            )


def influence_of(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    threat: Threat,
    sample_weight: WeightsLike = None,
    damping: float | str = 0.0,
    solver: str = "auto",
    hessian: str = "exact",
    refine: bool = False,
    random_state: RandomState = None,
    n_threads: int | None = None,
) -> InfluenceResult:
    """`aif` for an attacker."""
    validation.option(solver, "solver", ["auto", "cholesky", "cg", "lissa"])
    validation.option(hessian, "hessian", ["exact", "gauss_newton"])
    if damping != "auto":
        damping = validation.number(damping, "damping", low=0.0)
    if y is None and is_one_shot(X):
        _refuse_more_passes(solver, refine, hessian, sample_weight)
        return _of_iterator(estimator, X, threat, damping, n_threads)
    problem = prepare(
        estimator, X, y, threat, sample_weight=sample_weight, damping=damping, solver=solver,
        random_state=random_state, n_threads=n_threads, hessian=hessian, begin=False,
    )  # fmt: skip
    with blas_for_solves(len(problem.params)):  # once around all: small problems notice
        start(problem)
        if refine:
            problem = _refined(problem)
        return conclude(problem, InfluenceResult, estimator)


def _of_iterator(
    estimator: Any, blocks: Any, threat: Threat, damping: float | str, n_threads: int | None
) -> InfluenceResult:
    """The influence on blocks that come once: one pass is all that it takes."""
    total = InfluenceAccumulator.against(threat, estimator, damping, n_threads)

    def add(numbered: tuple[int, Any]) -> None:
        number, part = numbered
        block = as_block(part, number)
        if np.ndim(block.X) == 2 and np.shape(block.X)[0] == 0:
            return
        try:
            total.update(block.X, block.y, block.sample_weight)
        except (TypeError, ValueError) as error:
            error.add_note(f"This is block {number} of X.")
            raise

    overlapped(enumerate(blocks), add)
    if total.n_rows == 0:
        raise ValueError("X is an iterator without rows")
    return total.result()


def _refuse_more_passes(solver: str, refine: bool, hessian: str, sample_weight: Any) -> None:
    """What an iterator cannot give."""
    refuse_weights(sample_weight)
    for option, wanted in (
        (f"solver={solver!r}", solver in ("cg", "lissa")), ("refine=True", refine),
        (f"hessian={hessian!r}", hessian != "exact"),
    ):  # fmt: skip
        if wanted:
            raise ValueError(
                f"{option} takes more than the one pass that an iterator allows: give X as a list "
                "of blocks, or as an object whose __iter__ starts again"
            )


def _refined(problem: InfluenceProblem) -> InfluenceProblem:
    """The same problem at a stationary θ̂."""
    found = problem.fit_result()
    if not found.converged:
        raise np.linalg.LinAlgError(
            f"refine=True did not reach a stationary point in {found.n_iter} Newton steps; "
            "use alpha > 0, or a model that is fitted more closely"
        )
    return problem.at(found.x)
