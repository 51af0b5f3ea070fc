"""Facts and plans read by rules, without a model: for demos and tests that must run offline.

It reads plain English said by the user in the first person, and prefers to miss something rather than to make
something up. A model sees far more; this sees the same at every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from langchain_agentmem.promotion.finding import Found
from langchain_agentmem.promotion.guard import addresses_model, is_small_talk
from langchain_agentmem.promotion.own_words import in_earnest, is_framed, is_limited, is_passing, own_sentences, repeats
from langchain_agentmem.promotion.slots import slot_of
from langchain_agentmem.promotion.vocabulary import (
    ALLERGENS,
    FAMILY,
    JOBS,
    MOVES_ELSE,
    NO_EMPLOYERS,
    NO_HOMES,
    NO_PLACES,
    NO_THINGS,
    NO_TRADES,
    OCCUPIES,
    is_bare,
    is_favourite,
    is_name,
)

__all__ = ["Found", "read_sentence", "read_text"]

_ADVERBS = (
    r"(?: (?:now|currently|actually|presently|still|just|recently|finally|really|also|already|both|happily|simply"
    r"|always))*"
)
_I_AM = r"\b(?:I'm|I am|I've become|I became|I have become)"
_I_AM_NOT = r"\b(?:I(?:'m| am) (?:not|no longer)(?: really| actually)?|I (?:stopped|quit) being|I used to be)"
_I_NO_LONGER = (  # not "don't just": that denies nothing
    r"\bI (?:no longer|don't|do not|used to)(?: (?:actually|currently|really|still))*"
)
_HEDGES = r"(?: (?:a|an|now|strictly|still|actually|mostly|also|really|just|currently|quite|very))*"
_PLACE = (  # a number behind it makes it a version or a room
    r"((?:(?:St|Ft|Mt|Dr|Mr|Mrs|Ms)\. )?(?!(?:Dr|Mrs?|Ms)\b)[A-Z][\w.'-]*\w"
    r"(?:(?:,? (?:de|of|the|la|am|upon) |,? )(?!I\b)[A-Z][\w.'-]*\w)*(?! ?\d))"
)
_WAY = "(?:back|over|away|house|here|alone|again|together|permanently|down|up|happily|now|today|currently|right)"
_SEASON = "(?:week|weekend|month|year|spring|summer|autumn|fall|winter)"
_LATELY = re.compile(
    rf" (?:(?:just|recently|finally)\b|(?:last|this) {_SEASON}\b|yesterday\b|today\b|(?:\w+ ){{2,4}}ago\b"
    rf"|(?:in|on) (?:the )?(?:{_SEASON}|[A-Z]\w*(?:day|ary|ber)|March|April|May|June|July|August)\b)"
)
_LONG_AGO = re.compile(r"\b(?:19|20)\d\d\b|\b(?!two\b|2\b|of\b)\w+ (?:years|decades) ago\b")
_THING = (
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
_DIETS = (
    r"(vegetarian|vegan|pescatarian|pescetarian|flexitarian|omnivore|gluten[- ]free|lactose[- ]intolerant|keto|halal"
    r"|kosher)"
)


def _closed(more: str) -> str:
    """What may follow a thing that is said as a whole: a vegan chef may eat meat, and fish fingers are no fish."""
    return (
        r"(?=\s*$|\s*[^\w\s'-]|\s+-|\s+(?:but|now|so|too|as well|btw|by the way|these days|for|again|thanks|then"
        rf"|anyway|actually|please|though|tho|lol|already|nowadays|any ?more|any longer|{more})\b)"
    )


_STATED = _closed("and|as|with|because|since|who(?! am)|person|myself|last|recently")
_DENIED = _closed("and (?:I|we|my|now|don't|never|have|am)|or I|because|since|at all|either")
_SETTLED = _closed(
    "and|as|with|because|since|in|near|on|at|from|by|over|where|which|right|still|currently|last|this|yesterday|today|myself"
    "|together|permanently|full[- ]time|part[- ]time"
)
_MOVED = _closed(
    "and|as|with|because|since|in|near|on|at|from|by|over|after|around|about|where|which|when|while|until|during|every"
    "|right|this|last|yesterday|today|together|permanently|recently|full[- ]time|to (?-i:[a-z]+)|(?:\\w+ ){2,4}ago"
)
_EMPLOYED = _closed("and|as|with|since|in|on|at|from|by|right|still|currently|remotely|full[- ]time|part[- ]time")
_PRACTISED = _closed(
    "and|as|with|because|since|in|on|at|from|by|of|working|based|living|last|full[- ]time|part[- ]time"
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
    for reader in (_names, _homes, _work, _diet, _allergies, _tastes, _plans):
        yield from reader(sentence)


def _all(pattern: str | re.Pattern[str], sentence: str, flags: int = 0) -> list[re.Match[str]]:
    """Where a sentence says something in earnest."""
    found = re.compile(pattern, flags).finditer(sentence)
    return [each for each in found if in_earnest(sentence, each.start(), each.end())]


def _first(pattern: str | re.Pattern[str], sentence: str, flags: int = 0) -> re.Match[str] | None:
    return next(iter(_all(pattern, sentence, flags)), None)


def _facts(pattern: str, sentence: str, flags: int = 0) -> list[re.Match[str]]:
    """Where a sentence says something that is so wherever, and until it is said to be otherwise."""
    return [each for each in _all(pattern, sentence, flags) if not is_framed(sentence, each.start(), each.end())]


def _fact(pattern: str, sentence: str, flags: int = 0) -> re.Match[str] | None:
    return next(iter(_facts(pattern, sentence, flags)), None)


def _lasting(pattern: str, sentence: str, flags: int = 0) -> list[re.Match[str]]:
    """The same, where the sentence does not go on to say when, for how long or how often."""
    return [each for each in _facts(pattern, sentence, flags) if not is_limited(sentence, each.end())]


def _filled(slot: str, value: str, text: str) -> Iterator[Found]:
    if filled := slot_of(slot, value):
        yield Found(text, filled.state, filled.value)


def _names(sentence: str) -> Iterator[Found]:
    name = r"([A-Z][\w'-]+(?: [A-Z][\w'-]+)?)"
    ends = r"(?=\s*[.,;!)]|\s*$| (?:and|please|instead|from now|for short)\b)"
    hello, am = r"\b[Hh](?:i|ello|ey)\b[,! ]+(?:there[,! ]+)?", r"I(?:'m| am) ([A-Z][a-z'-]+)(?=[,.!]|$| and\b| from\b)"
    sure = _fact(rf"\b[Mm]y name(?:'s| is) (?!Not\b){name}", sentence) or _fact(rf"\b[Cc]all me {name}{ends}", sentence)
    found = sure or _fact(f"{hello}{am}", sentence) or _fact(f"^{am}", sentence)
    if found and is_name(found[1]):  # "I'm Home" is as plain: it is believed if nothing else is known
        yield Found(f"The user's name is {found[1]}.", "name", found[1], timid=not sure)


def _homes(sentence: str) -> Iterator[Found]:
    ended = rf"(?:{_I_NO_LONGER} live|\bI(?:'m| am) no longer (?:living|based)) in {_PLACE}{_SETTLED}"
    away = rf"\bI(?:'ve| have)?{_ADVERBS} moved (?:away from|out of) {_PLACE}{_SETTLED}"
    for gone in (*_lasting(ended, sentence), *_facts(away, sentence)):
        yield _left(gone[1])
    there = rf"(?: {_WAY})? in {_PLACE}{_SETTLED}"
    lives = _lasting(rf"\b(?:I{_ADVERBS} live|I(?:'m| am){_ADVERBS} based){there}", sentence)
    if homes := [each[1] for each in lives if _is_place(each[1])][-1:]:
        yield from _filled("home", homes[0], f"User lives in {homes[0]}.")
    else:
        yield from _moves(sentence)


def _moves(sentence: str) -> Iterator[Found]:
    """A move, which may be one to another tool or team.

    Where it speaks of living, or one person moves to what is no known tool, it takes the place of the home that is
    known. "We" may be a team: where nothing says when or with whom, it counts if no home is known, and so does a move
    of long ago.
    """
    moved = rf"\b(I|[Ww]e)((?:'ve| have)?{_ADVERBS}) (?:moved|relocated)(?: from {_PLACE})?(?: {_WAY})? to {_PLACE}"
    found = [
        each
        for each in _facts(rf"{moved}(?: from {_PLACE})?{_MOVED}", sentence)
        if not is_passing(sentence, each.end(4)) and _is_place(each[4], NO_HOMES) and not _moves_else(each)
    ]
    for move in found[-1:]:
        if left := move[3] or move[5]:
            yield _left(left)
        doubtful = _may_be_a_team(move) or bool(_LONG_AGO.search(sentence, move.end(4)))
        timid = doubtful and not OCCUPIES.search(sentence, move.end(4))
        yield from (each._replace(timid=timid) for each in _filled("home", move[4], f"User lives in {move[4]}."))


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


def _work(sentence: str) -> Iterator[Found]:
    as_one = rf"as an? {JOBS}"
    for ended in _lasting(rf"(?:{_I_AM_NOT} an? {JOBS}|{_I_NO_LONGER} work {as_one}){_DENIED}", sentence)[:1]:
        job = ended[1] or ended[2]
        yield Found(f"User no longer works as {_article(job)}.", "job", was=job)
    is_one = _lasting(rf"{_I_AM}{_ADVERBS} an? {JOBS}{_PRACTISED}", sentence)
    works_as = _facts(rf"\bI{_ADVERBS} work as an? (?!{NO_TRADES}\b){_THING}", sentence)
    for job in [*is_one, *(each for each in works_as if not is_limited(sentence, each.start(1)))][:1]:
        what = re.split(r" (?:at|for|with|in|and|or)\b", _trimmed(job[1]))[0]
        yield from _filled("job", what, f"User works as {_article(what)}.")
    yield from _employers(sentence)


def _employers(sentence: str) -> Iterator[Found]:
    for left in _lasting(rf"{_I_NO_LONGER} work (?:at|for) {_PLACE}{_EMPLOYED}", sentence):
        yield Found(f"User no longer works for {left[1]}.", "employer", was=left[1])
    for employer in _lasting(rf"\bI{_ADVERBS} work (?:at|for) {_PLACE}{_EMPLOYED}", sentence)[:1]:
        if employer[1].split()[0].lower() not in NO_EMPLOYERS:
            yield from _filled("employer", employer[1], f"User works for {employer[1]}.")


def _article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _diet(sentence: str) -> Iterator[Found]:
    is_now, eats_so = rf"{_I_AM}{_HEDGES} {_DIETS}", r"\bI eat (vegan|vegetarian|halal|kosher|keto)"
    for ended in _lasting(rf"{_I_AM_NOT}(?: an?)? {_DIETS}{_DENIED}", sentence, re.I):
        yield Found(f"User is no longer {ended[1].lower()}.", "diet", was=ended[1].lower())
    for kept in _lasting(f"(?:{is_now}|{eats_so}){_STATED}", sentence, re.I)[:1]:
        diet = (kept[1] or kept[2]).lower()
        yield from _filled("diet", diet, f"User is {diet}.")
    for eats in _lasting(rf"\bI(?: do| can| actually| now| also)* eat {_FOODS}{_STATED}", sentence, re.I)[:1]:
        yield from _eats(_foods(eats[1]))
    avoided = rf"\bI (?:don't|do not|never|no longer|(?:can't|cannot)(?!.* now\b)) eat {_FOODS}{_DENIED}"
    for avoids in _lasting(avoided, sentence, re.I)[:1]:
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


def _allergies(sentence: str) -> Iterator[Found]:
    grave = "an? (?:(?:severe|serious|bad|mild|slight) )?"
    one = rf"{grave}({ALLERGENS}) allergy"
    ended = _fact(rf"\bI(?:'m| am) (?:not|no longer) allergic to {_THING}", sentence, re.I) or _fact(
        rf"\bI (?:don't|do not|no longer) have {one}{_DENIED}", sentence, re.I
    )
    found = ended or (
        _fact(rf"{_I_AM}{_HEDGES} allergic to {_THING}", sentence, re.I)
        or _fact(rf"\bI have {one}{_STATED}", sentence, re.I)
        or _fact(rf"\bI have {grave}allergy to {_THING}", sentence, re.I)
    )
    for thing in _things(found):
        for each in _filled("allergy", thing, f"User is allergic to {thing}."):
            yield Found(f"User is no longer allergic to {thing}.", each.state) if ended else each


def _tastes(sentence: str) -> Iterator[Found]:
    adverbs = r"(?: (?:really|absolutely|also|just|still|truly|generally|usually))*"
    denied = r"(?:don't|do not)(?: (?:really|particularly|actually|even))*"
    verbs = "(?:like|love|enjoy|adore|prefer)"
    once = _fact(rf"\bI used to {verbs} {_THING}(?!.*\bstill\b)", sentence)
    for thing in _things(once):
        for each in _filled("likes", thing, f"User no longer likes {thing}."):
            yield each._replace(value=None, was="likes")
    liked = _fact(rf"\bI{adverbs} {verbs} {_THING}", sentence)
    disliked = _fact(
        rf"\bI{adverbs} (?:hate|dislike|detest|can't stand|cannot stand|{denied} like|no longer like) {_THING}",
        sentence,
    )
    for slot, found in (("likes", liked), ("dislikes", disliked)):
        for thing in _things(found):
            yield from _filled(slot, thing, f"User {slot} {thing}.")
    if favourite := _fact(
        rf"\b[Mm]y favou?rite (\w+(?: \w+)?) is (?:(?:now|still) )?(?!not\b|no\b|now\b){_THING}", sentence
    ):
        kind, thing = favourite[1], _trimmed(favourite[2])
        if is_favourite(kind, thing):
            yield from _filled(f"favourite_{kind}", thing, f"User's favourite {kind} is {thing}.")


def _things(found: re.Match[str] | None) -> list[str]:
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
    return [_trimmed(part) for part in re.split(r",? (?:and|or)(?: |$)|, ?", text)]


def _is_thing(text: str) -> bool:
    words = text.lower().split()
    if not words or words[0] in NO_THINGS or words[-1] in _POINTS:
        return False
    return not {"than", "is", "are"} & {*words[1:]}


def _trimmed(text: str) -> str:
    return _TAIL.sub("", _ORNAMENT.sub("", text.strip())).strip()


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
    if going := _first(_GOING, sentence):
        yield Found(f"User is {_third(going[1])}.")
    elif will := _first(_WILL, sentence):
        yield Found(f"User will {_third(will[1])}.")
    elif wants := _first(_WANTS, sentence):
        yield Found(f"User {_VERBS[wants[1].lower()]} to {_third(wants[2])}.")
    elif trip := _first(_TRIP, sentence):
        yield Found(f"User's {_third(trip[1])}.")


def _third(text: str) -> str:
    """The rest of a sentence about oneself, told by another."""
    told = re.sub(r"\b(?:my|our)\b", "their", text.strip(), flags=re.I)
    return re.sub(r"\b(?:me|us)\b", "them", told, flags=re.I)
