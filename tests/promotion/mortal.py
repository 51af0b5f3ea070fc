"""Workers that a signal hits at a named step of a promotion: SIGKILL, or SIGSTOP until they are told to go on.

Run as a program it reads orders, JSON by the line, and for each forks a worker and tells the signal that ended or
stopped it; an order without a point lets the stopped one go on to its end. It has everything imported and no connection
open, so a worker costs a fork and not a start.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion import worker as module
from langchain_agentmem.promotion.extractor import Extractor
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.scripts import ScriptCall
from tests.promotion.scribe import Scribe, bank_on

SETTINGS: dict[str, Any] = {"quiet": 0.01, "backoff": 0.0, "lease": 0.2, "batch_turns": 2, "max_attempts": 40}
"""How the outbox of these tests works: turns are scheduled, not handed over when they are added."""

# What a worker sends at each step of a promotion, and whether an answer says that the step took place.
SENT: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "schedule": ("outbox_schedule", lambda answer: bool(answer[0])),
    "lease": ("outbox_lease", bool),
    "plan": ("outbox_plan", bool),
    "finish": ("outbox_finish", bool),
}
POINTS = [
    *(f"{when} {step}" for step in SENT for when in ("before", "after")),
    *("after claim", "before extract", "after extract"),
    *("before apply", "between changes", "after apply"),
]


def extractor_of(kind: str, bank: MemoryBank) -> Any:
    """The fake that writes each turn, or the strategy that needs no model."""
    return Scribe(bank) if kind == "scribe" else Extractor(bank, None, "verbatim")


fate = [signal.SIGKILL]


def die() -> None:
    """What is to happen, once."""
    if fate:
        os.kill(os.getpid(), fate.pop())


def doom(point: str, extractor: Any) -> None:
    """Arrange that it happens at a point of this process' first promotion."""
    when, step = point.split()
    if step in SENT:
        _die_around_script(when, *SENT[step])
    elif step == "claim":
        _die_around(Connection, "block", lambda _, answer: when == "after" and bool(answer))
    elif step == "extract":
        _die_around(type(extractor), "aplan", lambda _, answer: True, at_once=when == "before")
    elif step == "apply":
        _die_around(type(extractor), "aapply", lambda _, answer: True, at_once=when == "before")
    else:
        _die_between_changes()


def _die_around_script(when: str, name: str, took_place: Callable[[Any], bool]) -> None:
    send = Connection.send

    async def mortal(self: Connection, *commands: Any, **options: Any) -> list[Any]:
        mine = [i for i, command in enumerate(commands) if _runs(command, name)]
        if mine and when == "before":
            die()
        replies = await send(self, *commands, **options)
        if any(took_place(replies[i]) for i in mine):
            die()
        return replies

    Connection.send = mortal  # type: ignore[method-assign]


def _die_around(owner: Any, name: str, dies: Callable[[Any, Any], bool], *, at_once: bool = False) -> None:
    method: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def mortal(*args: Any, **options: Any) -> Any:
        if at_once:
            die()
        answer = await method(*args, **options)
        if dies(args, answer):
            die()
        return answer

    setattr(owner, name, mortal)


def _die_between_changes() -> None:
    """After the first memory of a batch was written, and before the second."""
    send = Connection.send

    async def mortal(self: Connection, *commands: Any, **options: Any) -> list[Any]:
        writes = [i for i, command in enumerate(commands) if _runs(command, "memory_put")]
        if writes:
            await send(self, *commands[: writes[0] + 1], **options)
            die()
        return await send(self, *commands, **options)

    Connection.send = mortal  # type: ignore[method-assign]


def _runs(command: Any, script: str) -> bool:
    return isinstance(command, ScriptCall) and command.script.name == script


async def work(url: str, kind: str, point: str) -> None:
    """Promote until death, or until nothing waits."""
    redis = Connection(url)
    outbox, extractor = Outbox(redis, **SETTINGS), extractor_of(kind, bank_on(redis))
    if point:
        doom(point, extractor)
    async with Worker(outbox, extractor):
        while (await outbox.astats()).waiting:  # noqa: ASYNC110 - it is the server that knows
            await asyncio.sleep(0.01)


def main() -> None:
    module._WAIT = 0.05
    child = 0
    for line in sys.stdin:
        url, kind, point, number = json.loads(line)
        if point:
            child = os.fork()
        else:
            os.kill(child, signal.SIGCONT)
        if child == 0:
            signal.alarm(30)  # for one that never comes to its point
            fate[:] = [signal.Signals(number)]
            asyncio.run(work(url, kind, point))
            os._exit(0)
        _, status = os.waitpid(child, os.WUNTRACED)
        ended = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else abs(os.waitstatus_to_exitcode(status))
        print(ended, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
