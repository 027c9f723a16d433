"""Basis models: Theorem 5.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..norms import dual_direction
from ..utils import validation
from ._arguments import nonzero, times

Array = NDArray[Any]

_BLOCK_ENTRIES = 1 << 20


@dataclass(frozen=True, eq=False)
class BasisMoments:
    """What Theorem 5.3 needs to know of a basis model f = θᵀv(x) and of its inputs.

    `basis_moments` takes them from a sample; known population values may be given directly.

    Attributes
    ----------
    gram : array (d, d)
        E[v vᵀ].
    move : array (d,)
        a = E[J φ(∇_x f)], J = ∂v/∂x.
    mean_norm : float
        s = E‖x‖_p.
    mean_jacobian : float
        E‖JᵀJ‖₂, the largest eigenvalue's mean.
    n_features : int
        m, inputs that can be attacked.
    p : float
        The attack's norm.
    """

    gram: Array
    move: Array
    mean_norm: float
    mean_jacobian: float
    n_features: int
    p: float


def basis_moments(basis: Any, coef: Any, X: Any, p: float = 2.0) -> BasisMoments:
    """Averages over a sample for Theorem 5.3.

    Parameters
    ----------
    basis : a basis of `fastaif.bases`
    coef : array (d,)
        θ of the best model in the population (or an estimate of it).
    X : array (n, m)
        A sample of the inputs; the averages' errors are of order 1/√n.
    p : float in [1, inf], default 2

    Returns
    -------
    BasisMoments

    Raises
    ------
    ValueError
        X is not a finite matrix, or `coef` does not fit the basis, or p < 1.
    """
    X = np.asarray(validation.matrix(X)[0], dtype=float)
    n, m = X.shape
    p = validation.number(p, "p", low=1.0, infinite=True)
    if isinstance(basis, type) or not hasattr(basis, "bind"):
        raise TypeError(f"basis must be one of fastaif.bases, made, but is {basis!r}")
    bound = basis.bind(m, X)
    d = bound.n_outputs(m)
    theta = nonzero(coef, "coef", d)
    gram, move, jacobian = np.zeros((d, d)), np.zeros(d), 0.0
    rows = max(1, _BLOCK_ENTRIES // (d * m))
    for block in (X[start : start + rows] for start in range(0, n, rows)):
        v = bound.features(block)
        gram += v.T @ v
        direction = dual_direction(bound.jac_t_vec(block, theta), p)
        move += bound.jac_vec(block, direction).sum(axis=0)
        units = (np.broadcast_to(row, block.shape) for row in np.eye(m))
        J = np.stack([bound.jac_vec(block, unit) for unit in units], axis=2)
        jacobian += float(np.linalg.eigvalsh(J.transpose(0, 2, 1) @ J)[:, -1].sum())
    if not np.isfinite(gram).all():
        raise ValueError("X contains NaN or infinity, or the basis does at its rows")
    mean_norm = float(np.mean(np.linalg.norm(X, ord=p, axis=1)))
    return BasisMoments(gram / n, move / n, mean_norm, jacobian / n, m, p)


def basis_sensitivity(moments: BasisMoments, mean_abs_residual: float, eps: Any = 1.0) -> Any:
    """S of a basis model (Theorem 5.3, first line): ``ε² s² (E|η|)² aᵀ E[v vᵀ]⁻¹ a``.

    It holds for any p and without an intercept (a constant among the features is one), if
    the residual η = y − θᵀv(x) of the best model is symmetric and independent of x.

    Parameters
    ----------
    moments : BasisMoments
    mean_abs_residual : float
        E|η|, in units of y.
    eps : float or array, default 1
        1 gives S/ε².

    Returns
    -------
    float or array
        In units of the loss (f − y)², shaped like `eps`.

    Raises
    ------
    ValueError
        A negative or non-finite residual or ε.
    numpy.linalg.LinAlgError
        E[v vᵀ] is singular.
    """
    _require_moments(moments)
    residual = validation.number(mean_abs_residual, "mean_abs_residual", low=0.0)
    _least_eigenvalue(moments.gram)
    size = float(moments.move @ np.linalg.solve(moments.gram, moments.move))
    return times(eps, (moments.mean_norm * residual) ** 2 * size)


def basis_sensitivity_bound(moments: BasisMoments, mean_abs_residual: float, eps: Any = 1.0) -> Any:
    """Theorem 5.3's bound: ``ε² s² (E|η|)² E‖JᵀJ‖₂ / λ_min(E[v vᵀ])``, times m^(1−2/p) if p > 2.

    Assumptions, arguments, units and errors are those of `basis_sensitivity`. It rests on
    ‖a‖₂² ≤ E‖JᵀJ‖₂ ‖φ‖₂², where ‖φ‖_p = 1 leaves ‖φ‖₂ at most 1 for p ≤ 2 and at most
    m^(1/2−1/p) above; the paper's statement is right for p ≤ 2 only.
    """
    _require_moments(moments)
    residual = validation.number(mean_abs_residual, "mean_abs_residual", low=0.0)
    size = moments.mean_jacobian / _least_eigenvalue(moments.gram)
    if moments.p > 2:
        size *= moments.n_features ** (1.0 - 2.0 / moments.p)
    return times(eps, (moments.mean_norm * residual) ** 2 * size)


def _require_moments(moments: Any) -> None:
    if not isinstance(moments, BasisMoments):
        raise TypeError(f"moments must come from basis_moments, but is {moments!r}")


def _least_eigenvalue(gram: Array) -> float:
    """λ_min of E[v vᵀ], which must be positive beyond rounding."""
    eigenvalues = np.linalg.eigvalsh(gram)
    if not eigenvalues[0] > len(gram) * np.finfo(float).eps * eigenvalues[-1]:
        raise np.linalg.LinAlgError(
            f"E[v vᵀ] is singular (its least eigenvalue is {eigenvalues[0]:.3g}): "
            "features are linearly dependent, or the sample is too small"
        )
    return float(eigenvalues[0])
