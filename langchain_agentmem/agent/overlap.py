"""What the model has in front of it anyway: a memory that says no more than that is not shown again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_agentmem.agent.rendering import words_of
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.identity import normalise
from langchain_agentmem.longterm.query import is_question
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import stem, terms, tokens

_RECENT = 20  # messages; what was said before them a model does well to be reminded of
_LONGEST = 4_000  # characters of a message that are read
_SENTENCE = re.compile(r"[^.!?\uff1f\n]+[.!?\uff1f]*")
# A sentence with one of these may say the opposite of one with the same words.
_NEGATIONS = frozenset(
    "no not nor never none without cannot neither nobody nothing hardly stopped former except".split()
)
_NEGATED = re.compile(r"n['\u2019]?t\b", re.I)
_NOBODY = frozenset(map(stem, "user users human customer client person".split()))  # whom a memory is about, by no name
_ABOUT = 2  # words beyond a fact's name and value that still only say whose it is: "Anna lives (in)"


class Overlap:
    """The words of the facts that are shown and of the last messages.

    A memory is told already where it stands for a fact and adds at most a name and a verb to it, where all its words
    are in a fact, or where all are in what one message states. What a message asks tells nothing: the memory
    that answers "Does Anna like jazz?" has the words of the question.

    Args:
        facts: The facts that are shown.
        messages: The conversation; its last 20 messages of users and models count.
    """

    def __init__(self, facts: Iterable[Fact], messages: Sequence[BaseMessage]) -> None:
        self._facts = [(fact.memory_id, frozenset(terms(f"{fact.name} {words_of(fact.value)}"))) for fact in facts]
        self._messages = [each for each in messages if isinstance(each, HumanMessage | AIMessage)][-_RECENT:]
        self._shown: set[str] = set()

    def tells(self, memory: Memory) -> bool:
        """Whether a memory says no more than what is there, or than another that was asked about before."""
        said = normalise(memory.text)
        if said in self._shown or self._in_facts(memory) or self._in_messages(memory):
            return True
        self._shown.add(said)
        return False

    def _in_facts(self, memory: Memory) -> bool:
        words = _words(memory)
        for memory_id, held in self._facts:
            more = words - held
            if not more or (memory_id == memory.id and len(more) <= _ABOUT and not _numbers(more)):
                return bool(words)
        return False

    def _in_messages(self, memory: Memory) -> bool:
        words, negated = _words(memory), _negated(memory.text)
        return bool(words) and any(words <= held and negated == denies for held, denies in self._stated)

    @cached_property
    def _stated(self) -> list[tuple[frozenset[str], bool]]:
        """The words that each message states, and whether they deny something."""
        texts = (_statements(message.text[:_LONGEST]) for message in self._messages)
        return [(frozenset(terms(text)), _negated(text)) for text in texts if text]


def _words(memory: Memory) -> frozenset[str]:
    whose = _NOBODY.union(terms(memory.speaker or ""))
    return frozenset(terms(memory.text)) - whose


def _statements(text: str) -> str:
    return " ".join(sentence for sentence in _SENTENCE.findall(text) if not is_question(sentence.strip()))


def _negated(text: str) -> bool:
    return bool(_NEGATED.search(text)) or not _NEGATIONS.isdisjoint(tokens(text))


def _numbers(words: Iterable[str]) -> bool:
    return any(char.isdigit() for word in words for char in word)
