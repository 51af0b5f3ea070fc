"""What `Connection.send` gives with any client of one server.

When something fails: test_trouble.py. Sentinels and clusters: test_topologies.py.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio as aioredis

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.scripts import Script
from tests.servers import Server, free_port, serving

Call = Callable[[Any], Any]


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server on TCP and a unix socket with a password, and a user of its own."""
    user = ("--user", "alice on >pa/ss@w:ord ~* +@all")
    with serving("--requirepass", "s3same", *user[:1], *user[1].split(), port=free_port()) as server:
        yield server


@pytest.fixture
def answer(folder: Path) -> Script:
    """A script that gives back its first key and arguments."""
    (folder / "answer.lua").write_text("-- Echo.\nreturn {KEYS[1], ARGV[1], #ARGV}\n", "utf-8")
    return Script("answer")


COMMANDS = [
    ("SET", "text", "é"),
    ("GET", "text"),
    ("GET", "absent"),
    ("SET", "bytes", b"\xff\x00\r\n"),
    ("GET", "bytes"),
    ("INCRBY", "n", 3),
    ("HSET", "h", "a", "1", "é", b"\xfe"),
    ("HGETALL", "h"),
    ("HMGET", "h", "a", "z"),
    ("RPUSH", "l", "x", b"\xfd"),
    ("LRANGE", "l", 0, -1),
    ("SADD", "s", "m"),
    ("SMEMBERS", "s"),
]
REPLIES = [
    *(True, "é".encode(), None, True, b"\xff\x00\r\n", 3, 2, {b"a": b"1", "é".encode(): b"\xfe"}, [b"1", None]),
    *(2, [b"x", b"\xfd"], 1, {b"m"}),
]


def test_replies_are_raw(call: Call, plain: Connection) -> None:
    assert call(plain.send(*COMMANDS)) == REPLIES
    assert call(plain.send(("GET", "text"))) == ["é".encode()]
    assert call(plain.send()) == []


CLIENTS: dict[str, Callable[[str], Any]] = {
    "sync": lambda path: {"client": redis.Redis(unix_socket_path=path)},
    "sync decoding": lambda path: {"client": redis.Redis(unix_socket_path=path, decode_responses=True)},
    "sync resp3 decoding": lambda path: {
        "client": redis.Redis(unix_socket_path=path, decode_responses=True, protocol=3)
    },
    "async": lambda path: {"async_client": aioredis.Redis(unix_socket_path=path)},
    "async decoding": lambda path: {"async_client": aioredis.Redis(unix_socket_path=path, decode_responses=True)},
    "async resp3": lambda path: {"async_client": aioredis.Redis(unix_socket_path=path, protocol=3)},
    "both": lambda path: {
        "client": redis.Redis(unix_socket_path=path, decode_responses=True),
        "async_client": aioredis.Redis(unix_socket_path=path),
    },
}


@pytest.mark.parametrize("given", CLIENTS)
async def test_any_client_of_the_user_serves_both_colours(given: str, plain_url: str, answer: Script) -> None:
    path = plain_url.removeprefix("unix://").partition("?")[0]
    clients = CLIENTS[given](path)
    try:
        async with Connection(**clients) as connection:
            for send in (connection.send, lambda *args, **kw: asyncio.to_thread(_sync, connection, *args, **kw)):
                await send(("FLUSHALL",))
                replies = await send(*COMMANDS)
                assert [raw(reply) for reply in replies] == [raw(reply) for reply in REPLIES]
                assert await send(answer(["é"], [b"\xff", 2])) == [["é".encode(), b"\xff", 2]]
        await use(clients)  # closing the connection has left them open
    finally:
        await close(clients)


@pytest.mark.parametrize("given", CLIENTS)
async def test_a_scan_sees_every_key_raw(given: str, plain: Connection, plain_url: str) -> None:
    keys = {f"é{number}".encode() for number in range(50)}
    await plain.send(*(("SET", key, 1) for key in keys), ("SET", "other", 1), ("SADD", "é", 1))
    clients = CLIENTS[given](plain_url.removeprefix("unix://").partition("?")[0])

    async def seen(connection: Connection) -> set[bytes]:
        return {key async for page in connection.scan("é*", count=10, kind="string") for key in page}

    try:
        async with Connection(**clients) as connection:
            assert await seen(connection) == keys
            assert await asyncio.to_thread(run, seen(connection)) == keys
    finally:
        await close(clients)


def _sync(connection: Connection, *args: Any, **kw: Any) -> list[Any]:
    return run(connection.send(*args, **kw))


def raw(reply: Any) -> Any:
    """A reply in the shape in which EXEC gives it: no dicts, no sets, no True for OK."""
    match reply:
        case dict():
            return [part for pair in reply.items() for part in pair]
        case set():
            return sorted(reply)
        case True:
            return b"OK"
        case "OK":
            raise AssertionError("decoded")
        case _:
            return reply


async def use(clients: dict[str, Any]) -> None:
    for client in clients.values():
        pong = client.ping()
        assert await pong if isinstance(client, aioredis.Redis) else pong


async def close(clients: dict[str, Any]) -> None:
    for client in clients.values():
        if isinstance(client, aioredis.Redis):
            await client.aclose()
        else:
            client.close()


def test_a_password_a_user_and_a_provider_open_the_door(call: Call, guarded: Server) -> None:
    alice = redis.UsernamePasswordCredentialProvider("alice", "pa/ss@w:ord")
    doors: list[tuple[str, dict[str, Any], bytes]] = [
        (guarded.tcp.replace("//", "//:s3same@"), {}, b"default"),
        (f"unix://:s3same@{guarded.socket}", {}, b"default"),
        (guarded.tcp.replace("//", "//alice:pa%2Fss%40w%3Aord@"), {}, b"alice"),
        (guarded.tcp + "?username=alice&password=pa%2Fss%40w%3Aord", {}, b"alice"),
        (guarded.tcp, {"username": "alice", "password": "pa/ss@w:ord"}, b"alice"),
        (guarded.tcp, {"credential_provider": alice}, b"alice"),
        (guarded.url, {"credential_provider": alice}, b"alice"),
    ]
    for url, options, user in doors:
        with Connection(url, **options) as connection:
            assert call(connection.send(("ACL", "WHOAMI"))) == [user]
            assert all(secret not in repr(connection) for secret in ("s3same", "pa/ss", "pa%2Fss"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "url"),
        ({"url": "redis://h", "client": redis.Redis()}, "url"),
        ({"client": redis.Redis(), "db": 1}, "db"),
        ({"url": "http://h"}, "url"),
        ({"url": "redis+sentinel://h"}, "service"),
    ],
)
def test_a_setup_that_cannot_work_is_refused(args: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Connection(**args)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://user:s3same@host:port", {}),
        ("redis://:s3:same@host:99999", {}),
        ("redis://:s3same@host?socket_timeout=soon", {}),
        ("redis+sentinel://:s3same@host/main?socket_timeout=soon", {}),
        ("redis+cluster://:s3same@host?socket_timeout=soon", {}),
    ],
)
def test_what_redis_py_cannot_use_is_refused_without_its_secret(call: Call, url: str, options: dict[str, Any]) -> None:
    with pytest.raises((ConfigurationError, redis.RedisError)) as caught:
        call(Connection(url, **options).send(("PING",)))
    assert isinstance(caught.value, ConfigurationError) or "host" in str(caught.value)
    assert "s3" not in f"{caught.value} {caught.value!r}"


def test_from_env(call: Call, plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", plain_url)
    with Connection.from_env() as connection:
        assert call(connection.send(("ECHO", "hi"))) == [b"hi"]
    monkeypatch.setenv("REDIS_URL", "")
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        Connection.from_env()


def test_a_closed_connection_opens_anew(call: Call, plain_url: str) -> None:
    connection = Connection(plain_url)
    for _ in range(2):
        assert call(connection.send(("ECHO", "hi"))) == [b"hi"]
        connection.close()


async def test_aclose_closes_both_colours_and_a_later_call_opens_them_anew(plain_url: str) -> None:
    connection = Connection(plain_url)
    for _ in range(2):
        assert await connection.send(("ECHO", "hi")) == [b"hi"]
        assert run(connection.send(("ECHO", "hi"))) == [b"hi"]
        await connection.aclose()
    assert not connection._lanes
    assert connection._sync is None


def test_a_script_the_server_has_lost_is_sent_again(call: Call, plain: Connection, answer: Script) -> None:
    for _ in range(2):
        call(plain.send(("SCRIPT", "FLUSH")))
        mixed = (("SET", "k", 1), answer(["a"], [1]), ("GET", "k"), answer(["b"], [2, 3]))
        assert call(plain.send(*mixed)) == [True, [b"a", b"1", 1], b"1", [b"b", b"2", 2]]
    assert call(plain.send(("SCRIPT", "EXISTS", answer.sha))) == [[True]]


def test_many_threads_share_a_connection(plain: Connection) -> None:
    with ThreadPoolExecutor(16) as pool:
        done = [pool.submit(lambda: [run(plain.send(("INCR", "n"))) for _ in range(25)]) for _ in range(16)]
        done += [pool.submit(lambda: [asyncio.run(plain.send(("INCR", "n"))) for _ in range(5)]) for _ in range(8)]
    assert sorted(n for future in done for [n] in future.result()) == [*range(1, 16 * 25 + 8 * 5 + 1)]


def test_a_child_process_shares_no_socket_with_its_parent(plain: Connection) -> None:
    assert run(plain.send(("SET", "who", "parent"))) == [True]
    mine, theirs = socket.socketpair()
    if not (pid := os.fork()):
        try:
            answers = [run(plain.send(("ECHO", f"child {i}"))) for i in range(50)]
            sound = answers == [[b"child %d" % i] for i in range(50)] and asyncio.run(plain.send(("ECHO", "x"))) == [
                b"x"
            ]
            theirs.sendall(b"sound" if sound else b"mixed")
        finally:
            os._exit(0)
    assert [run(plain.send(("ECHO", f"parent {i}"))) for i in range(50)] == [[b"parent %d" % i] for i in range(50)]
    os.waitpid(pid, 0)
    theirs.close()
    assert mine.recv(16) == b"sound"
    mine.close()


async def test_a_blocking_command_waits_apart(plain: Connection) -> None:
    waiting = asyncio.create_task(plain.block("XREAD", "BLOCK", 3000, "STREAMS", "s", "$"))
    while not (await plain.send(("INFO", "clients")))[0]["blocked_clients"]:
        pass
    await plain.send(("XADD", "s", "1-1", "f", "v"))
    assert await waiting == [[b"s", [(b"1-1", {b"f": b"v"})]]]


def test_a_blocking_command_that_gets_nothing(call: Call, plain: Connection) -> None:
    assert not call(plain.block("XREAD", "BLOCK", 10, "STREAMS", "s", "$"))
    with pytest.raises(redis.ResponseError, match=r"(?i)wrong number"):
        call(plain.block("XREAD", "BLOCK"))


SHORT = 0.5  # seconds of a socket timeout
IMPATIENT: dict[str, Callable[[str], dict[str, Any]]] = {
    "option": lambda url: {"url": url, "socket_timeout": SHORT},
    "query": lambda url: {"url": f"{url}?socket_timeout={SHORT}"},
    "sync client": lambda url: {"client": redis.Redis.from_url(url, socket_timeout=SHORT)},
    "async client": lambda url: {"async_client": aioredis.Redis.from_url(url, socket_timeout=SHORT)},
}


@pytest.mark.parametrize("given", IMPATIENT)
async def test_a_blocking_command_ends_before_the_socket_timeout(given: str, plain: Connection, plain_url: str) -> None:
    await plain.send(("XGROUP", "CREATE", "s", "BLOCK", "$", "MKSTREAM"))
    options = IMPATIENT[given](plain_url)
    try:
        async with Connection(**options) as connection:
            for command in (
                ("XREAD", "BLOCK", 60_000, "STREAMS", "s", "$"),
                ("XREADGROUP", "GROUP", "BLOCK", "c", "BLOCK", 60_000, "STREAMS", "s", ">"),
            ):
                assert not await connection.block(*command)
                assert not await asyncio.to_thread(run, connection.block(*command))
    finally:
        await close({name: client for name, client in options.items() if "client" in name})
