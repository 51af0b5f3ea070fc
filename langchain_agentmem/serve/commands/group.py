"""A group of commands."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource


def was_given(context: click.Context, name: str | None) -> bool:
    """Whether a user has written an option of a command."""
    return bool(name) and context.get_parameter_source(name or "") is ParameterSource.COMMANDLINE


class Deferred(click.Command):
    """A command that is loaded when it is called: to be listed it needs but its name, and what it says of itself.

    Args:
        name: Its name.
        home: The module where it is.
        says: What it says, in one line.
    """

    def __init__(self, name: str, home: str, says: str) -> None:
        super().__init__(name, short_help=says)
        self._home = home

    def load(self) -> click.Command:
        """The command itself."""
        command: click.Command = getattr(import_module(self._home), (self.name or "").replace("-", "_"))
        return command


class Commands(click.Group):
    """A group that lists its commands in the order in which they were added, and alone shows its help.

    Args:
        shows_help: Whether it does; else its own function says what it does alone.
    """

    def __init__(self, *args: Any, shows_help: bool = True, **settings: Any) -> None:
        super().__init__(*args, **{"invoke_without_command": True, **settings})
        self._shows_help = shows_help

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that was named.

        Raises:
            UsageError: An option of the group stands before a command that has no such option: it would do nothing.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, Deferred):
            command = command.load()
        known = {each.name for each in command.params} if command else set()
        for each in self.params:
            if command and not ctx.resilient_parsing and each.name not in known and was_given(ctx, each.name):
                raise click.UsageError(f"{each.opts[0]} does not go with {name}", ctx)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        done = super().invoke(ctx)
        if self._shows_help and ctx.invoked_subcommand is None:
            click.echo(ctx.get_help())
        return done
