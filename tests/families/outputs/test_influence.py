"""The influence of models of several outputs against complex steps, and against one output."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from oracles import outputs as twin
from oracles.norms import dual_order, norm, scaled_direction
from oracles.softmax import along_axes, split
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import about, assert_close
from support.outputs_makers import fitted, make
from support.softmax_makers import theta_of

import fastaif as fa
from fastaif.families.linear.bootstrap import draw_weights
from fastaif.utils.validation import seed

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
ORDERS = [1.0, 1.5, 2.0, np.inf]


def test_the_twins_formulas_are_derivatives_of_its_losses():
    X, Y, _ = make(3)
    theta = np.random.default_rng(1).normal(size=15)
    rows = along_axes(lambda at: twin.losses(X, Y, at), theta)
    assert_close(twin.gradient_rows(X, Y, theta, True), rows, 1e-14)
    slopes = [np.imag(twin.losses(X + 1e-30j * e, Y, theta)) / 1e-30 for e in np.eye(4)]
    found = twin.input_gradients(X, Y, theta, True, np.ones(4))
    assert_close(found, np.stack(slopes, axis=1), 1e-13)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("t", [2, 3, 7])
def test_everything_agrees_with_the_twin(t, alpha, order, p):
    data = make(t)
    X, Y, w = data
    model = fitted(data, alpha)
    attack = {"feature_scale": np.array([1.0, 0.5, 2.0, 1.0]), "attackable": [True] * 3 + [False]}
    result = fa.aif(model, X, Y, p=p, order=order, sample_weight=w, **attack)
    known = twin.influence(
        X, Y, result.params, alpha=alpha, p=p, order=order, sample_weight=w, **attack
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
    assert result.diagnostics["solver_residual"] < 1e-12


@pytest.mark.parametrize("formula", ["exact", "paper"])
def test_formulas_of_shared_budgets(formula):
    data = make(3)
    result = fa.aif(fitted(data), data.X, data.Y, order=2, formula=formula, sample_weight=data.w)
    known = twin.influence(
        data.X, data.Y, result.params, alpha=0.02, order=2.0, formula=formula,
        sample_weight=data.w,
    )  # fmt: skip
    assert_close(result.influence, known["influence"], 1e-11)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_fits_are_the_twins(alpha):
    data = make(3)
    theta = twin.natural_fit(data.X, data.Y, alpha=alpha, sample_weight=data.w)
    model = fitted(data, alpha)
    assert_close(theta_of(model), theta, 1e-11)
    assert_close(model.predict(data.X), data.X @ model.coef_.T + model.intercept_, 1e-14)


def test_a_fit_that_is_not_unique_is_the_shortest():
    data = make(2, n=5, m=8)
    with pytest.warns(match="singular"):
        model = fa.LinearRegression().fit(data.X, data.Y)
    x0, y0 = data.X.mean(axis=0), data.Y.mean(axis=0)
    wanted = np.linalg.pinv(data.X - x0) @ (data.Y - y0)
    assert_close(model.coef_, wanted.T, 1e-10)
    with pytest.raises((ValueError, np.linalg.LinAlgError), match=r"singular|exactly"):
        fa.aif(model, data.X, data.Y)


def test_a_column_of_targets_is_a_vector_of_them():
    X, Y, w = make(1)
    wide, flat = (fa.LinearRegression(alpha=0.1).fit(X, y, w) for y in (Y, Y[:, 0]))
    assert wide.coef_.shape == (1, 4)
    assert wide.predict(X).shape == (len(X), 1)
    assert np.array_equal(wide.coef_[0], flat.coef_)
    assert wide.score(X, Y) == flat.score(X, Y[:, 0])
    one, two = (fa.aif(m, X, y, sample_weight=w) for m, y in ((wide, Y), (flat, Y[:, 0])))
    assert np.array_equal(one.influence, two.influence)
    assert one.names == two.names
    robust = fa.robust_fit(wide, X, Y, 0.1, sample_weight=w)
    assert robust.estimator.coef_.shape == (1, 4)
    known = fa.robust_fit(flat, X, Y[:, 0], 0.1, sample_weight=w)
    assert np.array_equal(robust.params, known.params)


def test_an_l1_penalty_is_for_one_output():
    X, Y, _ = make(2)
    one = fa.LinearRegression(alpha=0.1, l1_ratio=0.5)
    wide, flat = one.fit(X, Y[:, :1]).coef_, one.fit(X, Y[:, 0]).coef_
    assert np.array_equal(wide[0], flat)
    with pytest.raises(ValueError, match="l1_ratio > 0 is for one output"):
        one.fit(X, Y)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_an_output_beside_constant_ones_is_one_output(p):
    """Outputs without slope and without residual add nothing to any loss or gradient."""
    X, Y, w = make(1)
    one = fa.aif(fitted(make(1)), X, Y, p=p, sample_weight=w)
    both = np.column_stack([Y, np.full(len(X), 2.5)])
    model = fa.LinearRegression(alpha=0.02).fit(X, both, w)
    model.coef_[1], model.intercept_[1] = 0.0, 2.5
    result = fa.aif(model, X, both, p=p, sample_weight=w)
    W, b = split(result.influence, 2, True)
    assert_close(np.append(W[0], b[0]), one.influence, 1e-10)
    assert np.abs(W[1]).max() < 1e-12
    assert result.value_derivative == about(one.value_derivative)


def test_outputs_can_be_turned():
    """Orthogonal combinations of outputs have the same losses, and so the same influence."""
    X, Y, w = make(3)
    Q, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    plain, turned = (
        fa.aif(fa.LinearRegression(alpha=0.1).fit(X, y, w), X, y, p=3, sample_weight=w)
        for y in (Y, Y @ Q.T)
    )
    W, b = split(plain.influence, 3, True)
    assert_close(turned.influence, np.append((Q @ W).ravel(), Q @ b), 1e-10)
    assert turned.sensitivity_coefficient == about(plain.sensitivity_coefficient, 1e-10)


@pytest.mark.parametrize("space", ["scaled", "raw"])
def test_behind_a_scaler(space):
    X, Y, _ = make(3)
    pipe = make_pipeline(StandardScaler(), fa.LinearRegression(alpha=0.05)).fit(X, Y)
    result = fa.aif(pipe, X, Y, attack_space=space)
    units = {"shift": pipe[0].mean_, "scale": pipe[0].scale_}
    known = twin.influence(X, Y, result.params, alpha=0.05, attack_space=space, **units)
    assert_close(result.influence, known["influence"], 1e-11)
    W, b = split(result.influence, 3, True)
    raw, intercept = split(result.influence_raw, 3, True)
    assert_close(X @ raw.T + intercept, pipe[0].transform(X) @ W.T + b, 1e-10)


def test_without_an_intercept():
    data = make(3)
    model = fitted(data, 0.05, fit_intercept=False)
    result = fa.aif(model, data.X, data.Y, sample_weight=data.w)
    known = twin.influence(
        data.X, data.Y, result.params, alpha=0.05, fit_intercept=False, sample_weight=data.w
    )
    assert len(result.influence) == 12
    assert_close(result.influence, known["influence"], 1e-11)


def test_columns_far_from_zero_and_of_unlike_scales():
    data = make(3)
    near = fa.aif(fitted(data, 0.0), data.X, data.Y, radius=1.0, sample_weight=data.w)
    scale = np.array([1.0, 1e6, 1e-6, 1.0])
    X = data.X * scale + np.array([1e4, 0.0, 0.0, -3e4])
    far = fa.LinearRegression().fit(X, data.Y, data.w)
    found = fa.aif(far, X, data.Y, radius=1.0, feature_scale=scale, sample_weight=data.w)
    W, _ = split(near.influence, 3, True)
    mine, _ = split(found.influence, 3, True)
    assert_close(mine * scale, W, 1e-8)
    assert found.sensitivity_coefficient == about(near.sensitivity_coefficient, 1e-8)
    assert found.diagnostics["newton_step"] < 1e-6


def test_threads_single_precision_frames_and_noisy_copies():
    X, Y, _ = data = make(3, n=5000, m=30)
    model = fitted(data)
    one, two = (fa.aif(model, X, Y, n_threads=threads).influence for threads in (1, 2))
    assert np.array_equal(one, two)
    single = X.astype(np.float32)
    assert_close(
        fa.aif(model, single, Y).influence, fa.aif(model, single.astype(float), Y).influence, 1e-12
    )
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    assert np.array_equal(fa.aif(model, X, frame).influence, one)
    X, Y, _ = make(2)
    smooth = fa.RandomizedSmoothing(fa.LinearRegression(), 0.3, n_copies=3, random_state=0)
    result = fa.aif(smooth.fit(X, Y), X, Y)
    copies = np.asarray(result.problem.source.x[:])
    known = twin.influence(
        copies, np.tile(Y, (3, 1)), result.params, radius=np.linalg.norm(X, axis=1).mean()
    )
    assert_close(result.influence, known["influence"], 1e-10)


def test_draws_of_the_bootstrap_are_refits():
    data = make(3)
    result = fa.aif(fitted(data), data.X, data.Y, sample_weight=data.w)
    drawn = result.bootstrap(2, random_state=3)
    for draw in range(2):
        w = data.w * draw_weights(seed(3), draw, len(data.X))
        again = fa.LinearRegression(alpha=0.02).fit(data.X, data.Y, w)
        other = fa.aif(again, data.X, data.Y, sample_weight=w)
        assert_close(drawn.params[draw], theta_of(again), 1e-9)
        assert_close(drawn.influence[draw], other.influence, 1e-9)
    assert np.all(np.diff(result.conf_int(method="clt"), axis=1) > 0.0)


def test_standard_errors_are_those_of_each_output_alone():
    data = make(2)
    model = fitted(data, 0.0)
    model.coef_[0, 0] += 0.3
    whole = fa.aif(model, data.X, data.Y, sample_weight=data.w).diagnostics["newton_step"]
    alone = fa.LinearRegression().fit(data.X, data.Y[:, 0], data.w)
    alone.coef_[0] += 0.3
    one = fa.aif(alone, data.X, data.Y[:, 0], sample_weight=data.w).diagnostics["newton_step"]
    assert whole == about(one, 1e-9)


def test_results_are_refined_pickled_and_reported():
    data = make(3)
    model = fitted(data)
    model.coef_ = model.coef_ * 1.1
    result = fa.aif(model, data.X, data.Y, sample_weight=data.w, refine=True)
    assert_close(result.params, theta_of(fitted(data)), 1e-9)
    again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again.influence, result.influence)
    assert result.names[:2] == ("x0[y0]", "x1[y0]")
    assert result.names[-1] == "intercept[y2]"
    assert "multi-output" in result.summary()
    assert list(result.to_frame().index) == list(result.names)
    result.plot()


def test_damping():
    data = make(3)
    found = fa.aif(fitted(data), data.X, data.Y, sample_weight=data.w, damping=0.3)
    known = twin.influence(data.X, data.Y, found.params, alpha=0.02, sample_weight=data.w)
    wanted = -np.linalg.solve(known["hessian"] + 0.3 * np.eye(15), known["mixed"])
    assert_close(found.influence, wanted, 1e-11)
    values = np.linalg.eigvalsh(known["hessian"]) + 0.3
    assert found.diagnostics["least_eigenvalue"] == about(values[0], 1e-10)


def test_a_validity_radius_is_where_a_direction_jumps():
    data = make(3)
    result = fa.aif(fitted(data), data.X, data.Y, p=np.inf, sample_weight=data.w)
    kept = data.w > 0.0

    def signs(eps):
        theta = result.params + eps * result.influence
        return np.sign(twin.input_gradients(data.X, data.Y, theta, True, np.ones(4))[kept])

    eps = result.validity_radius
    assert np.array_equal(signs(0.0), signs(0.9 * eps))
    assert not np.array_equal(signs(0.0), signs(1.1 * eps))
    assert "changes sign" in result.validity_reason
    assert "may vanish" in fa.aif(fitted(data), data.X, data.Y).validity_reason


# --- kinks and refusals -----------------------------------------------------------------------


def singletons(X, *rows):
    """Columns that these rows alone have: their residuals are zero."""
    return np.column_stack([X, *[1.0 * (np.arange(len(X)) == row) for row in rows]])


def one_sided(X, Y, theta, flat, p, free):
    """What the right derivative minimises, at V (K, c), with a penalty of nothing."""
    t, n = Y.shape[1], len(X)
    kept = np.setdiff1d(np.arange(n), flat)
    w = np.where(np.isin(np.arange(n), kept), 1.0 / n, 0.0)
    known = twin.influence(X, Y, theta, p=p, attackable=free)
    phi = known["radius"] * along_axes(
        lambda at: w @ np.sum(
            twin.input_gradients(X, Y, at, True, np.ones(X.shape[1]))
            * scaled_direction(
                twin.input_gradients(X, Y, theta, True, np.ones(X.shape[1])), p, 1.0 * free
            ), axis=1,
        ), theta,
    )  # fmt: skip
    W, _ = split(theta, t, True)

    def value(v):
        moved = twin.logits(X[flat], v, t, True)
        gains = norm(2.0 * (moved @ W) * free, dual_order(p))
        return 0.5 * v @ known["hessian"] @ v + phi @ v + known["radius"] * gains.sum() / n

    return value


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
def test_rows_that_stay_fitted_have_a_right_derivative(p):
    """As the only one of a category has, which is not attacked."""
    X, Y, _ = make(3)
    X, free = singletons(X, 7, 30), np.array([True] * 4 + [False] * 2)
    model = fa.LinearRegression().fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fa.aif(model, X, Y, p=p, attackable=free)
    assert result.diagnostics["pinned_samples"] == 2
    assert result.diagnostics["zero_gradients"] == 0
    moved = twin.logits(X[[7, 30]], result.influence, 3, True)
    assert np.abs(moved).max() < 1e-10
    assert_close(result.per_sample().mean(axis=0), result.influence, 1e-10)
    assert result.validity_radius > 0.0
    value = one_sided(X, Y, result.params, [7, 30], p, free)
    here, rng = value(result.influence), np.random.default_rng(0)
    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(20):
            assert value(result.influence + size * rng.normal(size=21)) > here - 1e-13
    robust = fa.robust_fit(model, X, Y, 1e-4, p=p, attackable=free)
    assert_close((robust.params - result.params) / 1e-4, result.influence, 3e-2)


def test_rows_are_fitted_as_exactly_as_the_fit_is():
    """Of a fit in single precision residuals of rows that are fitted are no smaller than 1e-8."""
    X, Y, _ = make(3)
    X, free = singletons(X, 7).astype(np.float32), np.array([True] * 4 + [False])
    theirs = LinearRegression().fit(X, Y)
    theirs.coef_ = theirs.coef_.astype(np.float32)
    result = fa.aif(theirs, X, Y, attackable=free)
    assert np.abs(theirs.predict(X)[7] - Y[7]).max() > 1e-9
    assert result.diagnostics["pinned_samples"] == 1
    exact = fa.aif(fa.LinearRegression().fit(X, Y), X, Y, attackable=free)
    assert_close(result.influence, exact.influence, 1e-5)
    assert_close(result.per_sample().mean(axis=0), result.influence, 1e-10)


def test_attacks_that_keep_rows_fitted_are_part_of_the_derivative():
    """Of many equal rows, which an attack on the others' shared column would move."""
    X, Y, _ = make(2, n=40)
    X = np.column_stack([X, np.r_[np.ones(30), np.zeros(10)]])
    Y[:30] = Y[0]
    X[:30, :4] = X[0, :4]
    model = fa.LinearRegression().fit(X, Y)
    free = np.ones(5, dtype=bool)
    result = fa.aif(model, X, Y)
    assert result.diagnostics["pinned_samples"] == 30
    phi = result.problem.pinned.attacks
    assert 1e-3 < np.linalg.norm(phi, axis=1).max() <= 1.0 + 1e-9
    value = one_sided(X, Y, result.params, np.arange(30), 2.0, free)
    here, rng = value(result.influence), np.random.default_rng(0)
    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(20):
            step = size * rng.normal(size=12)
            assert value(result.influence + step) > here - 1e-12
    assert_close(result.per_sample().mean(axis=0), result.influence, 1e-9)


def test_rows_that_do_not_stay_fitted_are_warned_of():
    X, Y, _ = make(3)
    X = singletons(X, 7)
    with pytest.warns(fa.ZeroGradientWarning, match="1 of 60"):
        result = fa.aif(fa.LinearRegression().fit(X, Y), X, Y)
    assert result.diagnostics["zero_gradients"] == 1
    assert np.all(result.per_sample()[7] == 0.0)
    assert result.validity_radius == 0.0


def test_a_fit_that_meets_every_target_has_no_influence():
    X, Y, _ = make(2, noise=0.0)
    with pytest.raises(ValueError, match="every sample's input gradient is zero"):
        fa.aif(fa.LinearRegression().fit(X, Y), X, Y)


def test_a_repeated_column_is_singular():
    X, Y, _ = make(3)
    X = np.column_stack([X, X[:, 0]])
    with pytest.warns(match="singular"):
        model = fa.LinearRegression().fit(X, Y)
    with pytest.raises(np.linalg.LinAlgError, match=r"least eigenvalue.*damping"):
        fa.aif(model, X, Y)
    assert np.isfinite(fa.aif(model, X, Y, damping="auto").influence).all()


@pytest.mark.parametrize("where", ["X", "y"])
def test_what_is_not_finite_is_found(where):
    X, Y, _ = data = make(3)
    model = fitted(data)
    X, Y = X.copy(), Y.copy()
    (X if where == "X" else Y)[11, 1] = np.nan
    with pytest.raises(ValueError, match=rf"{where} contains NaN or infinity \(first at row 11"):
        fa.aif(model, X, Y)


def test_rows_of_no_weight_may_be_anything():
    X, Y, w = data = make(3)
    model = fitted(data)
    known = fa.aif(model, X, Y, sample_weight=w).influence
    Y = Y.copy()
    Y[np.flatnonzero(w == 0.0)[0]] = 1e5
    assert np.array_equal(fa.aif(model, X, Y, sample_weight=w).influence, known)


REFUSED = {
    "cg": (lambda m, X, Y: fa.aif(m, X, Y, solver="cg"), "solver='cg' is not for a multi-output"),
    "the ball": (
        lambda m, X, Y: fa.aif(m, X, Y, order=1, formula="ball"), "not for a multi-output"
    ),
    "the zero radius": (lambda m, X, Y: fa.zero_radius(m, X, Y), "not of this multi-output model"),
    "the norm": (
        lambda m, X, Y: fa.aif(m, X, Y, order=2).sensitivity(0.1, expansion="norm"), "norm"
    ),
    "blocks": (lambda m, X, Y: fa.aif(m, [(X, Y[:, 0])], None), "y has one column"),
    "one column": (lambda m, X, Y: fa.aif(m, X, Y[:, 0]), "y has one column, but .* 3 outputs"),
    "more columns": (lambda m, X, Y: fa.aif(m, X, np.hstack([Y, Y])), "y has 6 columns"),
    "fewer rows": (lambda m, X, Y: fa.aif(m, X, Y[1:]), "y has 59 rows, but X has 60"),
    "a radius": (lambda m, X, Y: fa.robustness_radius(m, X, Y, change=1.0), "not known"),
    "a batch": (lambda m, X, Y: fa.aif_batch(m, X[None], Y[None]), "y"),
    "worst distributions": (
        lambda m, X, Y: fa.worst_distribution(m, X, Y, 0.1, order=2), "linear predictors"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_there_is_refused_by_name(what):
    data = make(3)
    call, message = REFUSED[what]
    with pytest.raises(ValueError, match=message):
        call(fitted(data), data.X, data.Y)
