"""Models by their names, as LangChain makes them: whatever a provider's package raises is told in one line."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.events.redact import one_line


def named_chat_model(name: str, argument: str = "model") -> BaseChatModel:
    """The chat model of a name such as `openai:gpt-4o-mini`.

    Args:
        name: The name, for LangChain's `init_chat_model`.
        argument: What an error calls it.

    Raises:
        ConfigurationError: A package is missing, there is no such model, or it lacks its key.
    """
    made: BaseChatModel = _made("langchain.chat_models", "init_chat_model", name, argument)
    return made


def named_embeddings(name: str, argument: str = "embeddings") -> Embeddings:
    """The embedder of a name such as `openai:text-embedding-3-small`.

    Args:
        name: The name, for LangChain's `init_embeddings`.
        argument: What an error calls it.

    Raises:
        ConfigurationError: A package is missing, there is no such model, or it lacks its key.
    """
    made: Embeddings = _made("langchain.embeddings", "init_embeddings", name, argument)
    return made


def _made(module: str, maker: str, name: str, argument: str) -> Any:
    try:
        make = getattr(import_module(module), maker)
    except ImportError as error:
        raise ConfigurationError(
            f'{argument}: {name} needs the package langchain: pip install "langchain-agentmem[langchain]"'
        ) from error
    try:
        return make(name)
    except Exception as error:  # each provider's own: a missing package, an unknown name, no key
        raise ConfigurationError(f"{argument}: {name} cannot be used ({one_line(error)})") from error
