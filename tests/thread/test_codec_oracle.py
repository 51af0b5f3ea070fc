"""The codec against its oracle: whatever JsonPlusSerializer writes or reads, the codec writes or reads the same."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.thread.codec import Codec
from tests.thread.state_values import (
    FAST,
    FIELDS,
    anything,
    counts,
    messages,
    odd_values,
    outcome,
    plain,
    plain_dicts,
    state,
    text,
    values,
)

# pydantic warns when a field was set to a value of another type, and writes that value.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

STOCK = JsonPlusSerializer()
CODEC = Codec(STOCK)
thorough = settings(max_examples=300, deadline=None)


def reading(serde: SerializerProtocol | Codec, value: Any) -> Any:
    """The state of what a serde reads where the stock one wrote the value; None where that cannot."""
    kind, stored = outcome(STOCK, value)
    return state(serde.loads_typed((kind, stored))) if isinstance(kind, str) else None


# --- writing


@thorough
@given(values)
def test_writes_the_bytes_of_the_stock_serde(value: Any) -> None:
    assert outcome(CODEC, value) == outcome(STOCK, value)


@given(messages())
@thorough
def test_one_message_alone_is_written_alike(message: BaseMessage) -> None:
    assert outcome(CODEC, message) == outcome(STOCK, message)


@pytest.mark.parametrize("index", range(len(odd_values())), ids=lambda i: type(odd_values()[i]).__name__)
def test_every_odd_value_is_written_and_read_alike_wherever_it_stands(index: int) -> None:
    value = odd_values()[index]
    for message in (
        HumanMessage("x", additional_kwargs={"value": value}),
        AIMessage("x", response_metadata={"nested": [{"value": value}]}),
        ToolMessage("x", tool_call_id="1", artifact=value),
        SystemMessage.model_construct(content=value),
        AIMessage.model_construct(tool_calls=[{"name": "f", "args": {"value": value}, "id": None}], content=[value]),
        HumanMessage("x", stray=value),
    ):
        assert outcome(CODEC, [message]) == outcome(STOCK, [message])
        assert reading(CODEC, [message]) == reading(STOCK, [message])


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


# --- reading


@given(values)
@thorough
def test_reads_what_was_written_as_the_stock_serde_does(value: Any) -> None:
    assert reading(CODEC, value) == reading(STOCK, value)


# A stored message that needs no validation is drawn from these; then one thing about it is changed.
called = st.lists(st.fixed_dictionaries({"name": text, "args": plain_dicts, "id": text, "type": st.just("tool_call")}))
used = st.fixed_dictionaries(
    {"input_tokens": counts, "output_tokens": counts, "total_tokens": counts},
    optional={"output_token_details": st.dictionaries(st.sampled_from(["audio", "reasoning", "flex"]), counts)},
)
STORED = FIELDS | {
    "additional_kwargs": plain_dicts,
    "response_metadata": plain_dicts,
    "tool_calls": called,
    "invalid_tool_calls": st.just([]),
    "usage_metadata": st.none() | used,
    "artifact": plain,
}


@st.composite
def stored_messages(draw: st.DrawFn) -> bytes:
    """A message of one of the four classes, as some langchain-core or another program may have stored it."""
    cls = draw(st.sampled_from(FAST))
    stored = {name: draw(STORED[name]) for name in cls.model_fields if name != "type"}
    fields: Any = {**cls.model_construct(**stored).__dict__}
    name = draw(st.sampled_from(sorted(fields)))
    match draw(st.sampled_from(["leave", "leave", "set", "type", "grow", "drop", "move", "add", "replace"])):
        case "set":
            fields[name] = draw(FIELDS[name])
        case "type":
            fields[name] = draw(anything)
        case "grow":
            for value in [fields[name], *(fields[name] if isinstance(fields[name], list) else [])]:
                if isinstance(value, dict):
                    value[draw(st.sampled_from([*value, "extra"]))] = draw(anything)
        case "drop":
            del fields[name]
        case "move":
            fields[name] = fields.pop(name)
        case "add":
            fields[draw(st.sampled_from(["example", "content_blocks", "stray"]))] = draw(anything)
        case "replace":
            fields = draw(anything)
    return stored_message(cls, fields)


def stored_message(cls: type[BaseMessage], fields: Any) -> bytes:
    parts = outcome(STOCK, (cls.__module__, cls.__name__, fields, "model_validate_json"))[1]
    return ormsgpack.packb(ormsgpack.Ext(5, parts) if isinstance(parts, bytes) else None)


@given(stored_messages())
@thorough
def test_reads_any_stored_message_as_the_stock_serde_does(data: bytes) -> None:
    assert state(CODEC.loads_typed(("msgpack", data))) == state(STOCK.loads_typed(("msgpack", data)))


CALL = {"name": "f", "args": {}, "id": "1", "type": "tool_call"}
INVALID = {"name": "f", "args": "{", "id": "1", "error": None}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
RAW = {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}


NEAR_MISSES: dict[str, list[Any]] = {
    "content": [b"bytes", ["text", b"bytes"], 5, None, {}, [["list"]]],
    "id": [5, 1.5, b"bytes", True],
    "name": [5, b"bytes", []],
    "type": ["other", "human", "ai", b"ai", None],
    "additional_kwargs": [None, [], {1: 2}, [["a", 1]], {"a": UUID(int=1)}, RAW, {"tool_calls": []}],
    "response_metadata": [None, "", {1: 2}, {"a": {None: 1}}],
    "tool_call_id": [5, 1.5, b"bytes", UUID(int=1), None],
    "status": ["other", b"error", [], None],
    "tool_calls": [
        *(None, {}, CALL, "calls", [[*CALL]], [{}], [dict(sorted(CALL.items()))], [CALL | {"type": "other"}]),
        *([CALL | {"id": None}], [CALL | {"id": 5}], [CALL | {"id": b"1"}], [CALL | {"name": b"f"}]),
        *([CALL | {"args": None}], [CALL | {"args": {1: 2}}], [CALL | {"extras": {}}]),
    ],
    "invalid_tool_calls": [[INVALID], [INVALID | {"id": 5}], None, {}],
    "usage_metadata": [
        *({}, [], 5, {"input_tokens": 1}, dict(reversed(USAGE.items())), USAGE | {"flex": 1}),
        *(USAGE | {"total_tokens": True}, USAGE | {"total_tokens": 3.0}, USAGE | {"total_tokens": "3"}),
        *(USAGE | {"input_token_details": {"flex": 1}}, {"output_token_details": {"reasoning": 1, "audio": 2}} | USAGE),
    ],
}


@pytest.mark.parametrize("cls", FAST)
@pytest.mark.parametrize(
    "changed",
    [
        *({name: value} for name, near in NEAR_MISSES.items() for value in near),
        {"additional_kwargs": RAW, "tool_calls": [CALL]},
        {"additional_kwargs": RAW, "invalid_tool_calls": [INVALID]},
    ],
    ids=repr,
)
def test_what_the_constructor_would_change_is_left_to_it(cls: type[BaseMessage], changed: dict[str, Any]) -> None:
    fields = cls.model_construct(content="x", tool_call_id="1").__dict__
    declared = {name: value for name, value in fields.items() if name in cls.model_fields}
    data = stored_message(cls, declared | {name: value for name, value in changed.items() if name in declared})
    assert state(CODEC.loads_typed(("msgpack", data))) == state(STOCK.loads_typed(("msgpack", data)))
