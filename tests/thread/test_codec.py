"""What the codec does beside being equal to JsonPlusSerializer (test_codec_oracle.py): its short way, and when not."""

from __future__ import annotations

import copy
import pickle
from typing import Any
from uuid import UUID

import ormsgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread import codec as module
from langchain_agentmem.thread.codec import Codec, array_header, split_array
from tests.thread.state_values import FAST, State, plain, state

STOCK = JsonPlusSerializer()
CODEC = Codec(STOCK)


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


@pytest.mark.parametrize(
    "message",
    [
        *plain_messages(),
        *(HumanMessage("x" * size) for size in (300, 70_000)),  # each length of an extension's header
        *(
            HumanMessage("odd", additional_kwargs={"id": UUID(int=1)}),
            AIMessageChunk(content="chunk"),
            HumanMessage("x", extra=1),
        ),
    ],
    ids=lambda m: type(m).__name__,
)
def test_a_message_behind_other_bytes_is_read_as_it_was(message: BaseMessage) -> None:
    loaded = CODEC.loads_message(b"before" + CODEC.dumps_typed(message)[1], len(b"before"))
    assert state(loaded) == state(STOCK.loads_typed(STOCK.dumps_typed(message)))


# --- which serdes go the short way


def test_pickles_the_whole_value_where_that_is_allowed() -> None:
    serde = JsonPlusSerializer(pickle_fallback=True)
    value = [HumanMessage("plain"), range(3)]
    kind, data = Codec(serde).dumps_typed(value)
    assert (kind, pickle.loads(data)) == ("pickle", value)
    assert Codec(serde).loads_typed((kind, data)) == value


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


def test_the_trial_notices_typed_dicts_that_lose_undeclared_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def dump(self: AIMessage) -> dict[str, Any]:
        calls = [{name: call[name] for name in ToolCall.__annotations__} for call in self.tool_calls]  # type: ignore[literal-required]
        return {**self.__dict__, "tool_calls": calls}

    monkeypatch.setattr(AIMessage, "model_dump", dump)
    assert not module._agrees(module._KINDS[AIMessage])


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
