"""What `Connection.send` does when something fails: a command, a caller, a connection, a server, a full pool."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

import pytest
import redis

from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Command, Connection
from tests.servers import Server, free_port, serving
from tests.users import wait_until

Call = Callable[[Any], Any]
WRONG = ("LPUSH", "text", "x")  # WRONGTYPE once `text` is a string
UNKNOWN = ("NOSUCHCOMMAND",)


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that a test may kill."""
    with serving("--requirepass", "s3same", port=free_port()) as server:
        yield server


def url(server: Server) -> str:
    return server.tcp.replace("//", "//:s3same@")


def test_a_failing_command_raises_and_the_others_are_done(call: Call, plain: Connection) -> None:
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        call(plain.send(("SET", "text", "a"), WRONG, ("SET", "after", "b")))
    assert call(plain.send(("MGET", "text", "after"))) == [[b"a", b"b"]]


def test_errors_can_be_asked_for_as_replies(call: Call, plain: Connection) -> None:
    call(plain.send(("SET", "text", "a")))
    good, bad, after = call(plain.send(("GET", "text"), WRONG, ("GET", "text"), return_errors=True))
    assert (good, after) == (b"a", b"a")
    assert isinstance(bad, redis.ResponseError)


async def test_calls_of_one_tick_leave_together_and_each_gets_its_own_replies(plain: Connection) -> None:
    async def reads() -> int:
        return int((await plain.send(("INFO", "stats")))[0]["total_reads_processed"])

    before = await reads()
    calls = [plain.send(("ECHO", f"{i}"), *([("ECHO", "more")] * (i % 3))) for i in range(100)]
    answers = await asyncio.gather(*calls)
    spent = await reads() - before
    assert answers == [[b"%d" % i, *[b"more"] * (i % 3)] for i in range(100)]
    assert spent <= 4  # one for the hundred (a second if the kernel cut it in two), one for INFO


async def test_one_calls_failing_command_leaves_its_neighbours_alone(plain: Connection) -> None:
    await plain.send(("SET", "text", "a"))
    outcomes = await asyncio.gather(
        *(plain.send(*([WRONG, ("GET", "text")] if i % 3 == 0 else [("GET", "text")])) for i in range(30)),
        return_exceptions=True,
    )
    for i, outcome in enumerate(outcomes):
        assert isinstance(outcome, redis.ResponseError) if i % 3 == 0 else outcome == [b"a"]


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("argument", "error"),
    [({"no": "such type"}, redis.DataError), (Colour.RED, redis.DataError), ("\ud800", UnicodeError)],
)
async def test_a_command_that_cannot_be_packed_fails_only_its_own_call(
    plain: Connection, argument: Any, error: type[Exception]
) -> None:
    outcomes = await asyncio.gather(
        plain.send(("SET", "k", argument)), plain.send(("ECHO", "x")), return_exceptions=True
    )
    assert isinstance(outcomes[0], error)
    assert outcomes[1] == [b"x"]


@pytest.mark.parametrize("victims", [{0}, {1}, {4}, {0, 1, 2}, {0, 4}])
@pytest.mark.parametrize("ticks", [0, 1, 2, 3])
async def test_a_cancelled_caller_leaves_the_others_whole(plain: Connection, victims: set[int], ticks: int) -> None:
    """The first call of a tick leads; before, while and after its batch is on the way, any call may be cancelled."""
    for _ in range(3):
        tasks = [asyncio.create_task(plain.send(("ECHO", f"{i}"))) for i in range(5)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for i in victims:
            tasks[i].cancel()
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        for i, outcome in enumerate(outcomes):
            assert outcome == [b"%d" % i] or (i in victims and isinstance(outcome, asyncio.CancelledError))
        assert await asyncio.wait_for(plain.send(("ECHO", "next")), 5) == [b"next"]


async def test_a_lone_cancelled_caller_does_not_spoil_the_connection(plain: Connection) -> None:
    for ticks in range(6):
        task = asyncio.create_task(plain.send(("ECHO", "cancelled"), ("ECHO", "too")))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await plain.send(("ECHO", "mine")) == [b"mine"]


async def test_300_coroutines_on_a_pool_of_two(plain_url: str) -> None:
    async with Connection(plain_url, max_connections=2) as connection:
        calls = [connection.block("INCR", "pooled") for _ in range(300)]
        assert len({*await asyncio.gather(*calls)}) == 300
        await connection.send(("DEL", "pooled"))


async def test_many_loops_one_after_the_other_and_at_once(plain: Connection) -> None:
    def loop_of_its_own(n: int) -> list[Any]:
        async def main() -> Any:
            return await asyncio.gather(*(plain.send(("ECHO", f"{n}.{i}")) for i in range(10)))

        return [asyncio.run(main()) for _ in range(3)]

    answers = await asyncio.gather(*(asyncio.to_thread(loop_of_its_own, n) for n in range(4)))
    assert answers == [[[[b"%d.%d" % (n, i)] for i in range(10)]] * 3 for n in range(4)]
    assert not plain._lanes  # each was closed with its loop
    assert await plain.send(("ECHO", "here")) == [b"here"]


# What such a loop leaves to the garbage collector is warned of.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("closed", [True, False])
def test_a_loop_that_was_closed_without_a_word_leaves_no_client_behind(server: Server, closed: bool) -> None:
    with Connection(url(server), client_name="looped") as connection:
        for _ in range(5):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(connection.send(("PING",)))
            loop.close()
            del loop
        assert len(connection._lanes) == 1
        if closed:
            connection.close()
        else:
            asyncio.run(connection.send(("PING",)))
        assert not connection._lanes

        def none_is_left() -> bool:
            [clients] = run(connection.send(("CLIENT LIST",)))
            return [client["name"] for client in clients] == ["looped"]  # the one that asks

        wait_until(none_is_left)
    gc.collect()  # now, so that no other test is warned


def assert_secretless(error: BaseException | None, log: pytest.LogCaptureFixture) -> None:
    while error is not None:
        assert "s3same" not in f"{error} {error!r} {error.args}"
        error = error.__cause__ or error.__context__
    assert "s3same" not in log.text


def test_a_server_that_is_away(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Connection(f"redis://user:s3same@127.0.0.1:{free_port()}") as connection:
        with pytest.raises(redis.ConnectionError) as caught:
            call(connection.send(("PING",)))
        assert_secretless(caught.value, caplog)


def test_a_refused_password(call: Call, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Connection(server.tcp.replace("//", "//user:s3same@")) as connection:
        with pytest.raises(redis.ConnectionError, match="invalid username-password") as caught:
            call(connection.send(("PING",)))
        assert_secretless(caught.value, caplog)


def test_a_killed_server_and_its_return(call: Call, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Connection(url(server)) as connection:
        assert call(connection.send(("SET", "k", 1))) == [True]
        server.kill()
        with pytest.raises(redis.ConnectionError) as caught:
            call(connection.send(("GET", "k")))
        assert_secretless(caught.value, caplog)
        server.start()
        assert call(connection.send(("GET", "k"))) == [None]


async def test_every_caller_hears_of_a_killed_server(server: Server) -> None:
    async with Connection(url(server)) as connection:
        await connection.send(("PING",))
        server.kill()
        outcomes = await asyncio.gather(*(connection.send(("GET", "k")) for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {redis.ConnectionError}
        server.start()
        assert await connection.send(("ECHO", "back")) == [b"back"]


async def test_a_connection_that_the_server_closed_is_opened_anew(server: Server) -> None:
    """As when it was idle for longer than the server's `timeout`, or a proxy dropped it."""
    commands: list[Command] = [("SET", "k", 1), ("GET", "k")]
    async with Connection(url(server)) as connection, asyncio.timeout(10):
        for _ in range(3):
            assert (await connection.send(*commands))[1] == b"1"
            assert run(connection.send(*commands))[1] == b"1"
            with redis.Redis(unix_socket_path=server.socket, password="s3same") as admin:
                admin.client_kill_filter(_type="normal", skipme=True)


def test_a_server_that_hangs_is_given_up(call: Call) -> None:
    with serving(port=free_port()) as server, Connection(server.tcp, socket_timeout=0.05) as connection:
        assert call(connection.send(("ECHO", "x"))) == [b"x"]
        server.pause()
        with pytest.raises(redis.TimeoutError):
            call(connection.send(("ECHO", "x")))
        server.resume()
        assert call(connection.send(("ECHO", "y"))) == [b"y"]  # and not the late answer to the call before
