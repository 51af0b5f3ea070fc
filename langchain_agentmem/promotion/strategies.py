"""Strategies: what a conversation is looked through for, and what becomes of what is found.

| name | what it finds | what becomes of it |
|---|---|---|
| `discrete` | self-contained facts, and what happened or will | memories, `semantic` and `episodic` |
| `preferences` | what the user is and wants, in named slots | versioned facts: a new value supersedes the old one |
| `summary` | what the thread is about so far | one memory a thread, of kind `summary`, rewritten each time |
| `episodes` | what was tried and what came of it | memories with situation, attempt, outcome and lesson |
| `verbatim` | the user's turns as they are, without a model | `episodic` memories, cheap and searchable |
| `rules` | names, homes, diets, tastes and plans, without a model | facts, and plans as memories |
| `custom(...)` | what your own schema says | memories of that schema, see `Memory.of` |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion import prompts
from langchain_agentmem.promotion.batch import digest
from langchain_agentmem.promotion.changes import Change
from langchain_agentmem.promotion.conversation import Conversation
from langchain_agentmem.promotion.grounding import grounded, named_day, read_time
from langchain_agentmem.promotion.known import Known, summary_id
from langchain_agentmem.promotion.schemas import Episode, Learned, Preference, Summary, entry_of
from langchain_agentmem.promotion.slots import SLOTS, slot_of
from langchain_agentmem.promotion.unaided import read_by_rules, read_verbatim

SUMMARY_WORDS = 300


@dataclass(frozen=True, slots=True)
class Said:
    """Where an entry of a model's answer comes from, for the rule that makes a memory of it.

    Attributes:
        time: When it was said.
        thread_id: In which thread.
        user: The user's name, where it is known.
    """

    time: datetime
    thread_id: str
    user: str | None = None


Rule = Callable[[Any, Said], Memory | None]
Reading = Callable[[Conversation, Known], Iterable[Change]]


@dataclass(frozen=True)
class Strategy:
    """One way of looking through a conversation. Write your own, or use `custom`.

    Attributes:
        name: Its name: also the section of the model's answer, so letters, digits and `_`.
        prompt: What a model is told to look for.
        schema: What the model answers, for each thing found; None: it needs no model.
        rule: What memory becomes of an entry; None drops it. With a model only.
        reading: What changes the conversation makes. Without a model only.
        version: Part of the identity of a promotion: another version promotes anew.
        several: Whether there may be several entries.
        from_assistant: Whether an entry may come from the assistant's words alone.

    Raises:
        ConfigurationError: The name cannot be used, or there is neither a schema with its rule nor a reading.
    """

    name: str
    prompt: str = ""
    schema: type[BaseModel] | None = None
    rule: Rule | None = None
    reading: Reading | None = None
    version: str = "1"
    several: bool = True
    from_assistant: bool = field(default=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z]\w*", self.name):
            raise ConfigurationError(f"strategy: a name of letters, digits and _, not {self.name!r}")
        if (self.schema is None or self.rule is None) == (self.reading is None):
            raise ConfigurationError(f"strategy {self.name!r}: give a schema and its rule, or a reading")

    @property
    def key(self) -> str:
        """Name and version, `discrete@1`, as a batch names it."""
        return f"{self.name}@{self.version}"


def _learned(entry: Learned, said: Said) -> Memory | None:
    if not entry.text:
        return None
    text = grounded(entry.text, said.time)
    return Memory(
        text=text,
        kind=entry.kind,
        topics=tuple(entry.topics[:3]),
        entities=tuple(entry.entities),
        event_time=read_time(entry.event_date, said.time) or _day_of(entry, text, said.time),
    )


def _day_of(entry: Learned, text: str, said: datetime) -> datetime:
    return (named_day(text, said) if entry.kind == "episodic" else None) or said


def _preference(entry: Preference, said: Said) -> Memory | None:
    value = entry.value or ("" if entry.action != "retire" else entry.slot)  # what is retired may go without
    filled = slot_of(entry.slot, value, entry.subject, user=said.user)
    if filled is None:
        return None
    whose = f"{entry.subject}'s" if entry.subject else "User's"
    named = (
        f"{whose} {entry.slot.replace('_', ' ')}: {' '.join(value.split())}"  # of a taste, the fact's value is the slot
    )
    text = grounded(entry.text or named, said.time)
    return Memory(text=text, state=filled.state, value=filled.value, event_time=said.time)


def _summary(entry: Summary, said: Said) -> Memory | None:
    if not entry.text.strip():
        return None
    return Memory(text=entry.text.strip(), kind="summary", id=summary_id(said.thread_id), event_time=said.time)


_EPISODE = ("situation", "attempt", "outcome", "lesson")


def _episode(entry: Episode, said: Said) -> Memory | None:
    held = {name: value for name in _EPISODE if (value := getattr(entry, name))}
    text = entry.text or " ".join(f"{name.capitalize()}: {value}" for name, value in held.items())
    if not text:
        return None
    data: dict[str, Any] = dict(held)
    if entry.succeeded is not None:
        data["succeeded"] = entry.succeeded
    return Memory(text=grounded(text, said.time), kind="episodic", data=data, event_time=said.time)


DISCRETE = Strategy("discrete", prompts.DISCRETE, Learned, _learned)
PREFERENCES = Strategy("preferences", prompts.PREFERENCES.format(slots=", ".join(SLOTS)), Preference, _preference)
SUMMARY = Strategy("summary", prompts.SUMMARY.format(words=SUMMARY_WORDS), Summary, _summary, several=False)
EPISODES = Strategy("episodes", prompts.EPISODES, Episode, _episode, from_assistant=True)
VERBATIM = Strategy("verbatim", reading=read_verbatim)
RULES = Strategy("rules", reading=read_by_rules)

BUILT_IN: Mapping[str, Strategy] = {
    each.name: each for each in (DISCRETE, PREFERENCES, SUMMARY, EPISODES, VERBATIM, RULES)
}


def custom(
    schema: type[BaseModel], instructions: str, *, name: str | None = None, version: str | None = None, **more: Any
) -> Strategy:
    """A strategy that looks for objects of your own schema, and remembers each with `Memory.of`.

    Args:
        schema: A pydantic model. Its docstring and the descriptions of its fields are shown to the model.
        instructions: What to look for, in words.
        name: The strategy's name; by default the schema's, in lower case.
        version: Its version; by default a digest of schema and instructions, so that a change of either is a new one.
        **more: Further attributes of the `Strategy`.
    """

    def rule(entry: Any, said: Said) -> Memory | None:
        text = grounded(entry.text, said.time) if entry.text else None
        return Memory.of(entry.content, text=text, event_time=said.time)

    known = digest([schema.model_json_schema(), instructions])[:8]
    prompt = prompts.CUSTOM.format(instructions=instructions.strip())
    return Strategy(name or schema.__name__.lower(), prompt, entry_of(schema), rule, version=version or known, **more)


def strategies_of(given: str | Strategy | Sequence[str | Strategy]) -> list[Strategy]:
    """Strategies by their names, with or without a version, or as they are.

    Raises:
        ConfigurationError: There is none, none of that name, or one twice.
    """
    several = [given] if isinstance(given, str | Strategy) else list(given)
    found = [each if isinstance(each, Strategy) else _named(each) for each in several]
    if not found or len({each.name for each in found}) < len(found):
        raise ConfigurationError(f"strategies: one or more, each once, not {[each.name for each in found]}")
    return found


def _named(name: str) -> Strategy:
    strategy = BUILT_IN.get(name.partition("@")[0])
    if strategy is None:
        raise ConfigurationError(
            f"strategy: there is no {name!r}; there are {', '.join(BUILT_IN)}, and custom(schema, instructions)"
        )
    return strategy
