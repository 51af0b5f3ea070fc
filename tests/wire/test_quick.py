"""What is shorter than in redis-py does the same as there."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hiredis
import pytest
import redis
import redis.asyncio as aioredis
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.wire import quick
from langchain_agentmem.wire.bridge import run, sleep
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.quick import Packing
from tests.servers import free_port, serving

Call = Callable[[Any], Any]


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


class Quick(Packing, aioredis.Connection):  # type: ignore[misc]
    packer = staticmethod(hiredis.pack_command)
    careful = redis.connection.HiredisRespSerializer()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | st.integers() | st.floats()))
def test_commands_have_the_bytes_that_redis_py_gives_them(args: list[Any]) -> None:
    for name in "SCRIPT LOAD", "SET":
        command = (name, *args)
        assert b"".join(Quick().pack_command(*command)) == b"".join(aioredis.Connection().pack_command(*command))
        both = [command, ("PING",)]
        assert b"".join(Quick().pack_commands(both)) == b"".join(aioredis.Connection().pack_commands(both))


def table(*lines: str) -> list[tuple[str, ...]]:
    """Commands; a bar parts their arguments, for redis-py knows the shapes of some by two words."""
    return [tuple(command.split("|")) for line in lines for command in line.split("  ")]


FILL = table(
    "SET|text|é  MSET|a|1|b|2  SETEX|short|1000|x  set|lower|x  HSET|h|f|1|é|ü  RPUSH|l|a|b  SADD|s|m|n  ZADD|z|1.5|m",
    "ZINCRBY|z|1|m  XADD|x|1-1|f|v  XADD|x|2-1|f|w  XGROUP CREATE|x|g|0  GEOADD|geo|13.36|38.11|Palermo  PFADD|hll|a",
)
READS = table(
    "PING  ECHO|é  GET|text  get|text  GET|none  MGET|a|none|b  EXISTS|a  EXPIRE|a|1000  PERSIST|a  TTL|none  TYPE|a",
    "DEL|none  HGETALL|h  hgetall|h  HGETALL|none  HMGET|h|f|z  HKEYS|h  HSCAN|h|0  LRANGE|l|0|-1  LPOP|none",
    "SMEMBERS|s  SMEMBERS|none  SSCAN|s|0  ZSCORE|z|m  ZRANGE|z|0|-1|WITHSCORES  ZSCAN|z|0  ZRANK|z|m  XRANGE|x|-|+",
    "XREAD|STREAMS|x|0  XREAD|STREAMS|x|9  XREADGROUP|GROUP|g|c|STREAMS|x|0  XPENDING|x|g  LPUSH|text|x",
    "XINFO GROUPS|x  XINFO|STREAM|x  XAUTOCLAIM|x|g|c|0|0  GEOPOS|geo|Palermo  GEODIST|geo|Palermo|none  PFCOUNT|hll",
    "CONFIG GET|maxmemory  CONFIG|GET|maxmemory  CONFIG SET|maxmemory|0  SCRIPT LOAD|return 1  SCAN|0|MATCH|a  NOPE",
    "CLIENT SETNAME|me  SCRIPT EXISTS|00  EVAL|return {1, 'é', {2}}|0  OBJECT|ENCODING|a  CLUSTER INFO  COMMAND COUNT",
)
VOLATILE = table("INFO  TIME  CLIENT LIST  CLIENT INFO  SLOWLOG GET  ACL LIST")


def seen(replies: list[Any]) -> list[Any]:
    """What can be compared of them: of an error, its words."""
    return [(type(reply), str(reply) if isinstance(reply, Exception) else reply) for reply in replies]


def test_replies_have_the_shapes_that_redis_py_gives_them(call: Call, plain: Connection, plain_url: str) -> None:
    with redis.Redis.from_url(plain_url, protocol=2) as peer:

        def theirs(command: tuple[str, ...]) -> Any:
            try:
                return peer.execute_command(*command)
            except redis.ResponseError as error:
                return error

        filled, read, volatile = ([theirs(command) for command in commands] for commands in (FILL, READS, VOLATILE))
    call(plain.send(("FLUSHALL",)))
    assert seen(call(plain.send(*FILL, return_errors=True))) == seen(filled)
    assert seen(call(plain.send(*READS, return_errors=True))) == seen(read)
    assert seen([call(plain.send(command, return_errors=True))[0] for command in READS]) == seen(read)
    assert [type(reply) for reply in call(plain.send(*VOLATILE))] == [type(reply) for reply in volatile]


def test_a_shape_of_the_users_own_is_taken(plain: Connection) -> None:
    plain.client.set_response_callback("ECHO", lambda reply: f"heard {reply.decode()}")
    assert run(plain.send(("ECHO", "a"), ("echo", "b"), ("ECHO", "c"))) == ["heard a", "heard b", "heard c"]


def test_what_cannot_be_packed_is_refused_before_anything_is_sent(call: Call, plain: Connection) -> None:
    async def both() -> None:
        opened = await connections(plain)
        for commands in ([("SET", "k", object())], [("SET", "k", 1), ("SET", "k", object())]):
            with pytest.raises(redis.DataError):
                await plain.send(*commands)
        assert await plain.send(("GET", "k"), ("SET", "part", memoryview(b"of it"))) == [None, True]
        assert await connections(plain) == opened  # none was harmed

    call(both())


async def connections(connection: Connection) -> int:
    return int((await connection.send(("INFO", "stats")))[0]["total_connections_received"])


class Interrupt(BaseException):
    """As a KeyboardInterrupt, which pytest and asyncio would take for themselves."""


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupt_between_two_replies_leaves_none_behind(
    call: Call, plain: Connection, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    base = (redis if call is run else aioredis).connection.AbstractConnection
    read = base.read_response
    left = after

    def interrupted(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Interrupt
        return read(self, *args, **options)

    async def both() -> None:
        await plain.send(("PING",))
        with monkeypatch.context() as patch:
            patch.setattr(base, "read_response", interrupted)
            with pytest.raises(Interrupt):
                await plain.send(*(("ECHO", f"old {i}") for i in range(3)))
        assert await plain.send(("ECHO", "new"), ("ECHO", "newer")) == [b"new", b"newer"]

    call(both())


def test_a_signal_while_the_server_is_awaited_leaves_no_reply_behind(plain: Connection) -> None:
    def ring(*_: Any) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, ring)
    try:
        for _ in range(3):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Interrupt):
                run(plain.send(("BLPOP", "none", 3), ("ECHO", "old")))
            assert run(plain.send(("ECHO", "new"))) == [b"new"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


async def test_a_cancelled_call_leaves_no_reply_behind(plain: Connection) -> None:
    for pause in (0, 0.001, 0.02):
        task = asyncio.create_task(plain.send(("BLPOP", "none", 3), ("ECHO", "old")))
        await asyncio.sleep(pause)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await plain.send(("ECHO", "new")) == [b"new"]


def test_the_time_limit_is_that_of_one_reply(call: Call, plain: Connection, plain_url: str) -> None:
    with Connection(plain_url, socket_timeout=0.3) as connection:

        async def both() -> None:
            slow = [("BLPOP", f"none {i}", 0.1) for i in range(5)]
            assert await connection.send(*slow) == [None] * 5
            for _ in range(2):  # it holds for the next call as well
                with pytest.raises(redis.TimeoutError):
                    await connection.send(("ECHO", "a"), ("BLPOP", "none", 10))
            assert await connection.send(("ECHO", "in step")) == [b"in step"]

        call(both())


def test_no_time_limit(call: Call, plain_url: str) -> None:
    with Connection(plain_url, socket_timeout=None) as connection:
        assert call(connection.send(("ECHO", "a"), ("ECHO", "b"))) == [b"a", b"b"]


def test_more_than_a_socket_takes_at_once(call: Call, plain: Connection) -> None:
    big = b"x" * 3_000_000
    assert call(plain.send(("SET", "big", big), ("GET", "big"), ("STRLEN", "big"))) == [True, big, len(big)]


async def test_a_connection_with_something_left_to_read_is_opened_anew(plain: Connection) -> None:
    client: Any = plain.client
    pool = client.connection_pool
    left: Any = pool.get_connection()
    left.send_command("ECHO", "old")
    assert left.can_read(timeout=5)
    pool.release(left)
    assert run(plain.send(("ECHO", "new"))) == [b"new"]

    await plain.send(("PING",))
    [lane] = plain._lanes.values()
    pool = lane.client.connection_pool
    left = await pool.get_connection()
    await left.send_command("ECHO", "old")
    for _ in range(2):
        await plain.send(("PING",))  # on another one: meanwhile the answer has come
    await pool.release(left)
    assert await plain.send(("ECHO", "new")) == [b"new"]


def test_health_is_checked(call: Call, plain_url: str) -> None:
    with Connection(plain_url, health_check_interval=0.01) as connection:

        async def both() -> None:
            before = await pings(connection)
            for _ in range(3):
                await connection.send(("ECHO", "x"))
                await sleep(0.02)
            assert await pings(connection) > before

        call(both())


async def pings(connection: Connection) -> int:
    stats = (await connection.send(("INFO", "commandstats")))[0]
    return int(stats.get("cmdstat_ping", {"calls": 0})["calls"])


def test_more_threads_than_connections_wait_for_one(plain_url: str) -> None:
    name = "few"
    with Connection(plain_url, max_connections=2, client_name=name) as connection, ThreadPoolExecutor(24) as pool:

        def work(number: int) -> bool:
            commands = [("ECHO", f"{number}.{i}") for i in range(1 + number % 3)]
            replies = run(connection.send(*commands))
            return replies == [command[1].encode() for command in commands]

        assert all(pool.map(work, range(600)))
        [clients] = run(connection.send(("CLIENT LIST",)))
        assert 1 <= sum(client["name"] == name for client in clients) <= 2


def test_a_full_pool_says_so_when_nobody_gives_back(plain_url: str) -> None:
    with Connection(plain_url, max_connections=1, timeout=0.05) as connection:
        client: Any = connection.client
        pool = client.connection_pool
        taken = pool.get_connection()
        with pytest.raises(redis.ConnectionError, match="No connection available"):
            run(connection.send(("PING",)))
        pool.release(taken)
        assert run(connection.send(("PING",))) == [True]


def test_a_fork_in_the_midst_of_work(plain: Connection) -> None:
    """The child of a process whose threads are talking shares none of their connections."""

    def work(who: str) -> bool:
        return all(run(plain.send(("ECHO", f"{who} {i}"))) == [f"{who} {i}".encode()] for i in range(200))

    mine, theirs = socket.socketpair()
    with ThreadPoolExecutor(3) as pool:
        parents = [pool.submit(work, f"parent {n}") for n in range(3)]
        if not (pid := os.fork()):
            try:
                theirs.sendall(b"sound" if work("child") else b"mixed")
            finally:
                os._exit(0)
        assert all(parent.result() for parent in parents)
    os.waitpid(pid, 0)
    theirs.close()
    assert mine.recv(16) == b"sound"
    mine.close()


@pytest.fixture
def restarted() -> Iterator[tuple[Connection, Callable[[], None]]]:
    """A connection, and what restarts its server."""
    with serving(port=free_port()) as server:

        def restart() -> None:
            server.kill()
            server.start()

        with Connection(server.url) as connection:
            yield connection, restart


async def test_a_server_that_was_restarted_between_two_calls(restarted: tuple[Connection, Callable[[], None]]) -> None:
    connection, restart = restarted
    for _ in range(2):
        await connection.send(("SET", "k", 1), ("GET", "k"))
        run(connection.send(("SET", "k", 1), ("GET", "k")))
        restart()
        assert (await connection.send(("SET", "k", 2), ("GET", "k")))[1] == b"2"
        assert run(connection.send(("SET", "k", 3), ("GET", "k")))[1] == b"3"


class Own(redis.Redis):
    """A user's client that sees what goes through it."""

    seen: list[Any]

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.seen.append(args)
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def test_a_users_client_is_asked_by_its_public_methods(plain_url: str) -> None:
    with Own.from_url(plain_url) as client:
        client.seen = []
        assert run(Connection(client=client).send(("ECHO", "a"))) == [b"a"]
        assert client.seen == [("ECHO", "a")]


@pytest.mark.parametrize("why", ["RESP3", "observability"])
def test_where_redis_py_has_more_to_do_it_does_it(call: Call, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    if why == "observability":
        providers = pytest.importorskip("redis.observability.providers", reason="this redis-py measures nothing")
        monkeypatch.setattr(providers.ObservabilityInstance, "is_enabled", lambda self: True)
    for pool in (quick.Direct, quick.Lending):
        monkeypatch.delattr(pool, "exchange")
        monkeypatch.delattr(pool, "_lend")
    protocol = 3 if why == "RESP3" else 2
    with serving(port=free_port()) as server, Connection(server.tcp, protocol=protocol) as connection:
        assert call(connection.send(("ECHO", "a"))) == [b"a"]
        assert call(connection.send(("ECHO", "a"), ("ECHO", "b"))) == [b"a", b"b"]


@pytest.mark.parametrize("dressed", [False, True], ids=["replaced", "wrapped"])
def test_a_tracer_that_wraps_redis_pys_methods_sees_each_command(
    call: Call, plain: Connection, monkeypatch: pytest.MonkeyPatch, dressed: bool
) -> None:
    colour: Any = redis if call is run else aioredis
    execute = colour.Redis.execute_command
    traced: list[Any] = []

    def spy(self: Any, *args: Any, **named: Any) -> Any:
        traced.append(args)
        return execute(self, *args, **named)

    assert call(plain.send(("ECHO", "before"))) == [b"before"]
    monkeypatch.setattr(colour.Redis, "execute_command", functools.wraps(execute)(spy) if dressed else spy)
    assert call(plain.send(("ECHO", "a"))) == [b"a"]
    assert traced == [("ECHO", "a")]
