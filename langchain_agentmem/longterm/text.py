"""Words as retrieval sees them: tokens, stop words, stems, and the two texts under which a memory is indexed.

The client does all of this, and the server's text field is created with NOSTEM and STOPWORDS 0: the server's own
stemming counts a word and its stem both, and stop words inside a query are where user text becomes dangerous.
Everything here is pure, and what it hands out holds letters, digits and spaces only, so it can stand in a query
without any escaping.

```
terms("Anna bought shoes on 3 May")     -> ["anna", "buy", "shoe", "3", "may"]
embedded_text("I moved", "Anna")        -> "Anna: I moved"              what the encoder reads
lexical_text("I moved", "Anna", when)   -> "anna move 8 may 2023 _ ..." what the full-text field holds
```
"""

from __future__ import annotations

import re
import threading
import unicodedata
from datetime import datetime

import snowballstemmer

__all__ = [
    "STOP_WORDS",
    "embedded_text",
    "ends",
    "lexical_terms",
    "lexical_text",
    "split_speaker",
    "stem",
    "terms",
    "tokens",
]

MONTHS = "january february march april may june july august september october november december".split()

STOP_WORDS = frozenset(
    """
    a about above after again against all also am an and any are aren as at be because been before being below
    between both but by can cannot could couldn did didn do does doesn doing don done down during each either else
    ever every few for from further get gets getting go goes going gone got had hadn has hasn have haven having he
    her here hers herself him himself his how however i if in into is isn it its itself just let ll ma me might more
    most much must mustn my myself needn no nor not now of off on once only or other ought our ours ourselves out
    over own re s same shan she should shouldn so some such t than that the their theirs them themselves then there
    these they this those though through to too under until up upon us ve very was wasn we went were weren what when
    where which while who whom whose why will with won would wouldn y yet you your yours yourself yourselves d m o
    ah aha anyway aw awesome aww btw cool cuz definitely gonna gotta great haha hello hey hi hmm lol maybe nah nope
    oh ok okay ooh oops pretty quite really sure tell thank thanks thats totally ugh um wanna well wow yay yeah yep yes
    """.split()
)
"""Function words, auxiliaries, question words and the interjections of talk. They say nothing of what a memory is
about.
"""

# Questions name the infinitive ("when did she buy"), dialogue the past ("I bought"); suffix stripping cannot join
# the two.
_IRREGULAR = """
    ate,eaten:eat beat,beaten:beat became:become began,begun:begin bent:bend bit,bitten:bite blew,blown:blow
    bought:buy broke,broken:break brought:bring built:build burnt:burn came:come caught:catch chose,chosen:choose
    dealt:deal drank,drunk:drink drawn,drew:draw dreamt:dream driven,drove:drive dug:dig fallen,fell:fall fed:feed
    felt:feel fled:flee flew,flown,flight,flights:fly forgave,forgiven:forgive forgot,forgotten:forget fought:fight
    found:find froze,frozen:freeze gave,given:give grew,grown,growth:grow heard:hear held:hold hid,hidden:hide
    hung:hang kept:keep knew,known:know laid:lay learnt:learn led:lead lent:lend lost,loss:lose made:make meant:mean
    met:meet paid,payment:pay ran:run rang,rung:ring ridden,rode:ride risen,rose:rise said:say sang,sung,song,songs:sing
    sat:sit saw,seen:see sent:send shaken,shook:shake shone:shine shot:shoot shown:show slept:sleep slid:slide
    sold,sale,sales:sell sought:seek spent:spend spoke,spoken:speak stolen,stole:steal stood:stand struck:strike
    stuck:stick swam,swum:swim swept:sweep taken,took:take taught:teach thought,thoughts:think threw,thrown:throw
    told:tell tore,torn:tear understood:understand woke,woken:wake won:win wore,worn:wear written,wrote:write
    children,kids,kid:child people,persons:person men:man women:woman feet:foot teeth:tooth mice:mouse wives:wife
    knives:knife leaves:leaf better,best:good worse,worst:bad mom,mum,mommy,mummy:mother
    dad,daddy:father grandma,granny:grandmother grandpa:grandfather bike,bikes:bicycle tv:television photo,photos,
    pic,pics:photograph favorite,favorites:favourite color,colors:colour movie,movies:film wedding,weddings,
    married,marriage:marry died,dead,death:die birth,born:birthday
"""
_LEMMAS = {
    form: lemma
    for forms, lemma in (pair.split(":") for pair in re.sub(r",\s+", ",", _IRREGULAR).split())
    for form in forms.split(",")
}

# The server's BM25 has b fixed at .75: among turns of talk "Yes, in May" beats what was told in May. Words that all
# memories hold level their lengths (b works as about .3 for turns, .5 for paragraphs), so that more of what answers is
# among the best 100: +1.0 to 1.5 points of recall@10 on the tune part. No stem holds an underscore.
_LEVEL = " _" * 16
_WORD = re.compile(r"[^\W_]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")  # finds the same in a third of the time
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2018": "'"})
_CLITIC = re.compile(r"'(?:s|re|ve|ll|d|m|t)\b")
# Scripts written without spaces: a run becomes overlapping pairs, the usual index unit of such text.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_SPEAKER = re.compile(r"^\s*([^\W\d_][\w.'-]*(?: [^\W\d_][\w.'-]*){0,2}):\s+(?=\S)")
_REMEMBERED = 65_536  # words
_LONGEST = 4_000  # characters of a question


def tokens(text: str) -> list[str]:
    """Splits a text into case-folded words of letters and digits, clitics such as 's and 'll cut off.

    Args:
        text: Any text. It is NFKC normalised first; runs of Chinese or Japanese come out as pairs of characters.

    Returns:
        The words in order, stop words included.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isascii():
        return _ASCII_WORD.findall(_CLITIC.sub(" ", folded) if "'" in folded else folded)
    words = _WORD.findall(_CLITIC.sub(" ", folded.translate(_APOSTROPHES)))
    return [piece for word in words for piece in _pairs(word)]


def stem(word: str) -> str:
    """Reduces a case-folded word to its stem: irregular forms by table, the rest by Snowball English (Porter 2001)."""
    return _stems[word]


class _Stems(dict[str, str]):
    """The stems of the words that were met lately."""

    def __init__(self) -> None:
        super().__init__()
        self._stemmer = snowballstemmer.stemmer("english")
        self._lock = threading.Lock()

    def __missing__(self, word: str) -> str:
        if word[-1:].isdigit():  # no ending in a digit is one that Snowball knows, and numbers would push out the words
            return word
        with self._lock:  # the stemmer keeps the word that it works at
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = found = str(self._stemmer.stemWord(_LEMMAS.get(word, word)))
        return found


_stems = _Stems()


def terms(text: str) -> list[str]:
    """Stems of the words of a text that carry meaning, in order, repeated as often as they occur.

    Args:
        text: Any text, for instance a query or a memory.

    Returns:
        Stems of letters and digits only. Empty when the text holds nothing but stop words.
    """
    return [_stems[word] for word in tokens(text) if word not in STOP_WORDS]


def ends(text: str, between: str) -> str:
    """A text, or of one of over 4,000 characters its beginning and its end: whoever pastes a page asks at one of them.

    Args:
        text: Any text.
        between: What takes the place of the rest.
    """
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}{between}{text[-half:]}"


def split_speaker(text: str) -> tuple[str | None, str]:
    """Takes a leading "Name: " off a text, the usual way to write who said a turn.

    Args:
        text: For instance "Anna: I moved".

    Returns:
        The name (one to three words) or None, and the text behind it.
    """
    match = _SPEAKER.match(text)
    return (match[1], text[match.end() :]) if match else (None, text)


def embedded_text(text: str, speaker: str | None = None) -> str:
    """The text that is given to the encoder: who said it goes in front, the date does not (it blurs the vector).

    Args:
        text: The memory's text; left alone when it already begins with the speaker.
        speaker: Who said it, or whom the memory is about.
    """
    if not speaker or split_speaker(text)[0] == speaker:
        return text
    return f"{speaker}: {text}"


def lexical_text(text: str, speaker: str | None = None, when: datetime | None = None) -> str:
    """The content of the full-text field: the stems of speaker, text and date, separated by spaces, and filling.

    `lexical_terms` gives back the stems, so that a candidate is never stemmed at recall.

    Args:
        text: The memory's text.
        speaker: Who said it; not repeated when the text already begins with it.
        when: When it was said or happened; adds "8 may 2023" so that a question can name the day.
    """
    words = terms(embedded_text(text, speaker))
    if when is not None:
        words += [str(when.day), stem(MONTHS[when.month - 1]), str(when.year)]
    return " ".join(words) + _LEVEL if words else ""


def lexical_terms(content: str) -> list[str]:
    """The stems that `lexical_text` wrote, in order."""
    return content.removesuffix(_LEVEL).split()


def _pairs(word: str) -> list[str]:
    """Cuts runs of unspaced script inside a word into overlapping pairs; any other word stays whole."""
    pieces, end = [], 0
    for run in _UNSPACED.finditer(word):
        pieces.append(word[end : run.start()])
        pieces += [run[0][i : i + 2] for i in range(max(1, len(run[0]) - 1))]
        end = run.end()
    return [piece for piece in (*pieces, word[end:]) if piece]
