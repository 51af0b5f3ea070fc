"""Facts and plans read by rules, without a model: for demos and tests that must run offline.

It reads plain English said by the user in the first person, and prefers to miss something rather than to make
something up. A model sees far more; this sees the same at every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from langchain_agentmem.promotion.diets import read_allergies, read_diet
from langchain_agentmem.promotion.finding import Found
from langchain_agentmem.promotion.guard import addresses_model, is_small_talk
from langchain_agentmem.promotion.homes import read_homes
from langchain_agentmem.promotion.own_words import is_limited, own_sentences, repeats
from langchain_agentmem.promotion.phrases import (
    ADVERBS,
    DENIED,
    I_AM,
    I_AM_NOT,
    I_NO_LONGER,
    PLACE,
    closed,
    fact,
    facts,
    filled,
    first,
    lasting,
)
from langchain_agentmem.promotion.things import THING, things, trimmed
from langchain_agentmem.promotion.vocabulary import JOBS, NO_EMPLOYERS, NO_TRADES, is_favourite, is_name

__all__ = ["read_sentence", "read_text"]

_EMPLOYED = closed("and|as|with|since|in|on|at|from|by|right|still|currently|remotely|full[- ]time|part[- ]time")
_PRACTISED = closed("and|as|with|because|since|in|on|at|from|by|of|working|based|living|last|full[- ]time|part[- ]time")


def read_text(text: str, others: Sequence[str] = ()) -> list[Found]:
    """What the sentences of a user say; of two values of one fact the later counts.

    Args:
        text: What the user said.
        others: What others said before it: what repeats them is theirs.
    """
    found: list[Found] = []
    opening = True
    for sentence in own_sentences(text):
        read = [] if addresses_model(sentence) else list(read_sentence(sentence))
        for each in read if read and not repeats(sentence, others) else ():
            if opening or not (each.timid and each.state == "name"):  # who gives a name in passing begins with it
                found = _settled(found, each)
        opening = opening and is_small_talk(sentence)
    return found


def _settled(found: list[Found], new: Found) -> list[Found]:
    same = [each for each in found if each.value is not None and each.state == new.state]
    if new.value is not None:
        gone = [each for each in same if new.changes(each.value)]
        return found if len(gone) < len(same) else [*(each for each in found if each not in gone and each != new), new]
    return [*(each for each in found if not (each in same and new.ends(each.value))), new]


def read_sentence(sentence: str) -> Iterator[Found]:
    """What one sentence says."""
    for reader in (_names, read_homes, _work, read_diet, read_allergies, _tastes, _plans):
        yield from reader(sentence)


def _names(sentence: str) -> Iterator[Found]:
    name = r"([A-Z][\w'-]+(?: [A-Z][\w'-]+)?)"
    ends = r"(?=\s*[.,;!)]|\s*$| (?:and|please|instead|from now|for short)\b)"
    hello, am = r"\b[Hh](?:i|ello|ey)\b[,! ]+(?:there[,! ]+)?", r"I(?:'m| am) ([A-Z][a-z'-]+)(?=[,.!]|$| and\b| from\b)"
    sure = fact(rf"\b[Mm]y name(?:'s| is) (?!Not\b){name}", sentence) or fact(rf"\b[Cc]all me {name}{ends}", sentence)
    found = sure or fact(f"{hello}{am}", sentence) or fact(f"^{am}", sentence)
    if found and is_name(found[1]):  # "I'm Home" is as plain: it is believed if nothing else is known
        yield Found(f"The user's name is {found[1]}.", "name", found[1], timid=not sure)


def _work(sentence: str) -> Iterator[Found]:
    as_one = rf"as an? {JOBS}"
    for ended in lasting(rf"(?:{I_AM_NOT} an? {JOBS}|{I_NO_LONGER} work {as_one}){DENIED}", sentence)[:1]:
        job = ended[1] or ended[2]
        yield Found(f"User no longer works as {_article(job)}.", "job", was=job)
    is_one = lasting(rf"{I_AM}{ADVERBS} an? {JOBS}{_PRACTISED}", sentence)
    works_as = facts(rf"\bI{ADVERBS} work as an? (?!{NO_TRADES}\b){THING}", sentence)
    for job in [*is_one, *(each for each in works_as if not is_limited(sentence, each.start(1)))][:1]:
        what = re.split(r" (?:at|for|with|in|and|or)\b", trimmed(job[1]))[0]
        yield from filled("job", what, f"User works as {_article(what)}.")
    yield from _employers(sentence)


def _employers(sentence: str) -> Iterator[Found]:
    for left in lasting(rf"{I_NO_LONGER} work (?:at|for) {PLACE}{_EMPLOYED}", sentence):
        yield Found(f"User no longer works for {left[1]}.", "employer", was=left[1])
    for employer in lasting(rf"\bI{ADVERBS} work (?:at|for) {PLACE}{_EMPLOYED}", sentence)[:1]:
        if employer[1].split()[0].lower() not in NO_EMPLOYERS:
            yield from filled("employer", employer[1], f"User works for {employer[1]}.")


def _article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _tastes(sentence: str) -> Iterator[Found]:
    adverbs = r"(?: (?:really|absolutely|also|just|still|truly|generally|usually))*"
    denied = r"(?:don't|do not)(?: (?:really|particularly|actually|even))*"
    verbs = "(?:like|love|enjoy|adore|prefer)"
    once = fact(rf"\bI used to {verbs} {THING}(?!.*\bstill\b)", sentence)
    for thing in things(once):
        for each in filled("likes", thing, f"User no longer likes {thing}."):
            yield each._replace(value=None, was="likes")
    liked = fact(rf"\bI{adverbs} {verbs} {THING}", sentence)
    disliked = fact(
        rf"\bI{adverbs} (?:hate|dislike|detest|can't stand|cannot stand|{denied} like|no longer like) {THING}",
        sentence,
    )
    for slot, found in (("likes", liked), ("dislikes", disliked)):
        for thing in things(found):
            yield from filled(slot, thing, f"User {slot} {thing}.")
    if favourite := fact(
        rf"\b[Mm]y favou?rite (\w+(?: \w+)?) is (?:(?:now|still) )?(?!not\b|no\b|now\b){THING}", sentence
    ):
        kind, thing = favourite[1], trimmed(favourite[2])
        if is_favourite(kind, thing):
            yield from filled(f"favourite_{kind}", thing, f"User's favourite {kind} is {thing}.")


_GOING = re.compile(
    r"\b(?:I'm|I am|we're|we are)(?: \w+ly| also| now)? ((?:planning|going|travell?ing|flying|visiting|heading|moving"
    r"|driving|taking|organi[sz]ing|booking)\b[^.!?;]*)",
    re.I,
)
_WILL = re.compile(
    r"\b(?:I'll|I will|we'll|we will) ((?:visit|go|travel|fly|move|drive|stay|attend|meet)\b[^.!?;]*)", re.I
)
_WANTS = re.compile(
    r"\b(?:I|we)(?:'d| would)? (want|plan|hope|intend|like) to ((?:visit|go|travel|fly|move|see|stay)\b[^.!?;]*)", re.I
)
_TRIP = re.compile(r"\b(?:my|our) ((?:next |upcoming )?(?:trip|flight|holiday|vacation|journey) to [^.!?;]*)", re.I)
_VERBS = {"want": "wants", "plan": "plans", "hope": "hopes", "intend": "intends", "like": "would like"}


def _plans(sentence: str) -> Iterator[Found]:
    if going := first(_GOING, sentence):
        yield Found(f"User is {_third(going[1])}.")
    elif will := first(_WILL, sentence):
        yield Found(f"User will {_third(will[1])}.")
    elif wants := first(_WANTS, sentence):
        yield Found(f"User {_VERBS[wants[1].lower()]} to {_third(wants[2])}.")
    elif trip := first(_TRIP, sentence):
        yield Found(f"User's {_third(trip[1])}.")


def _third(text: str) -> str:
    """The rest of a sentence about oneself, told by another."""
    told = re.sub(r"\b(?:my|our)\b", "their", text.strip(), flags=re.I)
    return re.sub(r"\b(?:me|us)\b", "them", told, flags=re.I)
