"""What users hand in has a type: `Any` is for objects of libraries that have none."""

import inspect

import fastaif as fa

TYPED = {
    "X", "y", "sample_weight", "eps", "feature_scale", "attackable", "bounds", "budgets", "metric",
    "groups", "random_state", "p", "order", "n_threads", "tol", "max_iter", "level",
}  # fmt: skip


def callables():
    """Public functions, classes and methods by their names."""
    for name in fa.__all__:
        found = getattr(fa, name)
        if inspect.isclass(found):
            yield from (
                (f"{name}.{key}", value)
                for key, value in vars(found).items()
                if inspect.isfunction(value) and (key == "__init__" or not key.startswith("_"))
            )
        elif inspect.isfunction(found):
            yield name, found


def test_arguments_have_types():
    untyped = [
        f"{name}({key})"
        for name, function in callables()
        for key, parameter in inspect.signature(function).parameters.items()
        if key in TYPED and parameter.annotation in ("Any", inspect.Parameter.empty)
    ]
    assert not untyped
