"""The commands of `agentmem`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from langchain_agentmem import AgentMemory, ThreadInfo, __version__
from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.serve.console import make_console
from langchain_agentmem.serve.demo.screen import Screen
from langchain_agentmem.serve.demo.stage import play

Command = Callable[..., None]
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def on_a_server(command: Command) -> Command:
    """The options that say which memory a command is about."""
    for option in (
        click.option("--tenant", default="default", show_default=True, help="Whose keys: the second segment."),
        click.option("--prefix", default="agentmem", show_default=True, help="First segment of every key."),
        click.option("--path", type=click.Path(path_type=Path), help="Data directory of an embedded server."),
        click.option("--url", envvar="REDIS_URL", help="Redis URL; without it, the environment variable REDIS_URL."),
    ):
        command = option(command)
    return command


def open_memory(url: str | None, path: Path | None, prefix: str, tenant: str) -> AgentMemory:
    """The memory that the options name.

    Raises:
        ConfigurationError: They name none.
    """
    if path is not None:
        if not path.is_dir():
            raise ConfigurationError(f"--path: there is no directory {path}; name one that an embedded server has used")
        return AgentMemory.embedded(path, prefix=prefix, tenant=tenant)
    if not url:
        raise ConfigurationError("No server named: set REDIS_URL, or pass --url redis://localhost:6379 or --path DIR")
    return AgentMemory(url, prefix=prefix, tenant=tenant)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agentmem")
@click.pass_context
def agentmem(context: click.Context) -> None:
    """Agent memory for LangChain and LangGraph on Redis or Valkey."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@agentmem.command()
@as_json
def demo(as_json: bool) -> None:
    """See an agent remember, over a private server."""
    happened = play(Screen(quiet=as_json), quiet=as_json)
    if as_json:
        _print_json(happened)


@agentmem.command()
@on_a_server
@as_json
def doctor(as_json: bool, **where: Any) -> None:
    """Tell what a server is and how it keeps memories."""
    with open_memory(**where) as memory:
        report = memory.doctor()
    if as_json:
        _print_json(report.to_dict())
    else:
        click.echo(str(report))


@agentmem.command()
@on_a_server
@click.option("--user", help="Only threads of this user_id.")
@click.option("--where", "filters", multiple=True, metavar="KEY=VALUE", help="Only threads with this metadata.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The most to list.")
@as_json
def threads(as_json: bool, user: str | None, filters: Sequence[str], limit: int, **where: Any) -> None:
    """List threads, last active first."""
    wanted = dict(map(_filter, filters))
    with open_memory(**where) as memory:
        found = memory.threads(user=user, filter=wanted, limit=limit)
    if as_json:
        _print_json([_plain(thread) for thread in found])
    else:
        make_console().print(_table(found) if found else "No threads.")


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
        "updated_at": thread.updated_at.isoformat(),
        "checkpoint_id": thread.checkpoint_id,
        "metadata": dict(thread.metadata),
    }


def _table(found: Sequence[ThreadInfo]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("thread", "user", "step", "last active"):
        table.add_column(name, overflow="fold")
    now = datetime.now(UTC)
    for thread in found:
        user, step = (str(thread.metadata.get(name, "")) for name in ("user_id", "step"))
        table.add_row(thread.thread_id, user, step, _ago((now - thread.updated_at).total_seconds()))
    return table


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
