"""What a rule finds in a sentence, and whether it has anything to say beside what is known."""

from __future__ import annotations

from typing import NamedTuple

from langchain_agentmem.promotion.slots import slug

__all__ = ["Found", "singular"]

_PLACES = frozenset(("home", "employer"))  # Rome, Italy is in Rome, but New York is not York
_DENIES = frozenset(("no", "not", "non", "never"))


class Found(NamedTuple):
    """What a rule found.

    Attributes:
        text: What to remember, to be understood alone.
        state: The fact it stands for; None for a plan.
        value: The fact's value; None says that the fact is no longer so.
        was: The value that is no longer so; None: whatever it is.
        beside: Values that this one leaves alone: to eat eggs makes nobody less vegetarian.
        timid: Whether it is believed only where nothing is known.
    """

    text: str
    state: str | None = None
    value: str | None = None
    was: str | None = None
    beside: frozenset[str] = frozenset()
    timid: bool = False

    def changes(self, standing: object) -> bool:
        """Whether this value takes the place of one that is known."""
        return not self.timid and slug(str(standing)) not in self.beside

    def ends(self, standing: object) -> bool:
        """Whether a value that is known is the one that is no longer so: "not vegan" says nothing of pescatarian."""
        if self.was is None:
            return True
        gone, known = (singular(slug(str(each))).split("_") for each in (self.was, standing))
        if self.state in _PLACES:
            return known[: len(gone)] == gone
        return {*gone} <= {*known} and not ({*known} - {*gone}) & _DENIES


def singular(name: str) -> str:
    """A name that is the same for one and for many: `allergy.peanut` of `allergy.peanuts`."""
    return "_".join(_one(word) for word in name.split("_"))


def _one(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("oes", "shes", "ches", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word
