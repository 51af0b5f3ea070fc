"""The codec against its oracle: whatever JsonPlusSerializer writes or reads, the codec writes or reads the same."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections import OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import ormsgpack
import pytest
from hypothesis import example, given, settings
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
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel, SecretStr

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread import codec as module
from langchain_agentmem.thread.codec import Codec, array_header, split_array

# pydantic warns when a field was set to a value of another type, and writes that value.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

STOCK = JsonPlusSerializer()
CODEC = Codec(STOCK)
thorough = settings(max_examples=500, deadline=None)


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


Pair = namedtuple("Pair", "left right")  # noqa: PYI024  upstream knows named tuples of either kind by `_asdict`


# --- what the properties range over


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


def outcome(serde: SerializerProtocol | Codec, value: Any) -> Any:
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


# --- writing


@thorough
@given(values)
def test_writes_the_bytes_of_the_stock_serde(value: Any) -> None:
    assert outcome(CODEC, value) == outcome(STOCK, value)


@given(messages())
@thorough
def test_one_message_alone_is_written_alike(message: BaseMessage) -> None:
    assert outcome(CODEC, message) == outcome(STOCK, message)


@pytest.mark.parametrize("depth", range(240, 262))
@pytest.mark.parametrize("make", [lambda x: [x], lambda x: {"": x}])
def test_depth_ends_where_it_ends_upstream(depth: int, make: Any) -> None:
    value: Any = 1
    for _ in range(depth):
        value = make(value)
    message = HumanMessage("deep", additional_kwargs={"value": value})
    assert outcome(CODEC, [message]) == outcome(STOCK, [message])


def test_a_value_that_holds_itself_fails_as_upstream() -> None:
    message = HumanMessage("loop")
    message.additional_kwargs["self"] = message.additional_kwargs
    assert outcome(CODEC, message) == outcome(STOCK, message)
    assert outcome(CODEC, message)[0] is not str


def test_pickles_the_whole_value_where_that_is_allowed() -> None:
    serde = JsonPlusSerializer(pickle_fallback=True)
    value = [HumanMessage("plain"), range(3)]
    kind, data = Codec(serde).dumps_typed(value)
    assert (kind, pickle.loads(data)) == ("pickle", value)
    assert Codec(serde).loads_typed((kind, data)) == value


# --- reading


@given(values)
@thorough
def test_reads_what_was_written_as_the_stock_serde_does(value: Any) -> None:
    try:
        stored = STOCK.dumps_typed(value)
    except Exception:  # noqa: BLE001  nothing was written
        return
    assert state(CODEC.loads_typed(stored)) == state(STOCK.loads_typed(stored))


@st.composite
def stored_messages(draw: st.DrawFn) -> tuple[str, bytes]:
    """A stored message of one of the four classes, as an older or newer langchain-core may have written it."""
    cls = draw(st.sampled_from(FAST))
    fields = {name: draw(FIELDS[name]) for name in cls.model_fields if name != "type"}
    fields = {**cls.model_construct(**fields).__dict__}
    for call in fields.get("tool_calls", []):
        call["type"] = "tool_call"
    name = draw(st.sampled_from(sorted(fields)))
    match draw(st.sampled_from(["leave", "leave", "set", "type", "nest", "drop", "move", "add"])):
        case "set":
            fields[name] = draw(FIELDS[name])
        case "type":
            fields[name] = draw(anything)
        case "nest":
            for value in fields[name] if isinstance(fields[name], list) else [fields[name]]:
                if isinstance(value, dict):
                    value[draw(st.sampled_from([*value, "extra"]))] = draw(anything)
        case "drop":
            del fields[name]
        case "move":
            fields[name] = fields.pop(name)
        case "add":
            fields[draw(st.sampled_from(["example", "content_blocks", "stray"]))] = draw(anything)
    kept = fields if draw(st.integers(0, 19)) else draw(anything)
    parts = (cls.__module__, cls.__name__, kept, "model_validate_json")[: draw(st.sampled_from([4] * 9 + [3]))]
    return "msgpack", packed_as_upstream(parts)


def packed_as_upstream(parts: Any) -> bytes:
    try:
        return ormsgpack.packb(ormsgpack.Ext(5, STOCK.dumps_typed(parts)[1]))
    except TypeError:  # not to be written at all
        return ormsgpack.packb(None)


@given(stored_messages())
@thorough
def test_reads_any_stored_message_as_the_stock_serde_does(stored: tuple[str, bytes]) -> None:
    assert state(CODEC.loads_typed(stored)) == state(STOCK.loads_typed(stored))


def plain_messages() -> list[BaseMessage]:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {"cache_read": 1}}
    call = {"name": "search", "args": {"query": "x", "limit": 3}, "id": "call"}
    return [
        SystemMessage("Be kind."),
        HumanMessage("Hello", id="1", name="Ann"),
        HumanMessage(["Look: ", {"type": "image", "url": "u"}], additional_kwargs={"a": [1, None, {"b": 2.5}]}),
        AIMessage("Hi", id="2", response_metadata={"model": "m", "logprobs": None}, usage_metadata=usage),
        AIMessage("", tool_calls=[call, call]),
        ToolMessage("found", tool_call_id="call", artifact={"rows": [1, 2]}),
        ToolMessage(["found"], tool_call_id="call", status="error"),
    ]


@pytest.mark.parametrize("message", plain_messages(), ids=lambda m: type(m).__name__)
def test_plain_messages_need_no_pydantic(message: BaseMessage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("went the long way")

    stored = STOCK.dumps_typed(message)
    monkeypatch.setattr(type(message), "model_dump", refuse)
    monkeypatch.setattr(type(message), "__init__", refuse)
    assert CODEC.dumps_typed(message) == stored
    assert CODEC.loads_typed(stored) == message


def test_loads_share_nothing() -> None:
    stored = CODEC.dumps_typed(plain_messages())
    first, second = CODEC.loads_typed(stored), CODEC.loads_typed(stored)
    for message in first:
        message.content = "changed"
        message.additional_kwargs["changed"] = True
        message.model_fields_set.clear()
        message.changed = True  # an extra attribute
    first[4].tool_calls[0]["args"]["changed"] = True
    assert state(second) == state(STOCK.loads_typed(stored))


@pytest.mark.parametrize("loaded", CODEC.loads_typed(CODEC.dumps_typed(plain_messages())), ids=lambda m: m.type)
def test_a_loaded_message_lives_like_any_other(loaded: BaseMessage) -> None:
    assert state(pickle.loads(pickle.dumps(loaded))) == state(loaded)
    assert state(copy.deepcopy(loaded)) == state(copy.copy(loaded)) == state(loaded)
    assert state(loaded.model_copy(update={"id": "new"}, deep=True)) != state(loaded)
    assert type(loaded).model_validate(loaded.model_dump()) == loaded
    assert type(loaded).model_validate_json(loaded.model_dump_json()) == loaded
    loaded.extra_attribute = 1  # type: ignore[attr-defined]
    assert loaded.model_extra == {"extra_attribute": 1}


@pytest.mark.parametrize("value", [None, b"", b"bytes", bytearray(b"array"), 0, "text", [], {}])
def test_values_without_messages_round_trip(value: Any) -> None:
    stored = CODEC.dumps_typed(value)
    assert stored == STOCK.dumps_typed(value)
    assert (type(CODEC.loads_typed(stored)), CODEC.loads_typed(stored)) == (type(value), value)


@pytest.mark.parametrize("value", [b"bytes", bytearray(b"array"), {"messages": plain_messages()}])
def test_reads_from_a_memoryview(value: Any) -> None:
    kind, data = CODEC.dumps_typed(value)
    loaded = CODEC.loads_typed((kind, memoryview(data)))
    assert (type(loaded), loaded) == (type(value), value)


def test_reads_the_old_json_format() -> None:
    old = b'{"lc": 2, "type": "constructor", "id": ["langchain_core", "messages", "human", "HumanMessage"],'
    stored = ("json", old + b' "kwargs": {"content": "old"}}')
    assert CODEC.loads_typed(stored) == STOCK.loads_typed(stored) == HumanMessage("old")


@pytest.mark.parametrize("stored", [("msgpack", b"\xc1"), ("unknown", b"")])
def test_unreadable_data_fails_as_upstream(stored: tuple[str, bytes]) -> None:
    with pytest.raises(Exception) as upstream:  # noqa: PT011  it names the type to expect
        STOCK.loads_typed(stored)
    with pytest.raises(upstream.type, match="^" + str(upstream.value)[:20]):
        CODEC.loads_typed(stored)


# --- which serdes go the short way


def test_the_allowlist_of_the_serde_holds() -> None:
    strict = JsonPlusSerializer(allowed_msgpack_modules=None)
    stored = STOCK.dumps_typed([HumanMessage("safe"), State(messages="blocked")])
    assert Codec(strict).loads_typed(stored) == [HumanMessage("safe"), {"messages": "blocked"}]
    allowing = strict.with_msgpack_allowlist([State])
    assert Codec(allowing).stock
    assert Codec(allowing).loads_typed(stored) == [HumanMessage("safe"), State(messages="blocked")]


class Subclass(JsonPlusSerializer):
    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return "reversed", super().dumps_typed(obj)[1][::-1]

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return super().loads_typed(("msgpack", data[1][::-1]))


def test_a_subclass_does_its_own_work() -> None:
    codec = Codec(Subclass())
    stored = codec.dumps_typed(HumanMessage("x"))
    assert not codec.stock
    assert stored[0] == "reversed"
    assert codec.loads_typed(stored) == HumanMessage("x")


def test_an_encrypting_serde_encrypts() -> None:
    codec = Codec(EncryptedSerializer.from_pycryptodome_aes(key=b"0123456789abcdef"))
    kind, data = codec.dumps_typed([HumanMessage("secret")])
    assert (codec.stock, kind) == (False, "msgpack+aes")
    assert b"secret" not in data
    assert codec.loads_typed((kind, memoryview(data))) == [HumanMessage("secret")]


def test_an_unpack_hook_of_the_users_own_sees_the_messages() -> None:
    codec = Codec(JsonPlusSerializer(__unpack_ext_hook__=lambda code, data: (code, len(data))))
    assert not codec.stock
    assert codec.loads_typed(CODEC.dumps_typed(HumanMessage("x")))[0] == 5


# --- upstream may change


def test_upstream_is_as_we_know_it() -> None:
    """Fails when langchain-core or langgraph change: the codec then takes the slower way, and wants to be looked at."""
    assert CODEC.stock, "JsonPlusSerializer has lost _msgpack_default, _option, _unpack_ext_hook or their like"
    assert [*module._KINDS] == FAST, "a message class is no longer written or read as before"
    validators = {cls: {*cls.__pydantic_decorators__.model_validators} for cls in FAST}
    assert validators == {
        HumanMessage: set(),
        AIMessage: {"_backwards_compat_tool_calls"},
        SystemMessage: set(),
        ToolMessage: {"coerce_args"},
    }, "a message class validates more than `is_valid` knows of"


@pytest.mark.parametrize("name", ["_upstream_default", "_upstream_option"])
def test_without_its_private_parts_upstream_does_the_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, None)
    codec = Codec(STOCK)
    assert not codec.stock
    assert codec.loads_typed(codec.dumps_typed(plain_messages())) == plain_messages()


@pytest.mark.parametrize("cls", FAST)
def test_the_trial_notices_another_way_of_writing(cls: type[BaseMessage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cls, "model_dump", lambda self: {**self.__dict__, "new": None})
    assert not module._agrees(module._KINDS[cls])


@pytest.mark.parametrize("cls", FAST)
def test_the_trial_notices_another_way_of_reading(cls: type[BaseMessage], monkeypatch: pytest.MonkeyPatch) -> None:
    usual = cls.__init__

    def init(self: BaseMessage, **fields: Any) -> None:
        usual(self, **fields | {"id": "new"})

    monkeypatch.setattr(cls, "__init__", init)
    assert not module._agrees(module._KINDS[cls])


# --- msgpack arrays


@given(st.lists(plain, max_size=40), plain)
@example([0] * 15, 1)
@example([0] * 65_535, 1)
def test_the_bytes_of_a_list_are_a_header_and_its_items(items: list[Any], one_more: Any) -> None:
    data = CODEC.dumps_typed(items)[1]
    split = split_array(data)
    assert split == (len(items), len(array_header(len(items))))
    longer = array_header(len(items) + 1) + data[split[1] :] + CODEC.dumps_typed([one_more])[1][1:]
    assert longer == CODEC.dumps_typed([*items, one_more])[1]


@pytest.mark.parametrize("count", [0, 15, 16, 65_535, 65_536, 2**32 - 1])
def test_headers_tell_their_count(count: int) -> None:
    header = array_header(count)
    assert split_array(header) == (count, len(header))


@pytest.mark.parametrize("count", [-1, 2**32])
def test_no_header_for_an_impossible_count(count: int) -> None:
    with pytest.raises(InvalidInputError, match=f"count is {count}"):
        array_header(count)


@pytest.mark.parametrize("value", [None, 1, -1, "text", "x" * 300, {}, {"a": 1}, b"bytes", HumanMessage("x"), 1.5])
def test_other_values_are_no_arrays(value: Any) -> None:
    assert split_array(ormsgpack.packb(value, module._default)) is None


@pytest.mark.parametrize("data", [b"", b"\xdc", b"\xdc\x00", b"\xdd\x00\x00\x00"])
def test_a_cut_off_header_is_no_array(data: bytes) -> None:
    assert split_array(data) is None
