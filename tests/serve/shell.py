"""The command as a shell runs it: in this process, where that will do, or as a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import pytest

from langchain_agentmem.serve.cli import main

MAIN = "from langchain_agentmem.serve.cli import main; main()"


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def agentmem(*args: str, **env: str) -> Done:
    """Run the command with `args` in this process, without the caller's REDIS_URL."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in ("REDIS_URL", "OPENAI_API_KEY"):
            patch.delenv(name, raising=False)
        for name, value in env.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["agentmem", *args])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
    if isinstance(code, str):  # what the interpreter itself would show
        return Done(1, out.getvalue(), f"{err.getvalue()}{code}\n")
    return Done(code or 0, out.getvalue(), err.getvalue())


def a_process(*args: str, program: str = MAIN, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a real process."""
    given = {name: value for name, value in os.environ.items() if name != "REDIS_URL"} | env
    return subprocess.run(
        [sys.executable, "-c", program, *args], env=given, capture_output=True, text=True, check=False, timeout=60
    )
