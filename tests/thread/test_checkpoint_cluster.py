"""The checkpointer on a real cluster of three, where a thread lies on one node and the registries on others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
import redis.asyncio as aioredis

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.servers import Server, serving_cluster
from tests.thread.checkpoints import Thread, chat, checkpoint, config, ids_of, name, values_of
from tests.thread.conftest import Call

NAMES = [f"thread {i}" for i in range(12)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[Server]]:
    with serving_cluster(3) as servers:
        yield servers


@pytest.fixture
def nodes(cluster: list[Server]) -> Iterator[list[redis.Redis]]:
    """A client of each node; all are empty."""
    clients = [redis.Redis(unix_socket_path=server.socket) for server in cluster]
    for client in clients:
        client.flushall()
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def saver(cluster: list[Server], nodes: list[redis.Redis]) -> Iterator[AgentMemorySaver]:
    with AgentMemorySaver.from_conn_string(f"redis+cluster://127.0.0.1:{cluster[0].port}") as saver:
        yield saver


def keys_of(nodes: list[redis.Redis]) -> list[list[str]]:
    return [sorted(key.decode() for key in node.scan_iter(count=1000)) for node in nodes]


async def fill(call: Call, saver: AgentMemorySaver) -> None:
    for number, thread_id in enumerate(NAMES):
        for ns in ("", "call:1"):
            thread = Thread(saver, thread_id, ns)
            for turn in range(1, 4):
                facts = {"user_id": f"user {number % 2}", "run_id": f"run {turn}"}
                where = await call(saver.put, *thread.draft(facts, messages=chat(10 * turn), n=turn))
                await call(saver.put_writes, where, [("n", turn)], "task")


async def test_put_get_and_list(call: Call, saver: AgentMemorySaver, nodes: list[redis.Redis]) -> None:
    await fill(call, saver)
    assert all(keys_of(nodes)), "every node has some of it"
    for thread_id in NAMES:
        for where in (config(thread_id), config(thread_id, name(3)), config(thread_id, ns="call:1")):
            found = await call(saver.get_tuple, where)
            assert values_of(found) == {"messages": chat(30), "n": 3}
            assert found.pending_writes == [("task", "n", 3)]
        assert ids_of(await call(saver.list, config(thread_id))) == [name(3), name(2), name(1)]
        assert len(await call(saver.list, config(thread_id, ns=None), filter={"run_id": "run 2"})) == 2
        assert (await call(saver.get_delta_channel_history, config=config(thread_id), channels=["n"]))["n"]["seed"] == 2
    assert len(await call(saver.list, None)) == 6 * len(NAMES)


async def test_threads(call: Call, saver: AgentMemorySaver) -> None:
    await fill(call, saver)
    listed = await call(saver.threads.list)
    assert [thread.thread_id for thread in listed] == NAMES[::-1]
    assert [thread.thread_id for thread in await call(saver.threads.list, user="user 1")] == NAMES[::-1][::2]
    assert {thread.checkpoint_id for thread in listed} == {name(3)}


async def test_delete(call: Call, saver: AgentMemorySaver, nodes: list[redis.Redis]) -> None:
    await fill(call, saver)
    await call(saver.delete_thread, NAMES[0])
    assert await call(saver.get_tuple, config(NAMES[0])) is None
    assert [thread.thread_id for thread in await call(saver.threads.list, user="user 0")] == NAMES[2::2][::-1]
    for thread_id in NAMES[1:]:
        await call(saver.delete_thread, thread_id)
    assert keys_of(nodes) == [[], [], []]


async def test_prune_and_runs(call: Call, saver: AgentMemorySaver, nodes: list[redis.Redis]) -> None:
    await fill(call, saver)
    await call(saver.delete_for_runs, ["run 3", "run 1"])
    for thread_id in NAMES:
        assert ids_of(await call(saver.list, config(thread_id, ns=None))) == [name(2), name(2)]
    await fill(call, saver)
    await call(saver.prune, NAMES)
    for thread_id in NAMES:
        [found] = await call(saver.list, config(thread_id))
        assert values_of(found) == {"messages": chat(30), "n": 3}
    await call(saver.prune, NAMES[:6], strategy="delete")
    assert [thread.thread_id for thread in await call(saver.threads.list)] == NAMES[:5:-1]
    await call(saver.delete_for_runs, ["run 1", "run 2", "run 3"])
    assert keys_of(nodes) == [[], [], []]


async def test_copy(call: Call, saver: AgentMemorySaver) -> None:
    """To a thread that lies on another node."""
    await fill(call, saver)
    for number in range(6):
        await call(saver.copy_thread, NAMES[0], f"copy {number}")
    expected = await call(saver.list, config(NAMES[0], ns=None))
    for number in range(6):
        found = await call(saver.list, config(f"copy {number}", ns=None))
        assert [one.checkpoint for one in found] == [one.checkpoint for one in expected]
        assert [one.pending_writes for one in found] == [one.pending_writes for one in expected]
    users = [thread.thread_id for thread in await call(saver.threads.list, user="user 0")]
    assert users[:6] == [f"copy {number}" for number in range(5, -1, -1)]


async def test_expiry_and_pin(call: Call, saver: AgentMemorySaver, nodes: list[redis.Redis]) -> None:
    saver._ttl = 3_600_000
    await fill(call, saver)
    await call(saver.pin, NAMES[0])
    for node, keys in zip(nodes, keys_of(nodes), strict=True):
        of_threads = [key for key in keys if ":thread:" in key]
        assert of_threads
        for key in of_threads:
            assert (node.ttl(key) == -1) == ("thread%200}" in key), key


async def test_a_flushed_node(call: Call, saver: AgentMemorySaver, nodes: list[redis.Redis]) -> None:
    await fill(call, saver)
    threads = {thread_id: Thread(saver, thread_id) for thread_id in NAMES}
    for node in nodes:
        node.flushall()
        node.script_flush()
    for thread in threads.values():
        thread.step, thread.values = 3, {"messages": chat(30), "n": 3}
        thread.versions = dict.fromkeys(thread.values, name(3))
        await call(saver.put, *thread.draft(messages=chat(32)))
        found = await call(saver.get_tuple, config(thread.thread_id))
        assert values_of(found) == {"messages": chat(32), "n": 3}
    assert len(await call(saver.threads.list)) == len(NAMES)


async def test_the_users_own_cluster_clients(call: Call, cluster: list[Server], nodes: list[redis.Redis]) -> None:
    with redis.RedisCluster(host="127.0.0.1", port=cluster[0].port, decode_responses=True) as client:
        async with aioredis.RedisCluster(host="127.0.0.1", port=cluster[0].port) as async_client:
            saver = AgentMemorySaver(Connection(client=client, async_client=async_client))
            await fill(call, saver)
            assert len(await call(saver.list, None)) == 6 * len(NAMES)
            await call(saver.put, config(), checkpoint(1), {}, {})
            assert (await call(saver.threads.list, limit=1))[0].thread_id == "thread"
