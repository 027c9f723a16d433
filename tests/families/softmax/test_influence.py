"""The influence of softmax models against derivatives by complex steps, and against K = 2."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from oracles import softmax as twin
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import about, assert_close
from support.softmax_makers import described, fitted, influence_of, make, theta_of

import fastaif as fa

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
ORDERS = [1.0, 1.5, 2.0, np.inf]


def test_the_twins_formulas_are_derivatives_of_its_losses():
    X, y, _ = make(4)
    theta = np.random.default_rng(1).normal(size=4 * 5)
    rows = twin.along_axes(lambda at: twin.losses(twin.logits(X, at, 4, True), y), theta)
    assert_close(twin.gradient_rows(X, y, theta, 4, True), rows, 1e-14)
    W, b = twin.split(theta, 4, True)
    slopes = [
        np.imag(twin.losses((X + 1e-30j * e) @ W.T + b, y)) / 1e-30 for e in np.eye(X.shape[1])
    ]
    assert_close(
        twin.input_gradients(X, y, theta, 4, True, np.ones(4)), np.stack(slopes, axis=1), 1e-14
    )


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("n_classes", [3, 4, 10])
def test_everything_agrees_with_the_twin(n_classes, alpha, order, p):
    data = make(n_classes, n=40 + 8 * n_classes)
    X, y, w = data
    model = fitted(data, alpha)
    attack = {"feature_scale": np.array([1.0, 0.5, 2.0, 1.0]), "attackable": [True] * 3 + [False]}
    result = fa.aif(model, X, y, p=p, order=order, sample_weight=w, **attack)
    known = twin.influence(
        X, y, result.params, n_classes, alpha=alpha, p=p, order=order, sample_weight=w, **attack
    )
    assert result.radius == about(known["radius"])
    assert result.value_derivative == about(known["value_derivative"])
    for name in ("mixed", "hessian", "influence", "per_sample"):
        found = getattr(result, name)
        assert_close(found() if callable(found) else found, known[name], 1e-11)
    cost = 0.5 * result.influence @ known["hessian_eval"] @ result.influence
    assert result.sensitivity_coefficient == about(cost, 1e-11)
    slope = known["gradient_eval"] @ result.influence
    assert result.sensitivity(0.01, expansion="taylor") == about(0.01 * slope + 1e-4 * cost, 1e-9)


@pytest.mark.parametrize(("n_classes", "alpha"), [(3, 0.0), (4, 0.05)])
def test_fits_are_the_twins(n_classes, alpha):
    data = make(n_classes)
    theta = twin.natural_fit(data.X, data.y, n_classes, alpha=alpha, sample_weight=data.w)
    assert_close(theta_of(fitted(data, alpha)), theta, 1e-10)


@pytest.mark.parametrize("formula", ["exact", "paper"])
def test_formulas_of_shared_budgets(formula):
    data = make(3)
    model = fitted(data)
    result = fa.aif(model, data.X, data.y, order=2, formula=formula, sample_weight=data.w)
    known = twin.influence(
        data.X, data.y, result.params, 3, alpha=0.02, order=2.0, formula=formula,
        sample_weight=data.w,
    )  # fmt: skip
    assert_close(result.influence, known["influence"], 1e-11)


def test_the_influence_has_no_part_that_changes_nothing():
    data = make(5)
    for alpha in (0.0, 0.1):
        result = fa.aif(fitted(data, alpha), data.X, data.y, sample_weight=data.w)
        W, b = twin.split(result.influence, 5, True)
        assert np.abs(W.sum(axis=0)).max() < 1e-12 * np.abs(W).max()
        assert abs(b.sum()) < 1e-12 * np.abs(b).max()
        assert np.linalg.eigvalsh(result.hessian)[0] < 1e-12
        assert result.diagnostics["least_eigenvalue"] > 1e-5
        assert result.diagnostics["newton_step"] < 1e-9
        assert result.diagnostics["solver_residual"] < 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_other_gauges_have_the_same_influence(alpha):
    data = make(3)
    model = fitted(data, alpha)
    before = fa.aif(model, data.X, data.y, sample_weight=data.w)
    model.intercept_ = model.intercept_ + 3.0
    if alpha == 0.0:
        model.coef_ = model.coef_ - model.coef_[-1]
    after = fa.aif(model, data.X, data.y, sample_weight=data.w)
    assert_close(after.influence, before.influence, 1e-10)
    assert_close(after.params, theta_of(model), 0.0)
    refined = fa.aif(model, data.X, data.y, sample_weight=data.w, refine=True)
    assert_close(refined.params, after.params, 1e-9)
    if alpha > 0.0:  # which the penalty takes away from W, and leaves in b
        model.coef_ = model.coef_ + 1.0
        again = fa.aif(model, data.X, data.y, sample_weight=data.w, refine=True)
        assert_close(again.params, refined.params, 1e-9)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_two_classes_are_the_binary_model(p):
    data = make(2)
    binary = fa.LogisticRegression(alpha=0.03).fit(data.X, data.y, data.w)
    wanted = fa.aif(binary, data.X, data.y, p=p, sample_weight=data.w)
    found = influence_of(described(np.zeros(10), 2, 4, 0.06), data, p=p)

    def difference(theta):
        W, b = twin.split(theta, 2, True)
        return np.append(W[1] - W[0], b[1] - b[0])

    assert_close(difference(found.params), wanted.params, 1e-10)
    assert_close(difference(found.influence), wanted.influence, 1e-10)
    for name in ("radius", "value_derivative", "sensitivity_coefficient"):
        assert getattr(found, name) == about(getattr(wanted, name), 1e-10)
    # At p = 1 and ∞ the larger one has optima at kinks.
    for eps, digits in ((0.5 * min(wanted.validity_radius, 0.1), 1e-7), (0.2, 1e-4)):
        mine, theirs = found.verify(eps), wanted.verify(eps)
        assert mine.method == theirs.method == "exact"
        assert mine.robust.converged
        assert_close(difference(mine.robust.params), theirs.robust.params, digits)
        assert mine.robust.objective == about(theirs.robust.objective, 1e-8)
        assert mine.exact_gain == about(theirs.exact_gain, 1e-5)


@pytest.mark.parametrize("space", ["scaled", "raw"])
def test_behind_a_scaler(space):
    data = make(3)
    X, y, _ = data
    pipe = make_pipeline(StandardScaler(), fa.LogisticRegression(alpha=0.05)).fit(X, y)
    result = fa.aif(pipe, X, y, attack_space=space)
    units = {"shift": pipe[0].mean_, "scale": pipe[0].scale_}
    known = twin.influence(
        X, y, result.params, 3, alpha=0.05, attack_space=space, **units
    )
    assert_close(result.influence, known["influence"], 1e-11)
    # Slopes in raw units: those of the logits that the influence predicts.
    W, b = twin.split(result.influence, 3, True)
    raw, intercept = twin.split(result.influence_raw, 3, True)
    assert_close(X @ raw.T + intercept, pipe[0].transform(X) @ W.T + b, 1e-10)


def test_without_an_intercept():
    data = make(3)
    model = fitted(data, 0.05, fit_intercept=False)
    result = fa.aif(model, data.X, data.y, sample_weight=data.w)
    known = twin.influence(
        data.X, data.y, result.params, 3, alpha=0.05, fit_intercept=False, sample_weight=data.w
    )
    assert len(result.influence) == 12
    assert_close(result.influence, known["influence"], 1e-11)


def test_columns_far_from_zero_and_of_unlike_scales():
    data = make(3)
    near = fa.aif(fitted(data, 0.0), data.X, data.y, radius=1.0, sample_weight=data.w)
    scale = np.array([1.0, 1e6, 1e-6, 1.0])
    X = data.X * scale + np.array([1e4, 0.0, 0.0, -3e4])
    far = fa.LogisticRegression(alpha=0.0).fit(X, data.y, data.w)
    found = fa.aif(far, X, data.y, radius=1.0, feature_scale=scale, sample_weight=data.w)
    W, _ = twin.split(near.influence, 3, True)
    mine, _ = twin.split(found.influence, 3, True)
    assert_close(mine * scale, W, 1e-8)
    assert found.sensitivity_coefficient == about(near.sensitivity_coefficient, 1e-8)
    assert found.diagnostics["newton_step"] < 1e-6


def test_threads_single_precision_and_blocks_give_the_same():
    data = make(3, n=5000, m=30)
    X, y, _ = data
    model = fitted(data)
    one, two = (
        fa.aif(model, X, y, n_threads=threads).influence for threads in (1, 2)
    )
    assert np.array_equal(one, two)
    single = X.astype(np.float32)
    assert_close(
        fa.aif(model, single, y).influence, fa.aif(model, single.astype(float), y).influence, 1e-12
    )
    blocks = [(X[:2000], y[:2000]), (X[2000:], y[2000:])]
    assert_close(fa.aif(model, blocks, None).influence, one, 1e-12)


def test_draws_of_the_bootstrap_are_refits():
    data = make(3)
    model = fitted(data)
    result = fa.aif(model, data.X, data.y, sample_weight=data.w)
    drawn = result.bootstrap(2, random_state=3)
    from fastaif.families.linear.bootstrap import draw_weights
    from fastaif.utils.validation import seed

    for draw in range(2):
        w = data.w * draw_weights(seed(3), draw, len(data.X))
        again = fa.LogisticRegression(alpha=0.02).fit(data.X, data.y, w)
        other = fa.aif(again, data.X, data.y, sample_weight=w)
        assert_close(drawn.params[draw], theta_of(again), 1e-9)
        assert_close(drawn.influence[draw], other.influence, 1e-9)
    assert np.all(np.diff(result.conf_int(method="clt"), axis=1) > 0.0)


def test_an_expansion_and_its_evaluation_elsewhere():
    data, other = make(3), make(3, seed=4)
    model = fitted(data)
    result = fa.aif(model, data.X, data.y, sample_weight=data.w)
    moved = result.params + 1e-5 * result.influence

    def mean_loss(theta):
        return twin.losses(twin.logits(other.X, theta, 3, True), other.y).mean()

    change = mean_loss(moved) - mean_loss(result.params)
    assert result.sensitivity(1e-5, other.X, other.y) == about(change, 1e-6)
    assert_close(result.predict_params(1e-5), moved, 1e-12)


def test_results_can_be_pickled_and_reported():
    data = make(3)
    labels = np.array(["low", "mid", "top"])[data.y]
    model = fa.LogisticRegression(alpha=0.02).fit(data.X, labels)
    result = fa.aif(model, data.X, labels)
    again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again.influence, result.influence)
    assert result.names[:2] == ("x0[low]", "x1[low]")
    assert result.names[-1] == "intercept[top]"
    assert "softmax" in result.summary()
    assert list(result.to_frame().index) == list(result.names)
    result.plot()


def test_a_validity_radius_is_where_a_direction_jumps():
    """To first order: at p = ∞ the sign of an entry of ∇_x ℓ along θ̂ + εI."""
    data = make(3)
    result = fa.aif(fitted(data), data.X, data.y, p=np.inf, sample_weight=data.w)
    kept = data.w > 0.0
    sigma = np.ones(4)

    def signs(eps):
        theta = result.params + eps * result.influence
        return np.sign(twin.input_gradients(data.X, data.y, theta, 3, True, sigma)[kept])

    eps = result.validity_radius
    assert np.array_equal(signs(0.0), signs(0.9 * eps))
    assert not np.array_equal(signs(0.0), signs(1.1 * eps))
    assert "changes sign" in result.validity_reason
    assert "may vanish" in fa.aif(fitted(data), data.X, data.y).validity_reason


# --- refusals -----------------------------------------------------------------------------------


def test_separable_classes_have_no_influence_without_a_penalty():
    X = np.array([[-3.0], [-2.5], [0.0], [0.4], [3.0], [2.7]])
    y = np.array([0, 0, 1, 1, 2, 2])
    with pytest.warns(match="separable"):
        model = fa.LogisticRegression(alpha=0.0).fit(np.hstack([X, X**2]), y)
    with pytest.raises(np.linalg.LinAlgError, match="separable"):
        fa.aif(model, np.hstack([X, X**2]), y)
    assert np.isfinite(fa.aif(model, np.hstack([X, X**2]), y, damping=1e-3).influence).all()


def test_a_repeated_column_is_singular():
    data = make(3)
    X = np.column_stack([data.X, data.X[:, 0]])
    with pytest.warns(match="singular"):
        model = fa.LogisticRegression(alpha=0.0).fit(X, data.y)
    with pytest.raises(np.linalg.LinAlgError, match=r"least eigenvalue.*damping"):
        fa.aif(model, X, data.y)
    for damping in (1e-6, "auto"):
        assert np.isfinite(fa.aif(model, X, data.y, damping=damping).influence).all()


def test_solving_is_the_inverse_where_there_is_one():
    """With a penalty nothing but intercepts can move without a change."""
    data = make(3)
    problem = fa.aif(fitted(data), data.X, data.y, sample_weight=data.w).problem
    b = np.random.default_rng(0).normal(size=(15, 2))
    b[12:] -= b[12:].mean(axis=0)
    found = problem.solve(b)
    assert_close(problem.hessian @ found, b, 1e-11)
    assert_close(problem.solve(b[:, 0]), found[:, 0], 1e-13)


def test_damping_is_added_on_the_complement():
    data = make(3)
    model = fitted(data)
    found = fa.aif(model, data.X, data.y, sample_weight=data.w, damping=0.3)
    known = twin.influence(data.X, data.y, found.params, 3, alpha=0.02, sample_weight=data.w)
    wanted = -np.linalg.solve(known["hessian"] + 0.3 * np.eye(15), known["mixed"])
    assert_close(found.influence, wanted, 1e-11)


REFUSED = {
    "cg": (lambda m, X, y: fa.aif(m, X, y, solver="cg"), "solver='cg' is not for a softmax"),
    "the ball": (lambda m, X, y: fa.aif(m, X, y, order=1, formula="ball"), "not for a softmax"),
    "the zero radius": (lambda m, X, y: fa.zero_radius(m, X, y), "not of this softmax model"),
    "the norm": (
        lambda m, X, y: fa.aif(m, X, y, order=2).sensitivity(0.1, expansion="norm"), "norm"
    ),
    "other labels": (lambda m, X, y: fa.aif(m, X, y + 1), r"y contains 3, but the model's classes"),
    "a batch": (lambda m, X, y: fa.aif_batch(m, X[None], y[None]), "3 classes"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_there_is_refused_by_name(what):
    data = make(3)
    call, message = REFUSED[what]
    with pytest.raises(ValueError, match=message):
        call(fitted(data), data.X, data.y)


def test_fits_tell_of_a_class_without_weight():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 3
    with pytest.warns(ConvergenceWarning, match="class 2 have no weight"):
        fa.LogisticRegression(alpha=0.01).fit(X, y, sample_weight=1.0 * (y < 2))
