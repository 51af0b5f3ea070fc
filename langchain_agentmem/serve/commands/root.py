"""`agentmem` itself: the group that all commands belong to."""

from __future__ import annotations

import click

from langchain_agentmem import __version__
from langchain_agentmem.serve.commands.group import Commands, Deferred


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="agentmem")
def agentmem() -> None:
    """Agent memory for LangChain and LangGraph on Redis or Valkey.

    Start with `agentmem demo`, or talk to an agent that remembers: `agentmem chat`. Both need no key and no server.

    The other commands look at the server that REDIS_URL or --url names, or at the data directory of an embedded one
    (--path). Every command prints JSON with --json, and teaches its use with -h.
    """


for name, home, says in (
    ("demo", "demo", "See an agent remember, over a private server."),
    ("chat", "chat", "Talk to an agent that remembers."),
    ("doctor", "doctor", "Tell what a server is and how it keeps memories."),
    ("threads", "threads", "List threads, last active first; show or delete one."),
    ("memories", "memories", "What was learned, searched, listed and kept in order."),
    ("facts", "facts", "What is true now, by name; listed, set and deleted."),
    ("events", "events", "What agents did."),
    ("worker", "worker", "Make memories of the turns that wait."),
    ("promote", "worker", "Make memories of all that waits now, and end."),
    ("stats", "outbox", "Tell what waits to become memories."),
    ("dead-letters", "outbox", "Turns that could not be promoted."),
    ("forget-user", "forget_user", "Erase all of a user, and prove it."),
    ("migrate", "migrate", "Move in from other packages."),
):
    agentmem.add_command(Deferred(name, f"{__package__}.{home}", says))
