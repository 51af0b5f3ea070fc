"""`agentmem worker` and `agentmem promote`: what waits becomes memories."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import click

from langchain_agentmem import AgentMemory
from langchain_agentmem.events.redact import one_line
from langchain_agentmem.promotion.health import Health
from langchain_agentmem.promotion.models import named_chat_model
from langchain_agentmem.promotion.strategies import BUILT_IN
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.serve.commands.options import (
    ANY_COUNT,
    COUNT,
    Command,
    as_json,
    examples,
    on_a_server,
    open_memory,
    with_embeddings,
)
from langchain_agentmem.serve.console import make_console
from langchain_agentmem.serve.heartbeats import Heartbeats
from langchain_agentmem.serve.output import fail, print_json, print_line
from langchain_agentmem.serve.working import Reporter, run_worker

_WORKERS = click.IntRange(1, 10_000)  # each has a task of its own, and asks the server for as many jobs
_EVERY = 10.0  # seconds between two lines where the output is no terminal


def _extracting(command: Command) -> Command:
    """The options that say how turns become memories."""
    for option in (
        click.option("--max-tokens", type=ANY_COUNT, help="Tokens for each scope and day, read and written."),
        click.option("--max-calls", type=ANY_COUNT, help="Model calls for each scope and day."),
        click.option(
            "--strategy",
            "strategies",
            multiple=True,
            type=click.Choice(list(BUILT_IN)),
            help="What to look for; repeatable. By default whatever the turns wait for.",
        ),
        click.option(
            "--model", metavar="PROVIDER:MODEL", help="Such as openai:gpt-4o-mini; else rules, without a model."
        ),
    ):
        command = option(command)
    return command


@click.command()
@examples(
    "agentmem worker --model openai:gpt-4o-mini --concurrency 10",
    "agentmem worker --check || echo unwell",
)
@click.option("--concurrency", type=_WORKERS, default=10, show_default=True, help="Threads at the same time.")
@_extracting
@click.option("--quiet", type=float, default=30.0, show_default=True, help="Seconds until what came meanwhile is due.")
@click.option("--batch-turns", type=COUNT, default=50, show_default=True, help="Turns promoted together.")
@click.option("--max-attempts", type=COUNT, default=5, show_default=True, help="Tries before giving up.")
@click.option("--grace", type=float, default=30.0, show_default=True, help="Seconds for what runs after a stop.")
@click.option("--name", help="A name that no other worker has; by default made of host and process.")
@click.option(
    "--check", is_flag=True, help="For probes: exit with 0 if the worker NAME, else one of this host, is well."
)
@as_json
@with_embeddings
@on_a_server
def worker(check: bool, name: str | None, concurrency: int, grace: float, as_json: bool, **settings: Any) -> None:
    """Make memories of the turns that wait.

    It runs until SIGTERM or Ctrl-C, and any number of workers may. At a signal a worker ends what it has begun and
    takes up nothing new; at a second one it ends at once. Nothing is lost either way, nor when it is killed.
    """
    with _open(settings) as (memory, strategies):
        heartbeats = Heartbeats(memory.connection, memory.keys)
        if check:
            _check(heartbeats, name, as_json=as_json)
            return
        options: dict[str, Any] = {
            "concurrency": concurrency,
            "grace": grace,
            "name": name,
            "on_progress": _reporter(as_json=as_json),
        }
        code = asyncio.run(_run(memory, memory.worker(strategy=strategies, **options), heartbeats))
    if code:
        raise SystemExit(code)


async def _run(memory: AgentMemory, made: Worker, heartbeats: Heartbeats) -> int:
    say = make_console(stderr=True).print
    say(f"worker {made.name} on {memory.keys.base}: Ctrl-C ends it")
    try:
        return await run_worker(made, heartbeats, lambda text: say(f"\n{text}" if sys.stdout.isatty() else text))
    finally:
        await memory.events.aflush()
        await memory.connection.aclose()


@click.command()
@examples("agentmem promote", "agentmem promote --model openai:gpt-4o-mini --json")
@_extracting
@as_json
@with_embeddings
@on_a_server
def promote(as_json: bool, **settings: Any) -> None:
    """Make memories of all that waits now, and end.

    Whether it is due or not. Exit code 1 if something failed.
    """
    with _open(settings) as (memory, strategies):
        report = memory.promote_pending(strategy=strategies)
    errors = [one_line(error) for error in report.errors]
    told = asdict(replace(report, errors=())) | {"errors": errors}
    if as_json:
        print_json(told)
    else:
        counts = {name: told[name] for name in ("promoted", "memories", "failed", "deferred", "dead")}
        click.echo(f"Promoted {counts.pop('promoted')} turns: {_told(counts)}.")
        for error in errors:
            click.echo(f"agentmem: {error}", err=True)
    if report.failed or report.dead:
        raise SystemExit(1)


@contextmanager
def _open(settings: dict[str, Any]) -> Iterator[tuple[AgentMemory, Sequence[str]]]:
    """The memory that the options describe, and the strategies that are known: those named, else all that can be."""
    model, strategies = settings.pop("model"), settings.pop("strategies")
    limits = {"calls": settings.pop("max_calls"), "tokens": settings.pop("max_tokens")}
    waiting = {name: settings.pop(name) for name in ("quiet", "batch_turns", "max_attempts") if name in settings}
    chosen = named_chat_model(model, "--model") if model else None
    known = strategies or [name for name, each in BUILT_IN.items() if model or each.schema is None]
    with open_memory(**settings, model=chosen, outbox=waiting, budget=limits) as memory:
        yield memory, known


def _check(heartbeats: Heartbeats, name: str | None, *, as_json: bool) -> None:
    asked = [each for each in heartbeats.all() if (each.name == name if name else each.is_here)]
    well = any(each.well for each in asked)
    if as_json:
        print_json({"well": well, "workers": [asdict(each) | {"well": each.well} for each in asked]})
    else:
        for each in asked:
            click.echo(str(each))
    if not asked:
        which = f"named {name!r}" if name else "of this host"
        fail(f"no worker {which} has said how it is; is agentmem worker running, on this prefix and tenant?")
    if not well:
        raise SystemExit(1)


def _reporter(*, as_json: bool) -> Reporter:
    if as_json:
        return Reporter(lambda health: print_line(asdict(health)), _EVERY, time.monotonic)
    if sys.stdout.isatty():
        return Reporter(_rewrite, 0.1, time.monotonic)
    return Reporter(_write, _EVERY, time.monotonic)


def _write(health: Health) -> None:
    sys.stdout.write(f"{health}\n")
    sys.stdout.flush()


def _rewrite(health: Health) -> None:
    """Show it in the place of the line before."""
    width = make_console().width
    sys.stdout.write(f"\r\x1b[K{str(health)[: width - 1]}")
    sys.stdout.flush()


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())
