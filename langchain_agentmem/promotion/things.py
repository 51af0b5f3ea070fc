"""The things that a rule reads: where one ends, and which of a list are any."""

from __future__ import annotations

import re
from itertools import takewhile

from langchain_agentmem.promotion.vocabulary import NO_THINGS, is_bare

THING = (
    r"([^.!?,;:]{2,60}?)"
    r"(?= but\b| because\b| since\b| and (?:I|my|we|hate|love|like)\b| whereas\b| while\b| so\b"
    r"| when\b| now\b|[.!?,;:]|\s*$)"
)
_ORNAMENT = re.compile(r"(?<=\w)\s*[\u2190-\u2bff\U0001f000-\U0001faff\ufe0f\u200d]+$")
_CUT = re.compile(r"\s*(?:when|while|because|since|so|whereas)\b")
_ENUMERATED = re.compile(r", (?!but |so |not )((?:[^.!?,;:]+, )*[^.!?,;:]+?,? (?:and|or) [^.!?,;:]+)(?=[.!?;:]|\s*$)")
_POINTS = frozenset("it this that them these those you him her me us not".split())  # "every one of them"
_TAIL = re.compile(  # said of when or how much, and no part of the thing
    r"(?:\s+(?:any ?more|any longer|again|at all|now|these days|nowadays|by the way|btw|too|as well|a lot|very much"
    r"|so much|though|tho|lol|please|thanks|thank god))+$",
    re.I,
)


def things(found: re.Match[str] | None) -> list[str]:
    """The things of a list; from the first that may be no thing but what the sentence says next, none."""
    if found is None:
        return []
    first, *others = _parts(found[1])
    listed = [first, *takewhile(is_bare, others)]
    if others and _CUT.match(found.string, found.end()):
        listed = listed[: len(others)]  # "and scream when I see one"
    if not others and (more := _ENUMERATED.match(found.string, found.end())) and all(map(is_bare, _parts(more[1]))):
        listed += _parts(more[1])
    return [thing for thing in listed if _is_thing(thing)]


def _parts(text: str) -> list[str]:
    return [trimmed(part) for part in re.split(r",? (?:and|or)(?: |$)|, ?", text)]


def _is_thing(text: str) -> bool:
    words = text.lower().split()
    if not words or words[0] in NO_THINGS or words[-1] in _POINTS:
        return False
    return not {"than", "is", "are"} & {*words[1:]}


def trimmed(text: str) -> str:
    """A thing without what is no part of it."""
    return _TAIL.sub("", _ORNAMENT.sub("", text.strip())).strip()
