"""What is made of each family's models: the one place, beside adapters, that looks at their type.

A new family adds its line here, and a description of its estimators to `adapters`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from ..data.rows import RowSource
from ..threat.attack_set import AttackSet
from ..threat.budget import OWN_BUDGETS
from .adversary import Adversary
from .autodiff.adversary import AutodiffAdversary
from .autodiff.model import AutodiffModel
from .autodiff.problem import autodiff_problem
from .basis.adversary import BasisAdversary
from .basis.model import ExpansionModel
from .basis.problem import AccumulatedBasis, basis_problem
from .basis.restricted import AccumulatedRestricted, RestrictedBasis
from .finite_sum.totals import Totals, WithoutRows
from .kernel.adversary import MovingCentersAdversary, fixed_centers_adversary
from .kernel.model import FixedCentersModel, MovingCentersModel
from .kernel.problem import fixed_problem, moving_problem, restricted_fixed
from .layered import model as layered
from .layered.adversary import LayeredAdversary
from .layered.problem import layered_problem
from .linear.ball import ball_problem, shared_adversary
from .linear.bootstrap import linear_replicates
from .linear.l1.adversary import L1Adversary, SharedL1Adversary
from .linear.l1.model import L1Model
from .linear.l1.problem import AccumulatedL1, l1_problem, refuse_splitting
from .linear.l1.restricted import AccumulatedRestrictedL1, RestrictedL1, RestrictedL1Adversary
from .linear.model import LinearModel
from .linear.problem import AccumulatedLinear, linear_problem
from .linear.rowwise.adversary import linear_adversary
from .linear.rowwise.problem import AccumulatedRowwise, restricted_problem
from .model import Model
from .network.adversary import NetworkAdversary
from .network.model import NetworkModel
from .network.problem import AccumulatedNetwork, network_problem
from .network.restricted import restricted_network
from .outputs.model import OutputsModel
from .outputs.problem import AccumulatedOutputs, outputs_problem
from .outputs.restricted import AccumulatedRestrictedOutputs, RestrictedOutputs
from .problem import InfluenceProblem, Replicates
from .scale.adversary import ScaleAdversary
from .scale.model import ScaleModel
from .scale.model import refuse_sums as refuse_scale
from .scale.problem import scale_problem
from .set_ascent import SetAscent
from .shared_ascent import SharedBudget
from .softmax.adversary import SetSoftmaxAdversary, SoftmaxAdversary
from .softmax.model import SoftmaxModel
from .softmax.problem import AccumulatedSoftmax, softmax_problem
from .softmax.restricted import AccumulatedRestrictedSoftmax, RestrictedSoftmax
from .summed import SummedModel, SummedProblem
from .vector.adversary import VectorAdversary
from .vector.set_robust import SetVectorAdversary


class Family(NamedTuple):
    """What is made of a family's models.

    Attributes
    ----------
    problem : callable
        From the model, its rows and the attack, with the options of `make_problem`.
    adversary : callable
        From such a problem, where every sample has a budget of its own.
    shared : callable or None
        The same where all share one; None: by ascent on what the adversary offers.
    replicates : callable or None
        All draws of the bootstrap together, from a problem, their number, a seed and what to
        call with each lot of draws; None: draw by draw.
    without_rows : type or None
        The problem of which only totals are left; None: its influence is no mean over samples.
    split : callable or None
        As `problem`, for attacks that may split samples; None: there are none on this family.
    summed : callable or None
        From the model to one of another family that such totals are of.
    restricted : callable or None
        As `problem`, for other attack sets than balls, and budgets of samples; None: there are none
        on this family.
    restricted_adversary : callable or None
        As `adversary`, of these; None: the same one.
    restricted_without_rows : type or None
        As `without_rows`, of these.
    """

    problem: Callable[..., InfluenceProblem]
    adversary: Callable[[Any], Adversary[Any]]
    shared: Callable[[Any], Adversary[Any]] | None = None
    replicates: Callable[..., Replicates] | None = None
    without_rows: type[WithoutRows] | None = None
    summed: Callable[[Any], SummedModel] | None = None
    split: Callable[..., InfluenceProblem] | None = None
    restricted: Callable[..., InfluenceProblem] | None = None
    restricted_adversary: Callable[[Any], Adversary[Any]] | None = None
    restricted_without_rows: type[WithoutRows] | None = None


_FAMILIES: dict[type, Family] = {
    LinearModel: Family(
        linear_problem, linear_adversary, shared_adversary, linear_replicates, AccumulatedLinear,
        split=ball_problem, restricted=restricted_problem,
        restricted_without_rows=AccumulatedRowwise,
    ),
    L1Model: Family(
        l1_problem, L1Adversary, SharedL1Adversary, without_rows=AccumulatedL1,
        split=refuse_splitting, restricted=partial(l1_problem, kind=RestrictedL1),
        restricted_adversary=RestrictedL1Adversary,
        restricted_without_rows=AccumulatedRestrictedL1,
    ),
    ExpansionModel: Family(
        basis_problem, BasisAdversary, without_rows=AccumulatedBasis,
        restricted=partial(basis_problem, kind=RestrictedBasis), restricted_adversary=SetAscent,
        restricted_without_rows=AccumulatedRestricted,
    ),
    MovingCentersModel: Family(moving_problem, MovingCentersAdversary),
    FixedCentersModel: Family(
        fixed_problem, fixed_centers_adversary, summed=FixedCentersModel.on_basis,
        restricted=restricted_fixed,
    ),
    NetworkModel: Family(
        network_problem, NetworkAdversary, without_rows=AccumulatedNetwork,
        restricted=restricted_network,
    ),
    SoftmaxModel: Family(
        softmax_problem, SoftmaxAdversary, without_rows=AccumulatedSoftmax,
        restricted=partial(softmax_problem, kind=RestrictedSoftmax),
        restricted_adversary=SetSoftmaxAdversary,
        restricted_without_rows=AccumulatedRestrictedSoftmax,
    ),
    OutputsModel: Family(
        outputs_problem, VectorAdversary, without_rows=AccumulatedOutputs,
        restricted=partial(outputs_problem, kind=RestrictedOutputs),
        restricted_adversary=SetVectorAdversary,
        restricted_without_rows=AccumulatedRestrictedOutputs,
    ),
    AutodiffModel: Family(autodiff_problem, AutodiffAdversary, restricted=autodiff_problem),
    ScaleModel: Family(
        scale_problem, ScaleAdversary, summed=refuse_scale, restricted=scale_problem
    ),
    layered.LayeredModel: Family(
        layered_problem, LayeredAdversary, summed=layered.refuse_sums, restricted=layered_problem
    ),
}  # fmt: skip


def family_of(model: Model) -> Family:
    """What is made of a model."""
    return _FAMILIES[type(model)]


def make_problem(
    model: Model, source: RowSource, ball: AttackSet, **options: Any
) -> InfluenceProblem:
    """The influence problem of a model, its rows and an attack.

    Options are the fields of an `InfluenceProblem`, and solver, seed and hessian as `aif` takes
    them.
    """
    family, sharing = family_of(model), options.get("sharing", OWN_BUDGETS)
    if sharing.splits_samples:
        if family.split is None:
            raise ValueError(
                "formula='ball' is for linear predictors, whose gradient is the same for every "
                f"input: not for a {model.kind} model; use formula='exact'"
            )
        return family.split(model, source, ball, **options)
    budgets = source.budget is not None
    if not budgets and ball.has_dual_norm:
        return family.problem(model, source, ball, **options)
    if family.restricted is None:
        raise ValueError(
            f"attacks with {ball}{' and budgets' * budgets} are not known for a {model.kind} "
            "model: describe the attack by p, feature_scale and attackable alone"
        )
    return family.restricted(model, source, ball, **options)


def adversary_of(problem: InfluenceProblem) -> Adversary[Any]:
    """The adversary of a problem; a budget that samples share wraps it."""
    family = family_of(problem.model)
    if problem.is_restricted and family.restricted_adversary is not None:
        return family.restricted_adversary(problem)
    if not problem.sharing.is_shared:
        return family.adversary(problem)
    if family.shared is not None:
        return family.shared(problem)
    own = family.adversary(problem)
    return SharedBudget(own.problem, own)


def replicates_of(problem: InfluenceProblem) -> Callable[..., Replicates] | None:
    """What draws a problem's bootstrap all at once; None where it goes draw by draw."""
    alone = problem.clean is not None or problem.sharing.is_shared or not problem.draws_together
    return None if alone else family_of(problem.model).replicates


def summed(model: Model) -> SummedModel:
    """The model whose influence sums over blocks of rows make.

    Raises
    ------
    ValueError
        It is no mean over samples.
    """
    family = family_of(model)
    if family.summed is not None:
        return family.summed(model)
    if family.without_rows is None:
        raise ValueError(
            "a kernel regression with centers='moving' is no mean over samples, for every sample "
            "is a centre of all others: use centers='fixed', or call aif(estimator, X, y) with all "
            "of the data"
        )
    return cast(SummedModel, model)


def refuse_restricted_sums(problem: InfluenceProblem) -> None:
    """Refuse attacks that are more than a ball where sums over blocks do not have what they take.

    Raises
    ------
    ValueError
    """
    if problem.is_restricted and family_of(problem.model).restricted_without_rows is None:
        raise ValueError(
            f"attacks with {problem.ball} on sums of blocks are not known for a "
            f"{problem.model.kind} model: call aif(estimator, X, y) with all of the data, or "
            "describe the attack by p, feature_scale and attackable alone"
        )


def without_rows(problem: SummedProblem, totals: Totals) -> WithoutRows:
    """A problem of the same kind, model and attack, of which only totals are left."""
    family = family_of(problem.model)
    kind = family.without_rows if totals.rowwise is None else family.restricted_without_rows
    assert kind is not None
    return kind.of(problem, totals)
