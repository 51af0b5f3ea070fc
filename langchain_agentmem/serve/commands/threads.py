"""`agentmem threads`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from langchain_agentmem import AgentMemory, ThreadInfo
from langchain_agentmem.serve.commands.options import as_json, examples, limit, with_memory
from langchain_agentmem.serve.output import ago, print_json, print_table


@click.command()
@examples("agentmem threads --user ada --where topic=tea")
@click.option("--user", help="Only threads of this user_id.")
@click.option("--where", "filters", multiple=True, metavar="KEY=VALUE", help="Only threads with this metadata.")
@limit
@as_json
@with_memory
def threads(memory: AgentMemory, as_json: bool, user: str | None, filters: Sequence[str], limit: int) -> None:
    """List threads, last active first."""
    found = memory.threads(user=user, filter=dict(map(_filter, filters)), limit=limit)
    if as_json:
        print_json([_plain(thread) for thread in found])
    else:
        print_table(["thread", "user", "step", "last active"], map(_row, found), none="No threads.")


def _filter(text: str) -> tuple[str, Any]:
    """`KEY=VALUE`, the value as JSON where it is that, else as text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--where")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _plain(thread: ThreadInfo) -> dict[str, Any]:
    return {
        "thread_id": thread.thread_id,
        "updated_at": thread.updated_at,
        "checkpoint_id": thread.checkpoint_id,
        "metadata": dict(thread.metadata),
    }


def _row(thread: ThreadInfo) -> tuple[Any, ...]:
    return thread.thread_id, thread.metadata.get("user_id"), thread.metadata.get("step"), ago(thread.updated_at)
