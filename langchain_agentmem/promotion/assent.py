"""Yes, no, and no longer: what a short answer does to what the assistant said, and whether a text tells of an end.

By words, in the languages in which assistants are spoken to most. A denial that is missed lets in what the assistant
said; a word too many only costs a note that the user can make again.
"""
# ruff: noqa: RUF001 - words of many scripts, some of whose letters look like others

from __future__ import annotations

import re
import unicodedata

__all__ = ["agrees", "denies", "negates", "tells_of_end"]

_LONGEST = 4  # words of a turn that is nothing but an answer


def _words(spaced: str, unspaced: str) -> re.Pattern[str]:
    """Words of scripts with spaces between words as wholes; of scripts without any, wherever they stand."""
    return re.compile(rf"(?:\b(?:{spaced})\b|{unspaced})", re.I)


_AGREES = _words(
    r"yes|yeah|yep|yup|sure|correct|right|exactly|true|indeed|ok|okay|of course|definitely|absolutely|that's it"
    r"|please do|do that|do it|s[ií]|claro|vale|exacto|oui|ouais|bien s[uû]r|d'accord|ja|jawohl|genau|stimmt|klar"
    r"|natürlich|certo|esatto|sim|da|hai|tak|да|так|evet|ναι|ano|igen|نعم|haan",
    r"[是对對好][的啊呀]?(?!\w)|はい|ええ(?!と)|うん(?!\w)|[네예](?!\w)|हाँ",
)
_NO = _words(
    r"no|nope|nah|not|never|(?:that's )?wrong|nein|nee|nö|nicht|kein\w*|falsch|non|pas|jamais|aucun\w*|nunca|jam[aá]s"
    r"|para nada|en absoluto|qu[eé] va|tampoco|per niente|n[aã]o|de jeito nenhum|neen|niet|geen|nooit|nej|nei|inte|ikke"
    r"|aldrig|nie|ne|нет|не|никогда|ні|hay[ıi]r|değil|όχι|nem|tidak|bukan|không|iie|chigaimasu|chigau|لا|كلا|לא|nahi+n?",
    r"いい?え|いや|ううん|違|ちが|[不没沒否](?![错錯问問])|아니|아뇨|नहीं|ไม่",
)
_NEGATES = _words(
    r"no|not|nope|nah|never|none|nobody|nothing|longer|\w+n't|cannot|nicht|kein\w*|nein|nie|niemals|non|pas|n'\w+"
    r"|jamais|aucun\w*|nunca|jam[aá]s|ning[uú]n\w*|tampoco|para nada|en absoluto|qu[eé] va|nessun\w*|per niente|n[aã]o"
    r"|nenhum\w*|niet|geen|nee|neen|nooit|inte|ikke|nej|nei|aldri\w?|ingen|ne|нет|не|никогда|ні|hay[ıi]r|değil|yok|όχι"
    r"|δεν|nem|tidak|bukan|không|iie|chigaimasu|chigau|لا|ليس|لم|לא|אין|nahi+n?",
    r"[不没沒无無未非否](?![错錯问問])|いいえ|いえ|ううん|違|ちが|な[いくか]|ません|아니|않|없|नहीं|ไม่",
)
_DOUBTS = _words(r"but|or|wait|stop|wrong|later|aber|oder|mais|ou|pero|però|ma|maar|men|но|или", r"[?？]|でも|但")
_ENDED = _words(
    r"died|dead|dies|passed away|left|leaves|leaving|sold|gone|stopped|quits?|quitting|gave up|given up|got rid|over"
    r"|ended|ends|finished|cancell?ed|called off|broke up|broken up|split up|divorced|separated|resigned|fired|laid off"
    r"|lost|moved (?:out|away)|used to|former(?:ly)?|ex|was|were|had|until|outgrew|any ?more|ex-\w+"
    r"|gestorben|tot|verkauft|verlassen|beendet|aufgehört|gekündigt|getrennt|geschieden|früher|weg|vorbei|abgesagt|bis"
    r"|morte?s?|vendue?s?|quitté\w*|arrêté\w*|fini\w*|ancien\w*|annulé\w*|divorcé\w*|murió|muert[oa]|vend(?:ió|ido)"
    r"|dej(?:ó|ado)|termin(?:ó|ado)|acab(?:ó|ado)|cancelad[oa]|mort[oa]|vendut[oa]|lasciat[oa]|smesso|finit[oa]|ex"
    r"|morreu|vendeu|deixou|parou|acabou|умер\w*|продал\w*|бросил\w*|ушёл|ушел|ушла|больше|раньше|бывш\w+",
    r"死|亡くな|逝|辞め|やめ|止め|売っ|売り|別れ|終わ|去世|离开|離開|卖|賣|以前|죽|팔|그만|헤어",
)


def agrees(text: str) -> bool:
    """Whether a turn is nothing but an agreement: "Ok wait, what is a kernel?" is none."""
    said = _folded(text)
    return _is_short(said) and _begins(_AGREES, said) and not (_NEGATES.search(said) or _DOUBTS.search(said))


def denies(text: str) -> bool:
    """Whether a turn says no: to begin with, or in so few words that it says nothing else."""
    said = _folded(text)
    return _begins(_NO, said) or (_is_short(said) and bool(_NEGATES.search(said)))


def negates(text: str) -> bool:
    """Whether a text says that something is not so."""
    return bool(_NEGATES.search(_folded(text)))


def tells_of_end(text: str) -> bool:
    """Whether a text says of itself that something is no longer so: "Rex died", "User does not work at Acme"."""
    said = _folded(text)
    return bool(_NEGATES.search(said) or _ENDED.search(said))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\u2019", "'")


def _is_short(said: str) -> bool:
    return len(re.findall(r"\w+(?:'\w+)?", said)) <= _LONGEST


def _begins(words: re.Pattern[str], said: str) -> bool:
    return words.match(re.sub(r"\A\W+", "", said)) is not None
