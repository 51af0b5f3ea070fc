"""What is stored comes back unchanged, type and all: values, writes, metadata, ids of every kind."""

from __future__ import annotations

import copy
import math
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ormsgpack
import pytest
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.runtime import Runtime
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, checkpoint, config, ids_of, keys_in, name, values_of
from tests.thread.conftest import Call


class Colour(Enum):
    RED = "red"


class Word(str, Enum):  # noqa: UP042  a StrEnum is another thing to a serializer
    YES = "yes"


class Form(BaseModel):
    title: str
    amount: Decimal
    when: datetime | None = None
    inner: Form | None = None


@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


CALL = {"name": "tool", "args": {"k": [1, None, "{"]}, "id": "call-1", "type": "tool_call"}
BROKEN_CALL = {"name": "tool", "args": "{", "id": "2", "error": "cut", "type": "invalid_tool_call"}
MESSAGES = [
    HumanMessage("hi\u0000 {} }{", id="1", name="ann"),
    HumanMessage([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]),
    AIMessage(
        "", id="2", tool_calls=[CALL], response_metadata={"model": "m"}, usage_metadata={
            "input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {"cache_read": 1}
        },
    ),
    AIMessage("", invalid_tool_calls=[BROKEN_CALL]),
    AIMessage("", additional_kwargs={"tool_calls": [{"id": "1", "type": "function", "function": {
        "name": "f", "arguments": "{}"}}]}),
    AIMessageChunk(content="part", id="3"),
    ToolMessage("done", tool_call_id="call-1", artifact={"raw": [1.5, None]}, status="error"),
    SystemMessage("be kind"),
    ChatMessage(content="x", role="critic"),
    FunctionMessage(content="x", name="f"),
    RemoveMessage("1"),
]  # fmt: skip
VALUES: dict[str, Any] = {
    "none": None,
    "booleans": [True, False],
    "numbers": [0, -1, 1.5, -0.0, math.inf, -math.inf, 2**63 - 1, -(2**63), 2**64 - 1],
    "decimal": Decimal("1.10"),
    "timedelta": timedelta(days=-1, microseconds=3),
    "datetimes": [
        datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        datetime(2026, 7, 2, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 1, 2),  # noqa: DTZ001
    ],
    "date": date(2026, 1, 2),
    "time": time(1, 2, 3, 4, UTC),
    "uuid": uuid.UUID(int=7),
    "enums": [Colour.RED, Word.YES],
    "keys": {1: "a", 2: {3: "b"}},
    "bytes": b"\x00\xff{}",
    "bytearray": bytearray(b"\x00\xff"),
    "nested bytes": [b"\x00", {"k": b"\xff"}],
    "sets": [{1, 2}, frozenset({"a"})],
    "path": Path("/a/b"),
    "address": ip_address("::1"),
    "pydantic": Form(title="t", amount=Decimal("2.50"), inner=Form(title="i", amount=Decimal(1))),
    "dataclass": Point(1, ["a"]),
    "document": Document("text", metadata={"k": 1}, id="d"),
    "control": [Send("node", {"x": 1}), Interrupt(value={"q": "?"}, id="i"), Command(goto="node", update={"x": 1})],
    "messages": MESSAGES,
    "braces": ["{", "}", "}{", "{{}}", "{0}", "%s", "\u0000", "", "🧵", "\r\n"],
    "looks stored": [
        {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"], "kwargs": {}},
        {"lc": 2, "type": "constructor", "id": ["builtins", "set"], "args": [[1]]},
        {"__type__": "x", "__pydantic__": 1},
    ],
    "empties": [[], {}, "", b"", 0, set()],
    "deep": {"a": [{"b": [{"c": [None]}]}]},
    "long": "x" * 100_000,
    "chat": chat(30),
}


def same(found: Any, stored: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if type(found) is not type(stored):
        return False
    match stored:
        case dict():
            return [*found] == [*stored] and all(same(found[key], stored[key]) for key in stored)
        case list():
            return len(found) == len(stored) and all(map(same, found, stored))
        case datetime():
            return bool(found == stored and found.utcoffset() == stored.utcoffset())
        case float():
            return repr(found) == repr(stored)  # -0.0 is not 0.0
    return bool(found == stored)


@pytest.fixture(params=["msgpack", "pickle", "custom"])
def serde(request: pytest.FixtureRequest) -> Any:
    return {
        "msgpack": JsonPlusSerializer(allowed_msgpack_modules=True),
        "pickle": JsonPlusSerializer(pickle_fallback=True, allowed_msgpack_modules=True),
        "custom": Reversing(),
    }[request.param]


class Reversing:
    """A user's own serializer."""

    inner = JsonPlusSerializer(allowed_msgpack_modules=True)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        kind, data = self.inner.dumps_typed(obj)
        return f"reversed {kind} é", data[::-1]

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, packed = data
        assert isinstance(packed, bytes)
        return self.inner.loads_typed((kind.split()[1], packed[::-1]))


async def test_values_writes_and_metadata(call: Call, server: Connection, serde: Any) -> None:
    """In the newest checkpoint, and once it is an older one, by every way of reading."""
    saver = AgentMemorySaver(server, serde=serde)
    facts = {
        "source": "input",
        "step": -1,
        "parents": {},
        "run_id": "r",
        "mine": {"x": [1, None, "{"], "d": Decimal(1)},
    }
    before = copy.deepcopy(VALUES)
    where = await call(saver.put, config(), checkpoint(1, VALUES), facts, dict.fromkeys(VALUES, name(1)))
    await call(saver.put_writes, where, [*VALUES.items()], "task", "path")
    found = [await call(saver.get_tuple, config()), await call(saver.get_tuple, where)]
    await call(saver.put, where, checkpoint(2, {"braces": 1}), {"step": 0}, {"braces": name(2)})
    found += [await call(saver.get_tuple, where), (await call(saver.list, config()))[1]]
    for one in found:
        for key, value in VALUES.items():
            assert same(one.checkpoint["channel_values"][key], value), key
        assert [*map(same, one.pending_writes, [("task", *item) for item in VALUES.items()])] == [True] * len(VALUES)
        assert same(one.metadata, facts)
    for key, value in VALUES.items():
        assert same(value, before[key]), f"the saver changed {key}"


async def test_nan_comes_back(call: Call, saver: AgentMemorySaver) -> None:
    await call(saver.put, config(), checkpoint(1, {"nan": math.nan}), {}, {"nan": name(1)})
    assert math.isnan(values_of(await call(saver.get_tuple, config()))["nan"])


async def test_the_rest_of_a_checkpoint(call: Call, saver: AgentMemorySaver) -> None:
    """Versions of every type, what was seen, and fields that the saver does not know."""
    versions = {"text": "0001.0.5", "int": 2**80, "float": 1.25, "unset": 3, "2": "2"}
    stored: Any = checkpoint(1, {"text": "t", "int": 1, "float": 2}, versions) | {
        "v": 1,
        "ts": "",
        "versions_seen": {"__input__": {}, "__interrupt__": {"text": "0001.0.5"}, "node": {"int": 2**40}},
        "updated_channels": ["float", "int"],
        "pending_sends": [Send("node", 1)],
        "of the future": {"x": 1},
    }
    await call(saver.put, config(), stored, {}, dict(versions))
    found = await call(saver.get_tuple, config())
    assert found.checkpoint == stored
    assert {key: type(value) for key, value in found.checkpoint["channel_versions"].items()} == {
        key: type(value) for key, value in versions.items()
    }
    assert found.parent_config is None


async def test_none_is_a_value_and_absent_is_not(call: Call, saver: AgentMemorySaver) -> None:
    first = checkpoint(1, {"none": None, "gone": 1}, {"none": "1", "gone": "1", "empty": "1"})
    where = await call(saver.put, config(), first, {}, {"none": "1", "gone": "1", "empty": "1"})
    assert values_of(await call(saver.get_tuple, config())) == {"none": None, "gone": 1}
    second = checkpoint(2, {"none": None, "empty": None}, {"none": "1", "gone": "2", "empty": "2"})
    await call(saver.put, where, second, {}, {"gone": "2", "empty": "2"})
    assert values_of(await call(saver.get_tuple, config())) == {"none": None, "empty": None}
    assert values_of(await call(saver.get_tuple, where)) == {"none": None, "gone": 1}


ODD = [
    *": { } {} | , * ? [a] 🧵 é % %41 - head past ids spaces ( + \" ' \\ / .. a:b \x7f \0".split(" "),
    *("a b", " ", "\n", "\r\n", "\t", "ÿ" * 40, "x" * 5000),
]


async def test_ids_of_any_text(call: Call, saver: AgentMemorySaver) -> None:
    """As thread, namespace, checkpoint, channel, task, path and user, all in one server and none taken for another."""
    for odd in ODD:
        where = config(odd, None, odd)
        stored = checkpoint(odd, {odd: odd})
        saved = await call(saver.put, where, stored, {odd.replace("\0", "") or "k": odd, "user_id": odd}, {odd: odd})
        assert saved == config(odd, odd, odd)
        await call(saver.put_writes, saved, [(odd, odd)], odd, odd)
    for odd in ODD:
        for where in (config(odd, None, odd), config(odd, odd, odd)):
            found = await call(saver.get_tuple, where)
            assert found.config == config(odd, odd, odd)
            assert values_of(found) == {odd: odd}
            assert found.pending_writes == [(odd, odd, odd)]
        assert ids_of(await call(saver.list, config(odd, ns=None))) == [odd]
        listed = await call(saver.threads.list, user=odd.replace("\0", "")) if odd != "\0" else ()
        assert odd in [thread.thread_id for thread in listed] or odd == "\0"
    assert {odd for odd in ODD if await call(saver.get_tuple, config(odd)) is not None} == set()
    assert len(await call(saver.list, None)) == len(ODD)
    for odd in ODD:
        await call(saver.delete_thread, odd)
    assert [key for key in keys_in(saver._redis) if ":thread:" in key] == []


@pytest.mark.parametrize("thread_id", [7, uuid.UUID(int=7)])
async def test_thread_ids_that_are_no_text(call: Call, saver: AgentMemorySaver, thread_id: Any) -> None:
    saved = await call(saver.put, config(thread_id), checkpoint(1), {}, {})
    assert saved == config(str(thread_id), name(1))
    await call(saver.put_writes, config(thread_id, name(1)), [("c", 1)], "task")
    for asked in (thread_id, str(thread_id)):
        found = await call(saver.get_tuple, config(asked))
        assert found.config["configurable"]["thread_id"] == str(thread_id)
        assert found.pending_writes == [("task", "c", 1)]
    await call(saver.prune, [thread_id])
    await call(saver.copy_thread, thread_id, 8)
    assert await call(saver.pin, 8)
    await call(saver.delete_thread, thread_id)
    assert await call(saver.get_tuple, config(thread_id)) is None
    assert await call(saver.get_tuple, config("8")) is not None


async def test_metadata_is_what_langgraph_keeps_of_a_config(call: Call, saver: AgentMemorySaver) -> None:
    where = config(user_id="ann", langgraph_step=1, __private=1, thing=object()) | {
        "metadata": {"team": 7, "run_id": "r"}
    }
    await call(saver.put, where, checkpoint(1), {"source": "input", "step": -1, "text": "a\0b"}, {})
    found = await call(saver.get_tuple, config())
    assert found.metadata == {
        "source": "input", "step": -1, "text": "ab", "team": 7, "run_id": "r", "user_id": "ann"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("configured", "context", "known"),
    [
        ({}, {"user_id": "ann"}, "ann"),
        ({}, {"user_id": uuid.UUID(int=7)}, str(uuid.UUID(int=7))),
        ({"user_id": uuid.UUID(int=7)}, None, str(uuid.UUID(int=7))),
        ({"user_id": "bob"}, {"user_id": "ann"}, "bob"),
        ({"langgraph_auth_user_id": "eve"}, None, None),
        ({}, {"user_id": ""}, None),
    ],
)
async def test_metadata_says_who_ran_it_however_that_was_told(
    call: Call, saver: AgentMemorySaver, configured: dict[str, Any], context: Any, known: str | None
) -> None:
    where = config(**configured, __pregel_runtime=Runtime(context=context))
    await call(saver.put, where, checkpoint(1), {"source": "input", "step": -1}, {})
    assert (await call(saver.get_tuple, config())).metadata.get("user_id") == known


@pytest.mark.parametrize(("told", "context"), [({"user_id": "bob"}, None), ({}, {"user_id": "bob"})])
async def test_what_a_client_calls_itself_is_not_who_ran_it(
    call: Call, saver: AgentMemorySaver, told: dict[str, Any], context: Any
) -> None:
    where = config(**told, langgraph_auth_user_id="bob", __pregel_runtime=Runtime(context=context))
    where["metadata"] = {"user_id": "ann", "langgraph_auth_user_id": "ann", "app": "web"}
    await call(saver.put, where, checkpoint(1), {"source": "input", "step": -1}, {})
    found = (await call(saver.get_tuple, config())).metadata
    assert (found["user_id"], found["langgraph_auth_user_id"], found["app"]) == ("bob", "bob", "web")


@pytest.mark.parametrize("place", ["value", "write", "metadata"])
async def test_what_cannot_be_serialized_fails_as_upstream_and_writes_nothing(
    call: Call, saver: AgentMemorySaver, place: str
) -> None:
    thread = Thread(saver)
    where = thread.put(n=1)
    stored = keys_in(saver._redis)
    huge = 2**64
    with pytest.raises(ormsgpack.MsgpackEncodeError) as expected:
        JsonPlusSerializer().dumps_typed(huge)
    attempts: dict[str, Any] = {
        "write": lambda: call(saver.put_writes, where, [("ok", 1), ("n", huge)], "task"),
        "value": lambda: call(saver.put, *thread.draft(ok=1, n=huge)),
        "metadata": lambda: call(saver.put, *thread.draft({"mine": huge}, n=2)),
    }
    with pytest.raises(type(expected.value), match=str(expected.value)):
        await attempts[place]()
    found = await call(saver.get_tuple, config())
    assert (values_of(found), found.pending_writes) == ({"n": 1}, [])
    assert ids_of(await call(saver.list, config())) == [name(1)]
    assert keys_in(saver._redis) == stored


@pytest.mark.parametrize("where", [{}, {"configurable": {}}, {"configurable": {"thread_id": None}}])
async def test_a_config_without_a_thread(call: Call, saver: AgentMemorySaver, where: Any) -> None:
    calls: list[tuple[Any, ...]] = [
        (saver.get_tuple, where),
        (saver.put, where, checkpoint(1), {}, {}),
        (saver.put_writes, where, [], "task"),
        (saver.list, where),
    ]
    for method, *args in calls:
        with pytest.raises(InvalidInputError, match="thread_id"):
            await call(method, *args)


async def test_writes_without_a_checkpoint_id(call: Call, saver: AgentMemorySaver) -> None:
    with pytest.raises(InvalidInputError, match="checkpoint_id"):
        await call(saver.put_writes, config(), [("c", 1)], "task")
