"""What the commands print, and how they ask."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from langchain_agentmem.longterm.transfer import write_json
from langchain_agentmem.serve.console import harmless, make_console

_SAYS = "says"


def print_json(value: Any) -> None:
    """A value as JSON, made to be read."""
    click.echo(write_json(value, indent=2, default=_plain))


def tell(text: str, value: Any, *, as_json: bool) -> None:
    """A text, or the value that it tells of as JSON."""
    if as_json:
        print_json(value)
    else:
        click.echo(harmless(text))


def print_line(value: Any) -> None:
    """A value as one line of JSON, out at once."""
    click.echo(write_json(value, default=_plain))
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, none: str) -> None:
    """Rows under a head, or the text `none` where there are none. None is shown as nothing.

    What a memory says may be long, and beside its id there is little room: a column "says" stands beneath its row.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        make_console().print(none)
    elif _SAYS in columns:
        _print_entries(columns, cells)
    else:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in columns:
            table.add_column(name, overflow="fold", no_wrap=name == "id")  # an id is copied whole
        for row in cells:
            table.add_row(*row)
        make_console().print(table)


def _print_entries(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console, at = make_console(), columns.index(_SAYS)
    heads = [[*row[:at], *row[at + 1 :]] for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*heads, strict=True)]
    for head, text in zip(heads, ["", *(row[at] for row in rows)], strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True))
        console.print(line.rstrip(), style="dim", soft_wrap=True)
        for below in console.render_str(text).wrap(console, console.width - 4) if text else ():
            console.print(f"    {below.plain.rstrip()}")


def print_pairs(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and what they are, one a line; what is None is left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(name, str(value))
    make_console().print(grid)


def ago(moment: datetime | None) -> str:
    """How long ago something was."""
    if moment is None:
        return ""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def confirm(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless the user has said yes already. Ends the process where the answer is no, or none comes."""
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:  # nobody to ask
        fail("nothing was changed: nobody answered; add --yes")
    if not agreed:
        fail("nothing was changed")


def fail(message: str) -> NoReturn:
    """End the process with one line on stderr and exit code 1."""
    sys.stderr.write(f"agentmem: {message}\n")
    raise SystemExit(1)


class Meter:
    """A bar on stderr while something is done, where that is a terminal.

    Args:
        what: What is done.
    """

    def __init__(self, what: str) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=make_console(stderr=True), transient=True)
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar.live.is_started:
            self._bar.stop()

    def __call__(self, done: int, total: int | None) -> None:
        """So much is done, of so much, if that is known."""
        self._bar.update(self._task, completed=done, total=total)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
