"""What goes to a server, round trip by round trip, of every connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from langchain_agentmem.wire.lane import Plan


def watch_trips(patch: pytest.MonkeyPatch, seen: Callable[[Any], object]) -> None:
    """Tell of the commands of every round trip before it is made. What goes out in the background is none."""

    def watched(execute: Callable[..., Any]) -> Callable[..., Any]:
        def call(plan: Plan, client: Any, commands: Any) -> Any:
            if threading.current_thread().name != "agentmem-events":
                seen(commands)
            return execute(plan, client, commands)

        return call

    for name in ("execute", "aexecute"):
        patch.setattr(Plan, name, watched(getattr(Plan, name)))
