"""From a model's answer to changes: what a prompt can only ask for is held here.

An entry is refused when no user said it: it cites the assistant only, or restates what only the assistant said, or
repeats a memory that no cited turn speaks of. What a user said to steer the model becomes a claim. A number that names
no memory is never guessed at: what was said is added as new, so that nothing a user said is lost by a model's slip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import terms
from langchain_agentmem.promotion import prompts
from langchain_agentmem.promotion.aiming import SUBJECT, Aim, same
from langchain_agentmem.promotion.assent import agrees, denies, negates, tells_of_end
from langchain_agentmem.promotion.changes import Action, Change
from langchain_agentmem.promotion.conversation import Conversation, Line, Redact
from langchain_agentmem.promotion.guard import addresses_model, sentences
from langchain_agentmem.promotion.known import Known, KnownMemory
from langchain_agentmem.promotion.schemas import Entry, Preference
from langchain_agentmem.promotion.strategies import Said, Strategy
from langchain_agentmem.promotion.unaided import claim

_MOST = 50  # entries of an answer that are used
_LONGEST_TEXT = 4_000  # characters of a memory
_LONGEST_VALUE = 1_000
_RESTATED = 0.8  # share of an entry's words in what the assistant said, from which it restates that


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

    def changes(self, strategies: Sequence[Strategy], answer: BaseModel, found: Iterable[Change] = ()) -> list[Change]:
        """The changes of an answer, after those that were `found` without it; what is refused is counted."""
        made = list(found)
        for strategy, entry, lines in self._in_order(strategies, answer):
            try:
                if change := self._change(strategy, entry, lines, made):
                    made.append(change)
            except Refused as reason:
                self.refused[str(reason)] += 1
        return made

    def _in_order(self, strategies: Sequence[Strategy], answer: BaseModel) -> list[tuple[Strategy, Any, list[Line]]]:
        """The entries of an answer with the lines they come from, in the order in which these were said."""
        held = [entries_of(answer, each.name, every=True) for each in strategies]
        places = sorted((i, section) for section, entries in enumerate(held) for i, _ in enumerate(entries))
        if len(places) > _MOST:  # the first of each section are used
            self.refused["too many"] += len(places) - _MOST
        found = []
        for section, i in sorted((section, i) for i, section in places[:_MOST]):
            strategy, entry = strategies[section], held[section][i]
            try:
                found.append((strategy, entry, self._lines(strategy, entry)))
            except Refused as reason:
                self.refused[str(reason)] += 1
        return sorted(found, key=lambda each: each[2][-1].number)

    def _change(self, strategy: Strategy, entry: Any, lines: list[Line], made: list[Change]) -> Change | None:
        """What becomes of an entry; None where it only takes back what was `made` of what was said before it."""
        source, at = self._talk.source(lines), self._talk.time(lines)
        memory = self._memory(strategy, entry, lines)
        if isinstance(entry, Entry) and self._is_claim(entry, lines, memory):
            if memory is None or entry.action in {"retire", "reinforce"}:
                raise Refused("claim")
            return Change("add", strategy.key, source, at, claim(memory, at))
        if isinstance(entry, Entry) and entry.action == "retire":
            ended = Change("retire", strategy.key, source, at)
            return self._retire(ended, Aim(self._known, entry, memory, lines), made)
        action, target = self._aim(strategy, entry, lines, memory)
        if action == "reinforce" and target is not None:
            again, version = memory if entry.action == "add" else None, self._known.version_of(target)
            return Change("reinforce", strategy.key, source, at, again, target.id, version=version)
        if memory is None:
            raise Refused("empty")
        if target is not None:
            memory = _in_place_of(memory, target, action)
        return Change(action, strategy.key, source, at, memory, target.id if target else None)

    def _retire(self, ended: Change, aim: Aim, made: list[Change]) -> Change | None:
        """What becomes of an entry that says that something is no longer so."""
        found = aim.ended()
        given, gone = self._given_before(aim, found, made)
        made[:] = [change for change in made if change not in gone]
        if found and len(gone) < len(given):
            return None  # another value has taken its place already
        if found and found.id:
            version = self._known.version_of(found)
            changed = any(change.target == found.id for change in made)  # then its fact has another version by then
            name = found.state if version else None
            return replace(ended, target=found.id, fact=name, version=0 if changed else version)
        if fact := self._known.loose(found.state if found else None):
            return replace(ended, fact=fact.name, version=fact.version)
        text = aim.entry.text
        if text and aim.memory and tells_of_end(text):  # of what is not known: what was said of it is
            return replace(ended, action="add", memory=replace(aim.memory, state=None, value=None))
        if gone:
            return None
        raise Refused("unknown memory")

    def _given_before(
        self, aim: Aim, found: KnownMemory | None, made: Sequence[Change]
    ) -> tuple[list[Change], list[Change]]:
        """The values that a fact was given earlier in this conversation; and those of them that end with it."""
        before = {line.turn.id for line in self._talk.lines if line.number < aim.lines[-1].number}
        given = [
            (change, KnownMemory("", each.text, each.kind, each.state, each.value))
            for change in made
            if change.action == "add" and (each := change.memory) and each.state
            if before.issuperset(change.source.message_ids)
        ]
        if found is None and aim.memory and aim.memory.state:
            found = aim.one_of([*{each.state: each for _, each in given if aim.means(each)}.values()])
        given = [(change, each) for change, each in given if found and each.state == found.state]
        return [change for change, _ in given], [change for change, each in given if aim.means(each)]

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

        A user's question adds nothing to its answer; in what else a user says, one word of the entry is enough. Of a
        preference, that is a word of its value. To who says no, one word of the assistant's is too much.
        """
        if self._agreed(lines):
            return False
        words = set(terms(_claimed(entry))) - SUBJECT
        own = words - {word for line in lines for word in terms(line.text)}
        asked = all(line.text.rstrip().endswith(("?", "\uff1f")) for line in lines)
        if not own or (own < words and not asked):
            return False
        assistant = [line for line in (*self._talk.earlier, *self._talk.lines) if not line.by_user]
        heard = own & {word for line in assistant for word in terms(line.text)}
        denied = all(denies(line.text) for line in lines) and entry.action != "retire"
        if denied and not negates(_words_of(entry)):
            return bool(heard)
        return len(heard) >= _RESTATED * len(own)

    def _agreed(self, lines: Sequence[Line]) -> bool:
        """Whether one of these lines agrees to what the assistant said right before it."""
        agreeing = {line.number for line in lines if agrees(line.text)}
        talk = pairwise((*self._talk.earlier, *self._talk.lines))
        return any(line.number in agreeing and not before.by_user for before, line in talk)

    def _memory(self, strategy: Strategy, entry: Any, lines: Sequence[Line]) -> Memory | None:
        """The memory that the strategy makes of an entry, with where it comes from and without secrets."""
        at, told = self._talk.time(lines), getattr(entry, "confidence", None)
        said = Said(at, self._talk.thread_id, self._known.user)
        try:
            memory = strategy.rule(entry, said) if strategy.rule else None
            if memory is None:
                return None
            memory.check()
        except InvalidInputError as error:  # it would fail with all that stands beside it
            raise Refused("invalid") from error
        if len(memory.text) > _LONGEST_TEXT or len(str(memory.value or "")) > _LONGEST_VALUE:
            raise Refused("too long")
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
        aim = Aim(self._known, entry, memory, lines)
        target = (aim.named() or standing) if entry.action != "add" else None
        if target and (entry.action != "reinforce" or target.state is None or aim.means(target)):
            return entry.action, target
        if memory is None:
            raise Refused("empty" if entry.action == "add" else "unknown memory")
        if standing and same(standing.value, memory.value):
            return "reinforce", standing
        if memory.state or strategy.from_assistant or not self._known.saying(memory.text):
            return "add", None
        words = set(terms(memory.text)) - SUBJECT
        if not any(words & set(terms(line.text)) for line in lines if line.by_user):
            raise Refused("echo")
        twin = self._known.twin(memory)
        return ("reinforce", twin) if twin else ("add", None)


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


def _claimed(entry: Entry) -> str:
    """What an entry says that must be somebody's word: of a preference its value, since the rest is its form."""
    return str(entry.value) if isinstance(entry, Preference) and entry.value else _words_of(entry)


def _in_place_of(memory: Memory, target: KnownMemory, action: Action) -> Memory:
    """A memory that takes a known one's place.

    A text about a fact's memory says nothing of the fact's value. The fact stays where the text says more of it, and
    ends where another thing is true.
    """
    stays = action == "update" and set(terms(str(target.value))) <= set(terms(memory.text))
    if memory.state is None and target.state and stays:
        memory = replace(memory, state=target.state, value=target.value)
    return replace(memory, supersedes=target.id)
