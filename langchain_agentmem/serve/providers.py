"""Models by name, as the command line takes them: whatever a provider's package raises is told in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.events.redact import redact_secrets

M = TypeVar("M")

_REMEDY = 'pip install "langchain-agentmem[langchain]"'


def chat_model(name: str) -> BaseChatModel:
    """The chat model of a name such as `openai:gpt-4o-mini`.

    Raises:
        ConfigurationError: A package is missing, there is no such model, or it lacks its key.
    """

    def make() -> BaseChatModel:
        from langchain.chat_models import init_chat_model

        return init_chat_model(name)

    return _made("--model", name, make)


def embeddings(name: str) -> Embeddings:
    """The embedder of a name such as `openai:text-embedding-3-small`.

    Raises:
        ConfigurationError: As for `chat_model`.
    """

    def make() -> Embeddings:
        from langchain.embeddings import init_embeddings

        return init_embeddings(name)

    return _made("--embeddings", name, make)


def one_line(error: Exception) -> str:
    """What a provider's package says, without secrets and line breaks."""
    return f"{type(error).__name__}: {redact_secrets(' '.join(str(error).split()))}"


def _made(option: str, name: str, make: Callable[[], M]) -> M:
    try:
        return make()
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "langchain":
            raise ConfigurationError(f"{option}: the package langchain is missing: {_REMEDY}") from error
        raise ConfigurationError(f"{option}: {name} cannot be used ({one_line(error)})") from error
    except Exception as error:  # each provider's own: a missing package, an unknown name, no key
        raise ConfigurationError(f"{option}: {name} cannot be used ({one_line(error)})") from error
