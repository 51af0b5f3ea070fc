"""What is never extracted: small talk, orders to the model, and text that was itself recalled from memory.

A prompt asks a model to leave these alone; this is what holds when it does not. All functions are pure, and read
English best; other languages are left to the model's own judgement.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

__all__ = ["WITHHELD", "addresses_model", "is_small_talk", "quoted", "sentences", "withheld", "without_recalled"]

WITHHELD = "[withheld: it tells the assistant what to do]"

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_SMALL_TALK = frozenset(
    """hi hello hey heya hiya howdy yo greetings good morning afternoon evening night day bye goodbye cheerio see you
    soon later then there thanks thank thx ty so much very a lot many cheers ok okay great cool nice perfect awesome
    wonderful lovely excellent sure alright fine got it welcome please again everyone all how are doing today what's
    up sup is going and hope well for your help that's that was helpful haha lol wow
    hallo guten gute tag morgen abend nacht danke schön sehr vielen dank tschüss hola buenos días buenas tardes noches
    muchas gracias adiós bonjour bonsoir salut merci beaucoup ciao grazie mille buongiorno olá obrigado obrigada muito
    hej tack 你好 谢谢 こんにちは ありがとう""".split()
)

_RULES = r"(?:instructions?|rules?|guidelines?|prompts?|polic(?:y|ies)|restrictions?|safety|training|orders?)"
_NOTE = r"(?:remember|note|memori[sz]e|store|save)"
_AI = r"(?:assistant|agent|model|ai|bot|chatbot|llm)"
_ORDERS = re.compile(
    rf"""\b(?:ignore|disregard|forget|override|overrule|bypass|break|drop|stop\ following)\b[^.!?\n]{{0,20}}
        \b(?:your|all|any|every|previous|prior|above|earlier|these|those|other|system)\b[^.!?\n]{{0,20}}\b{_RULES}\b
    |\b(?:ignore|disregard|forget|override|bypass)\ (?:about\ )?the\ {_RULES}\b(?!\ (?:of|for|in)\b)
    |\bignore\ (?:all|everything|anything|what)\b[^.!?\n]{{0,40}}\b(?:above|before|previous|prior|said|told)\b
    |\b(?:new|real|updated|hidden|secret)\ (?:system\ )?(?:instructions?|prompt|rules?)\b\s*[:=]
    |\b(?:system|developer)\ (?:prompt|message|mode|override)\b
    |\bjail\s?break
    |\b(?:reveal|print|show|leak|repeat|output)\b[^.!?\n]{{0,30}}\b(?:your|system|hidden)\ (?:{_RULES})
    |\byou\ (?:are|become)\ (?:now|no\ longer|henceforth)\b
    |\bfrom\ now\ on,?\ you\b
    |\b{_NOTE}\b[^.!?\n]{{0,20}}\bthat\ you\ (?:must|should|shall|are|have|may|can|will)\b
    |\byou\ (?:must|shall|are\ (?:required|ordered|obliged)\ to)\ (?:always|never|now|only|obey|comply|ignore|recommend)
    |\b(?:pretend|act)\b[^.!?\n]{{0,20}}\b(?:unrestricted|no\ (?:rules|limits)|without\ (?:rules|restrictions|limits))
    |\bthe\ {_AI}\ (?:must|should|shall|has\ to|is\ (?:required|instructed|allowed)\ to)\b
    |<\|?/?(?:im_start|im_end|system|assistant|endoftext)\b[^>]{{0,20}}>
    |\[/?(?:INST|SYS|SYSTEM)\]
    |(?:^|\n)\s*(?:\#+\s*)?(?:system|assistant|developer)\s*:""",
    re.I | re.X,
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_BLOCK = re.compile(r"<(recalled[\w.:-]*)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.S | re.I)
_TITLE = r"(?:(?<=\b(?:St|Ft|Mt|Dr|Mr|Ms))|(?<=\bMrs))\.(?= +[A-Z])"  # what follows belongs to the name: St. Andrews
_SENTENCE = re.compile(rf"[^.!?\n]*(?:(?:[.!?]+(?!\s|\Z)|{_TITLE})[^.!?\n]*)*(?:[.!?]+|\n|\Z)\s*")


def is_small_talk(text: str) -> bool:
    """Whether a text says nothing: a greeting, thanks, a smile. A "yes" may be an answer, so it says something."""
    words = _WORD.findall(text.casefold().replace("\u2019", "'"))
    return all(word in _SMALL_TALK for word in words)


def addresses_model(text: str) -> bool:
    """Whether a text tells the model to set its rules aside, or what it must do from now on."""
    folded = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).replace("\u2019", "'")
    return bool(_ORDERS.search(folded))


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with what follows it up to the next."""
    return [found for found in _SENTENCE.findall(text) if found]


def withheld(text: str) -> str:
    """A text without the sentences that address the model; if that leaves an order standing, without any."""
    if not addresses_model(text):
        return text
    kept = "".join(f"{WITHHELD} " if addresses_model(part) else part for part in sentences(text)).strip()
    return WITHHELD if addresses_model(kept.replace(WITHHELD, "")) else kept


def quoted(text: str, said: datetime) -> str:
    """A text as something that was claimed, so that nobody takes it for an instruction or a fact.

    The time keeps two claims apart: to say it again must not make it more credible.
    """
    return f'The user said: "{text.replace(chr(34), chr(39))}" ({said:%Y-%m-%d %H:%M:%S})'


def without_recalled(text: str) -> str:
    """A text without the blocks of recalled memories that were rendered into it."""
    return _BLOCK.sub(" ", text).strip() if "<" in text else text
