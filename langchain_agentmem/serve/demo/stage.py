"""Runs the acts, one process after the other, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from langchain_agentmem.serve.demo.inventory import StoredKey
from langchain_agentmem.serve.demo.screen import Screen, summary

_ENDINGS = (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
_SCENES = {
    "meet": "Process 1: a conversation begins",
    "resume": "Process 2: another process and server, the same conversation",
    "elsewhere": "Process 3: other conversations, what was learned in the first",
}


def play(screen: Screen, *, quiet: bool) -> dict[str, Any]:
    """Run the demo.

    Args:
        screen: Shows what happens here.
        quiet: The acts show nothing.

    Returns:
        What happened, as plain values.
    """
    start = time.monotonic()
    with _ended_in_order(), tempfile.TemporaryDirectory(prefix="agentmem-demo-") as folder:
        reports = [_play_act(act, Path(folder), screen, quiet=quiet) for act in _SCENES]
    stored = [StoredKey(*key) for key in [report.pop("keys") for report in reports][-1]]
    seconds = _joined([report.pop("seconds") for report in reports])
    screen.scene("What was stored in Redis")
    screen.keys(stored)
    screen.scene("How long the memory took, in the three processes")
    screen.timings(seconds)
    took = time.monotonic() - start
    screen.scene(f"Done in {took:.1f} s: server stopped, data removed")
    return {
        "processes": reports,
        "keys": [key._asdict() for key in stored],
        "operations": summary(seconds),
        "elapsed_seconds": took,
    }


def _play_act(act: str, folder: Path, screen: Screen, *, quiet: bool) -> dict[str, Any]:
    screen.scene(_SCENES[act])
    data, report = folder / "data", folder / f"{act}.json"
    # -P: what lies in the user's working directory is not imported.
    command = [sys.executable, "-P", "-m", __package__, act, str(data), str(report)]
    try:
        code = _run([*command, "--quiet"] if quiet else command)
    finally:
        _await_end_of_server(data)
    if code:  # it has said why
        raise SystemExit(code)
    said: dict[str, Any] = json.loads(report.read_text("utf-8"))
    screen.note("end", f"process {said['process']} has ended, and with it its server {said['server_process']}")
    return said


def _run(command: Sequence[str]) -> int:
    """Run a process, and end it where this one is ended. Returns its exit code.

    An interrupt from the terminal reaches every process. The child ignores it: it is ended from here, at once and
    without unwinding, as an exception in the middle of anything might get lost. Its server ends after it in any case.
    """
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(command)  # noqa: S603 - runs this package, without a shell
    finally:
        signal.signal(signal.SIGINT, handler)
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()


def _await_end_of_server(data: Path) -> None:
    if not data.is_dir():  # there never was one
        return
    from langchain_agentmem.wire.embedded import keeper, locks

    ends = time.monotonic() + 2 * keeper.GRACE
    while locks.is_owned(data / locks.SERVING) and time.monotonic() < ends:
        time.sleep(0.01)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack, as Ctrl-C does, so that what is open is closed."""
    handlers = {number: signal.signal(number, _leave) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _joined(parts: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    whole: dict[str, list[float]] = defaultdict(list)
    for part in parts:
        for name, took in part.items():
            whole[name] += took
    return dict(sorted(whole.items()))
