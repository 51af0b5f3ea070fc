"""JSON out of a model's answer, as far as it can be read without guessing at what it means.

Fences, prose and thoughts around it, trailing commas, a list or a single entry instead of the whole: all that is
forgiven. An answer that ends in the middle is not: half of what was found would be lost without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.S | re.I)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_DECODER = json.JSONDecoder(strict=False)  # a line break inside a text is no reason to throw it away


class UnreadableError(ValueError):
    """An answer cannot be used; the message tells a model why."""


def parse(text: str, schema: type[Model]) -> Model:
    """Read an answer.

    Args:
        text: What the model wrote.
        schema: What it should be.

    Raises:
        UnreadableError: It is no such thing.
    """
    problem = UnreadableError("it holds no whole JSON object.")
    for value in _values(_THOUGHTS.sub("", text)):
        try:
            return validate(value, schema)
        except UnreadableError as error:
            problem = error
    raise problem


def validate(value: Any, schema: type[Model]) -> Model:
    """Check an answer that has been parsed, and bring it into shape.

    Raises:
        UnreadableError: It is not what the schema says.
    """
    shaped = _shaped(value, schema)
    if not isinstance(shaped, dict) or not shaped.keys() & schema.model_fields.keys():
        raise UnreadableError(f"it has none of the sections {', '.join(schema.model_fields)}.")
    try:
        return schema.model_validate(shaped)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        raise UnreadableError(f"{'; '.join(wrong)}.") from error


def _shaped(value: Any, schema: type[BaseModel]) -> Any:
    """A list, or an entry alone, put into the only section; an object that was wrapped into another, unwrapped.

    What is empty is left as it is: that there is nothing to remember must be said in the right place to be believed.
    """
    names = schema.model_fields.keys()
    if isinstance(value, dict) and len(value) == 1 and not value.keys() & names:
        (inner,) = value.values()
        if isinstance(inner, dict | list) and inner:
            return _shaped(inner, schema)
    alone = isinstance(value, list) or (isinstance(value, dict) and bool(value.keys() & _entry(schema)))
    return dict.fromkeys(names, value) if value and alone and len(names) == 1 else value


def _entry(schema: type[BaseModel]) -> set[str]:
    """What the entries of the first section hold."""
    section = next(iter(schema.model_fields.values()))
    return set(get_args(section.annotation)[0].model_fields) - schema.model_fields.keys()


def _values(text: str) -> Iterator[Any]:
    """The JSON objects and lists in a text, first to last, each as it is or without its trailing commas."""
    at = 0
    while (start := min((i for i in (text.find("{", at), text.find("[", at)) if i >= 0), default=-1)) >= 0:
        for candidate in (text[start:], _TRAILING_COMMA.sub(r"\1", text[start:])):
            try:
                value, length = _DECODER.raw_decode(candidate)
            except json.JSONDecodeError:
                continue
            yield value
            at = start + length
            break
        else:
            return  # what begins here does not end: the rest is a part of it, and parts are not the answer
