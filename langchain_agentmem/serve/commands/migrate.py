"""`agentmem migrate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from langchain_agentmem import AgentMemory
from langchain_agentmem.serve.commands.options import as_json, examples, with_embeddings, with_memory
from langchain_agentmem.serve.migrate import Migration, Outcome
from langchain_agentmem.serve.output import Meter, print_json, print_table
from langchain_agentmem.wire.bridge import either, run
from langchain_agentmem.wire.connection import Connection

_KINDS = ("threads", "store", "histories")
_GROUPS = {"threads": "threads", "store": "namespaces", "histories": "sessions"}
_UNITS = {"threads": "checkpoints", "store": "items", "histories": "messages"}


@click.command()
@examples(
    "agentmem migrate --dry-run",
    "agentmem migrate threads --source redis://old:6379 --url redis://new:6379",
)
@click.argument("kinds", nargs=-1, type=click.Choice(_KINDS))
@click.option("--source", "--from", metavar="URL", help="The server to read; by default the one that is written to.")
@click.option("--checkpoint-prefix", default="checkpoint", show_default=True, help="As given to RedisSaver.")
@click.option("--write-prefix", default="checkpoint_write", show_default=True, help="As given to RedisSaver.")
@click.option("--store-prefix", default="store", show_default=True, help="As given to RedisStore.")
@click.option("--vector-prefix", default="store_vectors", show_default=True, help="As given to RedisStore.")
@click.option("--chat-prefix", default="chat:", show_default=True, help="As given to RedisChatMessageHistory.")
@click.option("--dry-run", is_flag=True, help="Read and understand everything, write nothing.")
@as_json
@with_embeddings
@with_memory
def migrate(
    memory: AgentMemory, kinds: Sequence[str], source: str | None, dry_run: bool, as_json: bool, **prefixes: str
) -> None:
    """Move in from other packages.

    KINDS, else all three: threads are every checkpoint and pending write of langgraph-checkpoint-redis; store is every
    item of its store, embedded anew; histories are all messages of langchain-redis.

    The source is never changed. What is here already stays, so moving again moves what came since. Neither package has
    to be installed. Ends with exit code 1 if something could not be moved.
    """
    outcomes = run(_move(memory, source, kinds or _KINDS, prefixes, dry_run=dry_run))
    if as_json:
        print_json({"dry_run": dry_run} | {kind: asdict(outcome) for kind, outcome in outcomes.items()})
    else:
        _show(outcomes, dry_run=dry_run)
    if any(outcome.problems for outcome in outcomes.values()):
        raise SystemExit(1)


async def _move(
    memory: AgentMemory, url: str | None, kinds: Sequence[str], prefixes: dict[str, str], *, dry_run: bool
) -> dict[str, Outcome]:
    source = memory.connection if url is None else Connection(url)
    migration = Migration(memory, source, dry_run=dry_run)
    movers = {
        "threads": (migration.athreads, {"prefix": "checkpoint_prefix", "write_prefix": "write_prefix"}),
        "store": (migration.astore, {"prefix": "store_prefix", "vector_prefix": "vector_prefix"}),
        "histories": (migration.ahistories, {"prefix": "chat_prefix"}),
    }
    try:
        outcomes = {}
        for kind, (mover, named) in movers.items():
            if kind in kinds:
                given = {name: prefixes[option] for name, option in named.items()}
                with Meter(kind) as meter:
                    outcomes[kind] = await mover(**given, on_progress=meter)
        return outcomes
    finally:
        if source is not memory.connection:
            await either(source.close, source.aclose)


def _show(outcomes: dict[str, Outcome], *, dry_run: bool) -> None:
    rows = [
        (f"{outcome.groups} {_GROUPS[kind]}", f"{outcome.found} {_UNITS[kind]}", outcome.moved, outcome.kept)
        for kind, outcome in outcomes.items()
    ]
    print_table(["found", "", "would move" if dry_run else "moved", "here already"], rows, none="")
    for problem in (problem for outcome in outcomes.values() for problem in outcome.problems):
        click.echo(f"agentmem: not moved: {problem}", err=True)
