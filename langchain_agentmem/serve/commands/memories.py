"""`agentmem memories`: what was learned, looked at, changed, taken out and in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TextIO, get_args

import click

from langchain_agentmem import AgentMemory, Memory, MemoryBank, Scope
from langchain_agentmem.longterm.browsing import Order
from langchain_agentmem.longterm.transfer import from_lines, to_line
from langchain_agentmem.serve.commands.group import Commands
from langchain_agentmem.serve.commands.options import (
    ANY_COUNT,
    COUNT,
    as_json,
    bank_of,
    examples,
    in_scope,
    limit,
    on_a_server,
    when,
    with_embeddings,
    with_memory,
    yes,
)
from langchain_agentmem.serve.files import writing
from langchain_agentmem.serve.output import Meter, ago, confirm, fail, print_json, print_pairs, print_table, tell

_KIND = click.option("--kind", help="Only of this kind: semantic, episodic, procedural, summary, or your own.")
_OUTCOMES = ("added", "reinforced", "superseded", "kept")


@click.group(cls=Commands)
@examples(
    'agentmem memories search "what does she eat?" --user ada',
    "agentmem memories list --user ada --kind semantic",
    "agentmem memories export --user ada > ada.jsonl",
)
@as_json
@in_scope
@on_a_server
def memories(**_: Any) -> None:
    """What was learned, searched, listed and kept in order."""


@memories.command()
@click.argument("query")
@click.option("--kind", "kinds", multiple=True, help="Only of this kind; repeatable.")
@click.option("--topic", "topics", multiple=True, help="Only with this topic; repeatable.")
@click.option("--since", type=when, help="Only what happened then or later: ISO time, or how long ago (2h, 3d).")
@click.option("--until", type=when, help="... or earlier.")
@click.option("--as-of", type=when, help="What was held to be true at that time.")
@click.option("--history", "include_history", is_flag=True, help="Also what is superseded.")
@click.option("--explain", is_flag=True, help="Show what each score is the sum of.")
@click.option("--limit", type=COUNT, default=10, show_default=True, help="The most to show.")
@as_json
@in_scope
@with_embeddings
@with_memory
def search(memory: AgentMemory, query: str, as_json: bool, scope: Scope, explain: bool, **wish: Any) -> None:
    """Find what answers a QUERY, best first.

    By meaning and by words. Looking is not recalling: it leaves no event, and does not count as use.
    """
    found = MemoryBank(memory.store).recall(query, scope, explain=explain, **wish)
    if as_json:
        print_json([_plain(each.memory) | {"score": each.score, "terms": each.terms} for each in found])
        return
    rows = [(f"{each.score:.3f}", *_row(each.memory, _terms(each.terms or {}))) for each in found]
    print_table(["score", "id", "kind", "says", "when"], rows, none="Nothing answers that.")


@memories.command("list")
@_KIND
@click.option("--order-by", type=click.Choice(get_args(Order)), default="updated", help="Highest first.")
@click.option("--offset", type=ANY_COUNT, default=0, help="How many to skip.")
@limit
@as_json
@in_scope
@with_memory
def list_(memory: AgentMemory, kind: str | None, as_json: bool, scope: Scope, **page: Any) -> None:
    """List memories, last changed first."""
    found = bank_of(memory).list(scope, filter=_filter(kind), **page)
    if as_json:
        print_json([_plain(each) for each in found])
    else:
        print_table(["id", "kind", "says", "when"], map(_row, found), none="No memories.")


@memories.command()
@click.argument("id")
@as_json
@in_scope
@with_memory
def show(memory: AgentMemory, id: str, as_json: bool, scope: Scope) -> None:
    """Show all that is known of the memory ID."""
    found = _plain(_existing(memory, id, scope))
    if as_json:
        print_json(found)
    else:
        print_pairs((name, value if isinstance(value, str) else json.dumps(value)) for name, value in found.items())


@memories.command()
@click.argument("id")
@as_json
@in_scope
@with_memory
def history(memory: AgentMemory, id: str, as_json: bool, scope: Scope) -> None:
    """Show what the memory ID says and said, newest first."""
    versions = bank_of(memory).history(id, scope)
    if not versions:
        _missing(id)
    if as_json:
        print_json([_plain(each) for each in versions])
    else:
        rows = [(each.version, each.text, ago(each.updated)) for each in versions]
        print_table(["version", "says", "when"], rows, none="")


@memories.command()
@examples("agentmem memories undo 01JA... --user ada")
@click.argument("id")
@as_json
@in_scope
@with_memory
def undo(memory: AgentMemory, id: str, as_json: bool, scope: Scope) -> None:
    """Take back what happened to a memory last.

    A correction, a confirmation, a retirement, or that it was forgotten.
    """
    now = bank_of(memory).undo(id, scope)
    if now is None:
        fail(f"there is nothing to undo for {id!r} in this scope; forgetting can be undone for a day")
    tell(f"Now: {now.text}", _plain(now), as_json=as_json)


@memories.command()
@examples(
    "agentmem memories forget 01JA... --user ada",
    "agentmem memories forget --kind episodic --before 30d --user ada --dry-run",
)
@click.argument("ids", nargs=-1)
@_KIND
@click.option("--before", type=when, help="Those last remembered before that time: ISO, or how long ago (90d).")
@click.option("--all", "everything", is_flag=True, help="All of the scope. Pinned memories are spared.")
@click.option("--dry-run", is_flag=True, help="Only say what would be forgotten.")
@click.option("--erase", is_flag=True, help="Delete for good, with nothing left to undo.")
@yes
@as_json
@in_scope
@with_memory
def forget(
    memory: AgentMemory,
    ids: Sequence[str],
    kind: str | None,
    before: datetime | None,
    everything: bool,
    dry_run: bool,
    erase: bool,
    yes: bool,
    as_json: bool,
    scope: Scope,
) -> None:
    """Forget memories, with all their versions.

    Those named by IDS, or those that options choose. For a day, `memories undo` brings them back, unless they are
    erased.
    """
    if bool(ids) == bool(kind or before or everything):
        raise click.UsageError("Name memories by their ids, or choose them with --kind, --before or --all")
    choice: dict[str, Any] = {"ids": ids} if ids else {"filter": _filter(kind) or {}, "before": before}
    bank = bank_of(memory)
    chosen = bank.forget(scope, dry_run=True, **choice)
    if missing := [each for each in ids if each not in chosen]:
        _missing(missing[0])
    if chosen and not dry_run:
        confirm(f"{'Erase' if erase else 'Forget'} {_count(len(chosen))} of {_whose(scope)}?", yes=yes)
        bank.forget(scope, **choice, erase=erase)
    done = "Would forget" if dry_run else "Forgot"
    tell(f"{done} {_count(len(chosen))}.", {"forgotten": chosen, "dry_run": dry_run}, as_json=as_json)


@memories.command()
@examples("agentmem memories export ada.jsonl --user ada")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default="-")
@as_json
@in_scope
@with_memory
def export(memory: AgentMemory, file: str, as_json: bool, scope: Scope) -> None:
    """Write the memories of a scope to a file.

    FILE, else the terminal, gets a line of JSON for each. A file that is there is replaced when all is written, and
    stays as it is where that fails. Progress and the count go to stderr, so that the lines can be piped. Former
    versions and facts go along.
    """
    memories = facts = 0
    with writing(file) as out, Meter("exporting") as meter:
        for line in bank_of(memory).export(scope, on_progress=meter):
            out.write(f"{line}\n")
            holds = json.loads(line)  # a memory, a fact that no memory stands for, or only when one was last said
            memories, facts = memories + ("text" in holds), facts + ("text" not in holds and "facts" in holds)
    told = {"exported": memories + facts, "memories": memories, "facts": facts}
    beside = f", and {facts} {'fact' if facts == 1 else 'facts'} that no memory stands for" if facts else ""
    click.echo(json.dumps(told) if as_json else f"Exported {_count(memories)}{beside}.", err=True)


@memories.command("import")
@click.argument("file", type=click.File("r", "utf-8"), default="-")
@click.option("--dry-run", is_flag=True, help="Only read the file and say what it holds.")
@as_json
@in_scope
@with_embeddings
@with_memory
def import_(memory: AgentMemory, file: TextIO, dry_run: bool, as_json: bool, scope: Scope) -> None:
    """Remember what `export` wrote.

    It is read from FILE, else from stdin. What is known stays as it is, never stored twice.
    """
    lines = _lines(file)
    if dry_run:
        told: dict[str, Any] = {"read": len(list(from_lines(lines))), "dry_run": True}
    else:
        with Meter("importing") as meter:
            done = memory.bank.import_(lines, scope, on_progress=meter)
        became = {how: sum(each.outcome == how for each in done) for how in _OUTCOMES}
        told = {"read": sum(bool(line.strip()) for line in lines)} | became
    tell(f"{', '.join(f'{name}: {count}' for name, count in told.items())}.", told, as_json=as_json)


def _lines(file: TextIO) -> list[str]:
    try:
        return file.readlines()
    except UnicodeDecodeError:
        fail(f"{file.name}: it is no text in UTF-8, so it is not what agentmem memories export wrote")


def _existing(memory: AgentMemory, id: str, scope: Scope) -> Memory:
    found = bank_of(memory).get(id, scope)
    return found if found is not None else _missing(id)


def _missing(id: str) -> NoReturn:
    fail(f"there is no memory {id!r} in this scope; agentmem memories list shows what there is (--user, --namespace)")


def _filter(kind: str | None) -> dict[str, str] | None:
    return {"kind": kind} if kind else None


def _plain(memory: Memory) -> dict[str, Any]:
    """A memory as its exported line has it."""
    plain: dict[str, Any] = json.loads(to_line(memory))
    return plain


def _row(memory: Memory, below: str = "") -> tuple[Any, ...]:
    return memory.id, memory.kind, memory.text + below, ago(memory.event_time or memory.updated)


def _terms(terms: Mapping[str, float]) -> str:
    """What a score is the sum of, greatest first, as a line of its own."""
    told = sorted(terms.items(), key=lambda term: -abs(term[1]))
    return "".join(["\n", " ".join(f"{name} {value:+.2f}" for name, value in told)]) if told else ""


def _count(number: int) -> str:
    return f"{number} {'memory' if number == 1 else 'memories'}"


def _whose(scope: Scope) -> str:
    return f"{scope.user or 'everybody'} in {'.'.join(scope.namespace)}"
