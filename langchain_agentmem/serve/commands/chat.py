"""`agentmem chat`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from langchain_agentmem.serve.chat import JsonView, Talk, TextView, choose_speaker
from langchain_agentmem.serve.commands.options import as_json, examples, on_a_server, open_memory, with_embeddings


@click.command()
@examples(
    "agentmem chat",
    "agentmem chat --model openai:gpt-4o-mini --user ada",
    "printf 'I am vegetarian.\\n/new\\nWhat do I eat?\\n' | agentmem chat --json",
)
@click.option("--model", metavar="PROVIDER:MODEL", help="Any init_chat_model string, or: offline.")
@click.option("--user", default="me", show_default=True, help="Who talks: each user has memories of their own.")
@click.option("--thread", help="The conversation to go on with; else a new one.")
@as_json
@with_embeddings
@on_a_server
def chat(model: str | None, user: str, thread: str | None, as_json: bool, **where: Any) -> None:
    """Talk to an agent that remembers.

    It does so across conversations and restarts. Without a key it talks to a small scripted model, and all the same
    really remembers. Without --url, REDIS_URL and --path the memory is kept by an embedded server in your data
    directory. /help in the chat shows what can be asked.
    """
    speaker = choose_speaker(model)
    if where["path"] or not where["url"]:
        where["path"] = where["path"] or _data_directory()
        where["path"].mkdir(parents=True, exist_ok=True)
    with open_memory(**where, model=None if speaker.offline else speaker.model) as memory:
        view = JsonView() if as_json else TextView()
        with Talk(memory, speaker, view, user=user, thread=thread) as talk:
            talk.greet()
            talk.run()


def _data_directory() -> Path:
    """Where a user's programs keep their data, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "agentmem" / "chat"
