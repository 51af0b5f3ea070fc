"""What the model has in front of it anyway: a memory that says no more than that is not shown again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import islice

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_agentmem.agent.rendering import fact_text
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.identity import normalise
from langchain_agentmem.longterm.query import is_question
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import stem, terms, tokens
from langchain_agentmem.promotion.batch import is_recalled

_RECENT = 20  # messages; what was said before them a model does well to be reminded of
_LONGEST = 4_000  # characters of a message that are read
_BEGINNING = 4  # letters of a stem that its forms have in common, nearly always
_SENTENCE = re.compile(r"[^.!?\uff1f\n]+[.!?\uff1f]*")
# A sentence with one of these may say the opposite of one with the same words.
_NEGATIONS = frozenset(
    "no not nor never none without cannot neither nobody nothing hardly stopped former except".split()
)
_NEGATED = re.compile(r"n['\u2019]t\b", re.I)
_OPEN = re.compile(r"\b(?:if|whether|wonder\w*|please|maybe|perhaps)\b", re.I)  # such a sentence leaves it open
_TALK = (HumanMessage, AIMessage)
_NOBODY = frozenset(map(stem, "user users human customer client person".split()))  # whom a memory is about, by no name
_ABOUT = 2  # words beyond a fact's name and value that still only say whose it is: "Anna lives (in)"


class Overlap:
    """The words of the facts that are shown and of the last messages.

    A memory is told already where it stands for a fact and adds at most a name and a verb to it, where all its words
    are in a fact, or where all are in what one message states. What a message asks or leaves open tells nothing: the
    memory that answers "Does Anna like jazz?" has the words of the question.

    Args:
        facts: The facts that are shown.
        messages: The conversation; its last 20 messages of users and models count.
    """

    def __init__(self, facts: Iterable[Fact], messages: Sequence[BaseMessage]) -> None:
        self._facts = [(fact, fact_words(fact_text(fact))) for fact in facts]
        told = (each for each in reversed(messages) if isinstance(each, _TALK) and not is_recalled(each))
        self._messages = [_Said(message.text[:_LONGEST]) for message in islice(told, _RECENT)]
        self._shown: dict[frozenset[str], list[str]] = {}

    def tells(self, memory: Memory) -> bool:
        """Whether a memory says no more than what is there, or than another that was asked about before."""
        held = frozenset(terms(memory.text))
        alike = self._shown.setdefault(held, [])  # texts that are the same up to their form have the same words
        words = held - _speaker_words(memory.speaker)
        if (alike and normalise(memory.text) in map(normalise, alike)) or (words and self._tell(memory, words)):
            return True
        alike.append(memory.text)
        return False

    def _tell(self, memory: Memory, words: frozenset[str]) -> bool:
        return self._in_facts(memory, words) or self._in_messages(memory, words)

    def _in_facts(self, memory: Memory, words: frozenset[str]) -> bool:
        for fact, held in self._facts:
            if fact.memory_id == memory.id and len(more := words - held) <= _ABOUT and not _numbers(more):
                return True
            if words <= held and _negated(fact_text(fact)) == _negated(memory.text):
                return True
        return False

    def _in_messages(self, memory: Memory, words: frozenset[str]) -> bool:
        near = self._messages
        for word in words:  # a quick look: what it misses, such as "bought" for "buy", is shown twice at worst
            near = [said for said in near if word[:_BEGINNING] in said.folded]
            if not near:
                return False
        negated = _negated(memory.text)
        return any(words <= said.stated and negated == said.negated for said in near)


class _Said:
    """What a message states, read as far as it is needed: most have nothing in common with a memory."""

    def __init__(self, text: str) -> None:
        self._text, self.folded = text, text.casefold()

    @cached_property
    def _statements(self) -> str:
        sentences = _SENTENCE.findall(self._text)
        return " ".join(each for each in sentences if not is_question(each.strip()) and not _OPEN.search(each))

    @cached_property
    def stated(self) -> frozenset[str]:
        """The words of its statements."""
        return frozenset(terms(self._statements))

    @cached_property
    def negated(self) -> bool:
        """Whether they deny something."""
        return _negated(self._statements)


@lru_cache(maxsize=1_024)
def fact_words(text: str) -> frozenset[str]:
    """The words of a fact: most facts are there turn after turn."""
    return frozenset(terms(text))


@lru_cache(maxsize=1_024)
def _speaker_words(speaker: str | None) -> frozenset[str]:
    return _NOBODY.union(terms(speaker or ""))


def _negated(text: str) -> bool:
    return bool(_NEGATED.search(text)) or not _NEGATIONS.isdisjoint(tokens(text))


def _numbers(words: Iterable[str]) -> bool:
    return any(char.isdigit() for word in words for char in word)
