"""Facts and plans read by rules, without a model: for demos and tests that must run offline.

It reads plain English said by the user in the first person, and prefers to miss something rather than to make
something up. A model sees far more; this sees the same at every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from langchain_agentmem.promotion.finding import Found
from langchain_agentmem.promotion.guard import addresses_model, is_small_talk
from langchain_agentmem.promotion.own_words import in_earnest, own_sentences, repeats
from langchain_agentmem.promotion.slots import slot_of

__all__ = ["Found", "read_sentence", "read_text"]

_ADVERBS = (
    r"(?: (?:now|currently|actually|presently|still|just|recently|finally|really|also|already|both|happily|simply"
    r"|always))*"
)
_I_AM = r"\b(?:I'm|I am|I've become|I became|I have become)"
_I_AM_NOT = r"\b(?:I(?:'m| am) (?:not|no longer)(?: really| actually)?|I (?:stopped|quit) being|I used to be)"
_I_NO_LONGER = rf"\bI (?:no longer|don't|do not|used to){_ADVERBS}"
_HEDGES = r"(?: (?:a|an|now|strictly|still|actually|mostly|also|really|just|currently|quite|very))*"
_PLACE = r"([A-Z][\w.'-]*[\w](?:(?:,? (?:de|of|the|la|am|upon) |,? )(?!I\b)[A-Z][\w.'-]*\w)*)"
_THING = (
    r"([^.!?,;:]{2,60}?)"
    r"(?= but\b| because\b| since\b| and (?:I|my|we|hate|love|like)\b| whereas\b| while\b| so\b"
    r"| when\b| now\b|[.!?,;:]|\s*$)"
)
_TAIL = re.compile(  # said of when or how much, and no part of the thing
    r"(?:\s+(?:any ?more|any longer|again|at all|now|these days|nowadays|by the way|btw|too|as well|a lot|very much"
    r"|so much|though|tho|lol|please|thanks|thank god))+$",
    re.I,
)
_DIETS = (
    r"(vegetarian|vegan|pescatarian|pescetarian|flexitarian|omnivore|gluten[- ]free|lactose[- ]intolerant|keto|halal"
    r"|kosher)"
)
_EATER = (  # what follows a diet that is the user's: a vegan chef may eat meat, and vegan on Mondays is not vegan
    r"(?=\s*$|\s*[^\w\s'-]|\s+-|\s+(?:and|but|now|so|because|since|too|btw|by the way|these days|for|who|as|again|with"
    r"|thanks|then|myself|anyway|actually|please|though|tho|lol|person|already|nowadays|any ?more)\b)"
)
_FOOD = r"(?:meat|fish|seafood|chicken|beef|pork|eggs|dairy|everything|gluten)"
_FOODS = (
    rf"({_FOOD}(?:(?:, and|, or|,| and| or) {_FOOD})*)\b"
    r"(?! (?:on|at|only|except|unless|when|if|during|before|after|every|once|until|from|with)\b|,? but (?!I\b))"
)
_LEFT_SINCE = re.compile(r" when\b| as an? (?:kid|child|boy|girl|student)\b|[^.;]*\bthen (?:to|in)\b")
_LATER = re.compile(
    r"\b(?:next (?:week|month|year|summer)|soon|tomorrow|in \w+ (?:year|month|week)s?|by \d{4})\b", re.I
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
_JOBS = (
    r"((?:(?!(?:of|and|or|to|for|with|in|at|former|ex|retired|good|bad|great|terrible|better|worse|big|huge|future"
    r"|aspiring)\b)"
    r"[\w-]+ ){0,2}(?:engineer|developer|teacher|nurse|doctor|chef|cook|lawyer|designer|student|scientist|professor"
    r"|architect|accountant|writer|journalist|musician|artist|pilot|manager|consultant|researcher|electrician|plumber"
    r"|dentist|pharmacist|photographer|carpenter|farmer|driver|programmer|analyst|therapist|librarian|baker))\b(?!['-])"
)
_NO_NAMES = frozenset(
    """american atheist australian austrian back belgian brazilian british buddhist canadian catholic chinese
    christian danish dr dutch english fine finnish french german greek here hindu indian irish italian japanese
    jewish korean mexican mr mrs ms muslim norwegian ok polish portuguese protestant russian scottish sorry
    spanish swedish swiss turkish ukrainian vegan vegetarian
    monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight later when if
    afraid alone asleep awake away batman bored busy confused curious done excited free glad good great groot happy
    home hungry ill in interested late legion lost married new not off old on out poor pregnant ready rich sad
    serious sick single spartacus sure there tired up well worried young""".split()
)
_NO_THINGS = frozenset(
    """it that this them these those you him her to the a your how what nothing neither nobody none no everything
    anything if as when where who whom why being not""".split()
)
_NO_EMPLOYERS = frozenset("night home weekends monday tuesday wednesday thursday friday saturday sunday i".split())


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
            if opening or not each.timid:
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


def _filled(slot: str, value: str, text: str) -> Iterator[Found]:
    if filled := slot_of(slot, value):
        yield Found(text, filled.state, filled.value)


def _names(sentence: str) -> Iterator[Found]:
    name = r"([A-Z][\w'-]+(?: [A-Z][\w'-]+)?)"
    ends = r"(?=\s*[.,;!)]|\s*$| (?:and|please|instead|from now|for short)\b)"
    hello, am = r"\b[Hh](?:i|ello|ey)\b[,! ]+(?:there[,! ]+)?", r"I(?:'m| am) ([A-Z][a-z'-]+)(?=[,.!]|$| and\b| from\b)"
    sure = (
        _first(rf"\b[Mm]y name(?:'s| is) {name}", sentence)
        or _first(rf"\b[Cc]all me {name}{ends}", sentence)
        or _first(f"{hello}{am}", sentence)
    )
    found = sure or _first(f"^{am}", sentence)  # "I'm Home" is as plain: it is believed if nothing else is known
    if found and found[1].lower() not in _NO_NAMES:
        yield Found(f"The user's name is {found[1]}.", "name", found[1], timid=not sure)


def _homes(sentence: str) -> Iterator[Found]:
    ended = rf"(?:{_I_NO_LONGER} live|\bI(?:'m| am) no longer (?:living|based)) (?:in|near) {_PLACE}"
    away = rf"\bI(?:'ve| have)?{_ADVERBS} moved (?:away from|out of) {_PLACE}"
    for gone in (*_all(ended, sentence), *_all(away, sentence)):
        yield Found(f"User no longer lives in {gone[1]}.", "home", was=gone[1])
    there = (
        r"(?: from [A-Z]\w+| back| over| away| house| here| alone| again| together| permanently| down| up| happily| now"
        rf"| today| currently| right)? (?:in|to|near) {_PLACE}"
    )
    found = _all(rf"\b(?:I{_ADVERBS} live|I(?:'m| am){_ADVERBS} based){there}", sentence)
    lives = [each for each in found if not _LATER.search(sentence, 0, each.start())]
    moved = _all(rf"\b(?:I|[Ww]e)(?:'ve| have)?{_ADVERBS} (?:moved|relocated){there}", sentence)
    if (last := (lives or moved)[-1:]) and not _LEFT_SINCE.match(sentence, last[0].end()):
        yield from _filled("home", last[0][1], f"User lives in {last[0][1]}.")


def _work(sentence: str) -> Iterator[Found]:
    as_one = rf"as an? {_JOBS}"
    ended = _first(rf"{_I_AM_NOT} an? {_JOBS}", sentence) or _first(rf"{_I_NO_LONGER} work {as_one}", sentence)
    if ended:
        yield Found(f"User no longer works as {_article(ended[1])}.", "job", was=ended[1])
    works_as = rf"\bI{_ADVERBS} work as an? (?!(?:team|example)\b){_THING}"
    if job := _first(rf"{_I_AM}{_ADVERBS} an? {_JOBS}", sentence) or _first(works_as, sentence):
        what = re.split(r" (?:at|for|with)\b", _trimmed(job[1]))[0]
        yield from _filled("job", what, f"User works as {_article(what)}.")
    if left := _first(rf"{_I_NO_LONGER} work (?:at|for) {_PLACE}", sentence):
        yield Found(f"User no longer works for {left[1]}.", "employer", was=left[1])
    employer = _first(rf"\bI{_ADVERBS} work (?:at|for) {_PLACE}", sentence)
    if employer and employer[1].lower() not in _NO_EMPLOYERS:
        yield from _filled("employer", employer[1], f"User works for {employer[1]}.")


def _article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _diet(sentence: str) -> Iterator[Found]:
    is_now, eats_so = rf"{_I_AM}{_HEDGES} {_DIETS}{_EATER}", rf"\bI eat (vegan|vegetarian|halal|kosher|keto){_EATER}"
    for ended in _all(rf"{_I_AM_NOT}(?: an?)? {_DIETS}\b", sentence, re.I):
        yield Found(f"User is no longer {ended[1].lower()}.", "diet", was=ended[1].lower())
    if kept := _first(f"{is_now}|{eats_so}", sentence, re.I):
        diet = (kept[1] or kept[2]).lower()
        yield from _filled("diet", diet, f"User is {diet}.")
    if eats := _first(rf"\bI(?: do| can| actually| now| also)* eat {_FOODS}", sentence, re.I):
        yield from _eats(_foods(eats[1]))
    if avoids := _first(rf"\bI (?:don't|do not|never|no longer|can't|cannot) eat {_FOODS}", sentence, re.I):
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
    ended = _first(rf"\bI(?:'m| am) (?:not|no longer) allergic to {_THING}", sentence, re.I) or _first(
        r"\bI (?:don't|do not|no longer) have an? (\w+) allergy\b", sentence, re.I
    )
    found = ended or (
        _first(rf"{_I_AM}{_HEDGES} allergic to {_THING}", sentence, re.I)
        or _first(r"\bI have an? (\w+) allergy\b", sentence, re.I)
        or _first(rf"\bI have an allergy to {_THING}", sentence, re.I)
    )
    for thing in _things(found[1]) if found else ():
        for each in _filled("allergy", thing, f"User is allergic to {thing}."):
            yield Found(f"User is no longer allergic to {thing}.", each.state) if ended else each


def _tastes(sentence: str) -> Iterator[Found]:
    adverbs = r"(?: (?:really|absolutely|also|just|still|truly|generally|usually))*"
    verbs = "(?:like|love|enjoy|adore|prefer)"
    if once := _first(rf"\bI used to {verbs} {_THING}", sentence):
        for thing in _things(once[1]):
            for each in _filled("likes", thing, f"User no longer likes {thing}."):
                yield each._replace(value=None, was="likes")
    liked = _first(rf"\bI{adverbs} {verbs} {_THING}", sentence)
    disliked = _first(
        rf"\bI{adverbs} (?:hate|dislike|detest|can't stand|cannot stand|don't{adverbs} like|do not{adverbs} like"
        rf"|no longer like) {_THING}",
        sentence,
    )
    for slot, found in (("likes", liked), ("dislikes", disliked)):
        for thing in _things(found[1]) if found else ():
            yield from _filled(slot, thing, f"User {slot} {thing}.")
    if favourite := _first(rf"\b[Mm]y favou?rite (\w+(?: \w+)?) is (?!not\b|no\b){_THING}", sentence):
        kind, thing = favourite[1], favourite[2].strip()
        yield from _filled(f"favourite_{kind}", thing, f"User's favourite {kind} is {thing}.")


def _things(text: str) -> list[str]:
    parts = [_trimmed(part) for part in re.split(r",| and | or ", text) if not re.search(r" (?:than|is|are) ", part)]
    return [part for part in parts if part and part.split()[0].lower() not in _NO_THINGS]


def _trimmed(text: str) -> str:
    return _TAIL.sub("", text).strip()


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
