"""Wrong formulas, which a test must find."""

from __future__ import annotations


def times(factor):
    """A mutation: the result times a factor."""
    return lambda value: factor * value


def mutate(monkeypatch, owner, name, change):
    original = owner.__dict__[name]
    if callable(original):
        monkeypatch.setattr(owner, name, lambda *args, **kw: change(original(*args, **kw)))
        return
    compute = getattr(original, "fget", None) or original.func
    monkeypatch.setattr(owner, name, property(lambda self: change(compute(self))))
