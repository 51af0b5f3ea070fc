"""LangChain's own tests of tools, for each tool of a memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.tools import ToolName, memory_tools
from langchain_agentmem.agent.toolset import TOOLSET
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.wire.connection import Connection
from tests.agent.conftest import EMBEDDER

ANNA = Scope("anna")
KNOWN = "m1"  # the id of a memory that is there


class _Standard:
    name: ToolName

    @pytest.fixture(autouse=True)
    def _a_memory(self, plain: Connection) -> Iterator[None]:
        with AgentMemory(plain, embeddings=EMBEDDER) as memory:
            memory.bank.remember(Memory(id=KNOWN, text="Anna is vegetarian"), ANNA)
            [self._tool] = memory_tools(memory, scope=ANNA, names=[self.name], on_error="raise")
            yield

    @property
    def tool_constructor(self) -> BaseTool:
        return self._tool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        example: dict[str, Any] = json.loads(TOOLSET[self.name].example)
        return example | ({"id": KNOWN} if "id" in example else {})


for _name in TOOLSET:
    for _kind in (ToolsUnitTests, ToolsIntegrationTests):
        _made = type(f"Test_{_name}_{_kind.__name__}", (_Standard, _kind), {"name": _name})
        globals()[_made.__name__] = _made
