"""`agentmem events`: what agents did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import click

from langchain_agentmem import AgentMemory, Event
from langchain_agentmem.serve.commands.group import Commands
from langchain_agentmem.serve.commands.options import COUNT, as_json, examples, on_a_server, when, with_memory
from langchain_agentmem.serve.console import make_console
from langchain_agentmem.serve.output import print_line

_KINDS = click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind, such as tool.end, or memory for all of it."
)


@click.group(cls=Commands)
@examples("agentmem events tail --follow", "agentmem events replay trip --since 1h --json | jq .kind")
@as_json
@on_a_server
def events(**_: Any) -> None:
    """What agents did."""


@events.command()
@click.argument("thread", required=False)
@click.option("-n", "--lines", type=COUNT, default=10, show_default=True, help="How many to begin with.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("--idle", type=float, metavar="SECONDS", help="With --follow: end after so long without an event.")
@_KINDS
@as_json
@with_memory
def tail(memory: AgentMemory, thread: str | None, lines: int, follow: bool, idle: float | None, **shown: Any) -> None:
    """Show the last events.

    Of THREAD, else of all threads. With --json, a line each.
    """
    recent = memory.events.recent(thread, lines)
    _show(chain(recent, _coming(memory, thread, recent, idle)) if follow else recent, **shown)


@events.command()
@click.argument("thread", required=False)
@click.option("--since", type=when, help="Only what was stored then or later: ISO time, or how long ago (10m, 2h).")
@click.option("--until", type=when, help="... or earlier.")
@click.option("--after", "after_id", metavar="CURSOR", help="Only what came after the event with this cursor.")
@_KINDS
@as_json
@with_memory
def replay(
    memory: AgentMemory,
    thread: str | None,
    since: datetime | None,
    until: datetime | None,
    after_id: str | None,
    **shown: Any,
) -> None:
    """Show every event that is kept, oldest first.

    Of THREAD, else of all threads. With --json, a line each.
    """
    _show(memory.events.replay(thread, since=since, until=until, after_id=after_id), **shown)


def _coming(memory: AgentMemory, thread: str | None, recent: list[Event], idle: float | None) -> Iterator[Event]:
    """What happens next. A cursor belongs to one stream, so only a thread can be taken up without a gap."""
    after = (recent[-1].cursor if recent else "0-0") if thread is not None else None
    return memory.events.tail(thread, after_id=after, idle=idle)


def _show(found: Iterable[Event], *, kinds: tuple[str, ...], as_json: bool) -> None:
    console = make_console()
    for event in found:
        if kinds and event.kind not in kinds and event.kind.partition(".")[0] not in kinds:
            continue
        if as_json:
            print_line(event.document() | {"time": event.time, "cursor": event.cursor})
        else:
            console.print(_line(event), soft_wrap=True)


def _line(event: Event) -> str:
    where = "/".join(part for part in (event.thread_id, event.namespace, event.node) if part)
    parts = [f"{event.time.astimezone():%H:%M:%S.%f}"[:-3], f"{event.kind:<18}", where]
    if event.step is not None:
        parts.append(f"step {event.step}")
    if event.name and event.name != event.node:
        parts.append(event.name)
    if event.duration is not None:
        parts.append(f"{event.duration * 1000:.0f} ms")
    if event.error_type:
        parts.append(f"{event.error_type}: {event.error}")
    elif event.data:
        parts.append(_cut(json.dumps(event.data, ensure_ascii=False, default=str)))
    return "  ".join(parts)


def _cut(text: str, width: int = 100) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
