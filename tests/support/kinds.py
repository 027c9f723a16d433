"""Every kind of fitted model that is taken, with data, and what is refused: the table of the docs.

`PYTHONPATH=.:tests python -m support.kinds` writes docs/MODELS.md anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import linear_model as sk
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
    f_regression,
)
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeRegressor

import fastaif as fa

from .estimators import TIGHT

NUMBERS = ["age", "bmi", "dose", "rate"]
N = 90
DOCS = Path(__file__).parents[2] / "docs" / "MODELS.md"


def frame(seed: int = 0) -> pd.DataFrame:
    """Numbers of unlike scales, one with gaps, categories, and a date."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 4)) @ (np.eye(4) + 0.2 * rng.normal(size=(4, 4)))
    found = pd.DataFrame(X * [10.0, 3.0, 0.5, 1.0] + [40.0, 25.0, 2.5, 0.2], columns=NUMBERS)
    found["lab"] = np.where(rng.uniform(size=N) < 0.2, np.nan, rng.normal(1.0, 2.0, size=N))
    found["city"] = rng.choice(["Bern", "Oslo", "Rome"], size=N)
    found["grade"] = rng.choice(["low", "mid", "top"], size=N)
    found["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N), unit="D")
    return found


def target(kind: str, X: pd.DataFrame, seed: int = 1) -> np.ndarray:
    """Targets of a kind: numbers, labels 0 and 1, or counts."""
    rng = np.random.default_rng(seed)
    Z = X[NUMBERS].to_numpy()
    f = ((Z - Z.mean(axis=0)) / Z.std(axis=0)) @ [0.5, -0.4, 0.3, 0.2]
    f = f + 0.5 * (X["city"] == "Oslo").to_numpy() + 0.2 * np.nan_to_num(X["lab"].to_numpy())
    if kind == "linear":
        return 3.0 + f + rng.normal(size=N)
    if kind == "outputs":
        return np.column_stack([3.0 + f, 2.0 * f]) + rng.normal(size=(N, 2))
    if kind in LABELLED:
        return (f + rng.logistic(size=N) > 0).astype(int)
    if kind == "classes":
        return np.digitize(f + rng.logistic(size=N), [-0.5, 1.0])
    counts = rng.poisson(np.exp(0.5 + 0.4 * f)).astype(float)
    return rng.gamma(3.0, np.exp(0.4 * f)) if kind == "gamma" else counts


LABELLED = ("labels", "logistic", "probit", "cloglog", "squared_hinge")
POWER, DISPERSION = 1.5, 0.7


class Kind(NamedTuple):
    """A kind of model.

    Attributes
    ----------
    model : callable
        From X and y to the fitted model.
    kind : str
        Of the targets, as `target` has them.
    columns : list of str
        Of X.
    attacked : list of str
        Those that can be attacked.
    alpha : callable
        From the model inside and W to α.
    note : str
        For the table.
    """

    model: Callable[[Any, Any], Any]
    kind: str = "linear"
    columns: list[str] = NUMBERS
    attacked: list[str] = NUMBERS
    alpha: Callable[[Any, float], Any] = lambda step, W: 0.0
    note: str = ""


LOSS = {"linear": "squared_error", "labels": "squared_error"}
PARAMETER = {"tweedie": {"delta": POWER}, "negative_binomial": {"delta": DISPERSION}}


def fitting(estimator: Any) -> Callable[[Any, Any], Any]:
    def fit(X: Any, y: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return estimator.fit(X, y)

    return fit


def of(estimator: Any, alpha: Callable[[Any, float], Any] | None = None, **options: Any) -> Kind:
    return Kind(fitting(estimator), alpha=alpha or (lambda step, W: 0.0), **options)


def scaled(estimator: Any, *steps: Any) -> Any:
    return make_pipeline(*(steps or [StandardScaler()]), estimator)


def behind(*steps: Any, **options: Any) -> Kind:
    """A ridge regression behind some steps."""
    return of(make_pipeline(*steps, sk.Ridge(2.0)), lambda step, W: 2.0 / W, **options)


def in_columns(*parts: Any, columns: list[str], attacked: list[str], **options: Any) -> Kind:
    """A ridge regression behind a ColumnTransformer."""
    steps = ColumnTransformer([(f"part{k}", *part) for k, part in enumerate(parts)], **options)
    return behind(steps, columns=columns, attacked=attacked)


def statsmodels(make: Callable[..., Any], kind: str) -> Kind:
    """A result of statsmodels; `exog` has a constant."""

    def fit(X: Any, y: Any) -> Any:
        import statsmodels.api as sm

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(sm, y, X)

    return Kind(fit, kind, ["const", *NUMBERS], NUMBERS)


def _glm(family: str, link: str, **options: Any) -> Callable[..., Any]:
    def make(sm: Any, y: Any, X: Any) -> Any:
        kind = getattr(sm.families, family)(getattr(sm.families.links, link)(), **options)
        return sm.GLM(y, X, family=kind).fit(tol=1e-13)

    return make


def _ard(step: Any, W: float) -> Any:
    return step.lambda_[step.lambda_ < step.threshold_lambda] / step.alpha_ / W


_C = 0.7
# From 1.8 on l1_ratio alone says which penalty it is.
_OLD = sk.LogisticRegression().penalty == "l2"
_ELASTIC = {"penalty": "elasticnet"} if _OLD else {}
_logit = lambda step, W: 0.5 / step.C / W  # noqa: E731

NETWORK = {
    "activation": "tanh", "solver": "lbfgs", "alpha": 0.5, "random_state": 0, "max_iter": 5000,
    "tol": 1e-12, "max_fun": 10**6,
}  # fmt: skip

MODELS: dict[str, Kind] = {
    "LinearRegression": of(sk.LinearRegression()),
    "Ridge": of(sk.Ridge(2.0), lambda step, W: 2.0 / W),
    "RidgeCV": of(sk.RidgeCV([0.1, 3.0]), lambda step, W: step.alpha_ / W),
    "Ridge (several outputs)": of(
        scaled(sk.Ridge(2.0)), lambda step, W: 2.0 / W, kind="outputs",
        note="LinearRegression and RidgeCV too, behind scalers and encoders at most",
    ),
    "Lasso": of(scaled(sk.Lasso(0.3, tol=1e-12)), note="LassoLars too"),
    "LassoCV": of(scaled(sk.LassoCV(cv=3, alphas=[0.2, 0.4], tol=1e-12))),
    "ElasticNet": of(
        scaled(sk.ElasticNet(0.4, l1_ratio=0.7, tol=1e-12)), lambda step, W: 0.4 * 0.3
    ),
    "ElasticNetCV": of(
        scaled(sk.ElasticNetCV(l1_ratio=[0.6, 0.8], cv=3, alphas=[0.3, 0.5], tol=1e-12)),
        lambda step, W: step.alpha_ * (1.0 - step.l1_ratio_),
    ),
    "RidgeClassifier": of(sk.RidgeClassifier(2.0), lambda step, W: 2.0 / W, kind="labels"),
    "RidgeClassifierCV": of(
        sk.RidgeClassifierCV([1.0, 4.0]), lambda step, W: step.alpha_ / W, kind="labels"
    ),
    "BayesianRidge": of(
        sk.BayesianRidge(), lambda step, W: step.lambda_ / step.alpha_ / W,
        note="its precisions held fixed",
    ),
    "ARDRegression": of(scaled(sk.ARDRegression()), _ard, note="its precisions held fixed"),
    "LogisticRegression": of(
        scaled(sk.LogisticRegression(**{**TIGHT, "C": _C})), _logit, kind="logistic",
        note="class_weight folded into the sample weights",
    ),
    "LogisticRegression (l1, elastic net)": of(
        scaled(
            sk.LogisticRegression(
                C=0.2, solver="saga", l1_ratio=0.6, tol=1e-12, max_iter=10_000, **_ELASTIC
            )
        ),
        lambda step, W: 0.4 * _logit(step, W), kind="logistic",
        note="two classes; of liblinear without an intercept",
    ),
    "LogisticRegression (multinomial)": of(
        scaled(sk.LogisticRegression(**{**TIGHT, "C": _C})), _logit, kind="classes",
        note="three classes or more, behind scalers and encoders at most",
    ),
    "LogisticRegression (liblinear)": of(
        scaled(sk.LogisticRegression(C=_C, solver="liblinear", tol=1e-12, max_iter=10_000)),
        lambda step, W: np.r_[np.full(4, _logit(step, W)), _logit(step, W)], kind="logistic",
        note="penalises its intercept, as does its influence",
    ),
    "LogisticRegressionCV": of(
        scaled(sk.LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, tol=1e-10, max_iter=1000)),
        lambda step, W: 0.5 / np.ravel(step.C_)[0] / W, kind="logistic",
    ),
    "SGDRegressor": of(
        scaled(sk.SGDRegressor(alpha=0.1)), lambda step, W: 0.1, note="squared_error"
    ),
    "SGDRegressor (l1, elastic net)": of(
        scaled(
            sk.SGDRegressor(alpha=0.3, penalty="elasticnet", l1_ratio=0.8, random_state=0)
        ),
        lambda step, W: 0.3 * 0.2, note="squared_error",
    ),
    "SGDClassifier": of(
        scaled(sk.SGDClassifier("log_loss", alpha=0.1)), lambda step, W: 0.05, kind="logistic",
        note="log_loss, squared_hinge",
    ),
    "SGDClassifier (l1, elastic net)": of(
        scaled(sk.SGDClassifier("log_loss", alpha=0.01, penalty="l1", random_state=0)),
        kind="logistic",
        note="log_loss, squared_hinge",
    ),
    "LinearSVR": of(
        scaled(LinearSVR(loss="squared_epsilon_insensitive", epsilon=0.0, C=_C, tol=1e-10)),
        lambda step, W: np.full(5, 0.5 / _C / W),
        note="squared loss, epsilon=0; penalises its intercept",
    ),
    "PoissonRegressor": of(
        scaled(sk.PoissonRegressor(**{**TIGHT, "alpha": 0.2})), lambda step, W: 0.1,
        kind="poisson",
    ),
    "TweedieRegressor (power 0)": of(
        scaled(sk.TweedieRegressor(power=0, alpha=0.2, tol=1e-12)), lambda step, W: 0.2
    ),
    "TweedieRegressor (power 1)": of(
        scaled(sk.TweedieRegressor(power=1, alpha=0.2, tol=1e-12)), lambda step, W: 0.1,
        kind="poisson",
    ),
    "TweedieRegressor (power 1.5)": of(
        scaled(sk.TweedieRegressor(power=POWER, alpha=0.2, tol=1e-12, solver="newton-cholesky")),
        lambda step, W: 0.1, kind="tweedie", note="powers from 1 to 2",
    ),
    "GammaRegressor": of(
        scaled(sk.GammaRegressor(alpha=0.2, tol=1e-12, solver="newton-cholesky")),
        lambda step, W: 0.1, kind="gamma",
    ),
    "MLPRegressor": of(
        scaled(MLPRegressor(**NETWORK, hidden_layer_sizes=3)), lambda step, W: 0.5 / W,
        note="one hidden layer of tanh has a compiled pass",
    ),
    "MLPRegressor (two layers, logistic)": of(
        scaled(MLPRegressor(**(NETWORK | {"activation": "logistic"}), hidden_layer_sizes=(3, 2))),
        lambda step, W: 0.5 / W, note="any depth; tanh, logistic, identity",
    ),
    "MLPRegressor (relu)": of(
        scaled(MLPRegressor(
            **(NETWORK | {"activation": "relu", "max_iter": 6}), hidden_layer_sizes=(3, 2)
        )),
        lambda step, W: 0.5 / W, note="its kinks are counted",
    ),
    "MLPRegressor (adam)": of(
        scaled(MLPRegressor(hidden_layer_sizes=(3,), alpha=0.5, random_state=0, max_iter=50)),
        lambda step, W: 0.5 / W,
        note="the penalty of a mean batch; refine=True makes it stationary",
    ),
    "MLPRegressor (several outputs)": of(
        scaled(MLPRegressor(**NETWORK, hidden_layer_sizes=(3,))), lambda step, W: 0.5 / W,
        kind="outputs",
    ),
    "MLPClassifier": of(
        scaled(MLPClassifier(**NETWORK, hidden_layer_sizes=(3, 2))), lambda step, W: 0.25 / W,
        kind="logistic",
    ),
    "MLPClassifier (multinomial)": of(
        scaled(MLPClassifier(**NETWORK, hidden_layer_sizes=(3,))), lambda step, W: 0.25 / W,
        kind="classes",
    ),
    "HuberRegressor": of(
        scaled(sk.HuberRegressor(alpha=0.3, epsilon=1.5, tol=1e-10, max_iter=5000)),
        lambda step, W: 0.3 / W, note="its scale is the last entry of θ, fitted jointly",
    ),
    "LinearSVC": of(
        scaled(LinearSVC(C=_C, tol=1e-10, max_iter=100_000)),
        lambda step, W: np.full(5, 0.5 / _C / W), kind="squared_hinge",
        note="squared hinge; penalises its intercept",
    ),
    "TransformedTargetRegressor": of(
        TransformedTargetRegressor(sk.Ridge(2.0), transformer=StandardScaler()),
        lambda step, W: 2.0 / W, note="the loss is that of the transformed targets",
    ),
    "TransformedTargetRegressor (func)": of(
        TransformedTargetRegressor(
            make_pipeline(StandardScaler(), sk.Ridge(2.0)), func=np.arcsinh, inverse_func=np.sinh
        ),
        lambda step, W: 2.0 / W, note="the loss is that of the transformed targets",
    ),
}  # fmt: skip

RESULTS: dict[str, Kind] = {
    "OLS": statsmodels(lambda sm, y, X: sm.OLS(y, X).fit(), "linear"),
    "WLS": statsmodels(
        lambda sm, y, X: sm.WLS(y, X, weights=np.linspace(0.5, 2.0, len(y))).fit(), "linear"
    ),
    "GLM (Gaussian)": statsmodels(lambda sm, y, X: sm.GLM(y, X).fit(tol=1e-13), "linear"),
    "GLM (Binomial, logit)": statsmodels(
        lambda sm, y, X: sm.GLM(y, X, family=sm.families.Binomial()).fit(tol=1e-13), "logistic"
    ),
    "GLM (Poisson, log)": statsmodels(
        lambda sm, y, X: sm.GLM(y, X, family=sm.families.Poisson()).fit(tol=1e-13), "poisson"
    ),
    "GLM (Binomial, probit)": statsmodels(
        _glm("Binomial", "Probit"), "probit"
    ),
    "GLM (Binomial, cloglog)": statsmodels(_glm("Binomial", "CLogLog"), "cloglog"),
    "GLM (Gamma, log)": statsmodels(_glm("Gamma", "Log"), "gamma"),
    "GLM (Tweedie, log)": statsmodels(_glm("Tweedie", "Log", var_power=POWER), "tweedie"),
    "GLM (NegativeBinomial, log)": statsmodels(
        _glm("NegativeBinomial", "Log", alpha=DISPERSION), "negative_binomial"
    ),
    "Probit": statsmodels(lambda sm, y, X: sm.Probit(y, X).fit(disp=0, tol=1e-13), "probit"),
    "MNLogit": statsmodels(
        lambda sm, y, X: sm.MNLogit(y, X).fit(disp=0, tol=1e-13, maxiter=100), "classes"
    )._replace(note="θ is that of the classes but for the first"),
    "Logit": statsmodels(lambda sm, y, X: sm.Logit(y, X).fit(disp=0, tol=1e-13), "logistic"),
    "Poisson": statsmodels(
        lambda sm, y, X: sm.Poisson(y, X).fit(disp=0, method="newton", tol=1e-13), "poisson"
    ),
}

_MIXED = ["age", "bmi", "city", "grade"]
_GAPS = ["age", "lab", "city"]
_ENCODED = {"columns": _MIXED, "attacked": ["age", "bmi"]}


def _encoded(encoder: Any) -> Kind:
    return in_columns((StandardScaler(), ["age", "bmi"]), (encoder, ["city", "grade"]), **_ENCODED)


PREPROCESSING: dict[str, Kind] = {
    "StandardScaler": behind(StandardScaler()),
    "MinMaxScaler": behind(MinMaxScaler()),
    "MaxAbsScaler": behind(MaxAbsScaler()),
    "RobustScaler": behind(RobustScaler()),
    "PCA": behind(PCA(3)),
    "PCA (whitened)": behind(StandardScaler(), PCA(2, whiten=True)),
    "IncrementalPCA": behind(IncrementalPCA(3)),
    "TruncatedSVD": behind(TruncatedSVD(2, random_state=0)),
    "VarianceThreshold": behind(
        VarianceThreshold(2.0), attacked=["age", "bmi"], note="what is left out is not attacked"
    ),
    "SelectKBest": behind(
        StandardScaler(), SelectKBest(f_regression, k=2), attacked=["dose", "rate"],
        note="what is left out is not attacked",
    ),
    "SelectPercentile": behind(SelectPercentile(f_regression, percentile=100)),
    "SelectFromModel": behind(SelectFromModel(sk.Ridge(), threshold=-np.inf)),
    "SimpleImputer": behind(
        SimpleImputer(), StandardScaler(), columns=[*NUMBERS, "lab"], attacked=[*NUMBERS, "lab"],
        note="missing cells are not attacked",
    ),
    "SimpleImputer (median, indicator)": behind(
        SimpleImputer(strategy="median", add_indicator=True), columns=["age", "lab"],
        attacked=["age", "lab"], note="missing cells are not attacked",
    ),
    "passthrough": in_columns(("passthrough", ["bmi", "age"]), **_ENCODED),
    "drop": in_columns(
        ("drop", ["bmi"]), (MinMaxScaler(), ["age", "dose"]), columns=NUMBERS,
        attacked=["age", "dose"],
    ),
    "remainder": in_columns(
        (StandardScaler(), ["age"]), columns=NUMBERS, attacked=NUMBERS, remainder="passthrough"
    ),
    "ColumnTransformer": _encoded(OneHotEncoder()),
    "FeatureUnion": behind(
        FeatureUnion([("a", StandardScaler()), ("b", PCA(2))], transformer_weights={"b": 0.3})
    ),
    "Pipeline in a Pipeline": behind(make_pipeline(StandardScaler(), PCA(3)), RobustScaler()),
    "any depth": of(
        make_pipeline(
            ColumnTransformer([
                ("n", make_pipeline(SimpleImputer(), FeatureUnion([
                    ("s", StandardScaler()),
                    ("p", make_pipeline(MinMaxScaler(), PolynomialFeatures(3))),
                ])), ["age", "lab"]),
                ("c", make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(drop="first")
                ), ["city"]),
            ]),
            Pipeline([("scale", MaxAbsScaler()), ("model", sk.Ridge(2.0))]),
        ),
        lambda step, W: 2.0 / W, columns=_GAPS, attacked=["age", "lab"],
    ),
    "OneHotEncoder": _encoded(OneHotEncoder(drop="first", sparse_output=False)),
    "OrdinalEncoder": _encoded(OrdinalEncoder()),
    "TargetEncoder": _encoded(TargetEncoder(random_state=0)),
    "KBinsDiscretizer": in_columns(
        (StandardScaler(), ["age"]), (KBinsDiscretizer(3), ["bmi", "dose"]),
        columns=["age", "bmi", "dose"], attacked=["age"],
    ),
    "PolynomialFeatures(2)": behind(StandardScaler(), PolynomialFeatures(2)),
    "PolynomialFeatures(3)": behind(StandardScaler(), PolynomialFeatures(3)),
    "PolynomialFeatures (interactions)": behind(
        StandardScaler(), PolynomialFeatures(2, interaction_only=True)
    ),
    "SplineTransformer": behind(
        SplineTransformer(knots=np.linspace([15, 15, 0.5, -4], [60, 32, 4, 4], 4)),
        note="constant ends are kinks, which are counted",
    ),
    "SplineTransformer (linear)": behind(
        StandardScaler(), SplineTransformer(4, degree=4, extrapolation="linear", include_bias=False)
    ),
    "Nystroem": behind(StandardScaler(), Nystroem(n_components=12, random_state=0)),
    "RBFSampler": behind(StandardScaler(), RBFSampler(gamma=0.1, n_components=9, random_state=0)),
    "PowerTransformer": behind(PowerTransformer()),
    "PowerTransformer (Box-Cox)": behind(
        PowerTransformer(method="box-cox"), columns=["age", "bmi"], attacked=["age", "bmi"]
    ),
    "FunctionTransformer(None)": behind(FunctionTransformer(), StandardScaler()),
    "FunctionTransformer(np.log)": behind(
        FunctionTransformer(np.log), StandardScaler(), columns=["age", "bmi"],
        attacked=["age", "bmi"], note="and NumPy's log1p, sqrt, exp, …",
    ),
}  # fmt: skip
for _name in ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder", "KBinsDiscretizer"):
    PREPROCESSING[_name] = PREPROCESSING[_name]._replace(note="held fixed, not attacked")

OURS: dict[str, Kind] = {
    "LinearRegression": of(fa.LinearRegression(alpha=0.1), lambda step, W: 0.1),
    "LinearRegression (elastic net)": of(
        scaled(fa.LinearRegression(alpha=0.6, l1_ratio=0.8)), lambda step, W: 0.6 * 0.2,
        note="l1_ratio > 0; so are all of one prediction",
    ),
    "LinearRegression (several outputs)": of(
        scaled(fa.LinearRegression(alpha=0.1)), lambda step, W: 0.1, kind="outputs",
        note="behind scalers and encoders at most",
    ),
    "LogisticRegression": of(
        scaled(fa.LogisticRegression(alpha=0.05)), lambda step, W: 0.05, kind="logistic"
    ),
    "LogisticRegression (multinomial)": of(
        scaled(fa.LogisticRegression(alpha=0.05)), lambda step, W: 0.05, kind="classes",
        note="three classes or more, behind scalers and encoders at most",
    ),
    "PoissonRegression": of(
        scaled(fa.PoissonRegression(alpha=0.05)), lambda step, W: 0.05, kind="poisson"
    ),
}


class Refusal(NamedTuple):
    """What is refused, and the words of the reason."""

    model: Callable[[Any, Any], Any]
    kind: str
    reason: str


def no(estimator: Any, kind: str, reason: str) -> Refusal:
    return Refusal(fitting(estimator), kind, reason)


REFUSED: dict[str, Refusal] = {
    "DecisionTreeRegressor": no(DecisionTreeRegressor(), "linear", "no gradient"),
    "RandomForestClassifier": no(RandomForestClassifier(3), "logistic", "no gradient"),
    "GradientBoostingClassifier": no(
        GradientBoostingClassifier(n_estimators=3), "logistic", "no gradient"
    ),
    "HistGradientBoostingRegressor": no(
        HistGradientBoostingRegressor(max_iter=2), "linear", "no gradient"
    ),
    "AdaBoostClassifier": no(AdaBoostClassifier(n_estimators=3), "logistic", "no gradient"),
    "KNeighborsRegressor": no(KNeighborsRegressor(), "linear", "no gradient"),
    "GridSearchCV": no(GridSearchCV(sk.Ridge(), {"alpha": [1.0]}), "linear", "best_estimator_"),
    "FixedThresholdClassifier": no(
        FixedThresholdClassifier(sk.LogisticRegression()), "logistic",
        r"give the fitted model inside \(estimator_\)",
    ),
    "CalibratedClassifierCV": no(
        CalibratedClassifierCV(sk.LogisticRegression()), "logistic",
        r"calibrated_classifiers_\[0\].estimator",
    ),
    "BaggingRegressor": no(BaggingRegressor(sk.Ridge()), "linear", "one of estimators_"),
    "VotingRegressor": no(VotingRegressor([("a", sk.Ridge())]), "linear", "one of estimators_"),
    "SVC": no(SVC(), "logistic", "the hinge, has no second derivative"),
    "LinearSVC(loss='hinge')": no(
        scaled(LinearSVC(loss="hinge")), "logistic", "loss='squared_hinge'"
    ),
    "SVR": no(SVR(), "linear", "epsilon-insensitive"),
    "MultiTaskLasso": no(sk.MultiTaskLasso(0.1), "outputs", "a Lasso or an ElasticNet an output"),
    "QuantileRegressor": no(sk.QuantileRegressor(), "linear", "no second derivative"),
    "MLPRegressor(loss='poisson')": no(
        MLPRegressor(loss="poisson", hidden_layer_sizes=(2,), max_iter=5), "poisson",
        "loss='squared_error'",
    ),
    "GaussianNB": no(GaussianNB(), "logistic", "fits densities"),
    "LinearRegression(positive=True)": no(
        sk.LinearRegression(positive=True), "linear", "positive=False"
    ),
    "KNNImputer": no(scaled(sk.Ridge(), KNNImputer()), "linear", "SimpleImputer"),
    "QuantileTransformer": no(
        scaled(sk.Ridge(), QuantileTransformer(n_quantiles=10)), "linear", "PowerTransformer"
    ),
    "Normalizer": no(scaled(sk.Ridge(), Normalizer()), "linear", "StandardScaler"),
    "MinMaxScaler(clip=True)": no(
        scaled(sk.Ridge(), MinMaxScaler(clip=True)), "linear", "clip=False"
    ),
}

GROUPS = {
    "fastaif's own": OURS, "scikit-learn's models": MODELS, "statsmodels' results": RESULTS,
    "Preprocessing": PREPROCESSING,
}  # fmt: skip


def accepted() -> dict[tuple[str, str], Kind]:
    """All kinds, by group and name."""
    return {(group, name): kind for group, kinds in GROUPS.items() for name, kind in kinds.items()}


def data_of(kind: Kind) -> tuple[pd.DataFrame, np.ndarray]:
    """X and y of a kind."""
    whole = frame()
    y = target(kind.kind, whole)
    if kind.columns[0] == "const":
        whole["const"] = 1.0
    return whole[kind.columns], y


def reason_of(refusal: Refusal) -> str:
    """The message with which it is refused."""
    whole = frame()
    X, y = whole[NUMBERS], target(refusal.kind, whole)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = refusal.model(X, y)
    try:
        fa.aif(model, X, y)
    except (TypeError, ValueError) as error:
        return str(error)
    raise AssertionError("it was not refused")


def table() -> str:
    """docs/MODELS.md."""
    lines = [
        "# Models that are taken, and models that are refused", "",
        "Made by `tests/adapters/test_kinds.py`, which compares the influence of every model below",
        "with one formed densely from the model's own values, and every refusal with its reason.",
        "",
    ]  # fmt: skip
    for group, kinds in GROUPS.items():
        lines += [f"## {group}", "", "| what | note |", "|---|---|"]
        lines += [f"| {name} | {kind.note} |" for name, kind in kinds.items()]
        lines.append("")
    lines += [
        "Taken as well, and compared elsewhere: fastaif's own kernels, bases and networks,",
        "scikit-learn's KernelRidge and GaussianProcessRegressor, and whatever",
        "`fastaif.adapters.register` describes.", "",
    ]  # fmt: skip
    lines += ["## Refused", "", "| what | the reason, and a way out |", "|---|---|"]
    lines += [f"| {name} | {reason_of(each)} |" for name, each in REFUSED.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCS.write_text(table(), encoding="utf-8")
