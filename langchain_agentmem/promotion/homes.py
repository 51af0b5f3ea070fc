"""Where a user lives, as rules read it: a home, one that was left, and a move."""

from __future__ import annotations

import re
from collections.abc import Iterator

from langchain_agentmem.promotion.finding import Found
from langchain_agentmem.promotion.own_words import is_passing
from langchain_agentmem.promotion.phrases import ADVERBS, I_NO_LONGER, PLACE, closed, facts, filled, lasting
from langchain_agentmem.promotion.vocabulary import FAMILY, MOVES_ELSE, NO_HOMES, NO_PLACES, OCCUPIES

_WAY = "(?:back|over|away|house|here|alone|again|together|permanently|down|up|happily|now|today|currently|right)"
_SEASON = "(?:week|weekend|month|year|spring|summer|autumn|fall|winter)"
_LATELY = re.compile(
    rf" (?:(?:just|recently|finally)\b|(?:last|this) {_SEASON}\b|yesterday\b|today\b|(?:\w+ ){{2,4}}ago\b"
    rf"|(?:in|on) (?:the )?(?:{_SEASON}|[A-Z]\w*(?:day|ary|ber)|March|April|May|June|July|August)\b)"
)
_LONG_AGO = re.compile(r"\b(?:19|20)\d\d\b|\b(?!two\b|2\b|of\b)\w+ (?:years|decades) ago\b")
_SETTLED = closed(
    "and|as|with|because|since|in|near|on|at|from|by|over|where|which|right|still|currently|last|this|yesterday|today|myself"
    "|together|permanently|full[- ]time|part[- ]time"
)
_MOVED = closed(
    "and|as|with|because|since|in|near|on|at|from|by|over|after|around|about|where|which|when|while|until|during|every"
    "|right|this|last|yesterday|today|together|permanently|recently|full[- ]time|to (?-i:[a-z]+)|(?:\\w+ ){2,4}ago"
)


def read_homes(sentence: str) -> Iterator[Found]:
    """Where a user lives by what a sentence says, and where no longer."""
    ended = rf"(?:{I_NO_LONGER} live|\bI(?:'m| am) no longer (?:living|based)) in {PLACE}{_SETTLED}"
    away = rf"\bI(?:'ve| have)?{ADVERBS} moved (?:away from|out of) {PLACE}{_SETTLED}"
    for gone in (*lasting(ended, sentence), *facts(away, sentence)):
        yield _left(gone[1])
    there = rf"(?: {_WAY})? in {PLACE}{_SETTLED}"
    lives = lasting(rf"\b(?:I{ADVERBS} live|I(?:'m| am){ADVERBS} based){there}", sentence)
    if homes := [each[1] for each in lives if _is_place(each[1])][-1:]:
        yield from filled("home", homes[0], f"User lives in {homes[0]}.")
    else:
        yield from _moves(sentence)


def _moves(sentence: str) -> Iterator[Found]:
    """A move, which may be one to another tool or team.

    Where it speaks of living, or one person moves to what is no known tool, it takes the place of the home that is
    known. "We" may be a team: where nothing says when or with whom, it counts if no home is known, and so does a move
    of long ago.
    """
    moved = rf"\b(I|[Ww]e)((?:'ve| have)?{ADVERBS}) (?:moved|relocated)(?: from {PLACE})?(?: {_WAY})? to {PLACE}"
    found = [
        each
        for each in facts(rf"{moved}(?: from {PLACE})?{_MOVED}", sentence)
        if not is_passing(sentence, each.end(4)) and _is_place(each[4], NO_HOMES) and not _moves_else(each)
    ]
    for move in found[-1:]:
        if left := move[3] or move[5]:
            yield _left(left)
        doubtful = _may_be_a_team(move) or bool(_LONG_AGO.search(sentence, move.end(4)))
        timid = doubtful and not OCCUPIES.search(sentence, move.end(4))
        yield from (each._replace(timid=timid) for each in filled("home", move[4], f"User lives in {move[4]}."))


def _may_be_a_team(move: re.Match[str]) -> bool:
    if move[1] == "I" or _LATELY.search(move[2]) or FAMILY.search(move.string, move.end(4)):
        return False
    return not _LATELY.match(move.string, move.end(5 if move[5] else 4))


def _moves_else(move: re.Match[str]) -> bool:
    """Whether the places, or what is said around them, hint at another kind of move; "moved back to" is no hint."""
    if re.search(r"[a-z]{2}[A-Z]|[a-z]\.[a-z]|\d", re.sub(r"\bMac", "", move[4])):
        return True  # OpenShift, Monday.com: a name of a product
    said = (move.string[: move.start()], move[3], move[4], move[5], move.string[move.end(4) :])
    return any(MOVES_ELSE.search(part) for part in said if part)


def _left(place: str) -> Found:
    return Found(f"User no longer lives in {place}.", "home", was=place)


def _is_place(text: str, but: frozenset[str] = frozenset()) -> bool:
    head = re.split(r"[\s,.'-]", text.lower())[0]
    return not {head, head.removesuffix("s")} & {*NO_PLACES, *but}
