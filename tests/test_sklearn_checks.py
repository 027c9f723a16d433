"""scikit-learn's own checks of every estimator."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastaif as fa

ESTIMATORS = [
    fa.LinearRegression(),
    fa.LinearRegression(alpha=0.1, fit_intercept=False),
    fa.LogisticRegression(),
    fa.LogisticRegression(alpha=0.1, fit_intercept=False),
    fa.PoissonRegression(),
    fa.PoissonRegression(alpha=0.1, fit_intercept=False),
    fa.HuberRegression(),
    fa.HuberRegression(delta=2.0, alpha=0.1, fit_intercept=False),
]


def expected_failures(estimator):
    """Checks that cannot pass, with the reason."""
    if isinstance(estimator, fa.PoissonRegression) and not estimator.fit_intercept:
        reason = "exp(f) without an intercept explains little of the check's data, whoever fits it"
        return {"check_regressors_train": reason}
    return {}


# The checks fit to random and degenerate data, on which estimators may warn as they please.
@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_check(estimator, check):
    check(estimator)
