"""The entry point of the command `agentmem`."""

from __future__ import annotations

import sys

from langchain_agentmem.serve.trouble import prepare_streams, told_in_one_line

_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> None:
    """Run the command line. What goes wrong is told in one line, with exit code 1, or 2 for wrong usage."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _run() -> None:
    try:
        import click

        from langchain_agentmem.serve.commands import agentmem
    except ModuleNotFoundError as error:
        sys.exit(f'agentmem: {error.name} is missing: pip install "langchain-agentmem[cli]"')
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
