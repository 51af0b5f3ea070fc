"""JSON out of a model's answer, as far as it can be read without guessing at what it means.

Fences, prose and thoughts around it, trailing commas, sections of another name, a list, a single entry or bare texts
instead of the whole, several objects in a row: all that is forgiven. An answer that ends in the middle, be it of a
thought, is not, and neither are objects with words in between, of which one may be an example or a draft: part of what
was found would be lost, or made up, without a word. An answer that holds nothing must stand alone: with words around
it, it may be a refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo

Model = TypeVar("Model", bound=BaseModel)

_THOUGHTS = re.compile(  # some servers leave out how the first one begins
    r"(?:<think(?:ing)?>|\A\s*(?![{\[`])(?=(?:(?!<think).)*</think)).*?</think(?:ing)?>", re.S | re.I
)
_OPEN_THOUGHT = re.compile(r"[^{\[]*<think(?:ing)?>", re.I)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_FENCE = re.compile(r"```\w*")
_WORDS = re.compile(r"[^\W\d_]")  # a number before each of several objects is no prose
_UNFINISHED = re.compile(r'[^{\[]*[{\[]\s*[{\["]')
_DECODER = json.JSONDecoder(strict=False)  # a line break inside a text is no reason to throw it away


class UnreadableError(ValueError):
    """An answer cannot be used; the message tells a model why."""


class _StrangeError(UnreadableError):
    """A value that has nothing of an answer: it may stand in the prose around one."""


def parse(text: str, schema: type[Model]) -> Model:
    """Read an answer.

    Args:
        text: What the model wrote.
        schema: What it should be.

    Raises:
        UnreadableError: It is no such thing.
    """
    said = _THOUGHTS.sub("", text)
    if _OPEN_THOUGHT.match(said):
        raise UnreadableError("it ends in the middle of a thought.")
    values, rest = _values(said)
    around = "".join([*(before for before, _ in values), rest])
    found, passed_over = _read(values, rest, schema)
    if _says_nothing(found) and (passed_over or _is_prose(around)):
        raise UnreadableError("it notes nothing, but says something beside it; answer with the JSON object alone.")
    return found


def _read(values: Sequence[tuple[str, Any]], rest: str, schema: type[Model]) -> tuple[Model, bool]:
    """The values that are answers, as one, and whether others were passed over, such as brackets in prose."""
    problem = whole = UnreadableError("it holds no whole JSON object.")
    nothing: Model | None = None
    read: list[Model] = []
    seen: list[Any] = []
    between = ""
    for before, value in values:
        between += before
        try:
            one = validate(value, schema)
        except UnreadableError as error:
            problem = error
            if isinstance(error, _StrangeError) or not _holds_entries(value):
                continue
            raise
        if not value:
            nothing = one  # a pair of brackets may stand in the prose before the answer
        elif value in seen:
            between = ""
        else:
            if read and _is_prose(between):
                raise UnreadableError("words stand between its JSON objects: is one of them an example, or a draft?")
            read, seen, between = [*read, one], [*seen, value], ""
    if read and _UNFINISHED.match(rest):
        raise UnreadableError("it ends in the middle of a JSON object.")
    answers = read or ([] if nothing is None else [nothing])
    if not answers:
        raise problem
    return merged(answers), problem is not whole


def _is_prose(text: str) -> bool:
    return _WORDS.search(_FENCE.sub("", text)) is not None


def _says_nothing(answer: BaseModel) -> bool:
    return not any(getattr(answer, name) for name in type(answer).model_fields)


def merged(answers: Sequence[Model]) -> Model:
    """Several answers as one: the entries of each section together; of a section that holds one thing, the last."""
    whole = answers[0]
    for answer in answers[1:]:
        for name in answer.model_fields_set:
            one, other = getattr(whole, name), getattr(answer, name)
            both = one + other if isinstance(one, list) and isinstance(other, list) else other or one
            whole = whole.model_copy(update={name: both})
    return whole


def validate(value: Any, schema: type[Model]) -> Model:
    """Check an answer that has been parsed, and bring it into shape.

    Raises:
        UnreadableError: It is not what the schema says.
    """
    shaped = _shaped(value, schema)
    if not isinstance(shaped, dict) or (shaped and not shaped.keys() & schema.model_fields.keys()):
        raise _StrangeError(f"it has none of the sections {', '.join(schema.model_fields)}.")
    try:
        return schema.model_validate(shaped)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        raise UnreadableError(f"{'; '.join(wrong)}.") from error


def _shaped(value: Any, schema: type[BaseModel]) -> Any:
    """A list, an entry alone, or lists under other names, sorted into the sections; what was wrapped, unwrapped."""
    if isinstance(value, list):
        alone = value[0] if len(value) == 1 else None
        wrapped = isinstance(alone, dict) and alone.keys() & schema.model_fields.keys()
        return alone if wrapped else _sorted_in(value, schema)
    if not isinstance(value, dict) or not value or value.keys() & schema.model_fields.keys():
        return value
    inner = list(value.values())
    if len(inner) == 1 and isinstance(inner[0], dict):
        unwrapped = _shaped(inner[0], schema)
        if unwrapped.keys() & schema.model_fields.keys():
            return unwrapped
    if any(value.keys() & _names(section) for section in schema.model_fields.values()):
        return _sorted_in([value], schema)
    if all(isinstance(each, list) for each in inner):
        return _shaped([entry for each in inner for entry in each], schema)
    return value


def _sorted_in(entries: list[Any], schema: type[BaseModel]) -> dict[str, list[Any]]:
    """Each entry in the section whose entries have most of its keys; the first of them, where several have."""
    sections = schema.model_fields
    found: dict[str, list[Any]] = {name: [] for name in sections}
    for entry in entries:
        keys = entry.keys() if isinstance(entry, dict) else frozenset[str]()
        found[max(sections, key=lambda name: len(keys & _names(sections[name])))].append(entry)
    return found


def _names(section: FieldInfo) -> set[str]:
    """What the entries of a section hold, by all names that are understood."""
    found = set[str]()
    for name, held in get_args(section.annotation)[0].model_fields.items():
        aliases = held.validation_alias
        found |= {name, *(map(str, aliases.choices) if isinstance(aliases, AliasChoices) else ())}
        if name == "content" and held.annotation is not None:  # of a schema of the user's own
            found |= held.annotation.model_fields.keys()
    return found


def _holds_entries(value: Any) -> bool:
    return isinstance(value, dict) or any(isinstance(each, dict) for each in value)


def _values(text: str) -> tuple[list[tuple[str, Any]], str]:
    """The JSON objects and lists in a text, first to last, each with the text before it; and what follows the last.

    Each is taken as it is or without its trailing commas.
    """
    found: list[tuple[str, Any]] = []
    at = 0
    while (start := min((i for i in (text.find("{", at), text.find("[", at)) if i >= 0), default=-1)) >= 0:
        before = text[at:start]
        decoded = _decoded(text, start)
        if decoded is None:
            text, start = _TRAILING_COMMA.sub(r"\1", text[start:]), 0
            decoded = _decoded(text, start)
        if decoded is None:
            return (
                found,
                before + text,
            )  # what begins here does not end: the rest is a part of it, and parts are not the answer
        value, at = decoded
        found.append((before, value))
    return found, text[at:]


def _decoded(text: str, start: int) -> tuple[Any, int] | None:
    try:
        return _DECODER.raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError):
        return None
