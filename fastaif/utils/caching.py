"""A property that is computed once, without a lock.

`functools.cached_property` holds one lock for all instances of a class while it computes, up to
Python 3.11: a second call waits for a first one's pass over the rows, and a child that is forked
meanwhile waits for ever, for the thread that holds the lock does not exist there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class cached_property(Generic[T_co]):  # noqa: N801  (used as the function of that name is)
    """`functools.cached_property` whose function may run twice where two threads ask at once."""

    def __init__(self, compute: Callable[[Any], T_co]) -> None:
        self.func = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__
        self.__module__ = compute.__module__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> cached_property[T_co]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T_co: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = self.func(instance)
        instance.__dict__[self._name] = value  # in place of what super() may have stored
        return value
