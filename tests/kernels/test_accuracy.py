"""Kernels against fifty digits, and tangent kernels against wide random networks."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif._compute import get
from fastaif._compute import types as c
from fastaif.kernels.pairs import Pairs

mp = pytest.importorskip("mpmath", reason="the truth is computed with mpmath")
DEPTHS = [(depth, out) for depth in (1, 2, 3, 5) for out in (False, True)]
ANGLES = np.concatenate(
    [
        10.0 ** np.arange(-10.0, -0.6, 0.5),
        [0.19, 0.21, 0.5, 1.0, 1.5, np.pi / 2, 1.6, 2.2, 2.9, np.pi - 0.21, np.pi - 0.19],
        np.pi - 10.0 ** np.arange(-10.0, -0.6, 1.0),
    ]
)
APART = -(1 << 60)


@pytest.fixture(autouse=True)
def _fifty_digits():
    with mp.workdps(50):
        yield


def exact(rows):
    """The numbers that doubles stand for."""
    return [mp.mpf(float(v)) for v in rows]


def dot(x, z):
    return mp.fsum(a * b for a, b in zip(x, z, strict=True))


def tangent_kernel(x, z, depth, output_layer):
    """K, its gradient in x, the norms and the angle."""
    x, z = exact(x), exact(z)
    norm, other = mp.sqrt(dot(x, x)), mp.sqrt(dot(z, z))
    x, z = [v / norm for v in x], [v / other for v in z]
    minus, plus = ([a + s * b for a, b in zip(x, z, strict=True)] for s in (-1, 1))
    first = angle = 2 * mp.atan2(mp.sqrt(dot(minus, minus)), mp.sqrt(dot(plus, plus)))
    rho = tau = mp.cos(angle)
    rho_slope = tau_slope = -mp.sin(angle)
    for _ in range(depth):
        kappa = 1 - angle / mp.pi
        kappa_slope = rho_slope / (mp.pi * mp.sin(angle))
        k, slope = tau * kappa / 2, (tau_slope * kappa + tau * kappa_slope) / 2
        rho = (rho * (mp.pi - angle) + mp.sin(angle)) / mp.pi
        rho_slope *= kappa
        tau, tau_slope = 2 * k + rho, 2 * slope + rho_slope
        angle = mp.acos(rho)
    if output_layer:
        k, slope = tau / 2, tau_slope / 2
    cosine, sine = mp.cos(first), mp.sin(first)
    tangent = [(b - cosine * a) / sine for a, b in zip(x, z, strict=True)]
    gradient = [other * (k * a - slope * t) for a, t in zip(x, tangent, strict=True)]
    return norm * other * k, gradient, norm, other, first


def pairs_at(angles, seed=3):
    """Rows X, Z off the unit sphere; those of equal index are at the given angles."""
    rng = np.random.default_rng(seed)
    X, Z = np.empty((len(angles), 3)), np.empty((len(angles), 3))
    for i, angle in enumerate(angles):
        q = np.linalg.qr(rng.normal(size=(3, 2)))[0]
        X[i], turned = q[:, 0], np.cos(angle) * q[:, 0] + np.sin(angle) * q[:, 1]
        X[i] *= rng.lognormal(0.0, 1.5)
        Z[i] = rng.lognormal(0.0, 1.5) * turned
    return X, Z


def assert_accurate(found, gradient, x, z, depth, output_layer):
    value, slope, norm, other, angle = tangent_kernel(x, z, depth, output_layer)
    assert abs(exact([found])[0] - value) <= 1e-14 * norm * other
    off = [a - b for a, b in zip(exact(gradient), slope, strict=True)]
    bound = max(1e-12, 1e-15 / min(float(angle), float(mp.pi - angle)))
    assert mp.sqrt(dot(off, off)) <= bound * other


@pytest.mark.parametrize(("depth", "output_layer"), DEPTHS)
def test_directions_of_tangent_kernels(depth, output_layer):
    X, Z = pairs_at(ANGLES)
    pairs = Pairs(fa.kernels.NTK(depth, output_layer).compiled(), X, Z, False)
    values = pairs.values()
    moved = [pairs.jacobian(np.tile(unit, (len(X), 1))) for unit in np.eye(3)]
    for i in range(len(X)):
        gradient = [D[i, i] for D in moved]
        assert_accurate(values[i, i], gradient, X[i], Z[i], depth, output_layer)


@pytest.mark.parametrize(("depth", "output_layer"), DEPTHS)
def test_tangent_kernels(depth, output_layer):
    kernel = fa.kernels.NTK(depth, output_layer)
    X, Z = pairs_at(ANGLES[::2], seed=4)
    for x, z in zip(X, Z, strict=True):
        value = kernel(x[None], z[None])[0, 0]
        gradient = kernel.gradient(x[None], z[None], [1.0])[0]
        assert_accurate(value, gradient, x, z, depth, output_layer)


@pytest.mark.parametrize("depth", [1, 4])
def test_slopes_do_not_change_the_values(depth, rng):
    X, Z = rng.normal(size=(5, 4)), rng.normal(size=(300, 4))
    xs, zs = np.einsum("ij,ij->i", X, X), np.einsum("ij,ij->i", Z, Z)
    kernel = c.Kernel(c.NTK, depth, 1.0, 0.0, 0)
    with_slopes, without, none = X @ Z.T, X @ Z.T, np.empty((0, 0))
    out = np.empty_like(without)
    get("kernel_tile")(kernel, X, Z, xs, zs, APART, with_slopes, out)
    get("kernel_tile")(kernel, X, Z, xs, zs, APART, without, none)
    np.testing.assert_array_equal(with_slopes, without)


def far_pairs():
    """Pairs at distances from 1e-9 to 3 around a point at a distance of 1.7e6."""
    rng = np.random.default_rng(8)
    X = 1e6 + rng.normal(size=(30, 3))
    return X, X + 10.0 ** np.linspace(-9.0, 0.5, 30)[:, None] * rng.uniform(-1, 1, size=(30, 3))


@pytest.mark.parametrize(
    ("kernel", "of_distance"),
    [
        (fa.kernels.RBF(0.7), lambda d: mp.exp(-mp.mpf(0.7) * d * d)),
        (fa.kernels.Matern(1.5, 0.8), lambda d: (1 + d) * mp.exp(-d)),
        (fa.kernels.Matern(2.5, 0.9), lambda d: (1 + d + d * d / 3) * mp.exp(-d)),
    ],
    ids=["rbf", "matern 3/2", "matern 5/2"],
)
def test_an_offset_of_the_data_costs_no_digits(kernel, of_distance):
    X, Z = far_pairs()
    found = kernel(X, Z)
    scale = mp.mpf(1)
    if isinstance(kernel, fa.kernels.Matern):
        scale = mp.sqrt(2 * mp.mpf(kernel.nu)) * mp.mpf(kernel.gamma)
    for i in range(len(X)):
        for j in (i, (i + 7) % len(X)):
            moved = [a - b for a, b in zip(exact(X[i]), exact(Z[j]), strict=True)]
            truth = of_distance(scale * mp.sqrt(dot(moved, moved)))
            assert abs(exact([found[i, j]])[0] / truth - 1) <= 1e-13


def test_the_exponential():
    squares = np.concatenate([np.linspace(0.0, 40.0, 200), np.linspace(40.0, 707.0, 50)])
    values, zs = np.zeros((1, 250)), squares.copy()
    X, Z, none = np.zeros((1, 1)), np.sqrt(squares)[:, None], np.empty((0, 0))
    kernel = fa.kernels.RBF(1.0).compiled()
    get("kernel_tile")(kernel, X, Z, np.zeros(1), zs, APART, values, none)
    off = [exact([v])[0] / mp.exp(-e) - 1 for v, e in zip(values[0], exact(zs), strict=True)]
    assert max(map(abs, off)) <= 4e-16


# --- random networks ----------------------------------------------------------------------


class Network:
    """f(x) = a·relu(W_L h_{L−1}) / √w, h_l = √(2/w) relu(W_l h_{l−1}), a = ±1, normal W."""

    def __init__(self, m, depth, width, seed):
        rng = np.random.default_rng(seed)
        sizes = [m] + [width] * depth
        self.weights = [rng.standard_normal((sizes[h + 1], sizes[h])) for h in range(depth)]
        self.signs, self.width = rng.choice([-1.0, 1.0], width), width

    def states(self, X):
        """For each layer the inputs h and the derivatives of f by W h; then the last h."""
        states, h = [], X
        for W in self.weights:
            before = h @ W.T
            states.append((h, before > 0.0))
            h = np.sqrt(2.0 / self.width) * np.maximum(before, 0.0)
        derivative = self.signs / np.sqrt(self.width)
        found = []
        for (inputs, active), W in zip(states[::-1], self.weights[::-1], strict=True):
            derivative = derivative * active
            found.append((inputs, derivative))
            derivative = np.sqrt(2.0 / self.width) * (derivative @ W)
        return found, h / np.sqrt(2.0)

    def kernels(self, X, Z):
        """⟨∇_W f(x_i), ∇_W f(z_j)⟩ over hidden weights W, and over those of the output too."""
        (xs, x_last), (zs, z_last) = self.states(X), self.states(Z)
        layers = zip(xs, zs, strict=True)
        K = sum((h @ g.T) * (d @ e.T) for (h, d), (g, e) in layers)
        return np.stack([K, K + x_last @ z_last.T])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_wide_networks(depth):
    rng = np.random.default_rng(40)
    X, Z, B = rng.normal(size=(6, 4)), rng.normal(size=(5, 4)), rng.normal(size=(6, 4))
    B /= np.linalg.norm(B, axis=1)[:, None]
    step, width, n_networks = (0.1, 100_000, 2) if depth == 1 else (0.1, 1200, 16)
    near = np.vstack([X, X + step * B, X - step * B])
    networks = (Network(4, depth, width, seed) for seed in range(n_networks))
    means = np.mean([network.kernels(near, Z) for network in networks], axis=0)
    sizes = np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Z, axis=1)) * depth
    scale = depth * np.linalg.norm(Z, axis=1)
    for output_layer, mean in zip((False, True), means, strict=True):
        kernel = fa.kernels.NTK(depth, output_layer)
        K, ahead, behind = np.split(mean, 3)
        np.testing.assert_allclose(kernel(X, Z) / sizes, K / sizes, atol=0.03)
        # Active units switch: only over a finite step do enough of them to show that slope.
        D = np.stack([kernel.directional(X, Z, B, e) for e in np.eye(len(Z))], axis=1)
        quotient = (ahead - behind) / (2 * step) / scale
        assert np.linalg.norm(D / scale - quotient) <= 0.1 * np.linalg.norm(quotient)
