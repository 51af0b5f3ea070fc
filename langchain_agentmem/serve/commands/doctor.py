"""`agentmem doctor`."""

from __future__ import annotations

import click

from langchain_agentmem import AgentMemory
from langchain_agentmem.serve.commands.options import as_json, with_memory
from langchain_agentmem.serve.output import tell


@click.command()
@as_json
@with_memory
def doctor(memory: AgentMemory, as_json: bool) -> None:
    """Tell what a server is and how it keeps memories.

    What it is and can do, how safely it keeps what it is told, what each tier takes, and what to mend. Changes nothing.
    """
    report = memory.doctor()
    tell(str(report), report.to_dict(), as_json=as_json)
