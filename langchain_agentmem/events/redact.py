"""What an event may say: texts with secrets removed and cut, values made plain and small."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage

HIDDEN = "***"
CUT = "…"

_SENSITIVE = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|api[-_]?key|access[-_]?key|private[-_]?key|credential|authorization"
    r"|cookie|(?:access|auth|refresh|id|session|bearer)[-_]?token)"
)
_NAME = re.compile(rf"(?:{_SENSITIVE}|(?:^|[-_])token$)", re.I)
_NUMBER_NAME = re.compile(rf"(?:{_SENSITIVE}|(?:^|[-_])token)$", re.I)  # a password, but not how many there are
_VALUE = r"""(?:"[^"]*"?|'[^']*'?|[^\s"',;&)}\]]+)"""
_PATTERNS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), HIDDEN),
    (re.compile(r"""://(?:[^\s/"'<>@]{0,99}:[^\s"'<>]{0,299}|[^\s/"'<>@]{1,299})@"""), f"://{HIDDEN}@"),
    (re.compile(r"\b(bearer|authorization[\"']?\s*[:=]\s*[\"']?\w+)\s+[\w.~+/=-]{8,}", re.I), rf"\1 {HIDDEN}"),
    (re.compile(rf"""({_SENSITIVE}s?["']?\s*[:=]\s*){_VALUE}""", re.I), rf"\1{HIDDEN}"),
    # As people say it: "my password for the bank is ...".
    (
        re.compile(
            r"\b((?:my|our)\s+(?:\w+\s+){0,2}(?:pass(?:word|phrase|code)|pin(?:\s+(?:code|number))?|api\s+key|secret\s+key)"
            r"(?:\s+(?:for|to|of)\s+(?:\w+\s+){1,3}?)?\s*(?:is|was)\s*:?\s+)[^\s,;]+",
            re.I,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"), HIDDEN),  # JSON web tokens
    (
        re.compile(
            r"\b(?:[spr]k[-_][\w-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[a-z]-[\w-]{10,}"
            r"|AIza[\w-]{30,}|lsv2_[\w-]{16,}|glpat-[\w-]{16,}|hf_\w{20,}|npm_\w{30,}|ya29\.[\w-]+|pcsk_\w{20,})"
        ),
        HIDDEN,
    ),
]
_LAST_WORD = re.compile(r"""(?<![^\s"',;&])[^\s"',;&]*\Z""")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")


def redact_secrets(text: str) -> str:
    """Replace what looks like a secret by `***`.

    Known are API keys of the common vendors, bearer tokens and JSON web tokens, private keys, credentials in URLs,
    `name=value` and `"name": "value"` where the name says that it is a secret, what is said to be a password ("my
    password is ..."), and payment card numbers (by their Luhn check digit, ISO/IEC 7812-1).
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _CARD.sub(lambda number: HIDDEN if _is_card(number[0]) else number[0], text)


def one_line(error: Exception) -> str:
    """What an error says, such as a provider's package raises, without secrets and line breaks."""
    return f"{type(error).__name__}: {redact_secrets(' '.join(str(error).split()))}"


def _is_card(text: str) -> bool:
    digits = [int(digit) for digit in text if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


class Redactor:
    """What every text passes before it is written.

    Args:
        redact: Takes a text and returns it without what must not be stored.
        max_text: Characters of an error message.
        max_payload: Characters of a payload, and of an event's `data`, about.
    """

    def __init__(
        self, redact: Callable[[str], str] = redact_secrets, max_text: int = 500, max_payload: int = 2_000
    ) -> None:
        self._redact = redact
        self.max_text = max_text
        self.max_payload = max_payload

    def text(self, text: str, limit: int | None = None) -> str:
        """A text without secrets, cut to `limit` characters (the default: `max_text`)."""
        limit = self.max_text if limit is None else limit
        room = 4 * limit
        if len(text) > room:  # bounds the work; the last word may be half a secret, so it goes as a whole
            text = _LAST_WORD.sub("", text[:room]) + CUT
        text = self._redact(text)
        return text if len(text) <= limit else text[: limit - 1] + CUT

    def value(self, value: Any) -> Any:
        """A plain value without secrets: also where a mapping's key says that its value is one."""
        match value:
            case str():
                return self.text(value, self.max_payload)
            case Mapping():
                return {self.text(str(key)): self._named(str(key), item) for key, item in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
        return value

    def _named(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        pattern = _NUMBER_NAME if isinstance(value, int | float) else _NAME
        return HIDDEN if pattern.search(name) else self.value(value)


def plain(value: Any, limit: int) -> Any:
    """A copy of any value that JSON can hold and that has about `limit` characters at most.

    It is a copy, so a graph may go on changing the value. What JSON has no form for is shown by the name of its type.
    """
    return _Plain(limit).of(value)


class _Plain:
    def __init__(self, limit: int) -> None:
        self._left = limit

    def of(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one return for each kind of value
        if self._left <= 0 or depth > 8:
            return CUT
        match value:
            case None | bool() | int() | float():
                self._left -= 8
                return value if not isinstance(value, int) or abs(value) < 2**63 else str(value)[:40]
            case str():
                # Up to four times what fits: secrets are looked for before the text is cut to size.
                taken = value[: 4 * self._left]
                self._left -= len(value)
                return taken
            case BaseMessage():
                shown = {"type": value.type, "content": value.content}
                calls = getattr(value, "tool_calls", None)
                return self._mapping((shown | {"tool_calls": calls} if calls else shown).items(), depth)
            case Mapping():
                return self._mapping(value.items(), depth)
            case list() | tuple() | set() | frozenset():
                return self._sequence(value, depth)
        if is_dataclass(value) and not isinstance(value, type):
            return self._mapping(((item.name, getattr(value, item.name)) for item in fields(value)), depth)
        self._left -= 8
        return f"<{type(value).__name__}>"

    def _mapping(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in items:
            if self._left <= 0:
                made[CUT] = CUT
                break
            name = str(key)[:100]
            self._left -= len(name)
            made[name] = self.of(item, depth + 1)
        return made

    def _sequence(self, items: Iterable[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        for item in items:
            if self._left <= 0:
                made.append(CUT)
                break
            made.append(self.of(item, depth + 1))
        return made
