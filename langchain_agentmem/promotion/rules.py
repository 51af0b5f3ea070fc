"""Facts and plans read by rules, without a model: for demos and tests that must run offline.

It reads plain English said by the user in the first person, and prefers to miss something rather than to make
something up. A model sees far more; this sees the same at every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from langchain_agentmem.promotion.guard import addresses_model, sentences
from langchain_agentmem.promotion.slots import slot_of

__all__ = ["Found", "read_sentence", "read_text"]

_I_AM = r"\b(?:I'm|I am|I've become|I became|I have become)"
_HEDGES = r"(?: (?:a|an|now|strictly|still|actually|mostly|also|really|just|currently|quite|very))*"
_PLACE = r"([A-Z][\w.'-]*[\w](?:(?:,? (?:de|of|the|la|am|upon) |,? )[A-Z][\w.'-]*\w)*)"
_THING = r"([^.!?,;:]{2,60}?)(?= but\b| because\b| since\b| and I\b| so\b| when\b| now\b|[.!?,;:]|\s*$)"
_DIETS = (
    r"(vegetarian|vegan|pescatarian|pescetarian|flexitarian|omnivore|gluten[- ]free|lactose[- ]intolerant|keto|halal"
    r"|kosher)"
)
_FOODS = r"(meat|fish|seafood|chicken|beef|pork|eggs|dairy|everything|gluten)"
_JOBS = (
    r"((?:\w+ ){0,2}(?:engineer|developer|teacher|nurse|doctor|chef|cook|lawyer|designer|student|scientist|professor"
    r"|architect|accountant|writer|journalist|musician|artist|pilot|manager|consultant|researcher|electrician|plumber"
    r"|dentist|pharmacist|photographer|carpenter|farmer|driver|programmer|analyst|therapist|librarian|baker))"
)
_NO_NAMES = frozenset(
    """american atheist australian austrian back belgian brazilian british buddhist canadian catholic chinese
    christian danish dr dutch english fine finnish french german greek here hindu indian irish italian japanese
    jewish korean mexican mr mrs ms muslim norwegian ok polish portuguese protestant russian scottish sorry
    spanish swedish swiss turkish ukrainian vegan vegetarian""".split()
)
_NO_THINGS = frozenset("it that this them these those you him her to the a your how what".split())


class Found(NamedTuple):
    """What a rule found.

    Attributes:
        text: What to remember, to be understood alone.
        state: The fact it stands for; None for a plan.
        value: The fact's value; None says that the fact is no longer so.
    """

    text: str
    state: str | None = None
    value: str | None = None


def read_text(text: str) -> list[Found]:
    """What the sentences of a user say; of two values of one fact the later counts."""
    found: dict[str, Found] = {}
    for sentence in sentences(text.replace("\u2019", "'")):
        if not sentence.rstrip().endswith("?") and not addresses_model(sentence):
            for each in read_sentence(sentence.strip()):
                found.pop(each.state or each.text, None)
                found[each.state or each.text] = each
    return list(found.values())


def read_sentence(sentence: str) -> Iterator[Found]:
    """What one sentence says."""
    for reader in (_identity, _diet, _allergies, _tastes, _plans):
        yield from reader(sentence)


def _filled(slot: str, value: str, text: str) -> Iterator[Found]:
    if filled := slot_of(slot, value):
        yield Found(text, filled.state, filled.value)


def _identity(sentence: str) -> Iterator[Found]:
    named = re.search(r"\b(?:[Mm]y name(?:'s| is)|[Cc]all me) ([A-Z][\w'-]+(?: [A-Z][\w'-]+)?)", sentence) or re.search(
        r"(?:^|\b[Hh](?:i|ello|ey)\b[,! ]+(?:there[,! ]+)?)I(?:'m| am) ([A-Z][a-z'-]+)(?=[,.!]|$| and\b| from\b)",
        sentence,
    )
    if named and named[1].lower() not in _NO_NAMES:
        yield from _filled("name", named[1], f"The user's name is {named[1]}.")
    lives = re.search(
        rf"\b(?:I(?: \w+)? live|I(?:'m| am)(?: \w+)? based|(?:I|[Ww]e)(?:'ve| have)?(?: \w+)? (?:moved|relocated))"
        rf"(?: from [A-Z]\w+| \w+)? (?:in|to|near) {_PLACE}",
        sentence,
    )
    if lives:
        yield from _filled("home", lives[1], f"User lives in {lives[1]}.")
    job = re.search(rf"{_I_AM}{_HEDGES} {_JOBS}\b", sentence) or re.search(
        rf"\bI work as (?:a |an )?{_THING}", sentence
    )
    if job:
        yield from _filled("job", job[1], f"User works as {_article(job[1])}.")
    if employer := re.search(rf"\bI work (?:at|for) {_PLACE}", sentence):
        yield from _filled("employer", employer[1], f"User works for {employer[1]}.")


def _article(noun: str) -> str:
    return (
        noun
        if noun.split(maxsplit=1)[0] in {"a", "an", "the"}
        else f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"
    )


def _diet(sentence: str) -> Iterator[Found]:
    is_now, eats_so = rf"{_I_AM}{_HEDGES} {_DIETS}\b", r"\bI eat (vegan|vegetarian|halal|kosher|keto)\b"
    if ended := re.search(rf"\bI(?:'m| am) (?:not|no longer)(?: an?)? {_DIETS}\b", sentence, re.I):
        yield Found(f"User is no longer {ended[1].lower()}.", "diet")
    elif kept := re.search(f"{is_now}|{eats_so}", sentence, re.I):
        diet = (kept[1] or kept[2]).lower()
        yield from _filled("diet", diet, f"User is {diet}.")
    if eats := re.search(rf"\bI(?: do| can| actually| now| also)* eat {_FOODS}(?: and {_FOODS})?\b", sentence, re.I):
        foods = " and ".join(food.lower() for food in eats.groups() if food)
        yield from _filled("diet", f"eats {foods}", f"User eats {foods}.")
    elif avoids := re.search(rf"\bI (?:don't|do not|never|no longer|can't|cannot) eat {_FOODS}\b", sentence, re.I):
        yield from _filled("diet", f"no {avoids[1].lower()}", f"User does not eat {avoids[1].lower()}.")


def _allergies(sentence: str) -> Iterator[Found]:
    ended = re.search(rf"\bI(?:'m| am) (?:not|no longer) allergic to {_THING}", sentence, re.I)
    found = ended or re.search(rf"{_I_AM}{_HEDGES} allergic to {_THING}", sentence, re.I)
    things = _things(found[1]) if found else []
    if not found and (noun := re.search(r"\bI have an? (\w+) allergy\b", sentence, re.I)):
        things = [noun[1].lower()]
    for thing in things:
        for each in _filled("allergy", thing, f"User is allergic to {thing}."):
            yield Found(f"User is no longer allergic to {thing}.", each.state) if ended else each


def _tastes(sentence: str) -> Iterator[Found]:
    adverbs = r"(?: (?:really|absolutely|also|just|still|truly|generally|usually))*"
    liked = re.search(rf"\bI{adverbs} (?:like|love|enjoy|adore|prefer) {_THING}", sentence)
    disliked = re.search(
        rf"\bI{adverbs} (?:hate|dislike|detest|can't stand|cannot stand|don't{adverbs} like|do not{adverbs} like"
        rf"|no longer like) {_THING}",
        sentence,
    )
    for slot, found in (("likes", liked), ("dislikes", disliked)):
        for thing in _things(found[1]) if found else ():
            yield from _filled(slot, thing, f"User {slot} {thing}.")
    if favourite := re.search(rf"\b[Mm]y favou?rite (\w+(?: \w+)?) is {_THING}", sentence):
        kind, thing = favourite[1], favourite[2].strip()
        yield from _filled(f"favourite_{kind}", thing, f"User's favourite {kind} is {thing}.")


def _things(text: str) -> list[str]:
    parts = [part.strip() for part in re.split(r",| and | or ", text)]
    return [part for part in parts if part and part.split()[0].lower() not in _NO_THINGS]


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
    if going := _GOING.search(sentence):
        yield Found(f"User is {_third(going[1])}.")
    elif will := _WILL.search(sentence):
        yield Found(f"User will {_third(will[1])}.")
    elif wants := _WANTS.search(sentence):
        yield Found(f"User {_VERBS[wants[1].lower()]} to {_third(wants[2])}.")
    elif trip := _TRIP.search(sentence):
        yield Found(f"User's {_third(trip[1])}.")


def _third(text: str) -> str:
    """The rest of a sentence about oneself, told by another."""
    told = re.sub(r"\b(?:my|our)\b", "their", text.strip(), flags=re.I)
    return re.sub(r"\b(?:me|us)\b", "them", told, flags=re.I)
