"""What goes wrong around a command: servers that refuse, files and streams that cannot be written, interrupts."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_agentmem import AgentMemory, OfflineEmbeddings, Scope
from langchain_agentmem.serve.cli import main
from langchain_agentmem.serve.output import Meter
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.serve.shell import MAIN, a_process, agentmem
from tests.users import socket_of

ADA = Scope("ada")
SET = ("facts", "set", "diet", "vegan", "--user", "ada")


@pytest.fixture
def memory(plain: Connection) -> Iterator[AgentMemory]:
    memory = AgentMemory(plain, embeddings=OfflineEmbeddings())
    memory.facts.set(ADA, "diet", "vegetarian")
    memory.facts.set(ADA, "seats", 2)
    yield memory
    memory.events.flush()  # or the next test's server gets what this one did


# --- servers ---


@pytest.mark.parametrize(
    ("before", "args", "after", "remedy"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), SET, ("CONFIG", "SET", "maxmemory", "0"), "maxmemory is reached"),
        (("REPLICAOF", "127.0.0.1", "1"), SET, ("REPLICAOF", "NO", "ONE"), "name its master"),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), SET, ("CONFIG", "SET", "min-replicas-to-write", "0"), "repl"),
        (("SET", "agentmem:default:threads", "x"), ("threads",), ("PING",), "another --prefix"),
    ],
)
def test_a_refusal_names_its_own_remedy(
    memory: AgentMemory, plain_url: str, before: Any, args: tuple[str, ...], after: Any, remedy: str
) -> None:
    run(memory.connection.send(before))
    try:
        done = agentmem(*args, REDIS_URL=plain_url)
    finally:
        run(memory.connection.send(after))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert remedy in done.stderr
    assert "ACL" not in done.stderr


@pytest.mark.parametrize(
    ("user", "more", "remedy"),
    [
        ("nobody:hunter2@", "", "Put user and password into the URL"),
        ("", "?db=99", "The number of the database"),
        ("", "?colour=blue", "url or options"),
    ],
)
def test_what_is_wrong_with_a_url_is_one_line(plain_url: str, user: str, more: str, remedy: str) -> None:
    done = agentmem("doctor", "--url", f"unix://{user}{socket_of(plain_url)}{more}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert remedy in done.stderr
    assert not [word for word in ("ACL", "hunter2", "Is the server running") if word in done.stderr]


def test_a_cluster_that_is_away_is_one_line() -> None:
    done = agentmem("doctor", "--url", "redis+cluster://127.0.0.1:1")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Is the server running" in done.stderr


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "this server has no JSON module, so those packages left nothing on it; name the one"),
        (("--source", ""), "url: not a Redis URL that is known here"),
    ],
)
def test_a_source_of_nothing_is_one_line(plain_url: str, more: tuple[str, ...], told: str) -> None:
    done = agentmem("migrate", "--dry-run", *more, REDIS_URL=plain_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert told in done.stderr


# --- files ---


def test_an_export_that_breaks_off_leaves_the_one_before(
    memory: AgentMemory, plain_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.bank.remember("Ada is vegetarian", ADA)
    backup = tmp_path / "ada.jsonl"
    backup.write_text("all of it")
    backup.chmod(0o600)

    def interrupt(meter: Meter, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Meter, "__call__", interrupt)
        done = agentmem("memories", "export", str(backup), "--user", "ada", REDIS_URL=plain_url)
    assert done.returncode == 130
    assert agentmem("memories", "export", str(backup), "--url", "redis://127.0.0.1:1").returncode == 1
    assert [backup.read_text(), *tmp_path.iterdir()] == ["all of it", backup]
    assert agentmem("memories", "export", str(backup), "--user", "ada", REDIS_URL=plain_url).returncode == 0
    assert "Ada is vegetarian" in backup.read_text()
    assert (stat.S_IMODE(backup.stat().st_mode), [*tmp_path.iterdir()]) == (0o600, [backup])


def test_a_link_stays_one_and_nothing_is_a_file_too(memory: AgentMemory, plain_url: str, tmp_path: Path) -> None:
    link = tmp_path / "latest.jsonl"
    link.symlink_to("today.jsonl")
    for user, lines in (("ada", 2), ("eve", 0)):
        assert agentmem("memories", "export", str(link), "--user", user, REDIS_URL=plain_url).returncode == 0
        assert link.is_symlink()
        assert len((tmp_path / "today.jsonl").read_text().splitlines()) == lines


def test_a_pipe_gets_what_is_exported(memory: AgentMemory, plain_url: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(pipe.read_text().splitlines()), daemon=True)
    reader.start()
    assert agentmem("memories", "export", str(pipe), "--user", "ada", REDIS_URL=plain_url).returncode == 0
    reader.join(10)
    assert (len(read), stat.S_ISFIFO(pipe.stat().st_mode)) == (2, True)


@pytest.mark.parametrize(
    ("name", "code", "told"), [(".", 2, "is a directory"), ("none/x", 1, "none/x: No such file"), ("odd/x", 1, "odd/x")]
)
def test_what_is_no_place_for_an_export_is_one_line(
    memory: AgentMemory, plain_url: str, tmp_path: Path, name: str, code: int, told: str
) -> None:
    (tmp_path / "odd").touch()
    done = agentmem("memories", "export", str(tmp_path / name), REDIS_URL=plain_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert told in done.stderr


@pytest.mark.parametrize("content", [b"\x7fELF\xff", b"[" * 100_000])
def test_what_no_export_wrote_is_told(memory: AgentMemory, plain_url: str, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(content)
    done = agentmem("memories", "import", str(file), REDIS_URL=plain_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert {b"[": "line 1", b"\x7f": str(file)}[content[:1]] in done.stderr


# --- streams ---


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_is_one_line(
    memory: AgentMemory, plain_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["agentmem", "doctor", "--url", plain_url])
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit, match=r"^1$"):
            main()
        full.flush()  # as the interpreter does at its end
    assert capsys.readouterr().err == "agentmem: No space left on device.\n"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_the_input_may_be_closed(
    memory: AgentMemory, plain_url: str, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    done = agentmem("chat", "--model", "offline", *more, REDIS_URL=plain_url)
    assert (done.returncode, done.stderr) == (0, "")
    sys.stdin.close()


def test_the_output_may_be_closed(memory: AgentMemory, plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["agentmem", "facts", "--url", plain_url])
    monkeypatch.setattr(sys, "stdout", None)
    main()
    sys.stdout.close()


INTERRUPTED = """
import sys
class Interrupting:
    def find_spec(name, *more):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting)
"""


@pytest.mark.parametrize("module", ["click", "langchain_agentmem.serve.trouble", "langchain_core", "redis"])
def test_an_interrupt_while_it_starts_leaves_no_traceback(module: str) -> None:
    done = a_process("threads", program=INTERRUPTED.format(module=module) + MAIN)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")
