"""`choose_eps`: how robust a model may become at a given price."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from ..utils.inputs import MatrixLike, TargetsLike
from .robust_path import robust_path


def choose_eps(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    *,
    max_cost: float | None = None,
    max_relative_cost: float | None = None,
    eps: ArrayLike = 0.3,
    X_eval: Any = None,
    y_eval: Any = None,
    **attack: Any,
) -> float:
    """The largest ε whose robust training costs no more clean loss than is given.

    Parameters
    ----------
    estimator
        A fitted model (see `aif`).
    X : array (n, m)
    y : array (n,)
    max_cost : float, optional
        In units of the loss.
    max_relative_cost : float, optional
        Relative to the clean loss of the natural optimum. One of the two is given.
    eps : float or array, default 0.3
        The range that is looked at, as in `robust_path`.
    X_eval, y_eval : arrays, optional
        Where the cost is measured, unweighted; the training data by default.
    **attack
        The other arguments of `robust_path`: p, radius, feature_scale, sample_weight, …

    Returns
    -------
    float
        At most the end of the range.

    See Also
    --------
    RobustPath.choose_eps : the same of a path that is there already.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = fa.LinearRegression().fit(X, y)
    >>> eps = fa.choose_eps(model, X, y, max_relative_cost=0.05)
    >>> path = fa.robust_path(model, X, y, eps)
    >>> round(path.cost(eps) / path.clean_loss(0.0), 4)
    0.05
    """
    path = robust_path(estimator, X, y, eps, **attack)
    return path.choose_eps(max_cost, max_relative_cost, X_eval, y_eval)
