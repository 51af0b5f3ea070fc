"""Sentinels and clusters, with real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio as aioredis

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.scripts import Script
from tests.servers import Server, free_port, serving, serving_cluster

Call = Callable[[Any], Any]


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[Server]]:
    with serving_cluster(3) as servers:
        yield servers


@pytest.fixture
def nodes(cluster: list[Server]) -> Iterator[Connection]:
    """A connection to an empty cluster of three masters."""
    for server in cluster:
        with redis.Redis(unix_socket_path=server.socket) as client:
            client.flushall()
    with Connection(cluster_url(cluster)) as connection:
        yield connection


def cluster_url(servers: list[Server]) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)


@pytest.fixture
def add(folder: Path) -> Script:
    """A script that adds its argument to its key."""
    (folder / "add.lua").write_text("-- Adds.\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])\n", "utf-8")
    return Script("add")


def test_a_scan_sees_the_keys_of_every_master(call: Call, nodes: Connection) -> None:
    async def seen() -> set[bytes]:
        return {key async for page in nodes.scan("k*", count=10) for key in page}

    keys = {f"k{number}".encode() for number in range(100)}
    call(nodes.send(*(("SET", key, 1) for key in keys), ("SET", "other", 1)))
    assert call(seen()) == keys


def test_a_cluster_answers_one_pipeline_over_all_its_slots(call: Call, nodes: Connection) -> None:
    assert nodes.clustered
    assert call(nodes.send(*(("SET", f"k{i}", i) for i in range(50)))) == [True] * 50
    assert call(nodes.send(*(("GET", f"k{i}") for i in range(50)))) == [b"%d" % i for i in range(50)]
    assert call(nodes.send(("HSET", "h", "f", b"\xff"), ("HGETALL", "h"), ("GET", "k7"))) == [1, {b"f": b"\xff"}, b"7"]
    assert call(nodes.send(("GET", "k7"))) == [b"7"]


def test_scripts_run_on_the_node_of_their_key(call: Call, nodes: Connection, add: Script) -> None:
    for total in (2, 4):
        mixed = [add([f"n{i}"], [2]) for i in range(20)]
        assert call(nodes.send(("SET", "other", "x"), *mixed, ("GET", "other"))) == [True, *[total] * 20, b"x"]


def test_a_script_lost_by_one_node_is_sent_again(
    call: Call, nodes: Connection, cluster: list[Server], add: Script
) -> None:
    call(nodes.send(*(add([f"n{i}"], [1]) for i in range(20))))
    with redis.Redis(unix_socket_path=cluster[1].socket) as client:
        client.script_flush()
    assert call(nodes.send(*(add([f"n{i}"], [1]) for i in range(20)))) == [2] * 20


def test_an_error_on_one_node_stands_in_its_place(call: Call, nodes: Connection) -> None:
    call(nodes.send(("SET", "text", "a")))
    good, bad, after = call(nodes.send(("SET", "x", 1), ("LPUSH", "text", "b"), ("SET", "y", 1), return_errors=True))
    assert (good, after) == (True, True)
    assert isinstance(bad, redis.ResponseError)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        call(nodes.send(("SET", "x", 1), ("LPUSH", "text", "b")))


async def test_300_coroutines_on_a_cluster(nodes: Connection) -> None:
    calls = [nodes.send(("INCR", "{n}")) for _ in range(300)]
    assert len({n for [n] in await asyncio.gather(*calls)}) == 300


async def test_the_users_own_cluster_clients(cluster: list[Server], add: Script) -> None:
    port = cluster[0].port
    sync = redis.RedisCluster("127.0.0.1", port, decode_responses=True)
    async_ = aioredis.RedisCluster("127.0.0.1", port, decode_responses=True)
    connection = Connection(client=sync, async_client=async_)
    assert connection.clustered
    try:
        for send in (connection.send, lambda *args, **kw: asyncio.to_thread(run, connection.send(*args, **kw))):
            await send(("SET", "{t}a", b"\xff"), ("DEL", "{t}n"))
            assert await send(("GET", "{t}a"), add(["{t}n"], [3])) == [b"\xff", 3]
            assert await send(("GET", "{t}a"), ("INCR", "{t}n")) == [b"\xff", 4]
    finally:
        sync.close()
        await async_.aclose()


@pytest.mark.parametrize("colour", [redis, aioredis], ids=["from sync", "from async"])
async def test_a_cluster_client_of_one_colour_serves_both(colour: Any, cluster: list[Server]) -> None:
    client = colour.RedisCluster("127.0.0.1", cluster[0].port, decode_responses=True)
    connection = Connection.of(client)
    assert connection.clustered
    try:
        for send in (connection.send, lambda *commands: asyncio.to_thread(run, connection.send(*commands))):
            assert await send(("SET", "a", b"\xff"), ("SET", "b", 2)) == [True, True]
            assert await send(("GET", "a"), ("GET", "b"), ("DEL", "a"), ("DEL", "b")) == [b"\xff", b"2", 1, 1]
    finally:
        await connection.aclose()
        await close(client)


async def close(client: Any) -> None:
    if isinstance(client, aioredis.Redis | aioredis.RedisCluster):
        await client.aclose()
    else:
        client.close()


@pytest.fixture(scope="module")
def sentinel() -> Iterator[tuple[Server, str]]:
    """A master with a password, and the URL by which its sentinel names it."""
    with (
        serving("--requirepass", "s3same", port=free_port()) as master,
        serving(port=free_port(), sentinel=True) as watch,
    ):
        with redis.Redis(unix_socket_path=watch.socket) as client:
            client.execute_command("SENTINEL", "MONITOR", "main", "127.0.0.1", master.port, 1)
            client.execute_command("SENTINEL", "SET", "main", "auth-pass", "s3same")
        yield master, f"redis+sentinel://:s3same@127.0.0.1:{free_port()},127.0.0.1:{watch.port}/main/3"


def test_a_sentinel_names_the_master(call: Call, sentinel: tuple[Server, str]) -> None:
    master, url = sentinel
    with Connection(url) as connection:
        assert not connection.clustered
        assert call(connection.send(("SET", "k", b"\xff"), ("GET", "k"))) == [True, b"\xff"]
        assert call(connection.send(("GET", "k"))) == [b"\xff"]
        assert "s3same" not in repr(connection)
    with redis.Redis(unix_socket_path=master.socket, password="s3same", db=3) as client:
        assert client.get("k") == b"\xff"


def test_a_name_no_sentinel_knows(call: Call, sentinel: tuple[Server, str]) -> None:
    connection = Connection(sentinel[1].replace("/main/", "/other/"))
    with connection, pytest.raises(redis.ConnectionError, match="other") as caught:
        call(connection.send(("PING",)))
    assert "s3same" not in f"{caught.value} {caught.value!r}"


def test_a_sentinels_query_string_is_read_as_for_one_server(call: Call, sentinel: tuple[Server, str]) -> None:
    with Connection(sentinel[1] + "?socket_timeout=2&client_name=me&decode_responses=true") as connection:
        assert call(connection.send(("CLIENT", "GETNAME"))) == [b"me"]


async def test_300_coroutines_on_a_sentinels_pool_of_two(sentinel: tuple[Server, str]) -> None:
    async with Connection(sentinel[1], max_connections=2) as connection:
        calls = [connection.block("INCR", "n") for _ in range(300)]
        assert len({*await asyncio.gather(*calls)}) == 300


@pytest.mark.parametrize("colour", [redis, aioredis], ids=["from sync", "from async"])
async def test_a_sentinels_client_of_one_colour_serves_both(colour: Any, sentinel: tuple[Server, str]) -> None:
    port = int(sentinel[1].rpartition("/main")[0].rpartition(":")[2])
    asked = colour.sentinel.Sentinel([("127.0.0.1", port)], password="s3same", db=3)
    client = asked.master_for("main", client_name="me")
    connection = Connection.of(client)
    try:
        for send in (connection.send, lambda *commands: asyncio.to_thread(run, connection.send(*commands))):
            [name, info, _] = await send(("CLIENT", "GETNAME"), ("CLIENT", "INFO"), ("SET", "k", 1))
            assert (name, b"db=3" in info.split()) == (b"me", True)
    finally:
        await connection.aclose()
        for part in (client, *asked.sentinels):
            await close(part)


def test_a_client_of_replicas_has_no_twin(sentinel: tuple[Server, str]) -> None:
    asked: Any = aioredis.Sentinel([("127.0.0.1", sentinel[0].port)])  # type: ignore[no-untyped-call]
    with pytest.raises(ConfigurationError, match=r"^client: "):
        Connection(async_client=asked.slave_for("main")).expect_sync()
