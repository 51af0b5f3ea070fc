"""`agentmem demo`."""

from __future__ import annotations

from pathlib import Path

import click

from langchain_agentmem.serve.commands.options import as_json, examples
from langchain_agentmem.serve.demo.screen import Screen
from langchain_agentmem.serve.demo.stage import play
from langchain_agentmem.serve.output import print_json


@click.command()
@examples("agentmem demo", "agentmem demo --web")
@click.option("--web", is_flag=True, help="Show it as a page in the browser, to play with, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="With --web: where to listen; 0: a free one.")
@click.option("--path", type=click.Path(path_type=Path), help="With --web: where to keep the data.")
@click.option("--no-browser", is_flag=True, help="With --web: only tell the address.")
@as_json
def demo(web: bool, port: int, path: Path | None, no_browser: bool, as_json: bool) -> None:
    """See an agent remember, over a private server. Needs no key and no network."""
    if not web:
        if port or path or no_browser:
            raise click.UsageError("--port, --path and --no-browser go with --web")
        happened = play(Screen(quiet=as_json), quiet=as_json)
        if as_json:
            print_json(happened)
        return
    if as_json:
        raise click.UsageError("--json goes with the demo in the terminal, not with --web")
    from langchain_agentmem.serve.web.serving import serve

    serve(path, port=port, open_browser=not no_browser)
