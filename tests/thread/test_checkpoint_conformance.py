"""LangGraph's own conformance suite: every capability, in both colours, on both servers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection


class SyncOnly(BaseCheckpointSaver[Any]):
    """A saver whose async methods are another's sync ones: the suite knows only the async names."""

    inner: ClassVar[AgentMemorySaver]

    async def alist(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for found in self.inner.list(*args, **kwargs):
            yield found


def _forward(name: str) -> Any:
    async def forward(self: SyncOnly, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.inner, name)(*args, **kwargs)

    return forward


FORWARDED = [capability.value for capability in Capability if capability is not Capability.LIST]
for _name in FORWARDED:
    setattr(SyncOnly, f"a{_name}", _forward(_name))


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_all_capabilities(server: Connection, colour: str) -> None:
    async def factory() -> AsyncIterator[BaseCheckpointSaver[Any]]:
        saver = AgentMemorySaver(server)
        yield saver if colour == "async" else type("Sync", (SyncOnly,), {"inner": saver})()

    report = await validate(RegisteredCheckpointer("AgentMemorySaver", factory))  # type: ignore[arg-type]
    assert {name: result.failures for name, result in report.results.items() if result.failures} == {}
    for capability in Capability:
        result = report.results[capability.value]
        assert result.detected, capability
        assert result.passed, capability
        assert result.tests_skipped == 0, capability
        assert result.tests_passed > 0, capability


def test_every_method_of_the_base_class_is_our_own() -> None:
    """Neither colour may be left to the base class, which raises NotImplementedError or walks the thread."""
    inherited = {"config_specs", "get", "aget", "with_allowlist"}
    for name, _ in inspect.getmembers(BaseCheckpointSaver, inspect.isfunction):
        if not name.startswith("_") and name not in inherited:
            assert name in vars(AgentMemorySaver), name


def test_langgraph_sees_that_task_paths_are_taken() -> None:
    for method in (AgentMemorySaver.put_writes, AgentMemorySaver.aput_writes):
        assert "task_path" in inspect.signature(method).parameters
