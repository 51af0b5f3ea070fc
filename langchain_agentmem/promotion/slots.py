"""Slots: what is known of a person, by names that mean the same whoever fills them in."""

from __future__ import annotations

import re
from typing import NamedTuple

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


class Slot(NamedTuple):
    """A slot that has been filled in.

    Attributes:
        state: Name of the fact, such as `diet`, `anna.home` or `allergy.peanuts`.
        value: Its value.
    """

    state: str
    value: str


def slug(text: str, limit: int = 60) -> str:
    """A text as part of a fact's name: lower case, words joined by `_`."""
    return re.sub(r"\W+", "_", text.casefold()).strip("_")[:limit]


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
    slot = _ALIASES.get(slug(name), slug(name))
    text = " ".join(value.split())
    if not slot or not text:
        return None
    whose = slug(subject or "")
    prefix = "" if whose in _USER or whose == slug(user or "") else f"{whose}."
    if slot in _TASTES:
        return Slot(f"{prefix}taste.{slug(text)}", slot)
    return Slot(f"{prefix}{slot}.{slug(text)}" if slot in _SEVERAL else f"{prefix}{slot}", text)
