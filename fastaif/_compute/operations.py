"""The table of operations: what each is handed, of which shapes, and where its versions are.

All that C, Cython and Python have to agree on is made of it: the C structures, declarations and
dispatch and the Cython shim (`csrc/generate.py`, when the extension is built), and the checks
before a Numba operation (`checks.py`). Adding an operation is a C function, a Numba function and
an entry here; `entries.py` says what an entry is. Nothing is imported but that, `codes.py` and the
standard library, because the build reads this file before anything is installed.
"""

from __future__ import annotations

from .codes import sizes_of_bases
from .entries import (
    BITS,
    INT,
    INT32,
    INT64,
    REAL,
    REAL_NUMBER,
    SIZE,
    Array,
    Group,
    Number,
    Operation,
    reads,
    writes,
)

ABSENT = reads("0")

# --- groups --------------------------------------------------------------------------------------

UNITS = {"shift": reads("m", beside="inverse_scale"), "inverse_scale": reads("m", beside="shift")}

ROWS = Group(
    "Rows",
    {"x": reads("n", "m", dtype=REAL), "y": reads("n"), "weight": reads("n", optional=True)},
    sizes=("n", "m"),
)
SPARSE_BLOCK = Group(
    "SparseBlock",
    {
        "values": reads("values[0]", dtype=REAL),
        "columns": reads("values[0]", dtype=INT32),
        "starts": reads("n + 1", dtype=INT64),
        "y": reads("n"),
        "weight": reads("n", optional=True),
    },
    sizes=("n", "m"),
    holds=(
        ("rising(starts, values[0])", "row starts ascend from 0 or more to the number of values"),
        ("within(columns, m)", "columns are numbers from 0 to below that of the coefficients"),
    ),
)
# The last branch of a choice takes whatever comes: a number from another build would be computed
# as something else, without a word.
KNOWN_LOSS = (
    "0 <= loss < N_LOSSES",
    "the loss is one of those that were built (where you added one, build the extension again)",
)
PREDICTOR = Group("Predictor", {"beta": reads("d"), "intercept": REAL_NUMBER, **UNITS})
NORM_OF = Group("NormOf", {"p": REAL_NUMBER, **UNITS})
INNER = Group(
    "Inner",
    {
        "loss": INT,
        "delta": REAL_NUMBER,
        "kappa": REAL_NUMBER,
        "smoothing": REAL_NUMBER,
        "multiplier": reads("n", optional=True),
        "exponent": REAL_NUMBER,
    },
    holds=(KNOWN_LOSS,),
)
PLAIN_INNER = INNER.but(multiplier=ABSENT)
SUMS = Group(
    "Sums",
    {
        "hessian": writes("d", "d", when="need & NEED_HESSIAN"),
        "vectors": writes("N_VECTORS", "d"),
        "scalars": writes("N_SCALARS"),
    },
)
ATTACK = Group("Attack", {"p": REAL_NUMBER, "weights": reads("m", when="need & NEED_MIXED")})
SURE_ATTACK = ATTACK.but(weights=reads("m"))
BALL = Group("Ball", {"radius": REAL_NUMBER, "p": REAL_NUMBER})
BASIS = Group(
    "Basis",
    {
        "kind": INT,
        "degree": INT,
        "frequencies": reads("d", "m", when="kind == FOURIER"),
        "phases": reads("d", when="kind == FOURIER"),
        **UNITS,
        "out_shift": reads("d", beside="out_inverse_scale"),
        "out_inverse_scale": reads("d", beside="out_shift"),
    },
    sizes=("m", "d"),
    holds=(
        ("0 <= kind < N_BASES", "the basis is one of those that were built"),
        *sizes_of_bases,
    ),
)  # fmt: skip
KERNEL = Group(
    "Kernel",
    {"kind": INT, "degree": INT, "gamma": REAL_NUMBER, "coef0": REAL_NUMBER, "output_layer": INT},
    holds=(("0 <= kind < N_KERNELS", "the kernel is one of those that were built"),),
)
NETWORK = Group(
    "Network",
    {
        "activation": INT,
        "w1": reads("m", "h"),
        "b1": reads("h"),
        "w2": reads("h"),
        "b2": REAL_NUMBER,
        **UNITS,
    },
    sizes=("m", "h"),
    holds=(("0 <= activation < N_ACTIVATIONS", "the activation is one of those that were built"),),
)
LAYERS = Group(
    "Layers",
    {"activation": INT, "widths": reads("widths[0]", dtype=INT64), "theta": reads("d"), **UNITS},
    sizes=("n_widths",),
    holds=(("0 <= activation < N_LAYER_ACTIVATIONS",
            "the activation is one of those that were built"),),
)  # fmt: skip
HEAD = Group(
    "Head",
    {"kind": INT, "outputs": SIZE, "loss": INT, "delta": REAL_NUMBER},
    holds=(("0 <= kind < N_HEADS", "the head is one of those that were built"), KNOWN_LOSS),
)
BOX = Group(
    "Box",
    {"p": REAL_NUMBER, "units": reads("m"), "scale": reads("m"), "bounds": reads("2", "m")},
    holds=(("p == 2.0 or p == float('inf')", "p is 2 or inf"),),
)
PACE = Group(
    "Pace",
    {"part": REAL_NUMBER, "n_steps": SIZE, "enough": REAL_NUMBER, "still": REAL_NUMBER},
)
STEPS = Group(
    "Steps",
    {"p": REAL_NUMBER, "radius": REAL_NUMBER, "slopes": reads("free"), "n_steps": SIZE,
     "step": REAL_NUMBER, "draws": SIZE, "seed": BITS, "first_row": BITS},
    sizes=("free",),
)  # fmt: skip
BATCH_MODEL = Group(
    "BatchModel",
    {"loss": INT, "delta": REAL_NUMBER, "alpha": REAL_NUMBER, "damping": REAL_NUMBER,
     "fit_intercept": INT, "wants_influence": INT},
    holds=(KNOWN_LOSS,),
)  # fmt: skip
BATCH_ATTACK = Group(
    "BatchAttack",
    {"p": REAL_NUMBER, "radius": REAL_NUMBER, "weights": reads("m"), "inverse": reads("m")},
)
BATCH_FOUND = Group(
    "BatchFound",
    {
        "params": writes("count", "d"),
        "influence": writes("count", "d"),
        "numbers": writes("count", "3"),
        "status": writes("count", "2", dtype=INT64),
    },
)
DRAWS = Group(
    "Draws",
    {
        "seed": BITS,
        "numbers": reads("count", dtype=INT64),
        "first_row": SIZE,
        "places": reads("count", dtype=INT64),
        "kept": writes("kept[0]", "n_kept", optional=True),
    },
    sizes=("count", "n_kept"),
    holds=(
        ("first_row >= 0 and (not kept.size or first_row <= n_kept - n)",
         "weights are kept of all rows from the first one on"),
        ("not kept.size or (kept[0] % 8 == 0 and count <= kept[0])",
         "weights are kept of eight draws at a time, and of no fewer than there are"),
        ("not kept.size or within(places, kept[0])", "places are those of draws that are kept"),
    ),
)  # fmt: skip
DRAW_SUMS = Group(
    "DrawSums",
    {
        "hessian": writes("count", "d", "d"),
        "gradient": writes("count", "d"),
        "mixed": writes("count", "d"),
        "scalars": writes("count", "N_DRAW_SCALARS"),
    },
)
SQUARES = Group(
    "Squares",
    {"twice": reads("d", "d"), "push": reads("d"), "scale": reads("d"), "q": REAL_NUMBER},
)
SQUARES_POINT = Group(
    "SquaresPoint",
    {
        "theta": writes("d"),
        "r": writes("n"),
        "right": writes("d"),
        "balance": writes("n"),
        "pull": writes("d"),
        "numbers": writes("N_SQUARES_NUMBERS"),
    },
)
BLOCK = Group(
    "Block",
    {
        "v": writes("d", "k"),
        "f": reads("k"),
        "norms": reads("k", when="need & (NEED_NORM | NEED_YARDSTICK)"),
    },
)
DIRECTIONS = Group(
    "Directions",
    {
        "gains": reads("k", when="need & NEED_MIXED"),
        "ties": reads("k", when="need & NEED_MIXED"),
    },
)

# --- operations ----------------------------------------------------------------------------------

INPUTS = reads("n", "m", dtype=REAL)
SIZES_OF_ROWS = {"n": "rows.x[0]", "m": "rows.x[1]"}
SIZES_OF_INPUTS = {"n": "x[0]", "m": "x[1]"}
BY_MOMENTS = ("1 if need & NEED_MOMENTS else d", "n if need & NEED_MOMENTS else d")

LINEAR = {
    "linear_sums": Operation(
        "linear_sums",
        {"rows": ROWS, "predictor": PREDICTOR, "norm_of": NORM_OF, "inner": INNER, "need": INT,
         "sums": SUMS},
        {**SIZES_OF_ROWS, "d": "m"},
    ),
    "bounded_sums": Operation(
        "bounded_sums",
        {"rows": ROWS, "predictor": PREDICTOR, "inner": PLAIN_INNER,
         "budgets": reads("n", optional=True), "ends": reads("2", "m"), "slopes": reads("m"),
         "reach": reads("m"), "bounds": reads("2", "m"), "p": REAL_NUMBER,
         "sums": writes("2", "m"), "numbers": writes("5")},
        {**SIZES_OF_ROWS, "d": "m"},
        c="rows, predictor, inner, budgets, ends, slopes, reach, bounds, p, sums, numbers",
        holds=(("p == 2.0 or p == float('inf')", "p is 2 or inf"),),
        idle="n == 0",
    ),
    "sparse_sums": Operation(
        "sparse_sums",
        {"x": SPARSE_BLOCK, "predictor": PREDICTOR.without("shift", "inverse_scale"),
         "p": REAL_NUMBER, "inner": INNER, "need": INT, "sums": SUMS},
        {"n": "x.y[0]", "m": "predictor.beta[0]", "d": "m"},
        idle="n == 0",
    ),
    "linear_batch": Operation(
        "linear_batch",
        {"rows": ROWS, "spans": reads("count", "2", dtype=INT64), "model": BATCH_MODEL,
         "attack": BATCH_ATTACK, "found": BATCH_FOUND},
        {**SIZES_OF_ROWS, "count": "spans[0]", "d": "m + (1 if model.fit_intercept else 0)"},
        c="rows, spans, count, model, attack, found",
        holds=(("spanned(spans, n)", "spans hold at least one row each, of those there are"),),
        idle="count == 0",
    ),
    "linear_products": Operation(
        "hessian_products",
        {"x": INPUTS, "c": reads("n"), **UNITS, "U": reads("m + 1", "count"),
         "out": writes("m + 1", "count")},
        {**SIZES_OF_INPUTS, "count": "U[1]"},
        c="x, c, shift, inverse_scale, U, count, out",
        idle="count == 0",
    ),
    "linear_pgd": Operation(
        "linear_ascent",
        {"prediction": reads("n"), "y": reads("n"), "inner": INNER,
         "steps": STEPS, "out": writes("n", "free")},
        {"n": "prediction[0]", "free": "steps.slopes[0]"},
        c="prediction, y, n, inner, steps, out",
        idle="n == 0 or free == 0",
    ),
    "end_slopes": Operation(
        "end_slopes",
        {"f": reads("k", "n"), "y": reads("n"), "w": reads("n"), "inner": PLAIN_INNER,
         "kappas": reads("k"), "numbers": writes("2 * k", "n"),
         "scalars": writes("k", "N_SCALARS")},
        {"n": "y[0]", "k": "kappas[0]"},
        c="f, y, w, inner, kappas, numbers, scalars, k, n",
        idle="k == 0 or n == 0",
    ),
    "kink_descent": Operation(
        "kink_descent",
        {"columns": reads("k", "d"), "offsets": reads("k"), "shares": writes("k"),
         "move": writes("d"), "n_box": SIZE, "n_sweeps": SIZE},
        {"k": "shares[0]", "d": "move[0]"},
        c="columns, offsets, shares, move, n_box, n_sweeps, k, d",
        result="void",
        holds=(("0 <= n_box and n_box <= k", "n_box counts some of the entries"),),
        idle="k == 0",
    ),
    "squares_search": Operation(
        "squares_search",
        {"z": reads("n", "d"), "w": reads("n"), "form": SQUARES,
         "tol": REAL_NUMBER, "wary": INT, "point": SQUARES_POINT},
        {"n": "z[0]", "d": "z[1]"},
        c="z, w, form, tol, wary, point, n, d",
        idle="n == 0 or d == 0",
    ),
    "kink_settle": Operation(
        "kink_settle",
        {"columns": reads("k", "d"), "offsets": reads("k"), "start": reads("k"),
         "first": reads("d"), "n_box": SIZE, "ridge": REAL_NUMBER, "shares": writes("k"),
         "move": writes("d")},
        {"k": "shares[0]", "d": "move[0]"},
        c="columns, offsets, start, first, n_box, ridge, shares, move, k, d, settled",
        returns="ptrdiff_t settled",
        holds=(("0 <= n_box and n_box <= k", "n_box counts some of the entries"),),
        idle="k == 0",
    ),
    "raise_peak": Operation(
        "shared_budgets",
        {"peak": REAL_NUMBER, "exponent": REAL_NUMBER, "sums": SUMS.without("hessian")},
        {"d": "sums.vectors[1]"},
        c="peak, exponent, sums, d, factor",
        result="void",
        returns="double factor",
    ),
}  # fmt: skip

SURE_UNITS = PREDICTOR.without("beta").but(shift=reads("m"), inverse_scale=reads("m"))

BOOTSTRAP = {
    "bootstrap_start": Operation(
        "bootstrap_start",
        {"rows": ROWS, "norms": reads("n"),
         "predictor": SURE_UNITS,
         "inner": INNER.without("multiplier"), "draws": DRAWS, "theta": reads("d"),
         "sums": DRAW_SUMS.without("mixed")},
        {**SIZES_OF_ROWS, "d": "theta[0]", "count": "draws.numbers[0]", "n_kept": "draws.kept[1]"},
        c="rows, norms, predictor, inner, draws, theta, d, sums",
        holds=(("d == m or d == m + 1", "theta holds the coefficients, and perhaps an intercept"),),
        idle="count == 0",
    ),
    "bootstrap_sums": Operation(
        "bootstrap_sums",
        {"rows": ROWS, "norms": reads("n"),
         "predictor": SURE_UNITS,
         "inner": INNER.without("multiplier"), "draws": DRAWS, "thetas": reads("count", "d"),
         "need": INT,
         "sums": DRAW_SUMS.but(hessian=writes("count", "d", "d", when="need & NEED_HESSIAN"))},
        {**SIZES_OF_ROWS, "count": "draws.numbers[0]", "d": "thetas[1]", "n_kept": "draws.kept[1]"},
        c="rows, norms, predictor, inner, draws, thetas, d, sums",
        holds=(("d == m or d == m + 1", "thetas hold the coefficients, perhaps intercepts"),),
        idle="count == 0",
    ),
    "solve_draws": Operation(
        "solve_draws",
        {"matrices": writes("k", "d", "d"), "vectors": writes("k", "d"), "pivots": writes("k")},
        {"k": "vectors[0]", "d": "vectors[1]"},
        c="matrices, vectors, pivots, k, d",
        idle="k == 0 or d == 0",
    ),
    "bootstrap_weights": Operation(
        "bootstrap_sums",
        {"seed": BITS, "draw": BITS, "first_row": BITS, "out": writes("k")},
        {"k": "out[0]"},
        c="seed, draw, first_row, out, k",
        result="void",
        idle="k == 0",
    ),
}  # fmt: skip

BASES = {
    "basis_sums": Operation(
        "basis_sums",
        {"rows": ROWS, "basis": BASIS,
         "predictor": PREDICTOR.without("shift", "inverse_scale"),
         "norm_of": NORM_OF, "attack": ATTACK, "inner": PLAIN_INNER, "need": INT,
         "sums": SUMS.but(
             hessian=writes(*BY_MOMENTS, when="need & (NEED_HESSIAN | NEED_MOMENTS)"))},
        {**SIZES_OF_ROWS, "d": "predictor.beta[0]"},
    ),
    "block_sums": Operation(
        "basis_sums",
        {"block": BLOCK, "directions": DIRECTIONS, "y": reads("k"), "w": reads("k"),
         "inner": PLAIN_INNER, "need": INT, "rates": writes("2", "k"), "sums": SUMS},
        {"d": "block.v[0]", "k": "block.v[1]"},
        c="block.v, block.f, block.norms, directions.gains, directions.ties, y, w, d, k, inner, "
          "need, rates, sums, factor",
        returns="double factor",
        holds=(("d > 0 and k > 0", "a block has rows and features"),),
    ),
    "basis_moments": Operation(
        "basis_moments",
        {"rows": ROWS.without("y"), "basis": BASIS, "origin": reads("d"),
         "totals": writes("3", "d")},
        {**SIZES_OF_ROWS, "d": "origin[0]"},
    ),
    "quadratic_moments": Operation(
        "quadratic_moments",
        {"rows": ROWS.without("y", "weight"), "basis": BASIS, "weights": reads("n"),
         "moments": writes("moment_count(m)")},
        {**SIZES_OF_ROWS, "d": "m * (m + 3) // 2"},
        c="rows, basis.shift, basis.inverse_scale, weights, moments",
        holds=(("basis.kind == QUADRATIC", "moments are those of a quadratic basis"),),
    ),
    "basis_products": Operation(
        "hessian_products",
        {"x": INPUTS, "c": reads("n"), "basis": BASIS, "U": reads("d + 1", "count"),
         "out": writes("d + 1", "count")},
        {**SIZES_OF_INPUTS, "d": "U[0] - 1", "count": "U[1]"},
        c="x, c, basis, U, count, out",
        idle="count == 0",
    ),
    "basis_features": Operation(
        "basis_features",
        {"u": reads("m", "k"), "basis": BASIS, "v": writes("d", "k")},
        {"m": "u[0]", "k": "u[1]", "d": "v[0]"},
        c="basis, u, k, v",
        idle="d == 0 or k == 0",
    ),
    "basis_gradients": Operation(
        "basis_features",
        {"u": reads("m", "k"), "basis": BASIS, "beta": reads("d"), "g": writes("m", "k")},
        {"m": "u[0]", "k": "u[1]", "d": "beta[0]"},
        c="basis, u, beta, k, g",
        idle="m == 0 or k == 0",
    ),
    "basis_moves": Operation(
        "basis_features",
        {"u": reads("m", "k"), "basis": BASIS, "p": reads("m", "k"), "out": writes("d", "k")},
        {"m": "u[0]", "k": "u[1]", "d": "out[0]"},
        c="basis, u, p, k, out",
        idle="d == 0 or k == 0",
    ),
}  # fmt: skip

ROWS_OF_KERNEL: dict[str, Array | Number | Group] = {
    "slopes": reads("k", ">= l"), "values": reads("k", ">= l"), "first": SIZE,
}  # fmt: skip
TILE_OF_KERNEL = {
    "k": "tile[0]", "l": "tile[1]", "slope_columns": "slopes[1]", "value_columns": "values[1]",
}  # fmt: skip
FIRST_COLUMN = (
    ("0 <= first and first <= slopes[1] - l and first <= values[1] - l",
     "a tile lies within the rows of the kernel"),
)  # fmt: skip

KERNELS = {
    "kernel_tile": Operation(
        "kernel_tiles",
        {"kernel": KERNEL, "X": reads("k", "m"), "Z": reads("l", "m"), "xs": reads("k"),
         "zs": reads("l"), "offset": SIZE, "values": writes("k", ">= l"),
         "slopes": writes("k", ">= l", optional=True)},
        {"k": "X[0]", "l": "Z[0]", "m": "X[1]", "value_columns": "values[1]",
         "slope_columns": "slopes[1]"},
        c="kernel, X, Z, k, l, m, xs, zs, offset, values, value_columns, slopes, slope_columns, "
          "kinks",
        returns="ptrdiff_t kinks",
        idle="k == 0 or l == 0 or m == 0",
    ),
    "weighted_slopes": Operation(
        "kernel_contractions",
        {**ROWS_OF_KERNEL, "left": reads("k", "2"), "right": reads("2", "l"),
         "tile": writes("k", "l"), "sums": writes("k", "2")},
        TILE_OF_KERNEL,
        c="slopes, slope_columns, values, value_columns, first, k, l, left, right, tile, sums",
        result="void",
        holds=FIRST_COLUMN,
    ),
    "directional_tile": Operation(
        "kernel_contractions",
        {**ROWS_OF_KERNEL, "shifts": reads("k", "2"), "tile": writes("k", "l")},
        TILE_OF_KERNEL,
        c="slopes, slope_columns, values, value_columns, first, k, l, shifts, tile",
        result="void",
        holds=FIRST_COLUMN,
        idle="k == 0 or l == 0",
    ),
    "directional_sums": Operation(
        "kernel_contractions",
        {"tile": reads("k", "l"), "right": reads("2", "l"), "left": reads("k", "2"),
         "rows": writes("k", "2"), "columns": writes("2", "l")},
        {"k": "tile[0]", "l": "tile[1]"},
        c="tile, k, l, right, left, rows, columns",
        result="void",
        idle="k == 0 or l == 0",
    ),
    "mirror": Operation(
        "kernel_contractions",
        {"rows": reads("k", "row_columns"), "start": SIZE, "out": writes("out[0]", "out_columns")},
        {"k": "rows[0]", "row_columns": "rows[1]", "out_columns": "out[1]"},
        c="rows, row_columns, start, k, out, out_columns",
        result="void",
        holds=(("0 <= start and start <= row_columns - k and start <= out[0] - k"
                " and start <= out_columns - k", "the rows lie within the matrix"),),
        idle="k == 0",
    ),
}  # fmt: skip

ATTACKS = {
    "attack_directions": Operation(
        "row_geometry",
        {"g": reads("m", "k"), "attack": SURE_ATTACK, "out": writes("m", "k"),
         "gains": writes("k"), "ties": writes("k")},
        {"m": "g[0]", "k": "g[1]"},
        c="g, m, k, attack.p, attack.weights, out, gains, ties",
        idle="k == 0",
    ),
    "bounded_moves": Operation(
        "bounded_moves",
        {"rows": ROWS.without("y", "weight"), "slopes": reads("n", "m"), "units": reads("m"),
         "scale": reads("m"), "bounds": reads("2", "m"), "sizes": reads("n"), "p": REAL_NUMBER,
         "moves": writes("n", "m"), "gains": writes("n")},
        SIZES_OF_ROWS,
        c="rows, slopes, units, scale, bounds, sizes, p, moves, gains",
        holds=(("p == 2.0 or p == float('inf')", "p is 2 or inf"),),
    ),
    "bounded_attacks": Operation(
        "bounded_attacks",
        {"rows": ROWS.without("y", "weight"), "beta": reads("m"), "sides": reads("n"),
         "units": reads("m"), "scale": reads("m"), "bounds": reads("2", "m"), "sizes": reads("n"),
         "p": REAL_NUMBER, "out": writes("n", "m")},
        SIZES_OF_ROWS,
        c="rows, beta, sides, units, scale, bounds, sizes, p, out",
        holds=(("p == 2.0 or p == float('inf')", "p is 2 or inf"),),
    ),
    "rows_inside": Operation(
        "rows_inside",
        {"x": INPUTS, "attacked": INPUTS, "scale": reads("m"), "bounds": reads("2", "m"),
         "sizes": reads("n"), "p": REAL_NUMBER, "inside": writes("n")},
        SIZES_OF_INPUTS,
        c="x, attacked, scale, bounds, sizes, p, inside",
        holds=(("p == 1.0 or p == 2.0 or p == float('inf')", "p is 1, 2 or inf"),),
    ),
    "ascend_rows": Operation(
        "row_geometry",
        {"t": reads("k", "m"), "g": reads("k", "m"), "step": reads("k"), "ball": BALL,
         "steepest": INT, "moved": writes("k", "m")},
        {"k": "t[0]", "m": "t[1]"},
        c="t, g, k, m, step, ball.radius, ball.p, steepest, moved, largest",
        returns="double largest",
        idle="k == 0 or m == 0",
    ),
    "random_points": Operation(
        "row_geometry",
        {"seed": BITS, "draw": BITS, "first_row": BITS, "radius": REAL_NUMBER, "p": REAL_NUMBER,
         "u": writes("k", "m")},
        {"k": "u[0]", "m": "u[1]"},
        c="seed, draw, first_row, radius, p, u, k, m",
        result="void",
        idle="k == 0 or m == 0",
    ),
    "project_ball": Operation(
        "pointwise",
        {"v": reads("m"), "radius": REAL_NUMBER, "p": REAL_NUMBER, "out": writes("m")},
        {"m": "v[0]"},
        c="v, m, radius, p, out",
        idle="m == 0",
    ),
    "ball_ascent": Operation(
        "trust_region",
        {"h": reads("k", "m"), "values": reads("m"), "radius": REAL_NUMBER,
         "z": writes("k", "m"), "gains": writes("k")},
        {"k": "h[0]", "m": "h[1]"},
        c="h, values, k, m, radius, z, gains",
        idle="k == 0 or m == 0",
    ),
    "smooth_ball_ascent": Operation(
        "smooth_trust_region",
        {"h": reads("k", "m"), "values": reads("m"), "radius": REAL_NUMBER, "nu": REAL_NUMBER,
         "unit": REAL_NUMBER, "t": writes("k", "m"), "widths": writes("k", "m + 1"),
         "gains": writes("k", "2")},
        {"k": "h[0]", "m": "h[1]"},
        c="h, values, k, m, radius, nu, unit, t, widths, gains",
        idle="k == 0 or m == 0",
    ),
    "nested_powers": Operation(
        "nested_powers",
        {"seed": BITS, "first": SIZE, "n_samples": SIZE, "linear": reads("m"),
         "square": reads("m"), "noise": REAL_NUMBER, "out": writes("k", "m")},
        {"k": "out[0]", "m": "linear[0]"},
        c="-",
        holds=(("n_samples > 0", "a sample has rows"),),
        idle="k == 0 or m == 0",
    ),
}  # fmt: skip

NETWORKS = {
    "network_sums": Operation(
        "network_sums",
        {"rows": ROWS, "network": NETWORK, "norm_of": NORM_OF, "attack": ATTACK,
         "inner": PLAIN_INNER, "need": INT, "sums": SUMS},
        {**SIZES_OF_ROWS, "h": "network.w1[1]", "d": "(m + 2) * h"},
    ),
    "network_predictions": Operation(
        "network_rows",
        {"x": INPUTS, "network": NETWORK, "f": writes("n")},
        {**SIZES_OF_INPUTS, "h": "network.w1[1]"},
    ),
    "network_moves": Operation(
        "network_rows",
        {"x": INPUTS, "network": NETWORK, "step": NETWORK.without("shift", "inverse_scale"),
         "speed": writes("n"), "bend": writes("n"),
         "slopes": writes("2", "m", "n", optional=True)},
        {**SIZES_OF_INPUTS, "h": "network.w1[1]"},
    ),
    "network_shares": Operation(
        "network_rows",
        {"rows": ROWS.without("weight"), "network": NETWORK, "attack": SURE_ATTACK,
         "inner": INNER.without("multiplier"), "out": writes("n", "(m + 2) * h + 1")},
        {**SIZES_OF_ROWS, "h": "network.w1[1]"},
    ),
    "network_ascent": Operation(
        "network_ascent",
        {"rows": ROWS.without("weight"), "network": NETWORK, "moves": reads("free", "h"),
         "inner": INNER, "steps": STEPS.without("slopes"), "out": writes("n", "free"),
         "f": writes("n")},
        {**SIZES_OF_ROWS, "h": "network.w1[1]", "free": "moves[0]"},
    ),
    "bounded_ascent": Operation(
        "bounded_ascent",
        {"x": reads("n", "m"), "targets": reads("n", "n_targets"), "layers": LAYERS, "head": HEAD,
         "box": BOX, "sizes": reads("n"), "pace": PACE, "delta": writes("n", "m"),
         "heights": writes("n")},
        {"n": "x[0]", "m": "x[1]", "n_targets": "targets[1]", "d": "layers.theta[0]",
         "n_widths": "layers.widths[0]"},
        c="x, targets, layers, head, box, sizes, pace, delta, heights, n, m, n_targets",
        holds=(("chained(layers.widths, m, head.outputs, d)",
                "widths lead from the inputs to the outputs, and make up theta"),
               ("n_targets == (head.outputs if head.kind == SEVERAL_OUTPUTS else 1)",
                "a target is a number, or one an output"),
               ("head.kind != CLASSES or numbered(targets, head.outputs)",
                "targets are numbers of classes, from 0 on")),
        idle="n == 0 or m == 0",
    ),
}  # fmt: skip

SOFTMAX = {
    "softmax_sums": Operation(
        "softmax_sums",
        {"rows": ROWS, "coef": reads("classes", "c"), **UNITS, "norm_of": NORM_OF,
         "attack": ATTACK, "exponent": REAL_NUMBER, "need": INT,
         "sums": SUMS.but(
             hessian=writes("classes * (classes - 1) // 2", "c", "c", when="need & NEED_HESSIAN"),
             vectors=writes("N_VECTORS", "classes * c"))},
        {**SIZES_OF_ROWS, "classes": "coef[0]", "c": "coef[1]"},
        c="rows, coef, classes, c, shift, inverse_scale, norm_of, attack, exponent, need, sums",
        holds=(("c == m or c == m + 1", "a class has its coefficients, and perhaps an intercept"),
               ("numbered(rows.y, classes)", "targets are numbers of classes, from 0 on")),
    ),
    "contrasted_pairs": Operation(
        "contrasted_pairs",
        {"pairs": reads("count", "c", "c"), "moves": reads("count", "h"), "share": REAL_NUMBER,
         "out": writes("h * c", "h * c")},
        {"count": "pairs[0]", "c": "pairs[1]", "h": "moves[1]"},
        c="pairs, moves, share, out, count, c, h",
        idle="h == 0 or c == 0",
    ),
}  # fmt: skip

RANDOM_NUMBERS = {
    "standard_normals": Operation(
        "philox",
        {"seed": BITS, "draw": BITS, "first_row": BITS, "out": writes("k", "m")},
        {"k": "out[0]", "m": "out[1]"},
        c="seed, draw, first_row, out, k, m",
        result="void",
        idle="k == 0 or m == 0",
    ),
    "random_rows": Operation(
        "philox",
        {"seed": BITS, "draw": BITS, "n": SIZE, "out": writes("k", dtype=INT64)},
        {"k": "out[0]"},
        c="seed, draw, n, out, k",
        result="void",
        holds=(("n > 0", "there is a row to draw"),),
        idle="k == 0",
    ),
}

# Elementary functions by themselves, in C alone: their accuracy is tested.
PARTS = {
    name: Operation(
        "",
        {"x": reads("k"), "out": writes("k")},
        {"k": "x[0]"},
        c="x, out, k",
        result="void",
        idle="k == 0",
    )
    for name in ("exp", "negative_log", "log1p", "normal_share")
}

TABLE: dict[str, Operation] = {
    **LINEAR, **BOOTSTRAP, **BASES, **KERNELS, **ATTACKS, **NETWORKS, **SOFTMAX,
    **RANDOM_NUMBERS,
}  # fmt: skip
