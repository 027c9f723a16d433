"""From fitted estimators, ours and scikit-learn's, to model descriptions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ..data.intake import Intake
from ..families.autodiff.model import AutodiffModel
from ..families.finite_sum.model import SumModel
from ..families.kernel.model import KernelModel
from ..families.model import Model
from ..families.vector.model import VectorModel
from ..losses.vector import VectorLoss
from ..models.differentiable import DifferentiableModel
from ..models.meta import Delegating
from ..models.smoothing import RandomizedSmoothing, rebuild_around
from .fitted import require_fitted
from .frames import NO_GAPS, Gaps
from .gaussian_process import describe_gaussian_process, is_gaussian_process
from .huber import describe_huber, is_huber
from .kernel import describe_kernel, is_kernel_model
from .linear import reader_of
from .nesting import last_step, with_last_step
from .network import describe_network, is_network
from .parts import Parts
from .pipelines import Preprocessing, split
from .refusals import refused
from .registered import LinearDescription, described
from .statsmodels import is_result, preprocessing_of, read_result, refuse_unfitted
from .sums import describe_sum, names_of_fit
from .vector import describe_vector

Array = NDArray[Any]

ACCEPTED = (
    "fastaif's LinearRegression, LogisticRegression, PoissonRegression, HuberRegression, "
    "QuadraticRegression, BasisRegression, KernelRegression, MLPRegression and MLPClassification; "
    "scikit-learn's LinearRegression, Ridge, RidgeCV, RidgeClassifier, BayesianRidge, "
    "ARDRegression, Lasso, LassoCV, LassoLars, ElasticNet and ElasticNetCV, LogisticRegression "
    "and LogisticRegressionCV, PoissonRegressor, GammaRegressor, HuberRegressor, TweedieRegressor "
    "(power 0, and from 1 to 2), SGDRegressor and SGDClassifier (smooth losses), LinearSVC and "
    "LinearSVR (squared losses), KernelRidge, GaussianProcessRegressor, MLPRegressor and "
    "MLPClassifier, and TransformedTargetRegressor; Pipelines of scalers, selectors, encoders and "
    "other preprocessing before one of these; statsmodels' OLS, WLS, GLM, Logit, MNLogit, Probit "
    "and Poisson results; RandomizedSmoothing (and a DifferentiableModel, with torch or JAX)"
)


class _Whole(NamedTuple):
    """Estimators that are read as a whole.

    Attributes
    ----------
    accepts : callable
        Whether a step is one.
    fitted : str
        The attribute that its fit sets.
    n_inputs : callable
        From a fitted step to the number of its inputs.
    describe : callable
    """

    accepts: Callable[[Any], bool]
    fitted: str
    n_inputs: Callable[[Any], int]
    describe: Callable[..., Any]


_WHOLE = (
    _Whole(is_kernel_model, "dual_coef_", lambda s: np.shape(s.X_fit_)[1], describe_kernel),
    _Whole(is_network, "coefs_", lambda s: len(s.coefs_[0]), describe_network),
    _Whole(
        is_gaussian_process, "alpha_", lambda s: np.shape(s.X_train_)[1],
        describe_gaussian_process,
    ),
    _Whole(is_huber, "coef_", lambda s: len(s.coef_), describe_huber),
)


def _whole(step: Any) -> _Whole | None:
    """How a step is read as a whole; None of linear predictors."""
    return next((whole for whole in _WHOLE if whole.accepts(step)), None)


class Described(NamedTuple):
    """A fitted model, and the randomized smoothing around it if there is one."""

    model: Model
    smoothing: RandomizedSmoothing | None = None


class Taken(NamedTuple):
    """An estimator taken apart: what is before its model, the model, and what a reader says of it.

    `read` is None of kernel regressions and networks, which are read as a whole.
    """

    estimator: Any
    before: Preprocessing
    step: Any
    read: Parts | None = None

    @property
    def intake(self) -> Intake | None:
        """What makes the model's columns of X; None where X is these."""
        read = self.read
        if read is not None and (read.pruned or read.intercept_penalty):
            return describe_sum(self.estimator, self.before, self.step, read, None).intake
        return self.before.intake


def describe(
    estimator: Any,
    n_features: int,
    column_names: tuple[str, ...] | None = None,
    taken: Taken | None = None,
) -> Described:
    """What `aif` takes: a fitted estimator, smoothed or not, or a DifferentiableModel.

    Parameters
    ----------
    estimator
    n_features : int
        m, the number of columns of its data.
    column_names : tuple of str, optional
        Their names, where the estimator was fitted without.
    taken : Taken, optional
        What `take_apart` found, where it was called before.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        As of `describe_fitted`.
    """
    if isinstance(estimator, DifferentiableModel):
        return Described(estimator.describe(n_features, column_names))
    if not isinstance(estimator, RandomizedSmoothing):
        return Described(_described(taken or _take_apart(estimator), column_names))
    check_is_fitted(estimator, "estimator_")
    model = _described(taken or _take_apart(estimator.estimator_), column_names)
    if model.intake is not None:
        raise TypeError(
            "RandomizedSmoothing around a model that does not take all of X as numbers is not "
            "supported: its copies would be of categories and constants too"
        )
    if isinstance(model, KernelModel):
        raise TypeError(
            "RandomizedSmoothing around a kernel regression is not supported: the noisy copies "
            "would be its centres"
        )
    around = dataclasses.replace(model, rebuild=rebuild_around(estimator, model.rebuild))
    return Described(around, estimator)


def judge(estimator: Any) -> None:
    """Refuse what is wrong with an estimator whatever its data: the errors of `describe`."""
    inner = estimator
    if isinstance(estimator, RandomizedSmoothing):
        check_is_fitted(estimator, "estimator_")
        inner = estimator.estimator_
    if not isinstance(inner, DifferentiableModel):
        describe_fitted(inner)


def describe_for_sums(
    estimator: Any, column_names: tuple[str, ...] | None = None
) -> SumModel | KernelModel | VectorModel | AutodiffModel:
    """The model of an estimator whose influence may be made of sums over blocks of rows.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        As of `describe_fitted`.
    """
    if isinstance(estimator, (RandomizedSmoothing, DifferentiableModel)):
        raise TypeError(
            f"an InfluenceAccumulator does not take a {type(estimator).__name__}: call "
            "aif(estimator, X, y) with all of the data"
        )
    model = describe_fitted(estimator, column_names)
    if getattr(model.weigh, "needs_all_rows", False):
        raise ValueError(
            "class_weight='balanced' depends on all of the rows together, which an "
            "InfluenceAccumulator never sees: fit with class_weight={label: weight, ...}"
        )
    return model


def describe_fitted(
    estimator: Any, column_names: tuple[str, ...] | None = None, gaps: Gaps = NO_GAPS
) -> SumModel | KernelModel | VectorModel | AutodiffModel:
    """The model description of a fitted estimator of ours or of other people's.

    Parameters
    ----------
    estimator
        See `ACCEPTED`.
    column_names : tuple of str, optional
        Names of the inputs, where the estimator was fitted without.
    gaps : Gaps, optional
        Which inputs have missing cells, which are not attacked.

    Raises
    ------
    NotFittedError
    TypeError
        An estimator that is not supported; the message lists what is.
    ValueError
        An option whose objective is not ours.
    """
    return _described(_take_apart(estimator, gaps), column_names)


def take_apart(estimator: Any, gaps: Gaps = NO_GAPS) -> Taken | None:
    """What is before the model of an estimator, and the model; None where nothing tells yet.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        As of `describe_fitted`.
    """
    if isinstance(estimator, RandomizedSmoothing):
        estimator = getattr(estimator, "estimator_", None)
    if estimator is None or isinstance(estimator, DifferentiableModel):
        return None
    return _take_apart(estimator, gaps)


def _take_apart(estimator: Any, gaps: Gaps = NO_GAPS) -> Taken:
    if isinstance(estimator, type):
        raise TypeError(
            f"{estimator.__name__} is a class: make an estimator of it and fit that, "
            f"{estimator.__name__}().fit(X, y)"
        )
    told = described(last_step(estimator))
    if isinstance(told, LinearDescription):
        return Taken(estimator, *split(estimator, gaps), told.parts())
    if told is not None:
        return _take_apart(with_last_step(estimator, lambda _: told), gaps)
    refuse_unfitted(estimator)
    if is_result(estimator):
        return Taken(estimator, preprocessing_of(estimator), estimator, read_result(estimator))
    before, step = split(estimator, gaps)
    if isinstance(step, Delegating):
        check_is_fitted(step, "estimator_")
        raise TypeError(f"{type(step).__name__} is not taken as it is: give {step.instead}")
    whole = _whole(step)
    if whole is not None:
        require_fitted(step, whole.fitted)
        return Taken(estimator, before, step)
    reader = reader_of(step)
    if reader is None:
        raise refused(step, ACCEPTED)
    require_fitted(step, "coef_")
    return Taken(estimator, before, step, reader(step))


def _described(
    taken: Taken, names: tuple[str, ...] | None
) -> SumModel | KernelModel | VectorModel | AutodiffModel:
    estimator, before, step, read = taken
    if read is not None and isinstance(read.loss, VectorLoss):
        columns = _columns(estimator, before, names, read.rows.get_rows(step)[0].shape[1])
        return describe_vector(estimator, before, step, read, columns)
    if read is not None:
        return describe_sum(estimator, before, step, read, names)
    whole = _whole(step)
    assert whole is not None
    columns = _columns(estimator, before, names, whole.n_inputs(step))
    return whole.describe(estimator, before, step, columns)


def _columns(
    estimator: Any, before: Preprocessing, columns: tuple[str, ...] | None, m: int
) -> tuple[str, ...] | None:
    """The inputs' names: those of the fit, which the data must not contradict, or the data's."""
    if before.intake is not None:
        return before.intake.columns
    return names_of_fit(estimator, columns, m)
