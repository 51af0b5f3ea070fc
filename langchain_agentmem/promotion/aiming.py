"""What an entry of an answer is about: a memory that is known, a fact, or nothing that is known.

Models mix numbers up. So one does not count where the entry has no word in common with the memory that it names, but
has with another one. Of a fact only the value ends that is spoken of. In doubt nothing ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import terms
from langchain_agentmem.promotion.assent import negates
from langchain_agentmem.promotion.conversation import Line
from langchain_agentmem.promotion.guard import sentences
from langchain_agentmem.promotion.known import Known, KnownMemory
from langchain_agentmem.promotion.schemas import Entry, Preference
from langchain_agentmem.promotion.slots import SLOTS, slot_of

SUBJECT = frozenset(terms("user users"))
"""Words that say nothing of what a memory is about."""

_NO_MORE = frozenset(terms("longer anymore"))
_NO_VALUE = frozenset(("", "none", "null", "n/a"))
_NOT = re.compile(r"(?:not|no longer|no|none of|nicht|kein\w*|non|pas|nunca) +", re.I)
_TASTE = "taste"


@dataclass(frozen=True, slots=True)
class Aim:
    """An entry, and what it may be about.

    Attributes:
        known: What is known.
        entry: The entry.
        memory: What its strategy makes of it, if anything.
        lines: The lines that it comes from.
    """

    known: Known
    entry: Entry
    memory: Memory | None
    lines: Sequence[Line]

    def named(self) -> KnownMemory | None:
        """The memory whose number the entry gives, unless it speaks of something else."""
        target = self.known.numbered(self.entry.known)
        if target is None:
            return None
        if self.memory and self.memory.state and target.state:
            return target if self._is_of_slot(target, self.memory.state) else None
        if self._speaks_of(target):
            return target
        is_fact = target.state is not None and self.memory is not None  # whose value would be lost
        return None if is_fact or self._speaks_of_others(target) else target

    def ended(self) -> KnownMemory | None:
        """What the entry says is no longer so: what it names, or else what it can only be about.

        One without an id is a fact that no memory stands for.
        """
        target, memory = self.named(), self.memory
        if memory is None or (target and not target.state):
            return target
        if memory.state is None:
            return target or self._alike(self.known.memories)
        if target and not _is_of_several(target.state or "") and self._names_value(target):
            return target
        fits = [each for each in self.known.standing() if self.means(each)]
        if target in fits:
            return target
        return self.one_of(fits) or self._alike([each for each in self.known.memories if not each.state])

    def means(self, standing: KnownMemory) -> bool:
        """Whether a value that stands is the one that the entry is about, also in other words; without one, any is."""
        memory = self.memory
        if memory is None or memory.state is None:
            return True
        if slot_name(memory.state) != slot_name(standing.state or ""):
            return False
        if _is_taste(memory.state) and str(standing.value) != str(memory.value):
            return False
        value = self._value()
        return value is None or any(_says(value, each) for each in _names(standing))

    def one_of(self, fits: Sequence[KnownMemory]) -> KnownMemory | None:
        """The one of several values of a slot that the entry ends: just so named, the only one, or most spoken of."""
        state = self.memory.state if self.memory else None
        if len(fits) < 2:
            return next(iter(fits), None)
        if named := [each for each in fits if each.state == state]:
            return named[0]
        spoken = self._words(self._said())
        return _most(fits, [len(spoken & self._words_of_value(each)) for each in fits])

    def _value(self) -> str | None:
        entry = self.entry
        value = entry.value if isinstance(entry, Preference) else self.memory and self.memory.value
        said = str(value or "").strip()
        if entry.action == "retire":
            said = _NOT.sub("", said)
        return None if said.casefold() in _NO_VALUE else said

    def _said(self) -> str:
        return " ".join([self.memory.text if self.entry.text and self.memory else "", *self._told()])

    def _told(self) -> list[str]:
        return [line.text for line in self.lines if line.by_user]

    def _words(self, text: str) -> set[str]:
        return set(terms(text)) - SUBJECT - _NO_MORE - set(terms(self.known.user or ""))

    def _words_of_value(self, standing: KnownMemory) -> set[str]:
        return self._words(" ".join(_names(standing)))

    def _alike(self, memories: Iterable[KnownMemory]) -> KnownMemory | None:
        """The memory that says what the entry says; or the only one that shares most of its words."""
        if self.memory is None or not self.entry.text:
            return None
        candidates = [*memories]
        said = [each for each in self.known.saying(self.memory.text) if each in candidates]
        if len(said) == 1:
            return said[0]
        words = self._words(self.memory.text)
        shared = [len(words & self._words(_about(each))) for each in candidates]
        best = _most(candidates, shared)
        return best if best and 2 * max(shared) > len(words) else None

    def _is_of_slot(self, target: KnownMemory, state: str) -> bool:
        """Whether a memory stands for the fact that the entry is about; of several at once, the one it speaks of."""
        if slot_name(state) != slot_name(target.state or ""):
            return False
        if state == target.state or not _is_of_several(state):
            return True
        return self._names_value(target)

    def _names_value(self, target: KnownMemory) -> bool:
        """Whether a value that stands is spoken of, be it as a part of a word: "nuts" of "peanuts"."""
        said = self._said().casefold()
        whole = self._words(said) & self._words_of_value(target)
        return bool(whole) or any(len(name) > 2 and name.casefold() in said for name in _names(target))

    def _speaks_of_others(self, target: KnownMemory) -> bool:
        """Whether what is said has a word in common with another memory: then the number is that one's, or nobody's."""
        said = self._words(self._said())
        return any(said & self._words(_about(each)) for each in self.known.memories if each is not target)

    def _speaks_of(self, target: KnownMemory) -> bool:
        """Whether the entry has a word in common with a memory, or one names the other's slot: `eats` is about a diet.

        What the user said counts as well where the entry says nothing or ends something; or else one sentence of it
        that has a word in common with both. Beside a fact, only the entry counts: its value would be lost.
        """
        about, memory = self._words(_about(target)), self.memory
        told = self._told()
        said = [memory.text] if memory else []
        if memory is None or self.entry.action == "retire":
            said += told
        elif target.state is None:
            own = self._words(memory.text)
            said += [part for text in told for part in sentences(text) if own & self._words(part)]
        if memory and memory.state and _names_slot(target.text, memory.state):
            return True
        return any(about & self._words(each) or _names_slot(each, target.state) for each in said)


def slot_name(state: str) -> str:
    """The slot of a fact: of what there may be several at once, all are of one slot."""
    slot = state.rpartition(".")[0]
    return slot if slot.rpartition(".")[2] in {*SLOTS, _TASTE} else state


def _is_of_several(state: str) -> bool:
    return slot_name(state) != state


def _is_taste(state: str) -> bool:
    return slot_name(state).rpartition(".")[2] == _TASTE


def _names(standing: KnownMemory) -> list[str]:
    """What the value of a fact is called: as it is, and where there may be several at once, by the fact's name."""
    state = standing.state or ""
    value = [] if _is_taste(state) else [str(standing.text if standing.value is None else standing.value)]
    return [*value, *([state.rpartition(".")[2].replace("_", " ")] if _is_of_several(state) else [])]


def _says(one: str, other: str) -> bool:
    """Whether two values are the same in other words: one has all words of the other, and both are or are not so."""
    words, others = set(terms(one)), set(terms(other))
    if not words or not others:
        return same(one, other)
    return (words <= others or others <= words) and negates(one) == negates(other)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same but for case and spacing."""
    return str(one).casefold().split() == str(other).casefold().split()


def _about(target: KnownMemory) -> str:
    slot = (target.state or "").rpartition(".")[2].replace("_", " ")
    return " ".join([target.text, "" if target.value is None else str(target.value), slot])


def _names_slot(text: str, state: str | None) -> bool:
    slot = (state or "").rpartition(".")[2]
    return any(filled.state == slot for word in text.split() if (filled := slot_of(word, "-")))


def _most(found: Sequence[KnownMemory], shares: Sequence[int]) -> KnownMemory | None:
    """The one with the largest share; None if there is none, or several have as much."""
    best = max(shares, default=0)
    return found[shares.index(best)] if best and shares.count(best) == 1 else None
