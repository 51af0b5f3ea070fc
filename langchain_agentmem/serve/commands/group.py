"""A group of commands."""

from __future__ import annotations

from typing import Any

import click

from langchain_agentmem.serve.commands.options import was_given


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
