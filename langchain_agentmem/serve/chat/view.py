"""How a chat is shown: as text, or as lines of JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from langchain_agentmem.serve.console import make_console
from langchain_agentmem.serve.output import print_line, print_table

_PROMPT = "> "


class View(Protocol):
    """What shows a chat."""

    def read(self) -> str | None:
        """The next line of the user, or None at the end."""

    def note(self, text: str) -> None:
        """Tell something."""

    def piece(self, text: str) -> None:
        """A piece of the answer, as it comes."""

    def answered(self, told: Mapping[str, Any]) -> None:
        """The answer is complete."""

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows of something."""


class TextView:
    """Shows a chat as text. A prompt is shown where somebody types."""

    def __init__(self) -> None:
        self._console = make_console()
        self._typed = sys.stdin.isatty()
        if self._typed:
            import readline  # noqa: F401 - lines can be edited, and earlier ones come back

    def read(self) -> str | None:
        """The next line of the user, or None at the end."""
        try:
            return input(_PROMPT if self._typed else "")
        except (EOFError, KeyboardInterrupt):
            return None

    def note(self, text: str) -> None:
        """Tell something."""
        self._console.print(text, style="dim", soft_wrap=True)

    def piece(self, text: str) -> None:
        """A piece of the answer, as it comes."""
        self._console.print(text, end="", soft_wrap=True)

    def answered(self, told: Mapping[str, Any]) -> None:
        """The answer is complete."""
        self._console.print()

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows of something."""
        print_table(columns, rows, none=f"No {name}.")


class JsonView:
    """Shows a chat as a line of JSON for each thing that happens."""

    def read(self) -> str | None:
        """The next line of the user, or None at the end."""
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None

    def note(self, text: str) -> None:
        """Tell something."""
        print_line({"note": text})

    def piece(self, text: str) -> None:
        """Nothing: the whole answer is shown at its end."""

    def answered(self, told: Mapping[str, Any]) -> None:
        """The answer is complete."""
        print_line(told)

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows of something."""
        print_line({name: [dict(zip(columns, row, strict=True)) for row in rows]})
