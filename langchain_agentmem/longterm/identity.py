"""When two memories are the same statement, and when they only look so in vector space.

Two texts a word apart have nearly the same vector, and often that word is the whole point: "allergic" and "not
allergic", "3 pm" and "4 pm", "moved from Rome to Oslo" and the other way round (to an encoder that averages word
vectors the last two are identical). `differs` finds what no cosine can. It errs on the side of "different": a
duplicate that stays costs a line, a fact that is merged away is lost. It reads English; in other languages numbers,
names, word order, emoji and the commonest words of negation still count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from langchain_agentmem.longterm.tense import tense
from langchain_agentmem.longterm.text import STOP_WORDS, stem

__all__ = ["differs", "normalise"]

_PUNCTUATION = re.compile(
    r"[\s.,;:!\"'()\[\]{}\u2026\u201c\u201d\u2018\u00ab\u00bb]+(?=\s|$)|(?:(?<=\s)|^)[\"'(\[{\u201c\u2018\u00ab]+"
)
_SPACE = re.compile(r"\s+")

_NUMBER_WORDS = {
    word: str(n)
    for n, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen""".split()
    )
}
_NUMBER_WORDS |= {
    w: str(10 * n) for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_NUMBER_WORDS |= {
    w: str(n) for n, w in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split(), 1)
}
_NUMBER_WORDS |= {
    "hundred": "100",
    "thousand": "1000",
    "million": "1000000",
    "dozen": "12",
    "once": "1x",
    "twice": "2x",
    "half": "0.5",
}

_UNITS = {
    form: unit
    for unit, forms in {
        "km": "km kilometre kilometres kilometer kilometers",
        "mi": "mi mile miles",
        "m": "m metre metres meter meters",
        "cm": "cm centimetre centimetres centimeter centimeters",
        "kg": "kg kilo kilos kilogram kilograms",
        "lb": "lb lbs pound pounds",
        "g": "g gram grams",
        "mg": "mg milligram milligrams",
        "l": "l litre litres liter liters",
        "min": "min mins minute minutes",
        "h": "h hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years",
        "%": "% percent",
        "$": "$ usd dollar dollars",
        "eur": "\u20ac eur euro euros",
        "am": "am",
        "pm": "pm",
        "c": "c celsius",
        "f": "f fahrenheit",
    }.items()
    for form in forms.split()
}
_NUMBER = re.compile(
    r"(?P<money>[$\u20ac])?(?P<sign>(?<![\w)])-)?(?P<digits>\d+(?:[.,:/]\d+)*)(?:st|nd|rd|th)?(?:[\s-]?(?P<unit>%|\u20ac|[a-z]+\b))?"
)
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?")

# Words of one line exclude each other: when each text holds one that the other lacks, they say different things.
_CONTRASTS = tuple(
    frozenset(map(stem, line.split()))
    for line in """
    monday tuesday wednesday thursday friday saturday sunday weekend weekday
    january february march april may june july august september october november december
    spring summer autumn winter
    today tomorrow yesterday tonight
    morning noon afternoon evening night midnight
    breakfast lunch dinner supper
    minute hour day week month year
    hourly daily weekly monthly yearly annually
    last next previous upcoming
    left right
    north south east west
    up down
    in out
    on off
    to from
    before after
    above below under over
    inside outside indoors outdoors
    front back
    more less fewer
    most least
    all some none few many half
    always often sometimes rarely seldom occasionally usually
    early late
    earlier later
    first second third last
    old young new
    older younger
    big small tiny huge large
    high low
    higher lower
    tall short long
    hot cold warm cool
    fast slow
    good bad
    best worst
    better worse
    hard easy soft
    heavy light
    full empty
    open closed shut
    rich poor
    cheap expensive
    black white red green blue yellow orange purple pink brown grey gray violet
    single married divorced engaged widowed separated
    mother father sister brother son daughter husband wife aunt uncle cousin niece nephew grandmother grandfather
    mom dad
    boy girl
    man woman
    male female
    he she they
    him her them
    his her their
    dog cat horse bird rabbit hamster fish
    buy sell rent
    bought sold rented
    lend borrow
    lent borrowed
    win lose
    won lost
    start stop finish
    started stopped finished
    begin end
    began ended
    arrive leave depart
    arrived left departed
    come go
    hired fired
    enabled disabled
    increase decrease
    increased decreased
    raised lowered
    accept reject refuse decline
    accepted rejected refused declined
    pass fail
    passed failed
    push pull
    gain lose
    teach learn
    teaches learns
    import export
    upload download
    tea coffee water juice beer wine
    vegan vegetarian carnivore pescatarian
    window aisle
    minimum maximum
    public private
    internal external
    primary secondary
    parent child
    employee employer
    doctor nurse dentist
    landlord tenant
    """.strip().splitlines()
)
_DATES = _CONTRASTS[0] | _CONTRASTS[1] | _CONTRASTS[3]
# "may" and "march" are verbs as well; where they stand for a month the words around them differ.
_CERTAIN_DATES = _DATES - {"may", "march"}

_NEGATORS = frozenset(
    """not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely lacks lack
    lacking stopped stop stops quit quits quitting ceased avoids avoid refuses refused hates hate hated
    dislikes dislike disliked detests detest loathes loathe unable former formerly ex except unless denied
    denies fails failed against aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mustnt neednt
    shouldnt wasnt werent wont wouldnt
    nicht kein keine keinen keiner nie niemals ohne pas jamais sans nunca jam\u00e1s sin mai senza n\u00e3o sem niet
    geen nooit zonder inte ikke aldri aldrig""".split()
)
_NEGATING_PREFIXES = ("un", "dis", "in", "im", "ir", "il", "non", "mis", "de")
_NOT_YET = frozenset(
    """will would might could should wants want wanted plans plan planning planned hopes hope hoping
    considering considers wishes wish intends maybe perhaps possibly probably if dreams thinking""".split()
)
# Verbs and general subjects that open a note with a capital without being a name.
_OPENERS = STOP_WORDS | frozenset(
    """user customer client patient assistant agent human ai speaker person owner someone everybody everyone people
    likes loves enjoys prefers adores works lives has had wants plays moved bought sold speaks drives eats drinks owns
    studies studied plans hopes needs uses hates dislikes avoids knows thinks feels goes takes got gets started stopped
    quit keeps makes made said says told asked currently recently usually always never often sometimes please note
    remember favourite favorite today tomorrow yesterday every last next meeting appointment lunch dinner breakfast
    purchased reads runs collects commutes comes weighs weight height travels visits visited watches listens owes
    birthday allergic vegetarian vegan married born named called according""".split()
)


def normalise(text: str) -> str:
    """The key under which exact duplicates meet: case, spacing and punctuation at the edge of words do not count.

    Punctuation inside a word stays ("3.5", "C++", "o'clock"), and so does a closing question mark.

    Args:
        text: A memory's text.

    Returns:
        The key text. Equal keys mean the same statement; hash it for use in a key.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return _SPACE.sub(" ", _PUNCTUATION.sub(" ", folded)).strip()


_FRENCH = re.compile(r"\b(?:je|tu|il|elle|nous|vous|ils|elles|ne|[jn]'[^\W\d_]+)\b")
_ONE_PERSON = {"me": "i", "him": "he", "her": "she", "us": "we", "them": "they"}
_NO_NAMES = STOP_WORDS | _UNITS.keys()
_CAPITALISED = re.compile(r"\b(?=[^\W\d_a-z])[^\W\d_][\w'-]*")


def differs(a: str, b: str) -> str | None:
    """Says why two texts are never duplicates, however close their vectors are.

    Args:
        a: One text.
        b: The other; the order of the two does not matter.

    Returns:
        The reason in words ("numbers: 3 pm / 4 pm"), or None when nothing speaks against a duplicate.
    """
    if normalise(a) == normalise(b):
        return None
    one, other = _Reading(a), _Reading(b)
    for name, left, right in (
        ("numbers", one.numbers, other.numbers),
        ("names", one.names(other), other.names(one)),
        ("dates", one.dates, other.dates),
        ("symbols", one.symbols if other.symbols else (), other.symbols if one.symbols else ()),
    ):
        if left != right:
            return f"{name}: {_show(left)} / {_show(right)}"
    if one.negations % 2 != other.negations % 2:
        return "negation"
    if one.pending != other.pending:
        return "certainty: done / intended"
    if verbs := tense(one.text, other.text):
        return f"tense: {verbs}"
    return _contrast(one, other) or _order(one.words, other.words) or _roles(one, other)


class _Reading:
    """What `differs` compares, read from one text."""

    def __init__(self, text: str) -> None:
        self.text = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
        self.words = [_plain(word) for word in _TOKEN.findall(self.text.casefold())]
        self.held = frozenset(self.words)
        self.stems = frozenset(map(stem, self.words))
        self.numbers = _numbers(self.text.casefold())
        self.dates = tuple(sorted(self.stems & _CERTAIN_DATES))
        self.negations = sum(word in _NEGATORS or word.endswith("n't") for word in self.words)
        self.negations += " used to " in f" {self.text.casefold()} "
        self.negations += "plus" in self.held and bool(_FRENCH.search(self.text.casefold()))  # "j'habite plus": no more
        self.symbols = tuple(sorted({sign for sign in self.text if unicodedata.category(sign) == "So"}))
        self.pending = not self.held.isdisjoint(_NOT_YET) or "going to" in self.text.casefold()

    def names(self, other: _Reading) -> tuple[str, ...]:
        """Proper names in order; a capital that opens a sentence counts when the other text lacks the word."""
        found: dict[str, None] = {}
        for match in _CAPITALISED.finditer(self.text):
            plain = _plain(match[0].casefold())
            before = self.text[: match.start()].rstrip(" \"'(")
            opens = not before or before[-1] in ".!?:;\n"
            common = plain in _OPENERS or (stem(plain) in other.stems and match[0].partition("'")[0] not in other.text)
            if plain not in _NO_NAMES and stem(plain) not in _DATES and not (opens and common):
                found[plain] = None
        return tuple(found)

    def told(self) -> list[str]:
        """Who did what, in order: "me" as "I", verbs by their stems; of two that "and" joins either may be first."""
        told = [stem(_ONE_PERSON.get(word, word)) for word in self.words]
        for place in range(1, len(told) - 1):
            if told[place] == "and" and told[place - 1] > told[place + 1]:
                told[place - 1], told[place + 1] = told[place + 1], told[place - 1]
        return told


def _plain(word: str) -> str:
    """A word without "'s", and "i'm" as "i"; "o'brien" and "don't" stay whole."""
    head = word.partition("'")[0]
    return word if word.endswith("n't") or (head not in STOP_WORDS and not word.endswith("'s")) else head


def _numbers(text: str) -> tuple[str, ...]:
    """Numbers with units, in order; words count as digits, "3pm" as "3 pm", a lone "one" as the article it may be."""
    spelled = re.sub(r"[a-z]+", lambda match: _NUMBER_WORDS.get(match[0], match[0]), text)
    found = []
    for match in _NUMBER.finditer(spelled):
        unit = _UNITS.get(match["money"] or match["unit"] or "", "")
        digits = match["digits"].removesuffix(":00")
        digits = digits.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3})+", digits) else digits
        found.append(f"{match['sign'] or ''}{digits} {unit}".strip())
    return () if found == ["1"] and "1" not in text else tuple(found)


def _contrast(one: _Reading, other: _Reading) -> str | None:
    only_one, only_other = one.stems - other.stems, other.stems - one.stems
    for group in _CONTRASTS:
        left, right = only_one & group, only_other & group
        if left and right:
            return f"contrast: {_show(sorted(left))} / {_show(sorted(right))}"
    return _prefixed(one.held - other.held, other.held) or _prefixed(other.held - one.held, one.held)


def _prefixed(words: frozenset[str], others: frozenset[str]) -> str | None:
    """Finds "unhappy" where the other text says "happy"."""
    for word in words - _NEGATORS:
        for prefix in _NEGATING_PREFIXES:
            root = word.removeprefix(prefix)
            if root != word and len(root) > 2 and root in others:
                return f"contrast: {root} / {word}"
    return None


def _order(one: list[str], other: list[str]) -> str | None:
    """The same words in another order: "the dog bit the man"; a phrase that only moved to the front does not count."""
    if one == other or sorted(one) != sorted(other):
        return None
    turned = f" {' '.join(one * 2)} "
    return None if f" {' '.join(other)} " in turned else "word order"


def _roles(one: _Reading, other: _Reading) -> str | None:
    """Who does it and to whom is it done: "I" here is "me" there, and all else the same in another order."""
    if one.held & _ONE_PERSON.keys() == other.held & _ONE_PERSON.keys():
        return None
    return _order(one.told(), other.told())


def _show(values: Iterable[str]) -> str:
    return ", ".join(values) or "none"
