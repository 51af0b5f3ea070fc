"""Chat models by name, as the command line takes them: whatever a provider's package raises is told in one line."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.events.redact import one_line


def chat_model(name: str) -> BaseChatModel:
    """The chat model of a name such as `openai:gpt-4o-mini`.

    Raises:
        ConfigurationError: A package is missing, there is no such model, or it lacks its key.
    """
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise ConfigurationError(
            f'--model: {name} needs the package langchain: pip install "langchain-agentmem[langchain]"'
        ) from error
    try:
        return init_chat_model(name)
    except Exception as error:  # each provider's own: a missing package, an unknown name, no key
        raise ConfigurationError(f"--model: {name} cannot be used ({one_line(error)})") from error
