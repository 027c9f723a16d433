"""Numbers that stand for something, in Python, Numba and C alike.

The enumeration that the C operations see is made of this file: every name in capitals here is a
whole number there. Nothing is imported, because the build reads it before anything is installed.
Losses alone have their numbers where they are told apart: `code` of their classes,
`numba_ops/point_losses.py` and `csrc/core/point_losses.h`, which a test holds against each other.
"""

# Bits of `need`: which parts of the sums to compute.
NEED_GRADIENT, NEED_HESSIAN, NEED_NORM, NEED_LOSS, NEED_YARDSTICK = 1, 2, 4, 8, 16
NEED_MIXED = 32  # where ∇_x f varies from row to row, or NEED_HESSIAN is not set
NEED_GAUSS_NEWTON = 64  # the Hessian without E ℓ' ∇²f, for models that are curved in θ
NEED_MOMENTS = 128  # with NEED_HESSIAN: not H but each row's w ℓ'', for `quadratic_moments`

MOMENT_GROUP = 8  # values of r that share a matrix of `quadratic_moments`

QUADRATIC, POWERS, FOURIER, N_BASES = range(4)
# What holds of d, the number of features, in each basis of m inputs: the C code trusts it.
sizes_of_bases = (
    ("kind != QUADRATIC or 2 * d == m * (m + 3)", "a quadratic basis has m (m + 3) / 2 features"),
    ("kind != POWERS or (degree > 0 and d == m * degree)", "powers have m degree features"),
)

# Of networks of one layer the first three, of any depth all.
TANH, SOFTPLUS, GELU, N_ACTIVATIONS = range(4)
SIGMOID, RELU, IDENTITY, N_LAYER_ACTIVATIONS = range(N_ACTIVATIONS, N_ACTIVATIONS + 4)

# What becomes of a network's outputs: a loss of one, ‖f − y‖², the lead of the other classes.
ONE_OUTPUT, SEVERAL_OUTPUTS, CLASSES, N_HEADS = range(4)

RBF, MATERN_3_2, MATERN_5_2, POLYNOMIAL, NTK, N_KERNELS = range(6)

# Places in the vector of scalar sums; each is Σ w(·), except Σ w² and two counts of rows
# of positive weight: those with ψ_κ = 0, or nearly so, and (logistic loss) those not classified
# rightly.
# S_SLOPE, S_MIXED and S_TIES are filled for NEED_MIXED: Σ w |ℓ'| g and Σ w ℓ'' sgn(ℓ') g, where
# g = ‖c ∘ ∇_x f‖_q of the row, and the number of ties in the directions of attack. Where
# budgets are shared (`shared_budgets`) S_MIXED is multiplied by the shares, S_PEAK is the
# largest gain M, which merges as a maximum, and S_POWER is Σ w (g / M)^v.
(
    S_WEIGHT, S_LOSS, S_F, S_K, S_FK, S_FF, S_KK, S_NORM, S_YARDSTICK, S_F2, S_W2, S_ZERO,
    S_WRONG, S_SLOPE, S_MIXED, S_TIES, S_PEAK, S_POWER, N_SCALARS,
) = range(19)  # fmt: skip

# Rows of the matrix of vector sums: Σ w ψ_f v, Σ w ψ_fκ v, Σ w ψ_ff v, and for NEED_MIXED
# Σ w (ℓ'' sgn(ℓ') g v + |ℓ'| J φ), Theorem 4.1's Φ/s. Shared budgets multiply V_FK and V_MIXED.
V_F, V_FK, V_FF, V_MIXED, N_VECTORS = range(5)

# Places in a draw's scalar sums: Σ w, Σ w‖x‖, Σ w |ℓ'| and Σ w |ℓ'| ‖(v, 1)‖₂, where w is the
# sample weight times the draw's.
D_WEIGHT, D_NORM, D_SLOPE, D_YARDSTICK, N_DRAW_SCALARS = range(5)

# What is told of where a search on squares ends: J, what is proven of its minimum, a subgradient,
# how many rows were looked at near their kinks, whether the gap asked for is proven, and how many
# rows products were made with beside.
Q_VALUE, Q_BOUND, Q_RESIDUAL, Q_READ, Q_PROVEN, Q_PRODUCTS, N_SQUARES_NUMBERS = range(7)

# What becomes of a small problem: no sum is a number, H is not definite, Newton's method does not
# end; and of its influence: H is not definite, ℓ' or β is zero, all rows are zero.
FOUND, NOT_FINITE, SINGULAR, NOT_CONVERGED, FLAT, NO_GRADIENT, NO_RADIUS = range(7)
