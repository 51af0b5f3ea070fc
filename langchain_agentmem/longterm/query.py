"""What a query asks for, read from its words alone: its stems, the dates in it, the shape of its answer.

Pure, no model call; one pass of about 30 us. The scoring compares each candidate with what stands here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from langchain_agentmem.longterm.dates import DateWindow, date_windows
from langchain_agentmem.longterm.text import terms, tokens

__all__ = ["Query", "analyse", "answers", "asking", "is_question"]

_ASKING = frozenset(
    """what when where which who whom whose why how did does do is are was were can could should would will has have had
    am remind recall describe list name find tell show give summarize summarise explain""".split()
)
_FIRST_PERSON = frozenset("i me my mine myself we us our ours".split())
_SENTENCE = re.compile(r"[^.!?\uff1f]+[.!?\uff1f]*")
_SECOND_PERSON = frozenset("you your yours yourself".split())
_MOST_TERMS = 64  # each costs the server a count; whoever pastes a page asks at its beginning or its end
_REMEMBERED = 8192  # texts: those of a user come into question again and again
_USER = frozenset(("user", "human"))
_ASSISTANT = frozenset(("assistant", "ai", "bot", "agent"))

_SHAPES: dict[str, re.Pattern[str]] = {
    "when": re.compile(
        r"\b(?:yesterday|today|tonight|tomorrow|ago|recently|since|(?:19|20)\d\d|\d{1,2}(?:st|nd|rd|th)|\d{1,2} ?[ap]m"
        r"|(?:last|next|this|past) (?:\w+day|week|weekend|month|year|night|spring|summer|fall|autumn|winter)"
        r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|june|july|august|september|october"
        r"|november|december)\b",
        re.I,
    ),
    "number": re.compile(
        r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|twenty|thirty|forty|fifty|hundred"
        r"|thousand|once|twice|couple|several|half)\b",
        re.I,
    ),
    "where": re.compile(r"\b(?:in|at|to|from|near|around|visited) (?:the |a |my |our )?[A-Z]\w+"),
}
_ASKED = (
    ("when", re.compile(r"\bwhen\b|\bwhat (?:day|date|month|year|time)\b|\bhow long ago\b", re.I)),
    (
        "number",
        re.compile(r"\bhow (?:many|much|long|old|often|far|big|tall|fast)\b|\bwhat (?:number|age|price|size)\b", re.I),
    ),
    ("where", re.compile(r"\bwhere\b|\b(?:what|which) (?:city|country|place|town|state|location)\b", re.I)),
)


@dataclass(frozen=True, slots=True)
class Query:
    """A query, read.

    Attributes:
        text: The words of the user, for the encoder.
        terms: Its distinct stems in order, without stop words; letters and digits only, safe in any query language.
        windows: The dates it names.
        shape: What an answer holds: "when", "where", "number", or None when its words do not tell.
        question: False for a statement ("I'm so tired after the trip"), where shared words say less.
        roles: The roles it speaks of: the user for "what did I say", the assistant for "what did you suggest".
    """

    text: str
    terms: tuple[str, ...]
    windows: tuple[DateWindow, ...]
    shape: str | None
    question: bool
    roles: frozenset[str]


def analyse(text: str, now: datetime | None = None) -> Query:
    """Reads a query.

    Args:
        text: A question, some keywords or a statement; never parsed as query syntax.
        now: The moment from which "last week" counts; without it only absolute dates are read.
    """
    return Query(
        text=text,
        terms=_shortened(tuple(dict.fromkeys(terms(text)))),
        windows=date_windows(text, now),
        shape=next((shape for shape, asked in _ASKED if asked.search(text)), None),
        question=is_question(text) or not _tells(text),
        roles=_roles(text),
    )


def asking(text: str) -> float:
    """Share of the words of a text that stand in questions: 1 for "How was it?", about .5 for "I moved. And you?"."""
    if "?" not in text and "\uff1f" not in text:
        return 0.0
    sentences = [(len(sentence.split()), sentence.rstrip()[-1:] in "?\uff1f") for sentence in _SENTENCE.findall(text)]
    return sum(words for words, asks in sentences if asks) / (sum(words for words, _ in sentences) or 1)


def is_question(text: str) -> bool:
    """Says whether a text asks: it ends with a question mark, or begins with a word that asks."""
    ending = text.rstrip().rstrip("\"')")
    if ending.endswith(("?", "\uff1f")):
        return True
    first = tokens(text[:40])[:1]
    return bool(first) and first[0] in _ASKING


@lru_cache(maxsize=_REMEMBERED)
def answers(shape: str | None, text: str) -> bool:
    """Says whether a text holds what a question of this shape asks for, for instance a date word for "when"."""
    return shape is not None and _SHAPES[shape].search(text) is not None


def _shortened(words: tuple[str, ...]) -> tuple[str, ...]:
    return words if len(words) <= _MOST_TERMS else words[: _MOST_TERMS // 2] + words[-_MOST_TERMS // 2 :]


def _tells(text: str) -> bool:
    """A statement is told by somebody or runs on like a sentence; what is left are keywords ("favourite food")."""
    words = tokens(text)
    return len(words) > 8 or not _FIRST_PERSON.isdisjoint(words)


def _roles(text: str) -> frozenset[str]:
    """One side only; a question of both ("what did you tell me") may be answered by either."""
    words = frozenset(tokens(text))
    mine, yours = words & _FIRST_PERSON, words & _SECOND_PERSON
    if bool(mine) == bool(yours):
        return frozenset()
    return _USER if mine else _ASSISTANT
