"""The saver and the store on the server that REDIS_URL names, with LangGraph's own suite."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from langchain_agentmem import AgentMemory, AgentMemorySaver

URL = os.environ.get("REDIS_URL", "")
pytestmark = pytest.mark.skipif(not URL, reason="REDIS_URL names no server")


async def test_checkpointer_conformance() -> None:
    @checkpointer_test(name="AgentMemorySaver")
    async def saver() -> AsyncIterator[AgentMemorySaver]:
        async with AgentMemorySaver.from_conn_string(URL, prefix=f"agentmem-test-{uuid4().hex}", ttl=600) as opened:
            yield opened

    report = await validate(saver)
    assert report.passed_all()


def test_doctor() -> None:
    with AgentMemory(URL) as memory:
        assert memory.doctor().server is not None
