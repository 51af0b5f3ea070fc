"""Other serializers than the stock one: encrypted, strict, pickling, exchanged after construction."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.base import CipherProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, config, ids_of, keys_in, name, values_of
from tests.thread.conftest import Call

SECRET = "the-secret-word"


class Xor(CipherProtocol):
    """No cipher to trust, but nothing of the text is left readable."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "xor", bytes(byte ^ 0x5A for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "xor"
        return bytes(byte ^ 0x5A for byte in ciphertext)


def everything_stored(connection: Connection) -> bytes:
    """The bytes of every key of a server."""
    keys = keys_in(connection)
    dumps = run(connection.send(*[("DUMP", key) for key in keys]))
    hashes = [key for key in keys if run(connection.send(("TYPE", key)))[0] == b"hash"]
    fields = run(connection.send(*[("HGETALL", key) for key in hashes]))
    plain = [part for found in fields for pair in found.items() for part in pair]  # a dump may be compressed
    return b"".join([*dumps, *plain, "".join(keys).encode()])


async def fill(call: Call, saver: AgentMemorySaver) -> None:
    thread = Thread(saver)
    for turn in range(1, 4):
        messages = [HumanMessage(f"{SECRET} {i} " + "x" * 200) for i in range(turn * 3)]
        where = await call(saver.put, *thread.draft({"mine": SECRET}, messages=messages, n=SECRET))
        await call(saver.put_writes, where, [("n", SECRET), ("messages", messages)], "task")


async def test_encryption_covers_values_writes_and_metadata(call: Call, server: Connection) -> None:
    await fill(call, AgentMemorySaver(server))
    assert SECRET.encode() in everything_stored(server), "the search itself must be able to find it"
    run(server.send(("FLUSHALL",)))
    saver = AgentMemorySaver(server, serde=EncryptedSerializer(Xor()))
    await fill(call, saver)
    assert SECRET.encode() not in everything_stored(server)
    found = await call(saver.list, config(), filter={"mine": SECRET})
    assert ids_of(found) == [name(3), name(2), name(1)]
    for turn, one in zip((3, 2, 1), found, strict=True):
        assert values_of(one)["n"] == SECRET
        assert [said.text[:17] for said in values_of(one)["messages"]] == [f"{SECRET} {i}" for i in range(turn * 3)]
        assert one.pending_writes[0] == ("task", "n", SECRET)
    assert (await call(saver.threads.list))[0].metadata["mine"] == SECRET


async def test_a_serializer_exchanged_after_construction(call: Call, saver: AgentMemorySaver) -> None:
    """What is written from then on is the new one's, and reads as well; a list may change between the two."""
    thread = Thread(saver)
    stock = saver.serde
    for serde in (stock, EncryptedSerializer(Xor()), stock):
        saver.serde = serde
        values: dict[str, Any] = {"messages": chat(10 * (thread.step + 1)), "n": thread.step}
        await call(saver.put, *thread.draft(**values))
        where = thread.here
        for asked in (config(), where):
            assert values_of(await call(saver.get_tuple, asked)) == values
    [last, *_] = await call(saver.list, config(), limit=1)
    assert values_of(last)["n"] == 2


async def test_values_that_only_pickle_can_write(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain, serde=JsonPlusSerializer(pickle_fallback=True))
    thread = Thread(saver)
    where = await call(saver.put, *thread.draft(n=Fraction(1, 3), messages=[Fraction(i) for i in range(100)]))
    await call(saver.put_writes, where, [("n", Fraction(2))], "task")
    found = await call(saver.get_tuple, config())
    assert values_of(found) == {"n": Fraction(1, 3), "messages": [Fraction(i) for i in range(100)]}
    assert found.pending_writes == [("task", "n", Fraction(2))]


STRICT = """
import asyncio, sys
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict
import operator
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langgraph.graph import StateGraph

@dataclass
class Mine:
    n: int

@dataclass
class Other:
    n: int

class State(TypedDict):
    mine: Mine
    log: Annotated[list[Mine], operator.add]

saver = AgentMemorySaver(sys.argv[1])
builder = StateGraph(State)
builder.add_node("node", lambda state: {"mine": Mine(state["mine"].n + 1), "log": [state["mine"]] * 100})
builder.set_entry_point("node")
graph = builder.compile(checkpointer=saver)
config = {"configurable": {"thread_id": "t"}}

def check(found, n):
    assert found.values["mine"] == Mine(n), found.values["mine"]
    assert all(isinstance(one, Mine) for one in found.values["log"])

graph.invoke({"mine": Mine(1)}, config)
check(graph.get_state(config), 2)
history = [*graph.get_state_history(config)]
check(history[0], 2)
check(history[1], 1)
check(graph.get_state(history[1].config), 1)

async def main():
    await graph.ainvoke({"mine": Mine(5)}, config)
    check(await graph.aget_state(config), 6)
    history = [one async for one in graph.aget_state_history(config)]
    check(history[0], 6)
    check(await graph.aget_state(history[1].config), 5)
    await saver.aclose()

asyncio.run(main())

# The saver that was handed in keeps its strict list, and a clone has just what it was given.
clone = saver.with_allowlist([("__main__", "Mine")])
assert clone is not saver
for where in (config, history[0].config):
    assert isinstance(clone.get_tuple(where).checkpoint["channel_values"]["mine"], Mine)
    assert not isinstance(saver.get_tuple(where).checkpoint["channel_values"]["mine"], Mine)
assert isinstance(next(clone.list(config)).checkpoint["channel_values"]["mine"], Mine)
assert not isinstance(next(saver.list(config)).checkpoint["channel_values"]["mine"], Mine)
del clone
import gc; gc.collect()
assert saver.get_tuple(config) is not None, "a clone that goes must not close what it shares"
saver.close()
print("done")
"""


def test_an_allowlist_under_strict_msgpack(plain_url: str) -> None:
    """LangGraph clones the saver with the types of a graph's state: each way of reading must use the clone's list."""
    environment = os.environ | {"LANGGRAPH_STRICT_MSGPACK": "true"}
    command = [sys.executable, "-c", STRICT, plain_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


def test_clones_share_connections_and_beliefs(saver: AgentMemorySaver) -> None:
    class Serde(JsonPlusSerializer):
        def with_msgpack_allowlist(self, extra: Any) -> Serde:
            return Serde()

    saver.serde = Serde()
    clone: Any = saver.with_allowlist([("a", "B")])
    assert type(clone) is AgentMemorySaver
    assert clone.serde is not saver.serde
    assert (clone._redis, clone._beliefs) == (saver._redis, saver._beliefs)


@pytest.mark.parametrize("stock", [True, False])
async def test_what_was_stored_cannot_be_read(call: Call, saver: AgentMemorySaver, stock: bool) -> None:
    """An error, never None: bytes that this serializer does not know."""
    saver.serde = EncryptedSerializer(Xor())
    Thread(saver).put(n=1)
    saver.serde = JsonPlusSerializer() if stock else EncryptedSerializer(Xor(), JsonPlusSerializer())
    if stock:
        with pytest.raises(NotImplementedError, match="xor"):
            await call(saver.get_tuple, config())
    else:
        assert values_of(await call(saver.get_tuple, config())) == {"n": 1}
