"""How rules find what a sentence says: the phrases that they share, and where one is said in earnest."""

from __future__ import annotations

import re
from collections.abc import Iterator

from langchain_agentmem.promotion.finding import Found
from langchain_agentmem.promotion.own_words import in_earnest, is_framed, is_limited
from langchain_agentmem.promotion.slots import slot_of

ADVERBS = (
    r"(?: (?:now|currently|actually|presently|still|just|recently|finally|really|also|already|both|happily|simply"
    r"|always))*"
)
I_AM = r"\b(?:I'm|I am|I've become|I became|I have become)"
I_AM_NOT = r"\b(?:I(?:'m| am) (?:not|no longer)(?: really| actually)?|I (?:stopped|quit) being|I used to be)"
I_NO_LONGER = (  # not "don't just": that denies nothing
    r"\bI (?:no longer|don't|do not|used to)(?: (?:actually|currently|really|still))*"
)
HEDGES = r"(?: (?:a|an|now|strictly|still|actually|mostly|also|really|just|currently|quite|very))*"
PLACE = (  # a number behind it makes it a version or a room
    r"((?:(?:St|Ft|Mt|Dr|Mr|Mrs|Ms)\. )?(?!(?:Dr|Mrs?|Ms)\b)[A-Z][\w.'-]*\w"
    r"(?:(?:,? (?:de|of|the|la|am|upon) |,? )(?!I\b)[A-Z][\w.'-]*\w)*(?! ?\d))"
)


def closed(more: str) -> str:
    """What may follow a thing that is said as a whole: a vegan chef may eat meat, and fish fingers are no fish."""
    return (
        r"(?=\s*$|\s*[^\w\s'-]|\s+-|\s+(?:but|now|so|too|as well|btw|by the way|these days|for|again|thanks|then"
        rf"|anyway|actually|please|though|tho|lol|already|nowadays|any ?more|any longer|{more})\b)"
    )


STATED = closed("and|as|with|because|since|who(?! am)|person|myself|last|recently")
DENIED = closed("and (?:I|we|my|now|don't|never|have|am)|or I|because|since|at all|either")


def _every(pattern: str | re.Pattern[str], sentence: str, flags: int = 0) -> list[re.Match[str]]:
    """Where a sentence says something in earnest."""
    found = re.compile(pattern, flags).finditer(sentence)
    return [each for each in found if in_earnest(sentence, each.start(), each.end())]


def first(pattern: str | re.Pattern[str], sentence: str, flags: int = 0) -> re.Match[str] | None:
    """The first place where a sentence says something in earnest."""
    return next(iter(_every(pattern, sentence, flags)), None)


def facts(pattern: str, sentence: str, flags: int = 0) -> list[re.Match[str]]:
    """Where a sentence says something that is so wherever, and until it is said to be otherwise."""
    return [each for each in _every(pattern, sentence, flags) if not is_framed(sentence, each.start(), each.end())]


def fact(pattern: str, sentence: str, flags: int = 0) -> re.Match[str] | None:
    """The first of those."""
    return next(iter(facts(pattern, sentence, flags)), None)


def lasting(pattern: str, sentence: str, flags: int = 0) -> list[re.Match[str]]:
    """The same, but only where the sentence does not go on to say when, for how long or how often."""
    return [each for each in facts(pattern, sentence, flags) if not is_limited(sentence, each.end())]


def filled(slot: str, value: str, text: str) -> Iterator[Found]:
    """What fills a slot, if it is one and the value says anything."""
    if known := slot_of(slot, value):
        yield Found(text, known.state, known.value)
