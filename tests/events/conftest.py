"""What the tests of the events tier share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.wire.connection import Connection

Call = Callable[..., Any]


@pytest.fixture
def log(plain: Connection) -> EventLog:
    return EventLog(plain)


@pytest.fixture
def tracer(log: EventLog) -> Iterator[EventTracer]:
    tracer = EventTracer(log)
    yield tracer
    tracer.detach()
    assert tracer.flush()


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Calls a method of an object in one of the two colours: `await call(log, "recent", n=3)`.

    What is iterated comes as a list, of `first` items if that is given.
    """

    async def call(owner: Any, name: str, *args: Any, first: int | None = None, **kwargs: Any) -> Any:
        if request.param == "sync":
            result = getattr(owner, name)(*args, **kwargs)
            return _some(result, first) if hasattr(result, "__next__") else result
        result = getattr(owner, f"a{name}")(*args, **kwargs)
        return await _asome(result, first) if hasattr(result, "__anext__") else await result

    return call


def _some(items: Any, first: int | None) -> list[Any]:
    found = []
    for item in items:
        found.append(item)
        if len(found) == first:
            items.close()
            break
    return found


async def _asome(items: Any, first: int | None) -> list[Any]:
    found = []
    async for item in items:
        found.append(item)
        if len(found) == first:
            await items.aclose()
            break
    return found
