"""A time to live is checked by one rule, whatever of a thread is to be kept for so long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.thread.lifetime import milliseconds
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.connection import Connection

KEEPERS: dict[str, Callable[[Connection, Any], object]] = {
    "checkpoints": lambda redis, ttl: AgentMemorySaver(redis, ttl=ttl),
    "session": lambda redis, ttl: WorkingMemory(redis, "t", ttl=ttl),
    "history": lambda redis, ttl: AgentMemoryChatHistory("t", redis, ttl=ttl),
}


@pytest.mark.parametrize("keeper", KEEPERS)
@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan"), "5", True, [1]], ids=repr)
def test_what_is_no_ttl_is_refused(plain: Connection, keeper: str, ttl: Any) -> None:
    with pytest.raises(InvalidInputError, match="ttl: pass seconds over 0, or None for never"):
        KEEPERS[keeper](plain, ttl)


@pytest.mark.parametrize(("ttl", "told"), [(None, ""), (1, 1_000), (0.0001, 1), (1.5, 1_500)])
def test_a_ttl_is_told_in_milliseconds(ttl: float | None, told: int | str) -> None:
    assert milliseconds(ttl) == told
