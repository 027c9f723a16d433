"""Wrong formulas, which a test must find."""

from __future__ import annotations


def times(factor):
    """A mutation: the result times a factor."""
    return lambda value: factor * value


def mutate(monkeypatch, owner, name, change):
    original = next(vars(kind)[name] for kind in owner.__mro__ if name in vars(kind))
    if callable(original):
        monkeypatch.setattr(owner, name, lambda *args, **kw: change(original(*args, **kw)))
        return
    compute = getattr(original, "fget", None) or original.func
    monkeypatch.setattr(owner, name, property(lambda self: change(compute(self))))
