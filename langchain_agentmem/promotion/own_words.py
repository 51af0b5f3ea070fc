"""What of a text a user says in earnest, of how things are: not pasted, quoted, supposed, denied, or so only at a time.

Rules know no meaning, so they read only where nothing hints at another one. What is dropped in doubt is missed, and
that is meant: a fact that is made up is shown to a model as true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from langchain_agentmem.promotion.guard import sentences

__all__ = ["in_earnest", "is_framed", "is_limited", "is_passing", "own_sentences", "repeats"]

_LONGEST = 12_000  # characters of a turn: what is longer was pasted, not said
_LONGEST_SENTENCE = 1_000

_SOURCES = r"\w+ (?:said|says|wrote|asked|replied|answered)|(?:he|she|they|you|who) (?:thinks?|thought|believes?)"
_REPORTED = (
    r"said|says|saying|tell|tells|telling|told|wrote|writes|written|asks|asked|thinks|thought|believes|believed|claims?|claimed"
    r"|heard|reads|replied|answered|insists|mentioned|joked|quotes?|quoting|translate|translation|rephrase|paraphrase|proofread"
    r"|summari[sz]e|spell|pronounce|(?<!\bI )write|rewrite|story|stories|poem|song|lyrics|joke|novel|sentence"
    r"|starts? with|ends? with|begins? with|true that|say\b(?!,)"
)
_SUPPOSED = (
    r"if|unless|until|once|as (?:soon|long) as|the (?:day|year|(?:last |first )?time)|like(?=\s*$)"
    r"|when|whenever|whether|wherever|as though|imagine|imagining|suppose|supposing|pretend|pretending"
    r"|assume|assuming|had(?=\s*$)|what about|role-?play|in case|as a (?:kid|child|boy|girl|teenager)"
)
_SCENES = r"(?:the|my|this|our|a) (?:game|novel|book|film|movie|play|story|scene)"
_UNSURE = (
    r"were|would|hope|hoping|wish|doubt|think|thinking|believe|guess|(?:un)?sure(?!,)|bet|(?-i:may)|might|could"
    r"|should(?! know)|maybe|perhaps|possibly|probably|apparently|dream(?:ed|t|ing)?|pretended|lied|lying|seems?"
    rf"|in {_SCENES}"
)
_DENIED = (
    r"(?:never|don't|do not|not)(?! forget)|didn't|did not|doesn't|isn't|wasn't|aren't|can't|cannot|won't|wouldn't|no"
    r"|nobody|nothing|neither|nor|almost|nearly|hardly|barely|rarely|seldom|scarcely|false|ruled out|far from"
    r"|anything but|instead of|without|stopped|quit|used to"
)
_MONTHS = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|(?:early|mid|late)[ -]\w+|spring|summer|autumn|fall|winter)"
)
_HOLIDAYS = r"(?:christmas|easter|ramadan|lent|thanksgiving|new year)"
_UNITS = rf"(?:day|night|morning|evening|week|weekend|month|year|term|semester|season|quarter|{_MONTHS})s?"
_FRAMES = (  # "In Skyrim I live in ...", "From January I work for ...": so only there, or then
    r"in(?! (?:fact|short|general|any case|reality|truth|addition|all honesty|summary|brief|other words|terms|the end"
    r"|my (?:opinion|case))\b)|at(?! (?:the moment|present|least|last)\b)"
    r"|on(?! (?:the other hand|top of that|an? \w+ note)\b)|by(?! (?:the way|now|birth|profession|trade)\b)"
    r"|for (?:the )?(?:an?|\d+|one|two|three|several|some|many|most|next|time being)\b"
    rf"|for {_SCENES}"
    r"|as (?:of|from)(?! (?:now|today)\b)|as (?:students|kids|children|teenagers)|after(?! all\b)|with(?! that\b)"
    r"|before(?! (?:you|we|I|anything)\b)|between(?! (?:you|us)\b)|from(?! now on\b)|starting|during|throughout|until"
    rf"|till|within|over|back (?:then|in)|fast forward|soon|every|(?:next|this|most|some) {_UNITS}|today|tonight"
    r"|tomorrow|sometimes|usually|normally|occasionally|often"
)
_OPENS = r"\W*(?:(?:and|but|so|or|well|also|then|because|hi|hello|hey|ok|okay|yes|no)\b\W*)*"
_FRAMED = re.compile(
    rf"^{_OPENS}(?:{_FRAMES})\b|(?:[,:(\u2013\u2014]|\b(?:and|so|because)\b)\W*(?:{_FRAMES})\b[^,:]*(?<!\band )$", re.I
)
_TURNS = re.compile(r"\bbut\b|;")
_SPANS = (  # "for a week", "for the play": what else stands after "for" is a reason, or whom it is done for
    r"for\ (?:(?:the|an?|my|our|this|another|only|just|about|almost|some|several|few|couple|of|half|one|two|three|four"
    r"|five|six|seven|eight|nine|ten|next|first|more|whole|long|short|\w+-\w+|\d+)\ )*"
    rf"(?:{_UNITS}|{_HOLIDAYS}|hours?|decades?|while|bit|time|(?:\w+\ )?(?:stay|visit|trip|holidays?|vacation"
    r"|sabbatical|exchange|internship|conference|festival|wedding|trial|test|bet|joke|challenge|experiment|play|game|party"
    r"|film|movie|breakfast|lunch|dinner))"
    r"(?=\s*$|\s*[^\w\s'-]|\s(?:in|on|at|with|from|to|as|an?|per|of|by|or|over|only|now|already|straight|each|before|after|last"
    r"|this|that|then|there|here|because|since|so|anyway)\b)"
)
_PASSES = re.compile(  # what comes after a move, and says that it was for a time, is still to come, or is long past
    rf"""\b(?:
    until|till|during|throughout|when|whenever|while|unless|if|except|every|each\ {_UNITS}|next\ {_UNITS}|tomorrow|soon
    |starting|temporarily|briefly|{_SPANS}|(?:at|on|most|some)\ weekends|then\ (?:to|in)
    |as\ (?:an?\ )?(?:kid|child|boy|girl|teenager|student)s?|as\ children|as\ (?:of|from)\ (?!now|today)
    |from\ (?:next|then|{_MONTHS})|to\ (?:visit|attend)|in\ my\ (?:dreams|head|mind|teens|twenties|youth|childhood)
    )\b""",
    re.I | re.X,
)
_SINCE = r"for\ (?!(?:the\ )?(?:next|first)|another|only|just)(?:\w+\ ){0,3}(?:years|decades)\b"  # and so still
_LIMITS = re.compile(  # what comes after and says when, for how long or how often
    rf"""\b(?:
    today|tonight|tomorrow|sometimes|occasionally|often|usually|normally|mostly|rarely|half
    |until|till|during|when|whenever|while|unless|if|except|every|each|starting|part\ of|most\ of|then\ (?:to|in)
    |weekends?|weekdays?|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:this|next|most|some)\ {_UNITS}
    |as\ of\b(?!\ (?:now|today))|from\ (?:next|then|tomorrow|the|\d|{_MONTHS})
    |in\ (?:the\ )?(?:\d+|{_UNITS}|{_HOLIDAYS})|in\ \w+\ {_UNITS}|in\ my\ (?:dreams|head|mind|spare|free)
    |(?:at|over)\ (?:the\ )?(?:night|times|heart|{_HOLIDAYS})|by\ training|on\ paper
    |as\ (?:far\ as|an?\ (?:joke|test|bet|trial|experiment|kid|child|boy|girl|student|teenager))
    |(?!{_SINCE}){_SPANS}(?!\ now\b)
    )\b""",
    re.I | re.X,
)
_CLAUSE_ENDS = re.compile(r"[.;!?]|\band\b|\bbut\b(?! (?:only|just|not)\b)|\b(?:I|we)\b|,\s*my\b")
_CLAUSE = r"[,;:(\u2013\u2014]|\band (?:then )?(?=I\b|I'|my\b|we\b)|\b(?:but|because|since|so|although|though)\b"
# Each with where its reach ends: what somebody is said to have said may go on to the end of the sentence.
_GATES = tuple(
    (re.compile(rf"\b(?:{words})\b", re.I), re.compile(end, re.I))
    for words, end in (
        (_REPORTED, r"(?!)"),
        (_SUPPOSED, r",? but\b|;|\bso now\b"),
        (f"{_UNSURE}|{_DENIED}", _CLAUSE),
    )
)
_ASKS = re.compile(
    r"(?:(?:and|so|but|ok|okay|hi|hello|hey|well|also|please)[, ]+)*(?:did|do|does|is|are|am|was|were|have"
    r"|has|can|could|should|shall|would|will|why|how|who|whose|what|where|which)(?:'s|'re)?\b"
    r"(?:(?!\b(?:because|since|but)\b)[^,;:])*",
    re.I,
)
_SAID_AFTER = re.compile(rf"[,!]['\" ]*(?:{_SOURCES})\b", re.I)

_FENCED = re.compile(r"(```|~~~).*?(?:\1|\Z)", re.S)
_INLINE = re.compile(r"`[^`\n]*`")
_FOREIGN_LINE = re.compile(r"^[ \t]*(?:>|//|# |</?[a-z][^>\n]*>)[^\n]*$", re.M)
_QUOTED = re.compile(
    r'(?<!\d)"[^"]*?(?:"|\n[ \t]*\n|\Z)|\u201c[^\u201d]*(?:\u201d|\Z)|\u201e[^\u201c\u201d]*(?:[\u201c\u201d]|\Z)'
    r"|\u00ab[^\u00bb]*(?:\u00bb|\Z)|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w))+'(?!\w)"
)
_FIRST_PERSON = re.compile(r"\b(?:I|my|me|we|our)\b", re.I)
_LETTER = re.compile(
    r"(?:^|[.!?:]\s|\n)[ \t]*(?:(?:From|To|Cc|Subject|Sent|Date|Re|Fwd?):\s|Dear\s|-+ ?(?:Original|Forwarded)\b)"
)
_HANDED_OVER = re.compile(  # "translate this: ...": what follows is no longer the user's
    rf"\b(?:{_REPORTED}|correct|fix|improve|edit|check|review|reply to|answer to|following|grammar"
    r"|(?<!remember )(?<!know )this|text|e-?mail|mail|message|letter)\b[^.!?:\n]{0,200}:(?=\s)"
    r"|\b(?:translate|rewrite|rephrase|paraphrase|proofread|summari[sz]e|correct|fix|improve|review|(?:reply|respond"
    r"|answer) to)\b[^.!?:\n]{0,100}[.!?]?[ \t]*\n",
    re.I,
)
_OWN_LABELS = (
    r"(?:please )?(?:note|remember)|remember this|ps|p\.s\.?|update|edit|correction|fyi|btw|reminder|important"
    r"|context|background|info|also|sorry|hint|warning|well|summary|hi|hello"
)
_SPEAKER = re.compile(
    rf"^[ \t]*(?:\[[^\]\n]*\][ \t]*)?(?!(?:{_OWN_LABELS}):)[\w.-]+(?: [A-Z][\w.-]*)?:[ \t].*?(?=\n[ \t]*\n|\Z)",
    re.M | re.S | re.I,
)
_SCENE = re.compile(
    r"^\s*(?:please[, ]+)?(?:imagine|suppose|pretend|assume|let's (?:say|pretend|assume|imagine|play)|act as"
    r"|role-?play)\b",
    re.I,
)
_JOKE = re.compile(r"\b(?:just|only|was|am|I'm) (?:kidding|joking)\b|\bjk\b", re.I)


def own_sentences(text: str) -> list[str]:
    """The sentences of a text that a user says: not asked, pasted or quoted, and not taken for a joke at once."""
    kept: list[str] = []
    for sentence in sentences(_without_pasted(text[:_LONGEST])):
        if _SCENE.match(sentence):
            break  # what follows may play in the same scene
        joke = _JOKE.search(sentence)
        if joke:
            kept.clear()
        said = sentence[joke.end() :] if joke else sentence
        if not said.rstrip().endswith("?") and len(said) <= _LONGEST_SENTENCE:
            kept.append(said.strip().lstrip(",; "))
    return [sentence for sentence in kept if sentence]


def repeats(sentence: str, others: Iterable[str]) -> bool:
    """Whether a sentence is one that others said before: then it was pasted back."""
    said = _folded(sentence)
    return any(said in _folded(other) for other in others)


def in_earnest(sentence: str, start: int, end: int) -> bool:
    """Whether what a sentence says from `start` to `end` is said to be so: no word before makes it anything else."""
    before = sentence[:start]
    for words, ends in _GATES:
        last = max((found.end() for found in ends.finditer(before)), default=0)
        if words.search(before, last):
            return False
    return not _ASKS.fullmatch(before) and not _SAID_AFTER.match(sentence, end)


def is_framed(sentence: str, start: int, end: int) -> bool:
    """Whether a sentence says first when or where that is so which it says from `start`; "now" is no such time."""
    before = sentence[:start]
    turned = max((found.end() for found in _TURNS.finditer(before)), default=0)
    return bool(_FRAMED.search(before[turned:])) and not re.search(r"\bnow\b", sentence[start:end])


def is_limited(sentence: str, end: int) -> bool:
    """Whether the clause of what a sentence says up to `end` goes on to say when, for how long or how often."""
    ends = _CLAUSE_ENDS.search(sentence, end)
    return bool(_LIMITS.search(sentence, end, ends.start() if ends else len(sentence)))


def is_passing(sentence: str, end: int) -> bool:
    """Whether the clause of a move, told up to `end`, goes on to say that it was for a time, or is no longer so.

    That it was in January, or for a job, says when or why it was, and leaves it true.
    """
    ends = _CLAUSE_ENDS.search(sentence, end)
    return bool(_PASSES.search(sentence, end, ends.start() if ends else len(sentence)))


def _without_pasted(text: str) -> str:
    """A text without code, quotations, letters, and what another is said to have said."""
    plain = text.replace("\u2019", "'").replace("\u2018", "'")
    for pasted in (_FENCED, _INLINE, _FOREIGN_LINE):
        plain = pasted.sub(" ", plain)
    plain = _QUOTED.sub(lambda found: " " if _FIRST_PERSON.search(found[0]) else found[0], plain)
    for rest in (_LETTER, _HANDED_OVER):
        if found := rest.search(plain):
            plain = plain[: found.start()]
    return _SPEAKER.sub(" ", plain)


def _folded(text: str) -> str:
    return f" {re.sub(r'[^a-z0-9]+', ' ', text.replace(chr(0x2019), chr(39)).casefold()).strip()} "
