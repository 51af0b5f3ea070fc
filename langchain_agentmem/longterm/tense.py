"""Whether of two texts one tells of the past what the other tells of the present: what stems do not show.

A verb is compared with the same verb of the other text, where both follow the same word: "User lived" and "User lives",
but not "a dog named Rex" and "the dog's name". What has been is still so: "has lived" is no past.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from langchain_agentmem.longterm.text import stem

__all__ = ["tense"]

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SHORT = re.compile(r"\b(i|you|he|she|it|we|they)'(m|re|s)\b")
_IN_FULL = {"m": "am", "re": "are", "s": "is"}
_PAST = {"was": "be", "were": "be", "had": "have", "did": "do"}
_PRESENT = {"is": "be", "am": "be", "are": "be", "has": "have", "have": "have", "do": "do", "does": "do"}
_BE = frozenset(("is", "am", "are"))
_BETWEEN = frozenset("currently now still also always often usually previously once just already really".split())
# Past and base, of verbs whose past no stemmer finds.
_IRREGULAR = dict(
    pair.split()
    for pair in """
    ate eat, became become, began begin, bought buy, broke break, brought bring, built build, came come, caught catch,
    chose choose, drank drink, drove drive, felt feel, flew fly, forgot forget, found find, gave give, got get,
    grew grow, held hold, kept keep, knew know, led lead, left leave, lent lend, lost lose, made make, meant mean,
    met meet, paid pay, ran run, rode ride, said say, sang sing, sat sit, saw see, sent send, slept sleep, sold sell,
    spent spend, spoke speak, stood stand, swam swim, taught teach, thought think, told tell, took take,
    understood understand, went go, won win, wore wear, wrote write
    """.split(",")
)


def tense(one: str, other: str) -> str | None:
    """Names the verb that is past in one text and present in the other, in the order of the texts; None: there is none.

    Args:
        one: One text.
        other: The other.
    """
    left, right = _words(one), _words(other)
    if left == right:
        return None
    if found := _turned(left, right):
        return f"{found[0]} / {found[1]}"
    found = _turned(right, left)
    return f"{found[1]} / {found[0]}" if found else None


def _words(text: str) -> list[str]:
    return _WORD.findall(_SHORT.sub(lambda match: f"{match[1]} {_IN_FULL[match[2]]}", text.casefold()))


def _turned(past: Sequence[str], present: Sequence[str]) -> tuple[str, str] | None:
    """A verb that is past in the first text and not in the second, and its forms there."""
    then, now = set(past), set(present)
    forms: dict[tuple[str, str | None], str] = {
        (before, base): word for before, base, word in _present_forms(present) if word not in then
    }
    for place, word in enumerate(past):
        if word in now or past[place + 1 : place + 2] == ["born"]:
            continue
        if form := forms.get((_before(past, place), _base(word))):
            return word, form
    return None


def _base(word: str) -> str | None:
    """What a word is the past of, if it is one."""
    if word in _PAST:
        return _PAST[word]
    return stem(_IRREGULAR.get(word, word)) if word in _IRREGULAR or word.endswith("ed") else None


def _present_forms(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """The words of a text that may be a verb of the present: the word before each, its base, and itself."""
    for place, word in enumerate(words):
        if word in _PRESENT:
            yield _before(words, place), _PRESENT[word], word
        elif word.endswith("ing"):
            yield _before(words, place, _BE), stem(word), word
        elif _base(word) is None:
            yield _before(words, place), stem(word), word


def _before(words: Sequence[str], place: int, more: frozenset[str] = frozenset()) -> str:
    """The word before a verb, without adverbs of time; "" at the beginning."""
    while place and (words[place - 1] in _BETWEEN or words[place - 1] in more):
        place -= 1
    return words[place - 1] if place else ""
