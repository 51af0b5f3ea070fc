"""The entry point of the command `agentmem`."""

from __future__ import annotations

import sys
from importlib import import_module

_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> None:
    """Run the command line. What goes wrong is told in one line, with exit code 1, or 2 for wrong usage."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _run() -> None:
    """Everything is imported in here: an interrupt meanwhile is one, too."""
    try:
        import click

        from langchain_agentmem.serve.commands import agentmem

        import_module("rich")  # the commands need it, and are loaded only when they are called
    except ModuleNotFoundError as error:
        sys.exit(f'agentmem: {error.name} is missing: pip install "langchain-agentmem[cli]"')
    from langchain_agentmem.serve.trouble import prepare_streams, told_in_one_line

    prepare_streams()
    try:
        with told_in_one_line():
            agentmem.main(prog_name="agentmem", standalone_mode=False)
    except click.Abort:
        sys.exit(_INTERRUPTED)
    except click.ClickException as error:
        at = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "agentmem"
        told = error.format_message()
        sys.stderr.write(f"agentmem: {told if told[-1] in '.?' else f'{told}.'} See {at} --help.\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
