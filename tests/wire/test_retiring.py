"""A connection that is closed while others use it: they get their answers, and nothing stays open."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

READ = ("XREAD", "BLOCK", 5000, "STREAMS", "s", "$")
FOUND = [[b"s", [(b"1-1", {b"f": b"v"})]]]


async def somebody_waits(plain: Connection) -> None:
    while not (await plain.send(("INFO", "clients")))[0]["blocked_clients"]:
        pass


async def nobody_is_connected(plain: Connection) -> None:
    """The server may notice a moment later."""
    for _ in range(1000):
        if "leaver" not in str(await plain.send(("CLIENT", "LIST"))):
            return
    pytest.fail("a connection stayed open")


async def test_a_thread_that_waits_gets_its_answer(plain: Connection, plain_url: str) -> None:
    leaver = Connection(plain_url, client_name="leaver")
    await asyncio.to_thread(run, leaver.send(("PING",)))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(run, leaver.block(*READ))
        await somebody_waits(plain)
        leaver.close()
        await plain.send(("XADD", "s", "1-1", "f", "v"))
        assert await asyncio.wrap_future(waiting) == FOUND
    await nobody_is_connected(plain)


async def test_a_task_that_waits_gets_its_answer(plain: Connection, plain_url: str) -> None:
    leaver = Connection(plain_url, client_name="leaver")
    await asyncio.gather(leaver.send(("PING",)), leaver.block("PING"))
    waiting = asyncio.create_task(leaver.block(*READ))
    await somebody_waits(plain)
    await leaver.aclose()
    await plain.send(("XADD", "s", "1-1", "f", "v"))
    assert await waiting == FOUND
    await nobody_is_connected(plain)


async def test_calls_while_it_is_closed_again_and_again(plain: Connection, plain_url: str) -> None:
    leaver = Connection(plain_url, client_name="leaver", max_connections=3)

    async def ask(who: str) -> None:
        for number in range(50):
            text = f"{who} {number}".encode()
            assert await leaver.send(("ECHO", text)) == [text]

    async def close() -> None:
        while True:
            await leaver.aclose()
            await asyncio.sleep(0)

    closing = asyncio.create_task(close())
    work: list[Any] = [asyncio.to_thread(run, ask(f"thread {i}")) for i in range(3)]
    await asyncio.gather(*work, *(ask(f"task {i}") for i in range(3)))
    closing.cancel()
    await asyncio.wait([closing])
    await leaver.aclose()
    await nobody_is_connected(plain)


async def test_a_client_that_outlives_its_connection(plain: Connection, plain_url: str) -> None:
    leaver = Connection(plain_url, client_name="leaver")
    client = leaver.client
    for _ in range(2):
        assert client.ping()
        leaver.close()
        await nobody_is_connected(plain)
    assert client.ping()
    await nobody_is_connected(plain)
