"""`agentmem demo`."""

from __future__ import annotations

import click

from langchain_agentmem.serve.commands.options import as_json
from langchain_agentmem.serve.commands.output import print_json
from langchain_agentmem.serve.demo.screen import Screen
from langchain_agentmem.serve.demo.stage import play


@click.command()
@as_json
def demo(as_json: bool) -> None:
    """See an agent remember, over a private server."""
    happened = play(Screen(quiet=as_json), quiet=as_json)
    if as_json:
        print_json(happened)
