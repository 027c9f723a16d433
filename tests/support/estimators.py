"""Fitted estimators of scikit-learn's."""

from __future__ import annotations

import numpy as np
from sklearn import linear_model as sk

TIGHT = {"tol": 1e-14, "max_iter": 1000, "solver": "newton-cholesky"}


def logistic(**options):
    return sk.LogisticRegression(**(TIGHT | {"C": 0.7} | options))


def poisson(**options):
    return sk.PoissonRegressor(**(TIGHT | {"alpha": 0.2} | options))


# Theirs, our kind, and alpha from the total weight W.
THEIRS = {
    "least squares": (sk.LinearRegression, {}, "linear", lambda W: 0.0),
    "ridge": (sk.Ridge, {"alpha": 3.0}, "linear", lambda W: 3.0 / W),
    "logistic": (logistic, {}, "logistic", lambda W: 1.0 / (2.0 * 0.7 * W)),
    "unpenalised logistic": (logistic, {"C": np.inf}, "logistic", lambda W: 0.0),
    "poisson": (poisson, {}, "poisson", lambda W: 0.1),
}
