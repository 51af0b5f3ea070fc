"""Values for testing serializers: messages of every class in every shape, and whatever else a state may hold."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import ormsgpack
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel, SecretStr


class Colour(Enum):
    RED = "red"


class Word(str, Enum):  # noqa: UP042  a StrEnum is another thing to pydantic
    YES = "yes"


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Shouting(HumanMessage):
    volume: int = 11


class State(BaseModel):
    messages: Any = None


@dataclasses.dataclass
class Box:
    content: Any
    _note: str = "kept by pydantic, left out by ormsgpack's own way with dataclasses"


Pair = namedtuple("Pair", "left right")  # noqa: PYI024  upstream knows named tuples of either kind by `_asdict`


def odd_values() -> list[Any]:
    """Everything that msgpack does not hold by itself, or that pydantic or ormsgpack treat in a way of their own."""
    return [
        *(datetime(2024, 5, 1, tzinfo=UTC), UUID(int=7), Decimal("1.5"), Colour.RED, Word.YES, Text("sub"), Number(3)),
        *({1, 2}, frozenset({3}), deque([4]), (1, (2,)), Pair(1, 2), OrderedDict(a=1), defaultdict(list, b=[1])),
        *({1: "int key"}, {None: 1}, {Text("key"): 1}, {Word.YES: 1}, {(1, 2): 3}, {"\ud800": 1}, "\ud800", 2**70),
        *(bytearray(b"x"), memoryview(b"view"), ormsgpack.Ext(99, b"?"), range(3), object(), ValueError("v")),
        *(Box([HumanMessage("in")]), State(messages=[AIMessage("in")]), SecretStr("s"), HumanMessage("in")),
    ]


text = st.text(max_size=5)
counts = st.integers(0, 10**6)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | text | st.binary(max_size=4)
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=5
)
odd = st.integers(0, len(odd_values()) - 1).map(lambda i: odd_values()[i])
anything = plain | odd | st.lists(odd, max_size=2) | st.dictionaries(text, odd, max_size=2)
plain_dicts = st.dictionaries(text, plain, max_size=2)
dicts = plain_dicts | st.dictionaries(text, odd, max_size=2)
calls = st.fixed_dictionaries({"name": text, "args": plain_dicts, "id": st.none() | text})
invalid_calls = st.fixed_dictionaries({"name": text, "args": text, "id": text, "error": st.none() | text})
details = st.dictionaries(st.sampled_from(["audio", "cache_creation", "cache_read", "reasoning", "flex"]), counts)
usages = st.fixed_dictionaries(
    {"input_tokens": counts, "output_tokens": counts, "total_tokens": counts},
    optional={"input_token_details": details, "output_token_details": details, "flex": counts},
)
provider_calls = st.fixed_dictionaries({"id": text, "function": st.just({"name": "f", "arguments": '{"a": 1}'})})
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "content": text | text | st.lists(text | plain_dicts, max_size=3),
    "additional_kwargs": dicts | st.fixed_dictionaries({"tool_calls": st.lists(provider_calls, max_size=2)}),
    "response_metadata": dicts,
    "type": st.sampled_from(["human", "ai", "system", "tool"]),
    "name": st.none() | text,
    "id": st.none() | text,
    "tool_calls": st.lists(calls, max_size=2),
    "invalid_tool_calls": st.just([]) | st.lists(invalid_calls, max_size=2),
    "usage_metadata": st.none() | usages,
    "tool_call_id": text,
    "artifact": anything,
    "status": st.sampled_from(["success", "error"]),
    "role": text,
    "volume": counts,
    "stray": anything,
}
FAST: list[type[BaseMessage]] = [HumanMessage, AIMessage, SystemMessage, ToolMessage]
OTHERS: list[type[BaseMessage]] = [
    Shouting,
    HumanMessageChunk,
    AIMessageChunk,
    SystemMessageChunk,
    ToolMessageChunk,
    ChatMessage,
    FunctionMessage,
]
REQUIRED = {"content", "tool_call_id", "role"}


def field_values(draw: st.DrawFn, cls: type[BaseMessage]) -> dict[str, Any]:
    """Values of the required fields of a class and of some others, most of them valid."""
    names = [name for name in FIELDS if name in cls.model_fields and name != "type"]
    kept = draw(st.sets(st.sampled_from(names))) | (REQUIRED & {*names})
    return {name: draw(FIELDS[name]) for name in names if name in kept}


@st.composite
def messages(draw: st.DrawFn) -> BaseMessage:
    """A message of any class, made in any way, and perhaps edited in place since."""
    cls = draw(st.sampled_from(FAST) | st.sampled_from(FAST) | st.sampled_from(OTHERS))
    values = field_values(draw, cls)
    if draw(st.integers(0, 9)) == 0:
        values["stray"] = draw(anything)
    if draw(st.integers(0, 9)) == 0:
        values.pop(draw(st.sampled_from(sorted(values))))
        return cls.model_construct(**values)
    try:
        message = cls(**values)
    except (TypeError, ValueError):  # not valid after all, but code may still hold such a message
        message = cls.model_construct(**values)
    if draw(st.integers(0, 2)) == 0:
        edit(draw, message)
    return message


def edit(draw: st.DrawFn, message: BaseMessage) -> None:
    """What code can do to a message in place, however rude."""
    fields = message.__dict__
    name = draw(st.sampled_from(sorted(fields.keys() & FIELDS.keys())))
    match draw(st.sampled_from(["set", "type", "grow", "hide", "move", "drop"])):
        case "set":
            setattr(message, name, draw(FIELDS[name]))
        case "type":
            setattr(message, name, draw(anything))
        case "grow":
            for value in [fields[name], *(fields[name] if isinstance(fields[name], list) else [])]:
                if isinstance(value, dict):
                    value[draw(text)] = draw(anything)
        case "hide":
            fields["stray"] = 1
        case "move":
            fields[name] = fields.pop(name)
        case "drop":
            del fields[name]


values = st.recursive(
    messages() | anything,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(text, inner, max_size=3),
        inner.map(Box),
        inner.map(lambda value: State(messages=value)),
        inner.map(lambda value: Send("node", value)),
        inner.map(lambda value: Command(update=value)),
        inner.map(Overwrite),
    ),
    max_leaves=4,
)


def outcome(serde: SerializerProtocol, value: Any) -> Any:
    """What writing a value gives: the type and the bytes, or the error."""
    try:
        return serde.dumps_typed(value)
    except Exception as error:  # noqa: BLE001  whatever it is, it has to be the same
        return type(error), str(error)


def state(value: Any) -> Any:
    """All there is to know about a value, with types and order, in a form that compares by ==."""
    if isinstance(value, BaseModel):
        kept = value.__getstate__()
        return type(value), {name: state(part) for name, part in kept.items()}
    if dataclasses.is_dataclass(value):
        return type(value), [state(getattr(value, f.name)) for f in dataclasses.fields(value)]
    if isinstance(value, dict):
        return type(value), [(state(key), state(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [state(item) for item in value]
    if isinstance(value, SecretStr):
        return type(value), value.get_secret_value()
    return type(value), value if isinstance(value, set | frozenset) else repr(value)
