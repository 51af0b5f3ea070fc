"""From a model's answer to changes: what a prompt can only ask for is held here.

An entry is refused when no user said it: it cites the assistant only, or restates what only the assistant said, or
repeats a memory that no cited turn speaks of. What a user said to steer the model becomes a claim. A number that names
no memory is never guessed at: what was said is added as new, so that nothing a user said is lost by a model's slip.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import terms
from langchain_agentmem.promotion import prompts
from langchain_agentmem.promotion.changes import Action, Change
from langchain_agentmem.promotion.conversation import Conversation, Line, Redact
from langchain_agentmem.promotion.guard import addresses_model, sentences
from langchain_agentmem.promotion.known import Known, KnownMemory
from langchain_agentmem.promotion.schemas import Entry
from langchain_agentmem.promotion.strategies import Said, Strategy
from langchain_agentmem.promotion.unaided import claim

_RESTATED = 0.8  # share of an entry's words in what the assistant said, from which it restates that
_AGREES = re.compile(
    r"\W*(?:yes|yeah|yep|yup|sure|correct|right|exactly|true|indeed|ok|okay|of course|definitely|absolutely|that's it"
    r"|please do|do that|do it|s[i\u00ed]|oui|ja|da|hai|\u662f)\b",
    re.I,
)
_SUBJECT = frozenset(terms("user users"))


class Refused(Exception):  # noqa: N818 - it ends the reading of one entry, and nothing else
    """An entry is not used; the message is the reason that is counted."""


class Draft:
    """Reads the answer of a model to a conversation.

    Args:
        talk: The conversation.
        known: What the model was shown of the memory.
        redact: Takes secrets out of a text.
    """

    def __init__(self, talk: Conversation, known: Known, redact: Redact) -> None:
        self._talk, self._known, self._redact = talk, known, redact
        self.refused: Counter[str] = Counter()

    def check(self, answer: BaseModel) -> str | None:
        """What a model must be told: that it answered nothing at all, or which numbers it made up; else None."""
        if not answer.model_fields_set:
            return f"it has none of the sections {', '.join(type(answer).model_fields)}; they may be empty."
        entries = [entry for name in type(answer).model_fields for entry in entries_of(answer, name)]
        shown = {line.number for line in self._talk.lines}
        turns = {number for entry in entries for number in entry.turns if number not in shown}
        memories = {entry.known for entry in entries if _needs(entry) and self._known.numbered(entry.known) is None}
        wrong = [*(f"turn {number}" for number in sorted(turns)), *(f"memory {number}" for number in memories)]
        if not wrong:
            return None
        valid = ", ".join(str(number) for number, _ in enumerate(self._known.memories, 1)) or "none"
        return prompts.UNKNOWN_NUMBERS.format(
            wrong=", ".join(wrong), known=valid, turns=", ".join(map(str, sorted(shown)))
        )

    def changes(self, strategies: Sequence[Strategy], answer: BaseModel) -> Iterator[Change]:
        """The changes of an answer, in order; what is refused is counted."""
        for strategy in strategies:
            for entry in entries_of(answer, strategy.name, every=True):
                try:
                    yield self._change(strategy, entry)
                except Refused as reason:
                    self.refused[str(reason)] += 1

    def _change(self, strategy: Strategy, entry: Any) -> Change:
        lines = self._lines(strategy, entry)
        at = self._talk.time(lines)
        memory = self._memory(strategy, entry, lines)
        if isinstance(entry, Entry) and self._is_claim(entry, lines, memory):
            if memory is None or entry.action in {"retire", "reinforce"}:
                raise Refused("claim")
            return Change("add", strategy.key, self._talk.source(lines), at, claim(memory, at))
        action, target = self._aim(strategy, entry, lines, memory)
        if action in {"reinforce", "retire"}:
            again = memory if getattr(entry, "action", "") == "add" else None
            return Change(action, strategy.key, self._talk.source(lines), at, again, target.id if target else None)
        if memory is None:
            raise Refused("empty")
        if target is not None:
            memory = _in_place_of(memory, target)
        elif getattr(entry, "action", "add") == "retire":
            memory = replace(memory, state=None, value=None)  # there is no such fact: only what was said of it is left
        return Change(action, strategy.key, self._talk.source(lines), at, memory, target.id if target else None)

    def _lines(self, strategy: Strategy, entry: Any) -> list[Line]:
        """The lines that an entry comes from; of what is no `Entry`, such as a summary, all."""
        if not isinstance(entry, Entry):
            return self._talk.lines
        lines = self._talk.cited(entry.turns) or self._talk.nearest(_words_of(entry)) or self._talk.only
        if strategy.from_assistant:
            return lines or self._talk.lines
        if not any(line.by_user for line in lines):
            raise Refused("assistant" if lines else "no turn")
        if not any(line.tells for line in lines):
            raise Refused("small talk")
        if self._restates(entry, [line for line in lines if line.by_user]):
            raise Refused("assistant")
        return lines

    def _restates(self, entry: Entry, lines: Sequence[Line]) -> bool:
        """Whether the assistant said it and no user: nobody agreed, and what its words add is the assistant's alone.

        A user's question adds nothing to its answer; in what else a user says, one word of the entry is enough.
        """
        if any(_AGREES.match(line.text) for line in lines):
            return False
        words = set(terms(_words_of(entry))) - _SUBJECT
        own = words - {word for line in lines for word in terms(line.text)}
        asked = all(line.text.rstrip().endswith("?") for line in lines)
        if not own or (own < words and not asked):
            return False
        assistant = [line for line in (*self._talk.earlier, *self._talk.lines) if not line.by_user]
        heard = {word for line in assistant for word in terms(line.text)}
        return len(own & heard) >= _RESTATED * len(own)

    def _memory(self, strategy: Strategy, entry: Any, lines: Sequence[Line]) -> Memory | None:
        """The memory that the strategy makes of an entry, with where it comes from and without secrets."""
        at, told = self._talk.time(lines), getattr(entry, "confidence", None)
        said = Said(at, self._talk.thread_id, self._known.user)
        memory = strategy.rule(entry, said) if strategy.rule else None
        if memory is None:
            return None
        if memory.value is not None and self._plain(memory.value) != memory.value:
            raise Refused("secret")
        text = self._redact(memory.text)
        if not isinstance(entry, Entry):  # all lines speak in it: orders among them are left out
            text = "".join(part for part in sentences(text) if not addresses_model(part)).strip()
        if not text:
            raise Refused("empty")
        weight = getattr(entry, "importance", None)
        return replace(
            memory,
            text=text,
            topics=tuple(map(self._redact, memory.topics)),
            entities=tuple(map(self._redact, memory.entities)),
            data=self._plain(memory.data),
            confidence=memory.confidence if told is None else told,
            importance=memory.importance if weight is None else weight,
            valid_from=memory.valid_from or at,
            source=self._talk.source(lines),
            metadata={**self._plain(memory.metadata), "strategy": strategy.key},
        )

    def _plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, dict):
            return {key: self._plain(each) for key, each in value.items()}
        return [self._plain(each) for each in value] if isinstance(value, list | tuple) else value

    def _is_claim(self, entry: Entry, lines: Sequence[Line], memory: Memory | None) -> bool:
        steered = any(line.tainted for line in lines)
        return entry.instruction or steered or bool(memory and addresses_model(memory.text))

    def _aim(
        self, strategy: Strategy, entry: Any, lines: Sequence[Line], memory: Memory | None
    ) -> tuple[Action, KnownMemory | None]:
        """What is done, and to which known memory."""
        if not isinstance(entry, Entry):
            return "add", None
        standing = self._known.standing_for(memory.state) if memory else None
        if entry.action != "add":
            target = self._known.numbered(entry.known) or standing
            if target is None and not entry.text:
                raise Refused("unknown memory")
            return ("add", None) if target is None else (entry.action, target)
        if memory and standing and _same(standing.value, memory.value):
            return "reinforce", standing
        twin = self._known.saying(memory.text) if memory and not memory.state else None
        if memory is None or twin is None or strategy.from_assistant:
            return "add", None
        words = set(terms(memory.text)) - _SUBJECT
        if not any(words & set(terms(line.text)) for line in lines if line.by_user):
            raise Refused("echo")
        return "reinforce", twin


def entries_of(answer: BaseModel, name: str, *, every: bool = False) -> list[Any]:
    """What an answer holds in a section; by default only entries that cite turns."""
    held = getattr(answer, name, None)
    listed = held if isinstance(held, list) else [held] if held is not None else []
    return [each for each in listed if every or isinstance(each, Entry)]


def _needs(entry: Entry) -> bool:
    """Whether it must name a memory: a fact that is retired can also be found by its slot."""
    return entry.known is not None or (entry.action != "add" and not hasattr(entry, "slot"))


def _words_of(entry: Entry) -> str:
    """What an entry says, in words."""
    if entry.text:
        return entry.text
    held = entry.model_dump(exclude={"action", "known", "turns", "confidence", "importance", "instruction", "kind"})
    return " ".join(str(value) for value in held.values() if value)


def _in_place_of(memory: Memory, target: KnownMemory) -> Memory:
    """A memory that takes a known one's place; the fact that one stood for stays one fact."""
    state = memory.state or target.state
    value = memory.text if memory.value is None and state else memory.value
    return replace(memory, supersedes=target.id, state=state, value=value)


def _same(one: Any, other: Any) -> bool:
    return str(one).casefold().split() == str(other).casefold().split()
