"""`agentmem forget-user`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from langchain_agentmem import AgentMemory, Scope
from langchain_agentmem.agent.erasure import Receipt
from langchain_agentmem.serve.commands.options import as_json, examples, with_memory, yes
from langchain_agentmem.serve.output import Meter, confirm, print_json, print_pairs


@click.command("forget-user")
@examples("agentmem forget-user ada", "agentmem forget-user ada --also profiles --thread shared --yes --json")
@click.argument("user")
@click.option("--namespace", default="memories", show_default=True, metavar="LABEL[.LABEL]", help="Of their memories.")
@click.option("--also", multiple=True, metavar="LABEL[.LABEL]", help="A further namespace of theirs; repeatable.")
@click.option("--thread", "threads", multiple=True, help="A further thread that is theirs; repeatable.")
@yes
@as_json
@with_memory
def forget_user(
    memory: AgentMemory,
    user: str,
    namespace: str,
    also: Sequence[str],
    threads: Sequence[str],
    yes: bool,
    as_json: bool,
) -> None:
    """Erase all of a user, and prove it.

    This cannot be undone. Their threads, sessions, histories, memories, facts, events, turns that wait, and the
    caches. Then every key of the tenant is looked at, and a receipt says what was erased. Stop their agents first. Exit
    code 1 if something is left.
    """
    confirm(f"Erase all of {user!r} on {memory.keys.base}, for ever?", yes=yes)
    scope, *more = (Scope(user, tuple(labels.split("."))) for labels in (namespace, *also))
    with Meter("erasing") as meter:
        receipt = memory.forget_user(scope, also=more, threads=threads, on_progress=lambda _, keys: meter(keys, None))
    if as_json:
        print_json(asdict(receipt) | {"clean": receipt.clean})
    else:
        _show(receipt)
    if not receipt.clean:
        raise SystemExit(1)


def _show(receipt: Receipt) -> None:
    print_pairs(
        [
            ("user", receipt.user),
            *((name, f"{number:,}") for name, number in receipt.erased.items() if number),
            ("looked at", f"{receipt.looked_at:,} keys, all of the tenant's, in {receipt.walks} walks"),
            ("took", f"{(receipt.ended - receipt.began).total_seconds():.1f} s"),
            ("left", "nothing" if receipt.clean else "\n".join(receipt.residue)),
        ]
    )
