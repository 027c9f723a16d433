"""Every kind of model in the docs' table: its influence by an independent route, or its refusal."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import huber_scale as huber
from oracles import layers as networks
from oracles import outputs
from oracles import pipelines as twin
from oracles import softmax as classes
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from support import kinds
from support.makers import assert_close

import fastaif as fa

ACCEPTED = kinds.accepted()
pytestmark = [
    pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


DAMPING = 20.0  # of networks: for what an early stop leaves indefinite


def is_network(model):
    return isinstance(model, Pipeline) and hasattr(model.steps[-1][1], "coefs_")


def inside(model, X, y):
    """The model inside pipelines and transformed targets, what is before it, and its targets."""
    steps = []
    while isinstance(model, (Pipeline, TransformedTargetRegressor)):
        if isinstance(model, Pipeline):
            steps += [step for _, step in model.steps[:-1]]
            model = model.steps[-1][1]
        else:
            y = model.transformer_.transform(y[:, None]).ravel()
            model = model.regressor_

    def transform(frame):
        for step in steps:
            frame = step.transform(frame)
        return frame.toarray() if hasattr(frame, "toarray") else np.asarray(frame, dtype=float)

    return model, transform, y


def wanted_of_several(kind, model, X, y, p):
    """The influence of a softmax, or of several outputs, behind a StandardScaler."""
    if hasattr(model, "params"):
        return wanted_of_mnlogit(model, X, y, p)
    scaler, step = model
    theta = np.append(np.ravel(step.coef_), step.intercept_)
    options = {
        "alpha": kind.alpha(step, len(y)), "p": p, "shift": scaler.mean_, "scale": scaler.scale_,
        "attack_space": "raw",
    }  # fmt: skip
    if kind.kind == "outputs":
        return outputs.influence(X, y, theta, **options)["influence"]
    return classes.influence(X, y, theta, len(step.classes_), **options)["influence"]


def wanted_of_mnlogit(model, X, y, p):
    """The influence of a softmax, less that of its first class."""
    rows = np.hstack([np.zeros((X.shape[1], 1)), np.array(model.params)]).T
    theta = np.append(rows[:, 1:].ravel(), rows[:, 0])
    found = classes.influence(X.iloc[:, 1:], y, theta, len(rows), p=p)["influence"]
    W, b = classes.split(found, len(rows), True)
    return np.append((W[1:] - W[0]).ravel(), b[1:] - b[0])


def wanted_of_huber(kind, model, X, y, p):
    """The influence on β, b and σ behind a StandardScaler."""
    scaler, step = model
    theta = np.r_[step.coef_, step.intercept_, step.scale_]
    found = huber.everything(
        X, y, theta, delta=step.epsilon, alpha=kind.alpha(step, len(y)), p=p, shift=scaler.mean_,
        scale=scaler.scale_, attack_space="raw",
    )  # fmt: skip
    return found["influence"]


def wanted_of_networks(kind, model, X, y, p, damping):
    """The influence of a network behind a StandardScaler, beside what changes nothing."""
    scaler, step = model
    parts = zip(step.coefs_, step.intercepts_, strict=True)
    theta = np.concatenate([np.ravel(part) for pair in parts for part in pair])
    sizes = [len(W) for W in step.coefs_] + [np.shape(step.coefs_[-1])[1]]
    loss = {"linear": "squared_error", "logistic": "logistic", "classes": "softmax",
            "outputs": "outputs"}[kind.kind]  # fmt: skip
    if loss == "logistic":
        y = np.where(y == 1, 1.0, -1.0)
    found = networks.everything(
        X, y, theta, sizes, name=step.activation, kind=loss, alpha=kind.alpha(step, len(y)), p=p,
        shift=scaler.mean_, scale=scaler.scale_, attack_space="raw",
        step=1e-7 if step.activation == "relu" else 2e-4,
    )  # fmt: skip
    flat = np.zeros((theta.size, 1))
    flat[-sizes[-1] :] = (loss == "softmax") / np.sqrt(sizes[-1])
    H = found["hessian"] + damping * np.eye(theta.size) + flat @ flat.T
    return -np.linalg.solve(H, found["mixed"])


def wanted_of(kind, model, X, y, p):
    """The influence, and the number of columns that never change."""
    if kind.kind in ("classes", "outputs"):
        return wanted_of_several(kind, model, X, y, p)
    step, transform, y = inside(model, X, y)
    weight = None
    if kind.kind in kinds.LABELLED:
        y = np.where(y == 1, 1.0, -1.0)
    if hasattr(step, "params"):
        beta, b = np.array(step.params), None
        weight = step.model.weights if type(step.model).__name__ == "WLS" else None
    else:
        beta, b = np.ravel(step.coef_), float(np.ravel(step.intercept_)[0])
    V = transform(X)
    varies = np.ptp(V, axis=0) > 0.0
    if step.__class__.__name__ == "ARDRegression":
        varies &= step.lambda_ < step.threshold_lambda
    held = np.zeros(len(beta), dtype=bool)
    if "l1" in name_of_penalty(step):
        held = beta == 0.0
        varies &= ~held
    if b is not None:
        b += float(V[0, ~varies] @ beta[~varies])
        beta, inner = beta[varies], transform
        transform = lambda frame: inner(frame)[:, varies]  # noqa: E731
    alpha = np.asarray(kind.alpha(step, len(y)), dtype=float)
    d = len(beta) + (b is not None)
    penalty = np.append(np.broadcast_to(alpha, d - 1), 0.0) if alpha.size < d else alpha
    if b is None:
        penalty = 0.0
    loss = kinds.LOSS.get(kind.kind, kind.kind)
    found = twin.influence(
        transform, X, y, beta, b, kind.attacked, loss=loss, penalty=penalty, p=p,
        sample_weight=weight, **kinds.PARAMETER.get(kind.kind, {}),
    )  # fmt: skip
    return np.insert(found, np.flatnonzero(held) - np.arange(held.sum()), 0.0)


def name_of_penalty(step):
    """With "l1" in it where zeros are held at zero."""
    if getattr(step, "penalty", None) in ("l1", "elasticnet") or "Lasso" in type(step).__name__:
        return "l1"
    return "l1" if np.any(getattr(step, "l1_ratio", 0.0)) and hasattr(step, "coef_") else ""


@pytest.mark.every
@pytest.mark.parametrize("name", ACCEPTED, ids=" ".join)
def test_influence_by_the_pipelines_own_transform(name):
    kind = ACCEPTED[name]
    X, y = kinds.data_of(kind)
    model = kind.model(X, y)
    for p in (1.0, 2.0, np.inf):
        if is_network(model):
            found = fa.aif(model, X, y, p=p, attack_space="raw", damping=DAMPING)
            wanted = wanted_of_networks(kind, model, X, y, p, DAMPING)
        else:
            found = fa.aif(model, X, y, p=p, attack_space="raw")
            own = isinstance(model, Pipeline) and hasattr(model[-1], "outliers_")
            wanted = (wanted_of_huber if own else wanted_of)(kind, model, X, y, p)
        influence = found.influence
        if X.columns[0] == "const" and kind.kind != "classes":  # the intercept comes last
            wanted = np.append(wanted[1:], wanted[0])
            assert found.names == (*kinds.NUMBERS, "const")
        assert_close(influence, wanted, 1e-6)
    assert [c for c, free in zip(X.columns, found.attackable, strict=True) if free] == [
        c for c in X.columns if c in kind.attacked
    ]


@pytest.mark.every
@pytest.mark.parametrize("name", kinds.REFUSED)
def test_refused_with_a_reason(name):
    refusal = kinds.REFUSED[name]
    X = kinds.frame()
    model = refusal.model(X[kinds.NUMBERS], kinds.target(refusal.kind, X))
    with pytest.raises((TypeError, ValueError), match=refusal.reason):
        fa.aif(model, X[kinds.NUMBERS].astype(str), None)


def test_enough_kinds():
    assert len(ACCEPTED) >= 55
    assert len(kinds.REFUSED) >= 12


@pytest.mark.filterwarnings("ignore")
def test_the_docs_have_the_table():
    assert kinds.DOCS.read_text(encoding="utf-8") == kinds.table(), (
        "write it anew: PYTHONPATH=.:tests python -m support.kinds"
    )
