"""Chat models by name, as the command line takes them."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel

from langchain_agentmem.tiers import made_by_langchain


def chat_model(name: str) -> BaseChatModel:
    """The chat model of a name such as `openai:gpt-4o-mini`.

    Raises:
        ConfigurationError: A package is missing, there is no such model, or it lacks its key.
    """
    made: BaseChatModel = made_by_langchain("langchain.chat_models", "init_chat_model", name, "--model")
    return made
