"""`agentmem` itself: the group that all commands belong to."""

from __future__ import annotations

import click

from langchain_agentmem import __version__
from langchain_agentmem.serve.commands.chat import chat
from langchain_agentmem.serve.commands.demo import demo
from langchain_agentmem.serve.commands.doctor import doctor
from langchain_agentmem.serve.commands.events import events
from langchain_agentmem.serve.commands.facts import facts
from langchain_agentmem.serve.commands.forget_user import forget_user
from langchain_agentmem.serve.commands.group import Commands
from langchain_agentmem.serve.commands.memories import memories
from langchain_agentmem.serve.commands.migrate import migrate
from langchain_agentmem.serve.commands.outbox import dead_letters, stats
from langchain_agentmem.serve.commands.threads import threads
from langchain_agentmem.serve.commands.worker import promote, worker


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


for command in (
    *(demo, chat, doctor, threads, memories, facts, events),
    *(worker, promote, stats, dead_letters, forget_user, migrate),
):
    agentmem.add_command(command)
