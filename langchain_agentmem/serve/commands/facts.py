"""`agentmem facts`: what is true of a scope, by name."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, NoReturn

import click

from langchain_agentmem import AgentMemory, Scope
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.transfer import write_json
from langchain_agentmem.serve.commands.group import Commands
from langchain_agentmem.serve.commands.options import (
    ANY_COUNT,
    as_json,
    bank_of,
    examples,
    in_scope,
    json_or_text,
    on_a_server,
    open_memory,
    with_memory,
    yes,
)
from langchain_agentmem.serve.output import ago, confirm, fail, print_json, print_table, tell

_EXPECTED = click.option(
    "--expected-version",
    type=ANY_COUNT,
    help="Only if it has this version now; 0: only if there is none.",
)


@click.group(cls=Commands, shows_help=False)
@examples("agentmem facts --user ada", "agentmem facts set diet vegetarian --user ada")
@as_json
@in_scope
@on_a_server
@click.pass_context
def facts(context: click.Context, /, as_json: bool, scope: Scope, **where: Any) -> None:
    """What is true now, by name; listed, set and deleted."""
    if context.invoked_subcommand is None:
        with open_memory(**where) as memory:
            _show_all(memory, scope, as_json=as_json)


@facts.command("list")
@as_json
@in_scope
@with_memory
def list_(memory: AgentMemory, as_json: bool, scope: Scope) -> None:
    """List the facts of a scope, as `agentmem facts` does."""
    _show_all(memory, scope, as_json=as_json)


def _show_all(memory: AgentMemory, scope: Scope, *, as_json: bool) -> None:
    found = list(bank_of(memory).facts.all(scope).values())
    if as_json:
        print_json([_plain(fact) for fact in found])
    else:
        none = "No facts." if scope.user else "No facts that are not one user's; --user NAME shows theirs."
        print_table(["name", "value", "version", "since"], map(_row, found), none=none)


@facts.command()
@click.argument("name")
@as_json
@in_scope
@with_memory
def get(memory: AgentMemory, name: str, as_json: bool, scope: Scope) -> None:
    """Print the value of the fact NAME."""
    fact = _existing(memory, name, scope)
    tell(_shown(fact.value), _plain(fact), as_json=as_json)


@facts.command("set")
@examples("agentmem facts set seats 2 --user ada", 'agentmem facts set languages \'["en", "it"]\' --user ada')
@click.argument("name")
@click.argument("value")
@_EXPECTED
@as_json
@in_scope
@with_memory
def set_(memory: AgentMemory, name: str, value: str, expected_version: int | None, as_json: bool, scope: Scope) -> None:
    """Set the fact NAME to VALUE.

    The value is JSON where it is that, else text. What it was stays in the fact's history.
    """
    version = bank_of(memory).facts.set(scope, name, json_or_text(value), expected_version=expected_version)
    tell(f"{name} is at version {version}.", {"name": name, "version": version}, as_json=as_json)


@facts.command()
@click.argument("name")
@as_json
@in_scope
@with_memory
def history(memory: AgentMemory, name: str, as_json: bool, scope: Scope) -> None:
    """Show what the fact NAME is and was, newest first."""
    found = bank_of(memory).facts.history(scope, name)
    if not found:
        _missing(name)
    if as_json:
        print_json([_plain(fact) for fact in found])
    else:
        rows = [(fact.version, _shown(fact.value), fact.since, fact.until or "now") for fact in found]
        print_table(["version", "value", "since", "until"], rows, none="")


@facts.command()
@click.argument("name")
@_EXPECTED
@yes
@as_json
@in_scope
@with_memory
def delete(
    memory: AgentMemory, name: str, expected_version: int | None, yes: bool, as_json: bool, scope: Scope
) -> None:
    """Delete the fact NAME.

    Its former values stay in its history until they expire.
    """
    fact = _existing(memory, name, scope)
    confirm(f"Delete {name} = {_shown(fact.value)}?", yes=yes)
    deleted = bank_of(memory).facts.delete(scope, name, expected_version=expected_version)
    tell(f"Deleted {name}.", {"name": name, "deleted": deleted}, as_json=as_json)


def _existing(memory: AgentMemory, name: str, scope: Scope) -> Fact:
    found = bank_of(memory).facts.get(scope, name)
    return found if found is not None else _missing(name)


def _missing(name: str) -> NoReturn:
    fail(f"there is no fact {name!r} in this scope; agentmem facts list shows what there is (--user, --namespace)")


def _plain(fact: Fact) -> dict[str, Any]:
    values = {each.name: getattr(fact, each.name) for each in fields(fact)}  # the value is left alone, however deep
    return values | {"source": asdict(fact.source) if fact.source else None}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else write_json(value)


def _row(fact: Fact) -> tuple[Any, ...]:
    return fact.name, _shown(fact.value), fact.version, ago(fact.since)
