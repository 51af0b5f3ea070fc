"""A property that is made once, at its first use, whichever thread comes first."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any, Self, TypeVar, overload

T = TypeVar("T")

_making = threading.RLock()  # reentrant: what is made may need another such property


class once(cached_property[T]):  # noqa: N801 - a decorator, named as the one that it builds on is
    """`functools.cached_property` with the lock that it lost in Python 3.12: two threads would make two values."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        """The value; asked of the class, the property itself."""
        with _making:
            return super().__get__(instance, owner)
