"""Where the commands write: colour and width are the terminal's, plain text where the output is piped."""

from __future__ import annotations

from rich.console import Console


def make_console(*, quiet: bool = False, stderr: bool = False) -> Console:
    """A console that shows what it is given as it is: a "[bold]" in a thread's id is no markup."""
    return Console(quiet=quiet, stderr=stderr, markup=False, highlight=False, emoji=False)
