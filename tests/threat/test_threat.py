"""An attacker's arguments: checked once, before and then with the model's features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastaif as fa
from fastaif.bases.builtin import Linear
from fastaif.threat.threat import Threat

NAMES = ("age", "bmi", "pressure")
SCALED = Linear(np.array([1.0, 2.0, 3.0]), np.array([0.5, 2.0, 4.0]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"p": 0.5}, ValueError, "p must be a number of at least 1, but is 0.5"),
        ({"p": "inf"}, TypeError, "infinity is np.inf"),
        ({"p": np.nan}, ValueError, "p must be"),
        ({"order": 0.9}, ValueError, "order must be a number of at least 1"),
        ({"radius": 0.0}, ValueError, "radius must be a number above 0"),
        ({"radius": "mean"}, ValueError, "radius must be 'mean_norm' or a number"),
        ({"attack_space": "other"}, ValueError, "attack_space must be one of 'scaled', 'raw'"),
        ({"formula": "other"}, ValueError, "formula must be one of 'exact', 'paper'"),
    ],
)
def test_what_is_wrong_whatever_the_model(arguments, error, message):
    with pytest.raises(error, match=message):
        Threat(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"feature_scale": [1.0]}, ValueError, r"feature_scale must have shape \(3,\)"),
        ({"feature_scale": [1.0, -1.0, 1.0]}, ValueError, "finite and non-negative"),
        ({"attackable": ["weight"]}, ValueError, "unknown features: weight"),
        ({"attackable": [0, 1]}, TypeError, "boolean mask"),
        (
            {"attackable": ["age"], "feature_scale": [0.0, 1.0, 1.0]}, ValueError,
            "leave no feature that can be attacked",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_for_these_features(arguments, error, message):
    threat = Threat(**arguments)
    with pytest.raises(error, match=message):
        threat.attack_set(SCALED, NAMES)


@dataclass(frozen=True, eq=False)
class Boxed(Threat):
    """A threat with one more field, as a new attack set has."""

    sides: Any = None


def test_a_new_field_is_refused_beside_others_by_itself():
    """And where it is given missing cells are not taken for what its set knows of."""
    with pytest.raises(ValueError, match="sides at order=2 is not known"):
        Boxed(order=2, sides=[1.0])
    with pytest.raises(ValueError, match="bounds and sides together are not known"):
        Boxed(bounds=(0, 1), sides=[1.0])
    assert Boxed(bounds=(0, 1), budgets=[1.0]).takes_gaps
    assert not Boxed(sides=[1.0], budgets=[1.0]).takes_gaps


def test_arguments_are_kept_as_checked():
    threat = Threat(p=2, order=np.float32(1), radius="mean_norm")
    assert (threat.p, threat.order, threat.radius) == (2.0, 1.0, None)
    assert type(threat.p) is float
    assert Threat(radius=3).radius == 3.0
    assert threat.budget.is_shared
    assert not Threat().budget.is_shared
    assert Threat(order=2, formula="paper").budget.exponent == np.inf


@pytest.mark.parametrize("space", ["scaled", "raw"])
def test_the_attack_set_is_in_the_space_asked_for(space):
    unit = np.array([0.5, 2.0, 4.0]) if space == "scaled" else np.ones(3)
    threat = Threat(p=np.inf, attack_space=space, feature_scale=[1.0, 2.0, 3.0], attackable=["bmi"])
    attacks = threat.attack_set(SCALED, NAMES)
    wanted = np.array([0.0, 2.0 * unit[1], 0.0])
    np.testing.assert_allclose(attacks.direction(np.ones(3)), wanted)
    center = np.array([1.0, 2.0, 3.0]) if space == "scaled" else np.zeros(3)
    np.testing.assert_allclose(attacks.norms((center + wanted)[None]), 1.0)


@pytest.mark.parametrize("space", ["scaled", "raw"])
def test_the_mean_norm_is_that_of_the_inputs_where_it_can_be(space):
    plain = Threat(attack_space=space)
    assert plain.attack_set(Linear(), NAMES).compiled_norm().shift.size == 0
    behind_a_scaler = plain.attack_set(SCALED, NAMES).compiled_norm()
    assert (behind_a_scaler.shift.size == 0) == (space == "scaled")
    part = Threat(attack_space=space, attackable=["age"]).attack_set(Linear(), NAMES)
    np.testing.assert_array_equal(part.compiled_norm().inverse_scale, [1.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def of_columns():
    """A pipeline on two numbers and a category, its frame and targets."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({
        "age": rng.normal(40.0, 10.0, 60), "income": rng.normal(size=60),
        "town": rng.choice(list("abc"), 60),
    })  # fmt: skip
    y = 0.1 * frame["age"] + frame["income"] + (frame["town"] == "a")
    columns = make_column_transformer(
        (StandardScaler(), ["age", "income"]), (OneHotEncoder(), ["town"])
    )
    return make_pipeline(columns, Ridge()).fit(frame, y), frame, y


@pytest.mark.parametrize("named", [["town"], ["age", "town"], {"age": True, "town": True}])
def test_a_category_that_is_named_is_refused(of_columns, named):
    with pytest.raises(ValueError, match="attackable names town, which no attack can move"):
        fa.aif(*of_columns, attackable=named)


def test_the_reach_of_an_attack_is_in_the_units_of_each_column(of_columns):
    model, frame, y = of_columns
    result = fa.aif(model, frame, y)
    reach = result.reach(0.1)
    assert list(reach.index) == ["age", "income", "town"]
    sd = frame[["age", "income"]].std(ddof=0)
    np.testing.assert_allclose(reach[["age", "income"]], 0.1 * result.radius * sd, rtol=1e-12)
    assert reach["town"] == 0.0
    moved = fa.attack(model, frame, y, 0.1, p=np.inf)
    longest = (moved[["age", "income"]] - frame[["age", "income"]]).abs().max()
    apart = fa.aif(model, frame, y, p=np.inf).reach(0.1)
    np.testing.assert_allclose(longest, apart[["age", "income"]], rtol=1e-9)


def test_mappings_go_by_name_and_need_not_name_what_is_fixed(of_columns):
    by_name = fa.aif(*of_columns, attackable={"income": True, "age": False})
    assert by_name.sensitivity_coefficient == (
        fa.aif(*of_columns, attackable=["income"]).sensitivity_coefficient
    )
    scaled = fa.aif(*of_columns, feature_scale={"income": 2.0, "age": 1.0})
    assert scaled.sensitivity_coefficient == (
        fa.aif(*of_columns, feature_scale=[1.0, 2.0, 1.0]).sensitivity_coefficient
    )
    with pytest.raises(ValueError, match="feature_scale says nothing of 'age'"):
        fa.aif(*of_columns, feature_scale={"income": 2.0})
