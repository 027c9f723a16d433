"""Whether estimators are fitted."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError


def require_fitted(estimator: Any, attribute: str) -> None:
    """Raise NotFittedError for an estimator without the attribute that fit sets."""
    if not hasattr(estimator, attribute):
        raise NotFittedError(
            f"This {type(estimator).__name__} instance is not fitted yet: call fit first"
        )
