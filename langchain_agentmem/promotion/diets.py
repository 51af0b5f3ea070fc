"""What a user eats, and does not, as rules read it: diets, foods and allergies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from langchain_agentmem.promotion.finding import Found
from langchain_agentmem.promotion.phrases import DENIED, HEDGES, I_AM, I_AM_NOT, STATED, fact, filled, lasting
from langchain_agentmem.promotion.things import THING, things
from langchain_agentmem.promotion.vocabulary import ALLERGENS

_DIETS = (
    r"(vegetarian|vegan|pescatarian|pescetarian|flexitarian|omnivore|gluten[- ]free|lactose[- ]intolerant|keto|halal"
    r"|kosher)"
)
_FOOD = r"(?:meat|fish|seafood|chicken|beef|pork|eggs|dairy|everything|gluten)"
_FOODS = (
    rf"({_FOOD}(?:(?:, and|, or|,| and| or) {_FOOD})*)\b"
    r"(?! (?:with|who|as(?! well))\b|,? but (?!I\b))"
)
_MEAT = frozenset(("meat", "chicken", "beef", "pork"))
_FISH = frozenset(("fish", "seafood"))
_NOT_EATEN = {
    "vegan": _MEAT | _FISH | {"eggs", "dairy", "everything"},
    "vegetarian": _MEAT | _FISH | {"everything"},
    "pescatarian": _MEAT | {"everything"},
    "pescetarian": _MEAT | {"everything"},
    "gluten_free": frozenset(("gluten", "everything")),
    "lactose_intolerant": frozenset(("dairy", "everything")),
    "halal": frozenset(("pork", "everything")),
    "kosher": frozenset(("pork", "seafood", "everything")),
    "keto": frozenset(("everything",)),
    "flexitarian": frozenset(("everything",)),
    "omnivore": frozenset[str](),
    "eats_everything": frozenset[str](),
}


def read_diet(sentence: str) -> Iterator[Found]:
    """The diet of a user by what a sentence says, and the foods."""
    is_now, eats_so = rf"{I_AM}{HEDGES} {_DIETS}", r"\bI eat (vegan|vegetarian|halal|kosher|keto)"
    for ended in lasting(rf"{I_AM_NOT}(?: an?)? {_DIETS}{DENIED}", sentence, re.I):
        yield Found(f"User is no longer {ended[1].lower()}.", "diet", was=ended[1].lower())
    for kept in lasting(f"(?:{is_now}|{eats_so}){STATED}", sentence, re.I)[:1]:
        diet = (kept[1] or kept[2]).lower()
        yield from filled("diet", diet, f"User is {diet}.")
    for eats in lasting(rf"\bI(?: do| can| actually| now| also)* eat {_FOODS}{STATED}", sentence, re.I)[:1]:
        yield from _eats(_foods(eats[1]))
    avoided = rf"\bI (?:don't|do not|never|no longer|(?:can't|cannot)(?!.* now\b)) eat {_FOODS}{DENIED}"
    for avoids in lasting(avoided, sentence, re.I)[:1]:
        for food in _foods(avoids[1]):
            if food != "everything":
                yield Found(f"User does not eat {food}.", "diet", was=f"eats {food}")
                yield Found(f"User does not eat {food}.", f"avoids.{food}", food)


def _foods(text: str) -> list[str]:
    return re.findall(_FOOD, text.lower())


def _eats(foods: list[str]) -> Iterator[Found]:
    for food in foods:
        yield Found(f"User eats {food}.", f"avoids.{food}")
    fits = frozenset(diet for diet, forbidden in _NOT_EATEN.items() if not forbidden.intersection(foods))
    said = " and ".join(foods)
    yield Found(f"User eats {said}.", "diet", f"eats {said}", beside=fits)


def read_allergies(sentence: str) -> Iterator[Found]:
    """What a user is allergic to by what a sentence says, and what no longer."""
    grave = "an? (?:(?:severe|serious|bad|mild|slight) )?"
    one = rf"{grave}({ALLERGENS}) allergy"
    ended = fact(rf"\bI(?:'m| am) (?:not|no longer) allergic to {THING}", sentence, re.I) or fact(
        rf"\bI (?:don't|do not|no longer) have {one}{DENIED}", sentence, re.I
    )
    found = ended or (
        fact(rf"{I_AM}{HEDGES} allergic to {THING}", sentence, re.I)
        or fact(rf"\bI have {one}{STATED}", sentence, re.I)
        or fact(rf"\bI have {grave}allergy to {THING}", sentence, re.I)
    )
    for thing in things(found):
        for each in filled("allergy", thing, f"User is allergic to {thing}."):
            yield Found(f"User is no longer allergic to {thing}.", each.state) if ended else each
