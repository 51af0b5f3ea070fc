"""Who answers in a chat: any model of LangChain's, or the scripted one that needs no network."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel

from langchain_agentmem.promotion.models import named_chat_model
from langchain_agentmem.serve.demo.model import ScriptedModel, choose_model

OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers.

    Attributes:
        model: The chat model.
        label: How to name it on screen.
    """

    model: BaseChatModel
    label: str

    @property
    def offline(self) -> bool:
        """Whether it is the scripted one: it uses no tools, and cannot extract memories."""
        return isinstance(self.model, ScriptedModel)


def choose_speaker(name: str | None) -> Speaker:
    """The model that a user asked for.

    Args:
        name: `provider:model`, as `init_chat_model` has it; `offline`; or None: OpenAI's where there is a key, else
            the scripted one.

    Raises:
        ConfigurationError: A package is missing, there is no such model, or it lacks its key.
    """
    if name is None:
        return Speaker(*choose_model())
    if name == OFFLINE:
        return Speaker(ScriptedModel(), "scripted offline model (--model openai:gpt-4o-mini talks to a real one)")
    return Speaker(named_chat_model(name, "--model"), name)
