"""What bounds, budgets, metrics and groups are not known for is refused by name."""

import numpy as np
import pytest

import fastaif as fa

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = X @ [1.0, -1.0, 0.5] + RNG.normal(size=30)
MODEL = fa.LinearRegression().fit(X, Y)
ALL = {
    "bounds": (X.min(axis=0), X.max(axis=0)),
    "budgets": np.ones(30),
    "metric": np.eye(3),
    "groups": [[0, 1]],
}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"bounds": (0.0, 1.0)},
            ValueError,
            r"bounds: row \d+ of X has x\d = .*, which is below 0",
        ),
        ({"bounds": (None, 1.0)}, ValueError, r"above 1: widen the bounds, or leave"),
        ({"bounds": (1.0, 0.0)}, ValueError, "lo is above hi for x0"),
        ({"bounds": 3.0}, ValueError, r"a pair \(lo, hi\)"),
        ({"bounds": ([0.0], 1.0)}, ValueError, r"lo must be a number or have shape \(3,\)"),
        ({"bounds": (np.nan, 1.0)}, ValueError, "lo contains NaN"),
        ({"bounds": ("a", 1.0)}, TypeError, "lo must be numbers"),
        ({"budgets": np.zeros(30)}, ValueError, "budgets are zero for every sample"),
        ({"budgets": -np.ones(30)}, ValueError, "budgets must be finite and non-negative"),
        ({"budgets": np.ones(29)}, ValueError, "budgets has 29 entries, but X has 30 rows"),
        ({"metric": np.ones((3, 3))}, ValueError, "metric is not positive definite"),
        ({"metric": np.eye(2)}, ValueError, r"metric must have shape \(3, 3\)"),
        ({"metric": np.triu(np.ones((3, 3)))}, ValueError, "metric must be symmetric"),
        ({"metric": np.eye(3), "p": 1}, ValueError, "metric is for p=2, not for p=1"),
        ({"metric": np.eye(3), "feature_scale": np.ones(3)}, ValueError, "takes none beside it"),
        ({"groups": [[0, 1], [1]]}, ValueError, "groups lists x1 more than once"),
        ({"groups": [["age"]]}, ValueError, "unknown feature: age"),
        ({"groups": [[5]]}, ValueError, "feature number 5, but X has 3"),
        ({"groups": [[]]}, ValueError, "none of them empty"),
        ({"groups": [[0]], "metric": np.eye(3)}, ValueError, "metric and groups together"),
        ({"groups": [[0]], "bounds": (None, None)}, ValueError, "bounds and groups together"),
        ({"bounds": (None, 9.0), "order": 2}, ValueError, "bounds at order=2 is not known"),
        ({"budgets": np.ones(30), "order": 1}, ValueError, "budgets at order=1 is not known"),
    ],
)
def test_what_is_wrong_with_them(options, error, message):
    with pytest.raises(error, match=message):
        fa.aif(MODEL, X, Y, **options)


def test_sums_of_blocks():
    for call in (
        lambda: fa.InfluenceAccumulator(MODEL, budgets=np.ones(30)),
        lambda: fa.aif(MODEL, iter([(X, Y)]), None, budgets=np.ones(30)),
    ):
        with pytest.raises(ValueError, match="budgets are not for sums of blocks"):
            call()
    total = fa.InfluenceAccumulator(MODEL, bounds=(None, 1.0))
    with pytest.raises(ValueError, match=r"bounds: row \d+ of X has"):
        total.update(X, Y)
    assert total.n_rows == 0


@pytest.mark.parametrize("name", ["bounds", "budgets"])
def test_noisy_copies(name):
    smooth = fa.RandomizedSmoothing(fa.LinearRegression(), sigma=0.1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=f"{name} are of samples"):
        fa.aif(smooth, X, Y, **{name: ALL[name]})


@pytest.mark.parametrize("name", ALL)
def test_what_needs_one_norm_for_all(name):
    attack = {name: ALL[name]}
    result = fa.aif(MODEL, X, Y, **attack)
    with pytest.raises(ValueError, match="expansion='norm' is known of"):
        result.sensitivity(0.1, expansion="norm")
    with pytest.raises(ValueError, match=r"at=0\.1 is for linear predictors"):
        fa.aif(MODEL, X, Y, at=0.1, **attack)
    with pytest.raises(ValueError, match=r"method='pgd' with .* is not known"):
        fa.attack(MODEL, X, Y, 0.1, method="pgd", **attack)
    with pytest.raises(ValueError, match=r"method='pgd' with .* is not known"):
        fa.robust_fit(MODEL, X, Y, 0.1, method="pgd", **attack)
    with pytest.raises(ValueError, match="checkpoint is for"):
        fa.robust_fit(MODEL, X, Y, 0.1, checkpoint="x", **attack)
    path = fa.robust_path(MODEL, X, Y, [0.05], **attack)
    assert np.isinf(path.zero_radius)


@pytest.mark.parametrize("p", [2.5, 3.0])
def test_robust_fits_within_bounds_at_other_norms(p):
    refused = f"robust fits with p={p:g} and bounds are not known: use 1 <= p <= 2 or p=np.inf"
    with pytest.raises(ValueError, match=refused):
        fa.robust_fit(MODEL, X, Y, 0.1, p=p, bounds=ALL["bounds"])
    with pytest.raises(ValueError, match=refused):
        fa.robust_path(MODEL, X, Y, [0.1], p=p, bounds=ALL["bounds"])


def test_not_a_number_is_found_before_bounds_are():
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fa.aif(MODEL, bad, Y, bounds=ALL["bounds"])


def test_other_rows_of_a_path():
    """Bounds hold for them as well; budgets they have none."""
    path = fa.robust_path(MODEL, X, Y, [0.05], bounds=ALL["bounds"])
    inside = path.adversarial_loss(0.05, X=X[:9], y=Y[:9])
    alone = fa.adversarial_loss(
        path.estimator(0.05), X[:9], Y[:9], 0.05, bounds=ALL["bounds"], radius=path.problem.radius
    )
    assert np.isclose(inside, alone, rtol=1e-12)
    with pytest.raises(ValueError, match=r"bounds: row \d+ of X has"):
        path.adversarial_loss(0.05, X=X + 1.0, y=Y)
    path = fa.robust_path(MODEL, X, Y, [0.05], budgets=ALL["budgets"])
    with pytest.raises(ValueError, match="budgets are of the rows of the fit"):
        path.adversarial_loss(0.05, X=X, y=Y)
