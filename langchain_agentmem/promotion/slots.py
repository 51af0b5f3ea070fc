"""Slots: what is known of a person, by names that mean the same whoever fills them in."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from langchain_agentmem.promotion.batch import digest

__all__ = ["SLOTS", "Slot", "slot_of", "slug"]

_SINGLE = tuple(
    """name pronouns birthday home hometown timezone language job employer diet partner reply_language reply_style
    budget""".split()
)
_SEVERAL = tuple("allergy likes dislikes hobby pet child goal".split())
SLOTS = _SINGLE + _SEVERAL
"""The slots that a model is told of. Of the last seven a person may have several values at once."""

_ALIASES = {
    alias: slot
    for slot, aliases in {
        "name": "first_name full_name user_name username nickname",
        "birthday": "birth_date date_of_birth birthdate",
        "home": "location city residence lives_in address home_city current_city place_of_residence lives based_in",
        "hometown": "birthplace place_of_birth from origin",
        "timezone": "time_zone",
        "job": "occupation profession role work job_title",
        "employer": "company workplace works_at works_for",
        "diet": "dietary_preference dietary_preferences dietary_restriction dietary_restrictions food_preference eats"
        " dietary diet_preference",
        "partner": "spouse husband wife girlfriend boyfriend",
        "reply_language": "preferred_language",
        "allergy": "allergies allergic_to food_allergy",
        "likes": "like loves enjoys interest interests preference",
        "dislikes": "dislike hates avoids",
        "hobby": "hobbies",
        "pet": "pets",
        "child": "children kids",
        "goal": "goals",
    }.items()
    for alias in aliases.split()
}
_TASTES = frozenset(("likes", "dislikes"))
_USER = frozenset(("", "user", "the_user", "me", "self", "i"))
_LONGEST = 60
_MARK = r"[^\w\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff-]"  # punctuation: a hyphen and what is invisible tell more
_PUNCTUATION = re.compile(rf"(?<!\d){_MARK}+|{_MARK}+(?!\d)|(?<=\w)-(?!\d)(?=\w)|(?<=\w)(?<!\d)-(?=\w)|(?<!\S)-+(?!\S)")


class Slot(NamedTuple):
    """A slot that has been filled in.

    Attributes:
        state: Name of the fact, such as `diet`, `anna.home` or `allergy.peanuts`.
        value: Its value.
    """

    state: str
    value: str


def slug(text: str) -> str:
    """A text as part of a fact's name: lower case, words joined by `_`. Symbols stay: `c++` is another than `c#`."""
    return "_".join("".join(each if _is_kept(each) else " " for each in _folded(text)).split()).strip("_")


def _named(text: str) -> str:
    """The name of a fact, or its part: the slug; where that is cut, or leaves out what matters, with a digest."""
    name, folded = slug(text), _folded(text)
    whole = all(_is_kept(each) or each.isspace() for each in _PUNCTUATION.sub(" ", folded))
    if name and whole and len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}_{digest(folded)[:8]}".strip("_")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _is_kept(char: str) -> bool:
    """Whether a character tells one name from another: letters, their marks, digits and symbols do."""
    return unicodedata.category(char)[0] in "LMNS" or char in "_#*"


def slot_of(name: str, value: str, subject: str | None = None, *, user: str | None = None) -> Slot | None:
    """The fact that a slot and its value are.

    Of what there may be several at once, each is a fact of its own: another allergy takes no other's place. Liking and
    disliking the same are two values of one fact, so that a change of mind takes the place of what was.

    Args:
        name: The slot, also by one of its other common names.
        value: Its value.
        subject: Whose it is, if not the user's.
        user: The user's name, where it is known: who bears it is the user.

    Returns:
        None where there is no name or no value.
    """
    text = " ".join(value.split())
    if not slug(name) or not text:
        return None
    slot = _ALIASES.get(_named(name), _named(name))
    whose = _named(subject) if subject and subject.strip() else ""
    prefix = "" if whose in _USER or whose == _named(user or "") else f"{whose}."
    if slot in _TASTES:
        return Slot(f"{prefix}taste.{_named(text)}", slot)
    return Slot(f"{prefix}{slot}.{_named(text)}" if slot in _SEVERAL else f"{prefix}{slot}", text)
