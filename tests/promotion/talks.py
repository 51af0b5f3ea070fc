"""Conversations for the tests of extraction, and shorthands for what a model answers to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Batch, Turn
from langchain_agentmem.promotion.extraction import Extractor
from tests.openai_stub import ChatRequest, Reply

ANN = Scope("ann")
NOON = datetime(2025, 5, 1, 12, 0, tzinfo=UTC)  # a Thursday
JAPAN = (
    "I'm planning a trip to Japan next month: Tokyo and Kyoto!",
    "> Wonderful! What do you like to eat?",
    "By the way, I'm vegetarian.",
    "> Noted. Shojin ryori in Kyoto is a treat for vegetarians.",
)
CORRECTION = ("Actually I eat fish now.", "> Then try the sushi in Tokyo.")


def turns(*said: str | AnyMessage, start: datetime = NOON, prefix: str = "m") -> list[Turn]:
    """Turns, a minute apart. A text that begins with `> ` is said by the assistant."""
    found = []
    for number, each in enumerate(said, 1):
        message = each if not isinstance(each, str) else _message(each)
        named = message.model_copy(update={"id": message.id or f"{prefix}{number}"})
        found.append(Turn(named, start + timedelta(minutes=number), f"c{number}"))
    return found


def _message(text: str) -> AnyMessage:
    return AIMessage(text[2:]) if text.startswith("> ") else HumanMessage(text)


def batch(
    *said: str | AnyMessage,
    thread: str = "t1",
    strategies: Sequence[str] = (),
    context: Sequence[str] = (),
    start: datetime = NOON,
    prefix: str = "m",
) -> Batch:
    """A batch of what was said. Without strategies: all that the extractor has."""
    before = turns(*context, start=start - timedelta(hours=1), prefix=f"{prefix}-before-")
    return Batch(thread, ANN, turns(*said, start=start, prefix=prefix), strategies, before)


def promote(extractor: Extractor, *said: str | AnyMessage, **options: Any) -> list[Any]:
    """Plan and apply a batch; what became of it."""
    return extractor.apply(extractor.plan(batch(*said, **options)))


def says(**sections: Any) -> Callable[[ChatRequest], Reply]:
    """A model that answers these sections, whatever it is asked."""
    return lambda request: sections


def fact(text: str, *cited: int, **more: Any) -> dict[str, Any]:
    """An entry of the `discrete` section."""
    return {"action": "add", "known": None, "text": text, "turns": list(cited), "kind": "semantic", **more}


def trip(text: str, *cited: int, **more: Any) -> dict[str, Any]:
    """An episode of the `discrete` section."""
    return fact(text, *cited, kind="episodic", **more)


def slot(name: str, value: str | None, *cited: int, text: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry of the `preferences` section."""
    said = text or f"User's {name}: {value}."
    return {"action": "add", "known": None, "slot": name, "value": value, "turns": list(cited), "text": said, **more}
