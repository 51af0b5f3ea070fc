"""An agent with a real model keeps its thread. Needs OPENAI_API_KEY; OPENAI_MODEL names another model."""

from __future__ import annotations

import os
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.chat_models import init_chat_model

from langchain_agentmem import AgentMemory

pytestmark = pytest.mark.skipif(not os.environ.get("OPENAI_API_KEY"), reason="OPENAI_API_KEY is not set")


def test_a_thread_goes_on() -> None:
    model = init_chat_model(os.environ.get("OPENAI_MODEL", "gpt-4o-mini"), model_provider="openai")
    config: Any = {"configurable": {"thread_id": "1"}}
    with AgentMemory.embedded() as memory:
        agent: Any = create_agent(model, checkpointer=memory.checkpointer)
        agent.invoke({"messages": [("user", "My name is Ann.")]}, config)
        state = agent.invoke({"messages": [("user", "What is my name? Answer with the name only.")]}, config)
        assert "Ann" in state["messages"][-1].text
