"""Intervals as users ask a result for them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.problem import InfluenceProblem
from ..utils import validation
from ..utils.arrays import ReadOnlyArrays, read_only
from ..utils.caching import cached_property
from ..utils.inputs import RandomState
from ..utils.warnings import InfluenceWarning, warn
from . import bootstrap
from .bootstrap import N_DRAWS

Array = NDArray[Any]

_METHODS = ["bootstrap", "clt"]
_QUANTITIES = ["influence", "sensitivity_coefficient"]


@dataclass(frozen=True, eq=False)
class BootstrapDraws(ReadOnlyArrays):
    """What the draws of the Bayesian bootstrap gave, in read-only arrays.

    Attributes
    ----------
    params : array (n_draws, d)
        θ̂ of each draw.
    influence : array (n_draws, d)
        I of each draw.
    sensitivity_coefficient : array (n_draws,)
        S/ε² of each draw on its own training data.
    """

    params: Array
    influence: Array
    sensitivity_coefficient: Array


class Intervals:
    """The part of an `InfluenceResult` that says how sure it is of itself."""

    influence: Array
    problem: InfluenceProblem

    @property
    @abstractmethod
    def params(self) -> Array:
        """θ̂ (d,)."""

    @property
    @abstractmethod
    def sensitivity_coefficient(self) -> float:
        """S/ε² on the training data."""

    @abstractmethod
    def per_sample(self) -> Array:
        """ζ (n, d)."""

    @cached_property
    def _own_seed(self) -> int:
        """The seed of draws of which the user wants others in every result."""
        return validation.seed(None)

    @cached_property
    def _kept_draws(self) -> dict[tuple[int, int], BootstrapDraws]:
        """Draws by their number and seed."""
        return {}

    def bootstrap(self, n_draws: int = N_DRAWS, random_state: RandomState = 0) -> BootstrapDraws:
        """Draw from the Bayesian bootstrap (Rubin, 1981).

        Each draw multiplies the sample weights by weights whose shares are Dirichlet(1, …, 1),
        refits θ̂, and computes I and S/ε² with these weights; with ``radius="mean_norm"`` its
        own s as well. α stays that of the data, preprocessing stays as fitted. Copies of a
        sample (`RandomizedSmoothing`) share its weight. Draw b is the same, to rounding, whatever
        `n_draws`.

        The result keeps its draws: asked again for as many of the same `random_state`, here, in
        `std_error` or in `conf_int`, it does not compute them again.

        Linear predictors compute all draws together; other models, and attacks whose budget
        samples share (finite orders), go draw by draw.

        Parameters
        ----------
        n_draws : int of at least 2, default 200
        random_state : int, RandomState, Generator or None, default 0
            The seed: by default the same data have the same draws, in every process. None is
            one seed for the life of the result, different for every result; a RandomState or
            Generator moves on, and gives new draws in every call.

        Returns
        -------
        BootstrapDraws

        Raises
        ------
        ValueError
            Fewer than 2 draws; a kernel regression with moving centres and the l2 penalty,
            where a weight of 2 is not the sample twice; an attack that is all on one sample
            (order 1).
        numpy.linalg.LinAlgError
            The Hessian of a draw is singular; the message says what to do.
        """
        draws = validation.count(n_draws, "n_draws", 2)
        seed = self._own_seed if random_state is None else validation.seed(random_state)
        kept, key = self._kept_draws, (draws, seed)
        if key not in kept:
            found = bootstrap.bootstrap(self.problem, draws, seed)
            kept[key] = BootstrapDraws(*map(read_only, found))
        return kept[key]

    def std_error(
        self,
        method: str = "bootstrap",
        *,
        n_draws: int = N_DRAWS,
        random_state: RandomState = 0,
        of: str = "influence",
    ) -> Any:
        """Standard errors of the influence, shape (d,), or of the sensitivity coefficient.

        Parameters
        ----------
        method : {"bootstrap", "clt"}, default "bootstrap"
            "bootstrap": the standard deviation of the draws of `bootstrap`. "clt": the
            paper's Remark 2, ``sd(ζ)/√n`` with the shares ζ of `per_sample`; it holds θ̂, H
            and s fixed, and can be wrong either way (see `conf_int`).
        n_draws, random_state
            Of the bootstrap.
        of : {"influence", "sensitivity_coefficient"}, default "influence"
            By "clt" the coefficient's is that of its linear part, ``sd(ζᵀH_eI)/√n``.

        Returns
        -------
        array (d,) or float
        """
        validation.option(of, "of", _QUANTITIES)
        errors, _ = self._errors(method, n_draws, random_state, of)
        return errors if of == "influence" else float(np.squeeze(errors))

    def _errors(
        self, method: str, n_draws: int, random_state: Any, of: str = "influence"
    ) -> tuple[Array, Array]:
        """Standard errors, and how far the chance of the draws puts them off."""
        validation.option(method, "method", _METHODS)
        if method == "bootstrap":
            return bootstrap.spread(getattr(self.bootstrap(n_draws, random_state), of))
        self.problem.refuse_without_population()
        zeta, rows = self.per_sample(), self.problem.evaluation
        if of == "sensitivity_coefficient":
            curvature = self.problem.evaluate(self.params, rows).hessian
            zeta = (zeta @ (curvature @ self.influence))[:, None]
        errors = bootstrap.clt_errors(zeta, rows)
        return errors, np.zeros_like(errors)

    def conf_int(
        self,
        *positional: Any,
        level: float = 0.95,
        method: str = "bootstrap",
        n_draws: int = N_DRAWS,
        random_state: RandomState = 0,
        of: str = "influence",
    ) -> Array:
        """Normal confidence intervals, estimate ± z · standard error, shape (d, 2).

        They are about the influence in the population that the rows are a sample of. The
        paper's ("clt", Remark 2) takes θ̂, H and s as given. But I moves with θ̂, and not
        smoothly where samples of small residual turn round: Remark 2's intervals can be too
        long (on the model of the paper's Figure 1 nominal 95 % cover nearly always) or far
        too short (logistic regression). `fastaif.experiments.coverage` measures both.

        Parameters
        ----------
        level : float in (0, 1), default 0.95
            The nominal coverage, of each parameter by itself: 0.95 where others write
            alpha = 0.05. By keyword, as all arguments are.
        method : {"bootstrap", "clt"}, default "bootstrap"
        n_draws, random_state
            Of the bootstrap (see `bootstrap`), whose draws `std_error` shares.
        of : {"influence", "sensitivity_coefficient"}, default "influence"
            The coefficient S/ε² = ½ IᵀH_eI is a square: in a sample it exceeds the
            population's by about ½ tr(H_e Var I), and where I is not large against its
            standard errors, intervals about it mislead.

        Returns
        -------
        array (d, 2), or (2,) for the sensitivity coefficient
            Lower and upper ends.

        Raises
        ------
        ValueError
            `level` outside (0, 1), an unknown option, or what `bootstrap` refuses.
        TypeError
            An argument without its name.

        Warns
        -----
        InfluenceWarning
            A `level` below 0.5.
        """
        if positional:
            first = positional[0]
            named = isinstance(first, str) and first in _METHODS
            meant = f"method={first!r}" if named else f"level={_level_meant(first):g}"
            raise TypeError(
                f"conf_int takes its arguments by name, but was given {first!r}: write "
                f"conf_int({meant})"
            )
        share = _checked_level(level)
        errors = self.std_error(method, n_draws=n_draws, random_state=random_state, of=of)
        return self._ends(share, np.asarray(errors), of)

    def _ends(self, level: float, errors: Array, of: str = "influence") -> Array:
        """Lower and upper ends, along a new last axis."""
        reach = NormalDist().inv_cdf(0.5 + 0.5 * level) * errors
        center = np.asarray(getattr(self, of))
        return np.stack([center - reach, center + reach], axis=-1)

    def interval_columns(
        self,
        level: float = 0.95,
        *,
        method: str = "bootstrap",
        n_draws: int = N_DRAWS,
        random_state: RandomState = 0,
    ) -> dict[str, Array]:
        """The intervals of the influence as `to_frame` shows them.

        Parameters
        ----------
        level, method, n_draws, random_state
            As in `conf_int`.

        Returns
        -------
        dict of arrays (d,)
            std_error, lower and upper; and monte_carlo_error, the standard error of std_error
            itself with so few draws (0 by "clt", which draws nothing). It falls as 1/√n_draws;
            an end of an interval is off by z times as much.
        """
        share = _checked_level(level)
        errors, chance = self._errors(method, n_draws, random_state)
        lower, upper = self._ends(share, errors).T
        return {"std_error": errors, "monte_carlo_error": chance, "lower": lower, "upper": upper}


def _checked_level(level: Any) -> float:
    """A coverage; refused outside (0, 1), and asked about where it looks like its opposite."""
    share = validation.number(level, "level", low=0.0, strict=True)
    if share >= 1.0:
        raise ValueError(f"level must be a number between 0 and 1, but is {level!r}")
    if share < 0.5:
        warn(
            f"level={level:g} is the share of samples that the interval is to cover: for that of "
            f"the usual {1.0 - share:.0%} write level={_level_meant(level):g}",
            InfluenceWarning,
        )
    return share


def _level_meant(value: Any) -> Any:
    """The coverage that somebody who wrote `value` had in mind."""
    try:
        share = validation.number(value, "level", low=0.0, strict=True)
    except (TypeError, ValueError):
        return 0.95
    return round(1.0 - share, 12) if share < 0.5 else share if share < 1.0 else 0.95
