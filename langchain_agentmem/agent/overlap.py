"""What the model has in front of it anyway: a memory that says no more than that is not shown again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_agentmem.agent.rendering import words_of
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.identity import normalise
from langchain_agentmem.longterm.query import is_question
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import stem, terms, tokens

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
        self._facts = [(fact.memory_id, f"{fact.name} {words_of(fact.value)}") for fact in facts]
        told = (each for each in reversed(messages) if isinstance(each, HumanMessage | AIMessage))
        self._messages = [_Said(message.text[:_LONGEST]) for message in islice(told, _RECENT)]
        self._shown: set[str] = set()

    def tells(self, memory: Memory) -> bool:
        """Whether a memory says no more than what is there, or than another that was asked about before."""
        said = normalise(memory.text)
        words = frozenset(terms(memory.text)) - _NOBODY.union(terms(memory.speaker or ""))
        if said in self._shown or (words and (self._in_facts(memory, words) or self._in_messages(memory, words))):
            return True
        self._shown.add(said)
        return False

    def _in_facts(self, memory: Memory, words: frozenset[str]) -> bool:
        for memory_id, held, negated in self._known:
            more = words - held
            if memory_id == memory.id and len(more) <= _ABOUT and not _numbers(more):
                return True
            if not more and negated == _negated(memory.text):
                return True
        return False

    @cached_property
    def _known(self) -> list[tuple[str | None, frozenset[str], bool]]:
        """Of each fact the memory it comes from, its words, and whether they deny something."""
        return [(memory_id, frozenset(terms(text)), _negated(text)) for memory_id, text in self._facts]

    def _in_messages(self, memory: Memory, words: frozenset[str]) -> bool:
        near = [said for said in self._messages if said.may_hold(words)]
        negated = bool(near) and _negated(memory.text)
        return any(words <= said.stated and negated == said.negated for said in near)


class _Said:
    """What a message states, read as far as it is needed: most have nothing in common with a memory."""

    def __init__(self, text: str) -> None:
        self._text, self._folded = text, text.casefold()

    def may_hold(self, words: Iterable[str]) -> bool:
        """A quick look. What it misses, such as "bought" for "buy", is shown twice at worst."""
        return all(word[:_BEGINNING] in self._folded for word in words)

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


def _negated(text: str) -> bool:
    return bool(_NEGATED.search(text)) or not _NEGATIONS.isdisjoint(tokens(text))


def _numbers(words: Iterable[str]) -> bool:
    return any(char.isdigit() for word in words for char in word)
