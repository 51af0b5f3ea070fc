"""The options that many commands share: which server, whose memories, when, and JSON."""

from __future__ import annotations

import functools
import inspect
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from langchain_agentmem import AgentMemory, AgentMemoryStore, MemoryBank, Scope
from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.promotion.models import named_embeddings
from langchain_agentmem.serve.commands.group import was_given

Command = Callable[..., None]

COUNT, ANY_COUNT = (click.IntRange(least, 1_000_000_000) for least in (1, 0))  # what servers can be asked for
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d+)\s*([smhdw])")


class Shared(click.Option):
    """An option that many commands have. Before a subcommand it counts for that, unless it has a value of its own."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        """Its value, and where that comes from."""
        value, source = super().consume_value(ctx, opts)
        above = ctx.parent
        if source is not ParameterSource.COMMANDLINE and above and was_given(above, self.name):
            return above.params[self.name or ""], ParameterSource.COMMANDLINE  # it wins over the environment
        return value, source


shared = functools.partial(click.option, cls=Shared)
as_json = shared("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
limit = shared("--limit", type=COUNT, default=50, show_default=True, help="The most to list.")


def examples(*lines: str) -> Callable[[Command], Command]:
    """Show how a command is used at the end of its help."""

    def with_examples(command: Command) -> Command:
        shown = "\n".join(f"  {line}" for line in lines)
        command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n\b\nFor example:\n{shown}"  # \b: not wrapped
        return command

    return with_examples


def on_a_server(command: Command) -> Command:
    """The options that say which memory a command is about."""
    for option in (
        shared("--tenant", default="default", show_default=True, help="Whose keys: the second segment."),
        shared("--prefix", default="agentmem", show_default=True, help="First segment of every key."),
        shared("--path", type=click.Path(path_type=Path), help="An embedded server's data, instead of a URL."),
        shared("--url", envvar="REDIS_URL", help="Redis URL; without it, the environment variable REDIS_URL."),
    ):
        command = option(command)
    return command


def open_memory(
    url: str | None, path: Path | None, prefix: str, tenant: str, *, embeddings: str | None = None, **settings: Any
) -> AgentMemory:
    """The memory that the options name.

    Raises:
        ConfigurationError: They name none, or an embedder that cannot be used.
        UsageError: They name two.
    """
    context = click.get_current_context(silent=True)
    if path is not None and context and was_given(context, "url"):
        raise click.UsageError("--url and --path name a server each; choose one", context)
    if embeddings is not None:
        settings["embeddings"] = named_embeddings(embeddings, "--embeddings")
    if path is not None:
        if not path.is_dir():
            raise ConfigurationError(f"--path: there is no directory {path}; name one that an embedded server has used")
        return AgentMemory.embedded(path, prefix=prefix, tenant=tenant, **settings)
    if not url:
        raise ConfigurationError("No server named: set REDIS_URL, or pass --url redis://localhost:6379 or --path DIR")
    return AgentMemory(url, prefix=prefix, tenant=tenant, **settings)


def names_of(memory: AgentMemory) -> dict[str, Any]:
    """The prefix and the tenant that a memory was opened with."""
    return {"prefix": memory.keys.prefix, "tenant": memory.keys.tenant}


def bank_of(memory: AgentMemory) -> MemoryBank:
    """The memories, for a command that reads, changes or forgets them: it embeds nothing, so it needs no embedder."""
    return MemoryBank(AgentMemoryStore(memory.connection, **names_of(memory)), events=memory.events)


def with_memory(command: Command) -> Command:
    """Let a command say which memory it is about, and give it that memory, open, as first argument."""

    @functools.wraps(command)
    def opened(url: str | None, path: Path | None, prefix: str, tenant: str, **given: Any) -> None:
        with open_memory(url, path, prefix, tenant, embeddings=given.pop("embeddings", None)) as memory:
            command(memory, **given)

    return on_a_server(opened)


def with_embeddings(command: Command) -> Command:
    """The option that says what embeds memories."""
    return click.option(
        "--embeddings",
        metavar="PROVIDER:MODEL",
        envvar="AGENTMEM_EMBEDDINGS",
        help="What the memories were embedded with, such as openai:text-embedding-3-small; else the offline embedder.",
    )(command)


def in_scope(command: Command) -> Command:
    """Let a command say whose memories it is about, and give it that as the argument `scope`."""

    @functools.wraps(command)
    def scoped(*args: Any, user: str | None, namespace: str, **given: Any) -> None:
        command(*args, scope=Scope(user=user, namespace=tuple(namespace.split("."))), **given)

    scoped = shared(
        "--namespace",
        default="memories",
        show_default=True,
        metavar="LABEL[.LABEL]",
        help="What kind of collection: a namespace of the store.",
    )(scoped)
    return shared("--user", help="Whose memories; without it, those that are not one user's.")(scoped)


def when(text: str) -> datetime:
    """A time: ISO 8601 (without a zone: UTC), or how long ago, such as 10m, 2h, 3d."""
    if age := _AGE.fullmatch(text):
        try:
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        except OverflowError:
            raise click.BadParameter(f"{text!r} is before the year 1; write a time of our calendar") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write 2026-05-01T12:00, or how long ago: 10m, 2h, 3d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def json_or_text(text: str) -> Any:
    """What JSON makes of a text, where it is that, else the text. NaN, infinity and 1e999 are none."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except ValueError:
        return text
    except RecursionError:
        raise click.BadParameter("it is nested too deep to be read as JSON; quote it, to have it as a text") from None


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)
