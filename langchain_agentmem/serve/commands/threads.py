"""`agentmem threads`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import CheckpointTuple

from langchain_agentmem import AgentMemory, ThreadInfo
from langchain_agentmem.serve.commands.group import Commands
from langchain_agentmem.serve.commands.options import (
    as_json,
    examples,
    json_or_text,
    limit,
    on_a_server,
    open_memory,
    with_memory,
    yes,
)
from langchain_agentmem.serve.output import ago, confirm, fail, print_json, print_pairs, print_table, tell


@click.group(cls=Commands, shows_help=False)
@examples("agentmem threads --user ada --where topic=tea", "agentmem threads show trip")
@click.option("--user", help="Only threads of this user_id.")
@click.option("--where", "filters", multiple=True, metavar="KEY=VALUE", help="Only threads with this metadata.")
@limit
@as_json
@on_a_server
@click.pass_context
def threads(
    context: click.Context, /, as_json: bool, user: str | None, filters: Sequence[str], limit: int, **where: Any
) -> None:
    """List threads, last active first; show or delete one."""
    if context.invoked_subcommand is not None:
        return
    with open_memory(**where) as memory:
        found = memory.threads(user=user, filter=dict(map(_filter, filters)), limit=limit)
    if as_json:
        print_json([_plain(thread) for thread in found])
    else:
        print_table(["thread", "user", "step", "last active"], map(_row, found), none="No threads.")


@threads.command()
@click.argument("thread")
@as_json
@with_memory
def show(memory: AgentMemory, thread: str, as_json: bool) -> None:
    """Show what a THREAD holds now."""
    values = _existing(memory, thread).checkpoint["channel_values"]
    shown = {name: _told(value) for name, value in values.items() if not name.startswith(("__", "branch:"))}
    if as_json:
        print_json(shown)
        return
    print_pairs((name, value) for name, value in shown.items() if name != "messages" and value != "")
    print_pairs((each["type"], each["text"]) for each in shown.get("messages", ()))


@threads.command()
@click.argument("thread")
@yes
@as_json
@with_memory
def delete(memory: AgentMemory, thread: str, yes: bool, as_json: bool) -> None:
    """Delete a THREAD: its checkpoints, its working memory and its events.

    What was learned from it stays; forget-user erases that as well.
    """
    _existing(memory, thread)
    confirm(f"Delete thread {thread!r}, for ever?", yes=yes)
    memory.checkpointer.delete_thread(thread)
    memory.session(thread).clear()
    memory.events.delete(thread)
    tell(f"Deleted {thread}.", {"thread_id": thread, "deleted": True}, as_json=as_json)


def _existing(memory: AgentMemory, thread: str) -> CheckpointTuple:
    found = memory.checkpointer.get_tuple({"configurable": {"thread_id": thread}})
    return found or fail(f"there is no thread {thread!r}; agentmem threads lists those that there are")


def _told(value: Any) -> Any:
    """A channel's value for people: messages as type and text."""
    if isinstance(value, list) and value and all(isinstance(each, BaseMessage) for each in value):
        return [{"type": each.type, "id": each.id, "text": each.text} for each in value]
    return value


def _filter(text: str) -> tuple[str, Any]:
    """`KEY=VALUE`, the value as JSON where it is that, else as text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--where")
    return key, json_or_text(value)


def _plain(thread: ThreadInfo) -> dict[str, Any]:
    return {
        "thread_id": thread.thread_id,
        "updated_at": thread.updated_at,
        "checkpoint_id": thread.checkpoint_id,
        "metadata": dict(thread.metadata),
    }


def _row(thread: ThreadInfo) -> tuple[Any, ...]:
    return thread.thread_id, thread.metadata.get("user_id"), thread.metadata.get("step"), ago(thread.updated_at)
