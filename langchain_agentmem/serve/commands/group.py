"""A group of commands."""

from __future__ import annotations

from typing import Any

import click


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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        done = super().invoke(ctx)
        if self._shows_help and ctx.invoked_subcommand is None:
            click.echo(ctx.get_help())
        return done
