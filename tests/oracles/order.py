"""Attacks whose budget the samples share: (E_n ||d_i / c||_p^u)^(1/u) <= eps s, u in [1, inf].

To first order an attack of length eps s t_i on sample i is worth eps s E_n[t_i g_i] where
g_i = ||c grad_x l_i||_q. The best shares under E_n[t^u] <= 1 are, by Hoelder's inequality with
v = u / (u - 1), t_i = g_i^(v - 1) / (E_n g^v)^(1/u), worth (E_n g^v)^(1/v). For u = inf they are
one; for u = 1 all goes to the samples of the largest g, by their weights where several tie.
A linear predictor is the basis model of `Powers(1)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

from . import gram
from .basis import input_gradients, penalty_of, rows
from .linear import adversarial_losses as own_budgets
from .linear import attack_scale, design, normalised_weights
from .losses import loss as pointwise_loss
from .norms import dual_order, norm, scaled_direction

TIE = 1e-12  # equal gains may differ by the rounding of their sums


def conjugate(u):
    """v with 1/u + 1/v = 1."""
    return dual_order(u)


def largest(gains, w):
    """Which samples of positive weight share the largest gain."""
    top = np.max(gains[w > 0])
    return (w > 0) & (gains >= top * (1.0 - TIE))


def shares(gains, w, u, formula="exact"):
    """t (n,): how far each sample is moved per unit of eps s; w sums to one.

    "paper": all of the budget on one sample for every finite u, t_J = w_J^(-1/u). Samples that
    tie count as copies of one, whose weights add up.
    """
    if np.isinf(u):
        return np.ones(len(gains))
    if u == 1 or formula == "paper":
        tied = largest(gains, w)
        return np.where(tied, np.sum(w[tied]) ** (-1.0 / u), 0.0)
    r = gains / np.max(gains[w > 0])
    v = conjugate(u)
    r = np.where(w > 0, r, 0.0)
    return r ** (v - 1.0) / (w @ r**v) ** (1.0 / u)


def slope(gains, w, u, formula="exact"):
    """E_n[t g] per unit of eps s: (E_n g^v)^(1/v) for the best shares."""
    if formula == "paper":
        return float(w @ (shares(gains, w, u, formula) * gains))
    top = np.max(gains[w > 0])
    if u == 1:
        return top
    r = np.where(w > 0, gains, 0.0) / top
    v = conjugate(u)
    return top * (w @ r**v) ** (1.0 / v)


def influence(
    basis, X, y, theta, *, loss, order, formula="exact", alpha=0.0, fit_intercept=True, p=2.0,
    sample_weight=None, delta=1.0, **attack,
) -> dict[str, Any]:  # fmt: skip
    """d theta_eps / d eps at 0+ of a basis model; `attack` are the keywords of attack_scale.

    As for budgets of their own, but each sample's share of the mixed derivative times t_i.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    w = normalised_weights(len(X), sample_weight)
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **attack)
    coef = theta[:-1] if fit_intercept else theta
    Z, G = rows(basis, X, fit_intercept), input_gradients(basis, X, coef)
    _, l1, l2 = pointwise_loss(loss, Z @ theta, y, delta)
    phi = scaled_direction(l1[:, None] * G, p, c)
    gains = norm(c * l1[:, None] * G, dual_order(p))
    t = shares(gains, w, order, formula)

    turned = np.einsum("idk,ik->id", basis.jacobian(X), phi)  # grad_theta <grad_x f, phi>
    brackets = (l2 * np.sum(G * phi, axis=1))[:, None] * Z
    brackets[:, : len(coef)] += l1[:, None] * turned
    mixed_rows = s * t[:, None] * brackets
    pen = penalty_of(basis, len(theta), fit_intercept)
    hessian = (Z.T * (w * l2)) @ Z + 2.0 * alpha * np.diag(pen)
    return {
        "influence": -np.linalg.solve(hessian, w @ mixed_rows),
        "mixed": w @ mixed_rows,
        "hessian": hessian,
        "radius": s,
        "value_derivative": float(s * slope(gains, w, order, formula)),
        "per_sample": -np.linalg.solve(hessian, mixed_rows.T).T,
        "gains": gains,
        "shares": t,
    }


def worst_points(
    basis, X, y, theta, reach, c, w, *, loss, order, p, fit_intercept=True, delta=1.0
):  # fmt: skip
    """The joint maximiser for small budgets: the fixed point of x_i + reach t_i phi_i."""
    coef = theta[:-1] if fit_intercept else theta
    points = X
    for _ in range(300):
        l1 = pointwise_loss(loss, rows(basis, points, fit_intercept) @ theta, y, delta)[1]
        G = l1[:, None] * input_gradients(basis, points, coef)
        t = shares(norm(c * G, dual_order(p)), w, order)
        moved = X + reach * t[:, None] * scaled_direction(G, p, c)
        if np.max(np.abs(moved - points)[w > 0]) <= 1e-16:
            break
        points = moved
    return points


def robust_fit(
    basis, X, y, theta, eps, *, loss, order, alpha=0.0, fit_intercept=True, p=2.0,
    sample_weight=None, delta=1.0, **attack,
):  # fmt: skip
    """theta_eps for small eps: steps with the natural Hessian, the gradient by Danskin's theorem.

    Nothing of the influence is in it: each step leaves an error of order eps times the last one.
    """
    known = {"loss": loss, "fit_intercept": fit_intercept, "delta": delta}
    w, pen = normalised_weights(len(X), sample_weight), penalty_of(basis, len(theta), fit_intercept)
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **attack)
    Z = rows(basis, X, fit_intercept)
    l2 = pointwise_loss(loss, Z @ theta, y, delta)[2]
    H = (Z.T * (w * l2)) @ Z + 2.0 * alpha * np.diag(pen)
    found = np.array(theta)
    for _ in range(60):
        points = worst_points(basis, X, y, found, eps * s, c, w, order=order, p=p, **known)
        Z = rows(basis, points, fit_intercept)
        gradient = Z.T @ (w * pointwise_loss(loss, Z @ found, y, delta)[1])
        step = np.linalg.solve(H, gradient + 2.0 * alpha * pen * found)
        found = found - step
        if np.max(np.abs(step)) <= 1e-16:
            break
    return found


# --- linear predictors: the inner maximum in closed form --------------------------------


def reach_of(X, theta, eps, *, p=2.0, sample_weight=None, shift=None, scale=None, **attack):
    """eps s ||c beta / scale||_q: by how much one sample's whole budget moves its f."""
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, shift=shift, scale=scale, **attack)
    beta = theta[: X.shape[1]] / (1.0 if scale is None else np.asarray(scale))
    return float(eps * s * norm(c * beta, dual_order(p)))


def at_best_vertex(
    X, y, theta, eps, *, loss, fit_intercept=True, sample_weight=None, delta=1.0, shift=None,
    scale=None, **attack,
):  # fmt: skip
    """Order 1: the mean loss, and the best that one sample can make of all the budget.

    E_n l + max_j w_j (max l(f_j +- k / w_j) - l(f_j)): a convex function is largest at a vertex.
    """
    w = normalised_weights(len(X), sample_weight)
    k = reach_of(X, theta, eps, sample_weight=sample_weight, shift=shift, scale=scale, **attack)
    f = design(X, fit_intercept, shift, scale) @ theta
    value = pointwise_loss(loss, f, y, delta)[0]
    best = 0.0
    for j in np.flatnonzero(w > 0):
        for end in (f[j] + k / w[j], f[j] - k / w[j]):
            worst = pointwise_loss(loss, end, y[j], delta)[0]
            best = max(best, w[j] * (float(worst) - value[j]))
    return float(w @ value + best)


def best_of_divided(f, y, w, size, *, loss, order, delta=1.0, parts=600):
    """The best mean loss where each sample spends a whole number of parts of the budget.

    By dynamic programming over samples and parts: right to the width of a part, from below.
    """
    moves = size * np.linspace(0.0, 1.0, parts + 1)
    best = np.zeros(parts + 1)
    for fi, yi, wi in zip(f, y, w, strict=True):
        far = moves if wi == 0 else size * (np.arange(parts + 1) / (parts * wi)) ** (1.0 / order)
        ends = (pointwise_loss(loss, fi + side * far, yi, delta)[0] for side in (1.0, -1.0))
        worth = wi * np.maximum(*ends)
        best = np.array([np.max(best[: k + 1] + worth[k::-1]) for k in range(parts + 1)])
    return float(best[-1])


def worst_of_priced(f, y, w, size, *, loss, order, delta=1.0, scanned=400):
    """The worst mean loss under moves a >= 0 of E_n[a^u] <= size^u, u > 1, and d/df, d/dsize.

    Each sample's best move is looked for where budget has a price: on a scan of all that one
    sample could spend, then by bisection of the slope about the best place of it; and the price by
    bisection until the budget is spent. None where moves jump at that price.
    """
    u, cap = order, size * w ** (-1.0 / order)
    scan = np.append(0.0, np.geomspace(1e-9, 1.0, scanned))[:, None] * cap

    def best(price, side):
        values = pointwise_loss(loss, f + side * scan, y, delta)[0] - price * (scan / size) ** u
        k = np.argmax(values, axis=0)
        low = scan[np.maximum(k - 1, 0), np.arange(len(f))]
        high = scan[np.minimum(k + 1, scanned), np.arange(len(f))]
        for _ in range(80):
            a = 0.5 * (low + high)
            slope = side * pointwise_loss(loss, f + side * a, y, delta)[1]
            rising = slope > price * u * (a / size) ** (u - 1.0) / size
            low, high = np.where(rising, a, low), np.where(rising, high, a)
        return low, pointwise_loss(loss, f + side * low, y, delta)[0] - price * (low / size) ** u

    def spend(log_price):
        (up, gain_up), (down, gain_down) = (best(np.exp(log_price), side) for side in (1.0, -1.0))
        moves = np.where(gain_up >= gain_down, up, -down)
        return moves, w @ (np.abs(moves) / size) ** u

    low, high = -4.0, 4.0  # of the price's logarithm
    while spend(low)[1] < 1.0:
        low -= 8.0
    while spend(high)[1] > 1.0:
        high += 8.0
    root = brentq(lambda at: np.log(max(spend(at)[1], 1e-300)), low, high, xtol=1e-14, maxiter=60)
    moves, spent = spend(root)
    if abs(spent - 1.0) > 1e-9:
        return None
    value, slope, _ = pointwise_loss(loss, f + moves, y, delta)
    return w @ value, w * slope, (w * slope) @ moves / size


def adversarial_loss(
    X, y, theta, eps, *, loss, order, fit_intercept=True, sample_weight=None, **options
):  # fmt: skip
    """E_n of the attacked loss: order 1, any loss; 2, squared error; infinity, any loss."""
    known = {"loss": loss, "fit_intercept": fit_intercept, "sample_weight": sample_weight}
    w = normalised_weights(len(X), sample_weight)
    if np.isinf(order):
        return float(w @ own_budgets(X, y, theta, eps, **known, **options))
    if order == 1:
        return at_best_vertex(X, y, theta, eps, **known, **options)
    if order != 2 or loss != "squared_error":
        raise ValueError("no closed form")
    options = {name: value for name, value in options.items() if name != "delta"}
    k = reach_of(X, theta, eps, sample_weight=sample_weight, **options)
    shift, scale = options.get("shift"), options.get("scale")
    r = design(X, fit_intercept, shift, scale) @ theta - y
    return float((np.sqrt(w @ r**2) + k) ** 2)


def robust_objective(X, y, theta, eps, *, alpha=0.0, **options):
    """The attacked loss plus alpha ||beta||_2^2."""
    penalty = alpha * float(np.sum(theta[: X.shape[1]] ** 2))
    return adversarial_loss(X, y, theta, eps, **options) + penalty


# --- kernel regressions -----------------------------------------------------------------


def kernel_gains(model, theta, X, p, c):
    """g_k: the norm of the objective's gradient in x_k over the weight that its move costs.

    With fixed centres that is the sample's own loss. Where there is no weight: zero, which for
    moving centres in the rkhs norm is right, theta_k being zero.
    """
    lengths = norm(c * model.stationary_gradients(theta, X), dual_order(p))
    if not model.moving:
        return lengths
    return np.divide(lengths, model.w, out=np.zeros_like(lengths), where=model.w > 0)


def kernel_influence(model, X, theta, *, order, formula="exact", p=2.0, **attack):
    """As `gram.influence`, where each input moves by its share of the budget."""
    c, s = attack_scale(X, p=p, sample_weight=model.sample_weight, **attack)
    gains = kernel_gains(model, theta, X, p, c)
    t = shares(gains, model.w, order, formula)
    B = t[:, None] * model.directions(theta, X, p, **attack)
    return {
        "influence": model.influence(theta, X, B),
        "mixed": model.mixed(theta, X, B),
        "hessian": model.hessian(X),
        "radius": s,
        "value_derivative": float(s * slope(gains, model.w, order, formula)),
        "per_sample": gram.shares(model, theta, X, B),
        "shares": t,
        "gains": gains,
    }


def kernel_robust_fit(model, theta, X, eps, *, order, p=2.0, **attack):
    """theta_eps for small eps: worst inputs, all at once, and exact refits in turn."""
    c, s = attack_scale(X, p=p, sample_weight=model.sample_weight, **attack)
    w, found = model.w, np.array(theta)
    for _ in range(80):
        points = X
        for _ in range(300):
            G = model.input_gradients(found, points)
            gains = norm(c * G, dual_order(p)) / (w if model.moving else 1.0)
            t = shares(gains, w, order)
            moved = X + eps * s * t[:, None] * scaled_direction(G, p, c)
            change, points = np.max(np.abs(moved - points)), moved
            if change <= 1e-16:
                break
        new = model.fit(points)
        step, found = np.max(np.abs(new - found)), new
        if step <= 1e-14 * np.max(np.abs(found)):
            break
    return found
