"""What the public functions return: frozen objects with lazy properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.checked_rows import evaluation_rows, locating
from ..data.rows import RowSource
from ..families.kinks import Kinks
from ..families.model import input_names
from ..families.problem import InfluenceProblem
from ..families.registry import adversary_of
from ..reports import text, words
from ..reports.answer import reach_of
from ..utils import validation
from ..utils.arrays import ReadOnlyArrays, unwritable
from ..utils.caching import cached_property
from ..utils.inputs import MatrixLike, TargetsLike
from ..utils.warnings import FlipWarning, InfluenceWarning, warn_once
from .expansion import COSTS, PARAMS, Roughness, bent, chosen, norm_cost, roughness
from .intervals import Intervals
from .verification import Verification, verify_influence

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_FLIPPED = 0.05  # of the weight
_DEPARTED = 0.25  # a Newton step, of the predicted step: about the error of the predicted params
_FADED = 0.25  # of s E‖∇_x ℓ‖: predicted costs are then too high by half where nothing flips


@dataclass(frozen=True, eq=False)
class InfluenceResult(ReadOnlyArrays, Intervals):
    """The adversarial influence of a model: how robust training would move it.

    Attributes
    ----------
    influence : array (d,)
        I = dθ_ε/dε at ε = 0+: coefficients, then the intercept (Theorem 4.1, eq. 5).
    problem : InfluenceProblem
        The model at θ̂ with its data.
    """

    influence: Array
    problem: InfluenceProblem = field(repr=False)
    p: float
    order: float

    # --- what the one pass gave ---------------------------------------------------------

    @property
    def at(self) -> float:
        """The ε at which the derivative is taken."""
        return 0.0

    @property
    def params(self) -> Array:
        """θ̂, shape (d,)."""
        return unwritable(self.problem.params)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of θ."""
        return self.problem.names

    @property
    def attackable(self) -> Array:
        """Which inputs are attacked, booleans, in the order of X's columns.

        What a fixed encoder made of categories, a constant column and what a pipeline drops are
        not.
        """
        model, free = self.problem.model, self.problem.ball.free
        mask = np.zeros(model.n_features, dtype=bool)
        mask[free] = True
        return unwritable(mask if model.intake is None else model.intake.back(mask))

    def reach(self, eps: float) -> pd.Series:
        """How far an attack of size ε can move each feature if it moves no other.

        What a size means in the features' own units: ε s c_j, behind a scaler c_j = σ_j by
        default. Attacks on several features at once move each by less, but for p = ∞.

        Parameters
        ----------
        eps : float
            In units of the radius s.

        Returns
        -------
        pandas.Series
            By the names of X's columns, 0 for those that no attack moves.

        Raises
        ------
        ValueError
            The attacks have no such lengths.
        """
        import pandas as pd

        lengths = reach_of(self, validation.number(eps, "eps", low=0.0))
        if lengths is None:
            raise ValueError(
                "these attacks have no length a feature: give the moves that matter as "
                "feature_scale"
            )
        return pd.Series(lengths, index=input_names(self.problem.model), name="reach")

    @cached_property
    def mixed(self) -> Array:
        """Φ, shape (d,): the mixed derivative of Theorem 4.1."""
        return unwritable(self.problem.mixed())

    @property
    def hessian(self) -> Array | None:
        """H, shape (d, d): the Hessian of the objective, penalty included, damping not.

        None where the solver is iterative and H was never formed. Of a network's idle units the
        biases, along which it is zero, have 2α on the diagonal.
        """
        found = self.problem.hessian
        return None if found is None else unwritable(found)

    @property
    def radius(self) -> float:
        """s: the attack's budget at ε is ε s."""
        return self.problem.radius

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E‖∇_x ℓ‖_q."""
        return self.problem.value_derivative

    @property
    def influence_raw(self) -> Array:
        """The influence on slopes in raw units, shape (d,); β/σ behind a scaler.

        The intercept's entry is that of f = β_rawᵀ x + b_raw.
        """
        return unwritable(self.problem.influence_raw(self.influence))

    # --- sensitivity --------------------------------------------------------------------

    @cached_property
    def _along_training(self) -> tuple[float, float]:
        """gᵀI and IᵀHI on the data of the fit (no penalty)."""
        return self.problem.along(self.influence, self.problem.evaluation)

    @property
    def sensitivity_coefficient(self) -> float:
        """S/ε² = ½ IᵀH_eI on the training data (eq. 4)."""
        return 0.5 * self._along_training[1]

    def sensitivity(
        self,
        eps: ArrayLike,
        X: MatrixLike | None = None,
        y: TargetsLike | None = None,
        *,
        expansion: str = "auto",
    ) -> Any:
        """The predicted change of the clean loss, S_ε, without adversarial training.

        Parameters
        ----------
        eps : float or array
        X, y : arrays, optional
            Evaluation data (unweighted); the training data, weighted as in `aif`, by
            default.
        expansion : {"auto", "norm", "quadratic", "taylor"}
            "quadratic" is the paper's eq. 4, ``½ε² IᵀH_eI``. It leaves out ``ε g_eᵀI``,
            which vanishes only where θ̂ minimises the evaluation loss; "taylor" adds it.
            "norm" expands everything but ``‖Dβ‖_q``, whose bend takes both of these off the
            robust path long before samples' attacks turn round; it exists for linear predictors
            with a budget a sample (order inf) and H formed. Where the loss is not a square it
            takes a pass an ε. On the training data its answer is never more than what the model
            without attackable features costs, its penalty included. Of softmax models and several
            outputs it is up to three Newton steps from the end of the tangent, each with a few
            steps of attack on every row, without such a bound. "auto" is "norm" where it
            exists, else "taylor".

        Returns
        -------
        float or array
            In units of the loss, shaped like `eps`.

        Raises
        ------
        ValueError
            expansion="norm" where it does not exist.
        """
        radii = validation.radii(eps)
        how = chosen(self.problem, expansion, COSTS)
        self._warn_if_rough(radii, how)
        source = None
        if X is not None or y is not None:
            source = evaluation_rows(self.problem.model, X, y)
        if how == "norm":
            result = self._norm_costs(radii, source)
        else:
            result = self._tangent_costs(radii, source, how)
        return float(result) if np.ndim(eps) == 0 else result

    def _norm_costs(self, radii: Array, source: RowSource | None) -> Array:
        """S by the expansion that keeps the norm, at every radius."""
        with locating(source or self.problem.evaluation):
            costs = [norm_cost(self.problem, float(eps), source) for eps in radii.ravel()]
        return np.reshape(costs, radii.shape)

    def _tangent_costs(self, radii: Array, source: RowSource | None, how: str) -> Array:
        """S by eq. 4, or with the term of first order too."""
        if source is None:
            slope, curvature = self._along_training
        else:
            with locating(source):
                slope, curvature = self.problem.along(self.influence, source)
        with np.errstate(over="ignore"):
            result = 0.5 * radii**2 * curvature
        return np.asarray(result + radii * slope if how == "taylor" else result)

    def predict_params(self, eps: float, *, expansion: str = "auto") -> Array:
        """The predicted robust optimum, shape (d,).

        Parameters
        ----------
        eps : float
        expansion : {"auto", "norm", "linear"}
            "linear" is the tangent θ̂ + εI; "norm" as for `sensitivity`, and from the zero radius
            on (`zero_radius`) the robust optimum itself. "auto" is "norm" where it exists.

        Returns
        -------
        array (d,)

        Raises
        ------
        ValueError
            expansion="norm" where it does not exist.
        """
        radius = float(validation.radii(validation.number(eps, "eps", low=0.0)))
        how = chosen(self.problem, expansion, PARAMS)
        self._warn_if_rough(np.asarray(radius), how)
        model = self.problem.norm_expansion
        if how == "norm" and model is not None:
            return self.params + model.step(radius)
        return self.problem.moved(radius * self.influence)

    # --- how far ε may go ---------------------------------------------------------------

    @cached_property
    def _kinks(self) -> Kinks:
        return self.problem.kinks(self.influence).ending_at(self._fades)

    @cached_property
    def _fades(self) -> float:
        """The ε at which s E‖∇_x ℓ‖ reaches zero along its tangent, s E‖∇_x ℓ‖ + ε ⟨Φ, I⟩."""
        fall = -float(self.mixed @ self.influence)
        return self.value_derivative / fall if fall > 0.0 else np.inf

    @property
    def validity_radius(self) -> float:
        """The least ε at which the predicted robust path has a kink; see its reason.

        It bounds smoothness, not accuracy: `rough_at` says where accuracy is in doubt, and
        `verify` measures it. At order 1 it is from slopes at ε = 0: good for squares, but a
        Poisson loss may have its kink much earlier.
        """
        return self._kinks.first

    @property
    def validity_reason(self) -> str:
        """What happens at the validity radius."""
        return self._kinks.reason

    def flip_fraction(self, eps: ArrayLike) -> Any:
        """The share of the sample weight whose attack has turned round by ε.

        Predicted along the straight path θ̂ + εI, which overstates it at larger ε. Where samples
        share a budget (finite order) a turn is no kink, but says as well how far ε may go.
        """
        radii = validation.radii(eps)
        fraction = self._kinks.flip_fraction(radii)
        return float(fraction) if np.ndim(eps) == 0 else fraction

    def rough_at(self, eps: float, *, expansion: str = "auto") -> str:
        """Why a prediction at ε is rough, for a person; empty where nothing speaks against it.

        Parameters
        ----------
        eps : float
        expansion : {"auto", "norm", "quadratic", "taylor"}
            Whose prediction. "auto" is the default of `sensitivity`.

        Returns
        -------
        str
            Where `sensitivity` has the expansion that keeps the norm, that is rough where one more
            step towards the robust optimum, which takes a pass over the data, would be an eighth
            of the step predicted: its cost is then off by about a quarter. The reason is samples
            whose attacks have turned round where these are many. The tangent (eqs. 3 and 4) is
            rough where the attacks of more than 5 % of the samples have turned round; where a
            quarter of s E‖∇_x ℓ‖ would be gone; of order 1, where another sample is attacked; or
            where the norm has bent, so that it misses the other expansion's step by a quarter.
            Of an accumulated result only what sums tell is known. `verify` measures.
        """
        return self._roughness(float(eps), chosen(self.problem, expansion, COSTS)).why

    def _roughness(self, eps: float, how: str) -> Roughness:
        key = eps, how == "norm"
        if key not in self._rough:
            self._rough[key] = self._find_roughness(eps, how)
        return self._rough[key]

    @cached_property
    def _rough(self) -> dict[tuple[float, bool], Roughness]:
        """What was found at radii that were asked about."""
        return {}

    def _find_roughness(self, eps: float, how: str) -> Roughness:
        model = self.problem.norm_expansion
        if eps == 0.0:
            return Roughness()
        if how == "norm" and model is not None and model.measures:
            return roughness(model, eps)
        return self._tangent_roughness(eps)

    def _tangent_roughness(self, eps: float) -> Roughness:
        rows = self.problem.keeps_rows
        flipped = float(self._kinks.flip_fraction(np.asarray(eps))) if rows else 0.0
        if flipped > _FLIPPED:
            what = "samples have passed a kink of the robust path"
            if self.problem.sharing.is_shared:
                what = "samples' attacks have turned round"
            return Roughness(f"about {flipped:.0%} of the {what}", FlipWarning)
        if eps > _FADED * self._fades:
            lost = f"{eps / self._fades:.0%}" if eps < self._fades else "all"
            return Roughness(f"{lost} of the loss's steepness in the inputs would be gone")
        if rows and self.order == 1.0 and eps > self.validity_radius:
            return Roughness("another sample has become the steepest")
        if self.problem.norm_expansion is not None:
            return bent(self.problem.norm_expansion, self.influence, eps)
        step = eps * self.influence
        share = adversary_of(self.problem).prediction_error(step, eps) if rows else None
        if share is not None and not share <= _DEPARTED:
            return Roughness(f"a Newton step would change the prediction by {share:.0%}")
        return Roughness()

    def _warn_if_rough(self, radii: Array, how: str) -> None:
        largest = float(np.max(radii, initial=0.0))
        why, category = self._roughness(largest, how)
        if why:
            check = "; verify(eps) says how rough" if self.problem.keeps_rows else ""
            message = f"at eps={largest:g} {why}: the expansion is rough there{check}"
            warn_once(self._told, message, category)

    @cached_property
    def _told(self) -> set[type[InfluenceWarning]]:
        """What has been warned about."""
        return set()

    @overload
    def verify(self, eps: float) -> Verification: ...

    @overload
    def verify(self, eps: Sequence[float] | Array) -> list[Verification]: ...

    def verify(self, eps: float | Sequence[float] | Array) -> Verification | list[Verification]:
        """Solve the robust problem at ε exactly and compare.

        Parameters
        ----------
        eps : float or array (k,), positive
            Several are solved from the least up, each started from the one before where the
            solver can.

        Returns
        -------
        Verification, or a list of them in the order of `eps`
        """
        radii = validation.sizes(eps, strict=True)
        found = verify_influence(self.problem, self.influence, radii)
        return found[0] if np.ndim(eps) == 0 else found

    # --- samples, diagnostics, reports ----------------------------------------------------

    def per_sample(self) -> Array:
        """ζ, shape (n, d): each sample's share; the weighted mean is the influence.

        With randomized smoothing a sample's share is the mean over its copies.
        """
        zeta, n = self.problem.per_sample(), self.problem.evaluation.n_rows
        if len(zeta) == n:
            return zeta
        return np.asarray(zeta.reshape(-1, n, zeta.shape[1]).mean(axis=0))

    def sensitivity_shares(self) -> Array:
        """Each sample's share of S (eq. 4) on the data of the fit, shape (n,).

        w_i ζ_iᵀH_eI / IᵀH_eI, with the weights w_i as parts of their sum and ζ of `per_sample`:
        they sum to 1, and are negative of samples that pull the other way. Zeros where S is. Who
        drives the cost at an ε at which eq. 4 is rough (`rough_at(eps, expansion="quadratic")`) may
        be others: fit a `robust_path` without them to see. Not of a result at an ε above 0.
        """
        problem, rows = self.problem, self.problem.evaluation
        zeta = self.per_sample()
        pull = problem.evaluate(self.params, rows).hessian @ self.influence
        total = float(self.influence @ pull)
        return rows.shares() * (zeta @ pull) / total if total > 0.0 else np.zeros(len(zeta))

    @cached_property
    def diagnostics(self) -> dict[str, Any]:
        """What to look at before trusting the numbers.

        Keys: condition_number and least_eigenvalue (of H + damping), damping, newton_step (the
        largest entry of H⁻¹∇L(θ̂) in standard errors of θ̂), zero_gradients (samples), ties
        (entries of the attack direction; at order 1 samples), kinked_pairs (of a sample and a
        centre where an NTK has a kink), idle_units (of a network, switched off by its penalty,
        whose biases move nothing), pinned_samples and pinned_coefficients (that the model fits
        exactly, or that are at a kink of the attack's norm: there the influence is the right
        derivative, which is solved for), solver ("cholesky", "woodbury", "cg" or "lissa"),
        solver_iterations, solver_residual. Where H is not formed its eigenvalues and standard
        errors are estimates; where the functions of a kernel's centres depend on one another they
        are those of what θ predicts.
        """
        problem = self.problem
        least, largest = problem.spectrum()
        solver = problem.solver_report(self.influence)
        return {
            "condition_number": largest / least,
            "least_eigenvalue": least,
            "damping": problem.added_damping,
            "newton_step": problem.newton_step(),
            **problem.counts._asdict(),
            "solver": solver.name,
            "solver_iterations": solver.iterations,
            "solver_residual": solver.residual,
        }

    def summary(self, eps: ArrayLike = (0.01, 0.05, 0.1)) -> str:
        """A text report: the model, the attack, the coefficients that move most, S_ε."""
        return text.summary(self, validation.radii(np.atleast_1d(eps)))

    def to_frame(self, level: float | None = None, **options: Any) -> pd.DataFrame:
        """A pandas frame with a row per parameter: param, influence, relative.

        With a `level`, such as 0.95, also std_error, lower and upper of `conf_int`, which takes
        the other options, and monte_carlo_error: how far off std_error is likely to be because
        draws are few.
        """
        return text.frame(self, level, **options)

    def plot(
        self,
        eps: float | None = None,
        ax: Any = None,
        *,
        level: float | None = None,
        **options: Any,
    ) -> Any:
        """Draw the influence on each coefficient, with a `level` the intervals of `conf_int` too.

        Returns the matplotlib axes.
        """
        from ..plotting.results import plot_influence

        return plot_influence(self, eps, ax, level=level, **options)

    def explain(self, eps: float = 0.05) -> str:
        """The answer in plain words, for attacks of size `eps`.

        Parameters
        ----------
        eps : float, default 0.05

        Returns
        -------
        str
            What was asked, what robust training is predicted to cost, what it moves, and how far
            that is to be trusted; a paragraph each.
        """
        return words.explanation(self, validation.number(eps, "eps", low=0.0, strict=True))

    def _repr_html_(self) -> str:
        """The summary and the parameters' table, for notebooks."""
        return text.notebook(self.summary(), self.to_frame())

    def __str__(self) -> str:
        return self.summary()
