"""`agentmem stats` and `agentmem dead-letters`: what waits, what has become of it, and what was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from langchain_agentmem import AgentMemory, Scope
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.letters import DeadLetter
from langchain_agentmem.serve.commands.group import Commands
from langchain_agentmem.serve.commands.options import (
    as_json,
    examples,
    in_scope,
    limit,
    names_of,
    on_a_server,
    with_memory,
    yes,
)
from langchain_agentmem.serve.heartbeats import Heartbeats
from langchain_agentmem.serve.output import ago, confirm, fail, print_json, print_pairs, print_table, tell


@click.command()
@as_json
@in_scope
@with_memory
def stats(memory: AgentMemory, as_json: bool, scope: Scope) -> None:
    """Tell what waits to become memories.

    And what has become of all that ever did, what models took for it, and how the workers are. With --user also what
    was spent for that scope today.
    """
    budget = Budget(memory.connection, **names_of(memory))
    now, workers = memory.outbox.stats(), Heartbeats(memory.connection, memory.keys).all()
    spent = {"all": budget.spent(), **({".".join(scope.path): budget.spent(scope)} if scope.user else {})}
    if as_json:
        print_json(
            asdict(now)
            | {"workers": [asdict(each) | {"well": each.well} for each in workers]}
            | {"spent_today": {name: asdict(each) for name, each in spent.items()}}
        )
        return
    print_pairs([(name.replace("_", " "), _shown(value)) for name, value in asdict(now).items()])
    print_pairs([(f"today, {name}", f"{each.calls} calls, {each.tokens:,} tokens") for name, each in spent.items()])
    for each in workers:
        click.echo(str(each))
    if not workers:
        click.echo("No worker is running.")


@click.group("dead-letters", cls=Commands)
@examples("agentmem dead-letters list", "agentmem dead-letters replay")
@as_json
@on_a_server
def dead_letters(**_: Any) -> None:
    """Turns that could not be promoted."""


@dead_letters.command("list")
@click.option("--thread", help="Only of this thread.")
@limit
@as_json
@with_memory
def list_(memory: AgentMemory, thread: str | None, limit: int, as_json: bool) -> None:
    """List the last dead letters, oldest first."""
    letters = memory.outbox.dead(limit, thread)
    if as_json:
        print_json([_plain(letter) for letter in letters])
    else:
        rows = map(_row, letters)
        print_table(["id", "thread", "turns", "tries", "error", "when"], rows, none="No dead letters.")


@dead_letters.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them; so it is without IDS.")
@as_json
@with_memory
def replay(memory: AgentMemory, ids: Sequence[str], everything: bool, as_json: bool) -> None:
    """Let the turns of dead letters wait again.

    Those named by IDS, else all. A worker tries them anew, behind what waits of their threads already.
    """
    if ids and everything:
        raise click.UsageError("Name dead letters by their ids, or choose --all")
    turns = memory.outbox.replay(ids or None)
    if ids and not turns:
        fail(f"there is no dead letter {ids[0]}; agentmem dead-letters list shows what there is")
    tell(f"{turns} turns wait again.", {"turns": turns}, as_json=as_json)


@dead_letters.command()
@click.argument("ids", nargs=-1, required=True)
@yes
@as_json
@with_memory
def discard(memory: AgentMemory, ids: Sequence[str], yes: bool, as_json: bool) -> None:
    """Delete the dead letters IDS. This cannot be undone."""
    confirm(f"Discard {len(ids)} dead letters, for ever?", yes=yes)
    discarded = memory.outbox.discard(ids)
    tell(f"Discarded {discarded}.", {"discarded": discarded}, as_json=as_json)


def _plain(letter: DeadLetter) -> dict[str, Any]:
    turns = [{"id": turn.id, "time": turn.time, "type": turn.message.type} for turn in letter.turns]
    named = ("id", "time", "thread_id", "strategies", "error_type", "error", "attempts")
    told = {name: getattr(letter, name) for name in named}
    return told | {"namespace": letter.scope.namespace, "user": letter.scope.user, "turns": turns}


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    error = f"{letter.error_type}: {letter.error}"
    return letter.id, letter.thread_id, len(letter.turns), letter.attempts, error, ago(letter.time)


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
