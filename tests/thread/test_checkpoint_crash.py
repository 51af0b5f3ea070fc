"""A server that is killed in the middle of things, and started again: each thread is at a whole checkpoint."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import LOST_CONNECTION
from tests.servers import Server, serving
from tests.thread.checkpoints import Thread, chat, config, name, values_of

KILLS = 8


@pytest.fixture
def durable() -> Iterator[Server]:
    """A server that answers once its append-only file is on disk; one that syncs by the second may forget two."""
    with serving("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


class Writer:
    """Puts checkpoints with writes until the server goes away, and remembers what it was told is stored."""

    def __init__(self, saver: AgentMemorySaver, thread_id: str) -> None:
        self.thread = Thread(saver, thread_id)
        self.saver, self.confirmed, self.sent = saver, 0, 0

    def _next(self) -> tuple[Any, ...]:
        self.sent += 1
        said = chat(3 * self.sent, 400)
        return self.thread.draft(
            {"run_id": f"{self.sent}"}, messages=said, again=said, n=self.sent, plain="x" * self.sent
        )

    def write(self) -> None:
        while True:
            where = self.saver.put(*self._next())
            self.confirmed = self.sent
            self.saver.put_writes(where, [("n", self.sent), ("again", chat(2))], "task")

    async def awrite(self) -> None:
        while True:
            where = await self.saver.aput(*self._next())
            self.confirmed = self.sent
            await self.saver.aput_writes(where, [("n", self.sent), ("again", chat(2))], "task")

    def check(self, saver: AgentMemorySaver) -> None:
        """The thread is at the last checkpoint that was confirmed, or at the one under way; each is whole."""
        found = saver.get_tuple(config(self.thread.thread_id))
        last = int(found.checkpoint["id"]) if found else 0
        assert last in (self.confirmed, self.sent)
        listed = [*saver.list(config(self.thread.thread_id))]
        assert [one.checkpoint["id"] for one in listed] == [name(number) for number in range(last, 0, -1)]
        for number, one in zip(range(last, 0, -1), listed, strict=True):
            said = chat(3 * number, 400)
            assert values_of(one) == {"messages": said, "again": said, "n": number, "plain": "x" * number}
            assert one.metadata["step"] == number
            written = [("task", "n", number), ("task", "again", chat(2))]
            assert one.pending_writes == written or (number == last and one.pending_writes == [])


def kill_soon(server: Server, seconds: float) -> threading.Thread:
    def kill() -> None:
        time.sleep(seconds)
        server.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    return killer


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_killed_at_any_moment(durable: Server, colour: str) -> None:
    """Four writers, each on a thread of its own; the server is killed at another moment in each round."""
    chance, confirmed = random.Random(colour), 0
    for round_ in range(KILLS):
        killer = kill_soon(durable, chance.uniform(0.01, 0.15))
        with AgentMemorySaver.from_conn_string(durable.url, retry=None) as saver:
            writers = [Writer(saver, f"{round_} {number}") for number in range(4)]
            if colour == "sync":
                _write_in_threads(writers)
            else:
                asyncio.run(_write_in_tasks(saver, writers))
        killer.join()
        durable.start()
        with AgentMemorySaver.from_conn_string(durable.url) as saver:
            for writer in writers:
                writer.check(saver)
            confirmed += sum(writer.confirmed for writer in writers)
    assert confirmed > 4 * KILLS


def _write_in_threads(writers: list[Writer]) -> None:
    def write(writer: Writer) -> None:
        with pytest.raises(LOST_CONNECTION):
            writer.write()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def _write_in_tasks(saver: AgentMemorySaver, writers: list[Writer]) -> None:
    ended = await asyncio.gather(*[writer.awrite() for writer in writers], return_exceptions=True)
    assert all(isinstance(error, LOST_CONNECTION) for error in ended)
    await saver.aclose()


def test_a_saver_goes_on_with_the_server_that_came_back(durable: Server) -> None:
    """With the beliefs that it had: the server has lost its scripts, and kept the thread."""
    with AgentMemorySaver.from_conn_string(durable.url) as saver:
        thread = Thread(saver)
        for turn in range(1, 6):
            thread.put(messages=chat(4 * turn), n=turn)
            durable.kill()
            durable.start()
        assert [values_of(found) for found in saver.list(config())] == [
            {"messages": chat(4 * turn), "n": turn} for turn in range(5, 0, -1)
        ]


def test_a_file_cut_within_a_transaction(durable: Server) -> None:
    """A put is one unit of the append-only file too: what a crash of the machine cuts off is the whole of it."""
    with AgentMemorySaver.from_conn_string(durable.url) as saver:
        writer = Writer(saver, "thread")
        for _ in range(4):
            saver.put_writes(saver.put(*writer._next()), [("n", writer.sent), ("again", chat(2))], "task")
        writer.confirmed = writer.sent
    durable.kill()
    [log] = Path(durable.socket).parent.glob("appendonlydir/*.incr.aof")
    whole = log.read_bytes()
    seen = set()
    for cut in random.Random(7).sample(range(2000, len(whole)), 6):
        log.write_bytes(whole[:cut])
        durable.start()
        with AgentMemorySaver.from_conn_string(durable.url) as saver:
            found = saver.get_tuple(config())
            writer.sent = writer.confirmed = int(found.checkpoint["id"]) if found else 0
            seen.add(writer.sent)
            writer.check(saver)
        durable.kill()
    assert len(seen) > 1
