"""What calls return that have nothing to wait for, and one name for both colours: it may be used at once, or awaited.

Other savers and stores ask for such calls, some of them for these to be awaited.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future


class Nothing:
    """No result."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class Count(int):
    """A number."""

    def __await__(self) -> Generator[None, None, int]:
        yield from ()
        return int(self)


class Done(Future[None]):
    """What is done already, for callers that wait for a thread's Future."""

    def __init__(self) -> None:
        super().__init__()
        self.set_result(None)

    def __await__(self) -> Generator[None, None, None]:
        yield from ()
