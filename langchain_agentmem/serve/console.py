"""Where the commands write: colour and width are the terminal's, plain text where the output is piped."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tabs and line breaks


class PlainConsole(Console):
    """Shows what it is given as it is: a "[bold]" in a thread's id is no markup, and no text commands the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, highlight=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, as every text is that is printed, alone or in a table."""
        return super().render_str(harmless(text), **options)


def make_console(*, quiet: bool = False, stderr: bool = False) -> Console:
    """A console for what anybody may have said."""
    return PlainConsole(quiet=quiet, stderr=stderr)


def harmless(text: str) -> str:
    """A text without what commands a terminal: what a memory says, its user has written."""
    return _CONTROL.sub("", text)
