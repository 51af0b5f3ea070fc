"""What the demo looks like. Plain text where the output is piped; colour and width are the terminal's."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from langchain_agentmem.serve.console import make_console
from langchain_agentmem.serve.demo.inventory import StoredKey

_MADE = re.compile(r"[0-9a-f]{20,}[^:]*")  # the digest or random id in a key
_MEANING = {
    "get_tuple": "read a checkpoint",
    "list": "read the history",
    "put": "store a checkpoint",
    "put_writes": "store a step's writes",
}


class Screen:
    """Shows what happens.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = make_console(quiet=quiet)

    def scene(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.rule(title, style="cyan", align="left")

    def note(self, name: str, text: str) -> None:
        """Tell a fact."""
        self._row(name, text, "dim")

    def said(self, who: str, text: str) -> None:
        """Quote somebody."""
        self._row(who, text, "bold" if who == "Agent" else "green")

    def _row(self, name: str, text: str, style: str) -> None:
        row = Table.grid(padding=(0, 2))
        row.add_column(width=8, style=style)
        row.add_column(overflow="fold")
        row.add_row(name, text)
        self._console.print(row)

    def keys(self, stored: Sequence[StoredKey]) -> None:
        """What lies in Redis. Keys that differ only in an id that was made for them share a line."""
        alike: dict[tuple[str, str], list[int]] = defaultdict(list)
        for key in stored:
            alike[_MADE.sub("…", key.key), key.type].append(key.bytes)
        table = self._table("key", "type", "keys", "bytes")
        for (name, kind), sizes in alike.items():
            table.add_row(name, kind, str(len(sizes)), f"{sum(sizes):,}")
        table.add_row("all", "", str(len(stored)), f"{sum(key.bytes for key in stored):,}", style="bold")
        self._console.print(table)

    def timings(self, seconds: Mapping[str, Sequence[float]]) -> None:
        """How long the memory's operations took."""
        table = self._table("operation", "", "calls", "median ms", "slowest ms")
        for name, took in seconds.items():
            median, slowest = 1000 * statistics.median(took), 1000 * max(took)
            table.add_row(name, _MEANING[name], str(len(took)), f"{median:.2f}", f"{slowest:.2f}")
        self._console.print(table)

    def _table(self, *columns: str) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in columns:
            number = name.startswith(("keys", "bytes", "calls", "median", "slowest"))
            table.add_column(name, justify="right" if number else "left", no_wrap=number, overflow="fold")
        return table


def summary(seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The timings as plain values: calls, and milliseconds."""
    return {
        name: {"calls": len(took), "median_ms": 1000 * statistics.median(took), "slowest_ms": 1000 * max(took)}
        for name, took in seconds.items()
    }
