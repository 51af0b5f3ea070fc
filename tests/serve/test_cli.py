"""The command line: threads, the doctor, what goes wrong, and itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from langgraph.graph import START, MessagesState, StateGraph

from langchain_agentmem import AgentMemory, Event, __version__
from langchain_agentmem.serve import commands
from langchain_agentmem.serve.commands.group import Commands, Deferred
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.serve.shell import MAIN, a_process, agentmem
from tests.users import socket_of


def remember(memory: AgentMemory, thread_id: str, **configurable: Any) -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("answer", lambda state: {"messages": [("ai", "yes")]})
    graph.add_edge(START, "answer")
    agent: Any = graph.compile(checkpointer=memory.checkpointer)
    agent.invoke({"messages": [("human", "hello")]}, {"configurable": {"thread_id": thread_id, **configurable}})


@pytest.fixture
def filled(plain: Connection) -> Connection:
    memory = AgentMemory(plain)
    remember(memory, "one", user_id="ada", topic="tea")
    remember(memory, "[bold]two", user_id="bob", topic=2)
    remember(AgentMemory(plain, prefix="p", tenant="acme"), "hidden")
    return plain


@pytest.fixture
def narrow_url(plain_url: str) -> Iterator[str]:
    """The URL of a user who may do next to nothing."""
    with Connection(plain_url) as connection:
        run(connection.send(("ACL", "SETUSER", "narrow", "on", ">hunter2", "~*", "+ping")))
        yield f"unix://narrow:hunter2@{socket_of(plain_url)}"
        run(connection.send(("ACL", "DELUSER", "narrow")))


# --- threads and doctor ---


def test_threads_are_listed(filled: Connection, plain_url: str) -> None:
    done = agentmem("threads", REDIS_URL=plain_url)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["thread", "user", "step", "last", "active"]
    assert [row.split()[:3] for row in rows] == [["[bold]two", "bob", "1"], ["one", "ada", "1"]]
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ["[bold]two", "one"]),
        (("--limit", "1"), ["[bold]two"]),
        (("--user", "ada"), ["one"]),
        (("--where", "topic=tea"), ["one"]),
        (("--where", "topic=2"), ["[bold]two"]),
        (("--where", 'topic="2"'), []),
        (("--prefix", "p", "--tenant", "acme"), ["hidden"]),
    ],
)
def test_threads_as_json(
    filled: Connection,
    plain_url: str,
    options: tuple[str, ...],
    expected: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands.agentmem(["threads", "--json", "--url", plain_url, *options], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert [thread["thread_id"] for thread in found] == expected
    assert all(thread["metadata"]["step"] == 1 and thread["checkpoint_id"] for thread in found)


def test_a_thread_is_shown_and_deleted(filled: Connection, plain_url: str) -> None:
    shown = agentmem("threads", "show", "one", "--url", plain_url)
    assert [line.split() for line in shown.stdout.splitlines()] == [["human", "hello"], ["ai", "yes"]]
    told = json.loads(agentmem("threads", "show", "one", "--json", "--url", plain_url).stdout)
    assert [each["text"] for each in told["messages"]] == ["hello", "yes"]
    memory = AgentMemory(filled)
    memory.session("one", "ada").write(goal="tea")
    assert json.loads(agentmem("threads", "delete", "one", "--yes", "--json", "--url", plain_url).stdout)["deleted"]
    assert [thread.thread_id for thread in memory.threads()] == ["[bold]two"]
    assert memory.session("one").load().goal is None
    for command in ("show", "delete"):
        done = agentmem("threads", command, "one", "--url", plain_url)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "agentmem: there is no thread 'one'; agentmem threads lists those that there are\n"


def test_no_threads_is_said(plain: Connection, plain_url: str) -> None:
    assert agentmem("threads", "--url", plain_url).stdout == "No threads.\n"


def test_the_doctor_reports(filled: Connection, plain_url: str) -> None:
    report = AgentMemory(filled).doctor()
    done = agentmem("doctor", REDIS_URL=plain_url)
    assert done.returncode == 0
    assert done.stdout.startswith(f"server         {report.server}")
    assert "WARNING        Nothing is written to disk" in done.stdout
    told = json.loads(agentmem("doctor", "--json", "--url", plain_url).stdout)
    assert told["scope"] == "agentmem:default"
    assert {tier["name"]: tier["keys"] for tier in told["tiers"]}["thread"] > 0
    assert told["warnings"]


def test_the_data_of_an_embedded_server_is_found(tmp_path: Path) -> None:
    with AgentMemory.embedded(tmp_path, modules=False) as memory:
        remember(memory, "kept")
    done = agentmem("threads", "--json", "--path", str(tmp_path), REDIS_URL="redis://nowhere.invalid")
    assert [thread["thread_id"] for thread in json.loads(done.stdout)] == ["kept"]


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("args", "remedy"),
    [
        (("threads",), "set REDIS_URL"),
        (("doctor", "--url", "redis://:hunter2@127.0.0.1:1"), "Is the server running"),
        (("threads", "--url", "http://:hunter2@localhost"), "redis://"),
        (("doctor", "--path", "/nonexistent/agentmem"), "there is no directory"),
        (
            ("promote", "--url", "redis://:hunter2@127.0.0.1:1", "--model", "nobody:x"),
            "--model: nobody:x cannot be used",
        ),
        (("worker", "--url", "redis://127.0.0.1:1", "--model", "openai:gpt-x"), "OPENAI_API_KEY"),
        (("memories", "search", "x", "--url", "redis://127.0.0.1:1", "--embeddings", "x"), "--embeddings: x cannot be"),
        (
            ("migrate", "--url", "redis://127.0.0.1:1", "--source", "redis+cluster://127.0.0.1:1"),
            "Is the server running",
        ),
    ],
)
def test_what_the_user_can_mend_is_one_line(args: tuple[str, ...], remedy: str) -> None:
    done = agentmem(*args)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("agentmem: ")
    assert remedy in done.stderr
    assert "hunter2" not in done.stderr


def test_what_the_server_refuses_is_one_line(narrow_url: str) -> None:
    done = agentmem("threads", REDIS_URL=narrow_url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "The server refused" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("args", "at"),
    [
        (["nonsense"], "agentmem"),
        (["threads", "--nonsense"], "agentmem threads"),
        (["threads", "--where", "x"], "agentmem threads"),
        (["memories", "list", "--kin", "x"], "agentmem memories list"),
    ],
)
def test_wrong_usage_is_one_line(args: list[str], at: str, plain_url: str) -> None:
    done = agentmem(*args, REDIS_URL=plain_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.endswith(f" See {at} --help.\n")


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_is_one_line(missing: str) -> None:
    done = a_process(program=f"import sys; sys.modules[{missing!r}] = None; {MAIN}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "langchain-agentmem[cli]" in done.stderr


def test_a_letter_that_the_terminal_does_not_know_is_replaced(plain: Connection, plain_url: str) -> None:
    remember(AgentMemory(plain), "caf\u00e9")
    done = a_process("threads", REDIS_URL=plain_url, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "caf?" in done.stdout


# --- itself ---


@pytest.mark.parametrize("args", [(), ("--help",)])
def test_its_commands_are_listed(args: tuple[str, ...]) -> None:
    done = agentmem(*args)
    assert done.returncode == 0
    names = "demo chat doctor threads memories facts events worker promote stats dead-letters forget-user migrate"
    listed = done.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == names.split()
    assert not any(line.endswith("...") for line in listed), "each is told whole"


def commands_of(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, listed in group.commands.items():
        command = listed.load() if isinstance(listed, Deferred) else listed
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands_of(command, *path, name)


EVERY = dict(commands_of(commands.agentmem))


def test_what_the_list_says_of_a_command_is_what_it_says_itself() -> None:
    listed = {name: command.get_short_help_str(100) for name, command in commands.agentmem.commands.items()}
    assert listed == {path[0]: each.get_short_help_str(100) for path, each in EVERY.items() if len(path) == 1}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_to_say_what_it_is_it_loads_no_command(option: str) -> None:
    heavy = ("langchain_core", "langgraph", "redis", "rich.console")
    program = (
        f"{MAIN.removesuffix('main()')}\ntry: main()\nfinally: print([name for name in {heavy} if name in sys.modules])"
    )
    assert a_process(option, program=f"import sys\n{program}").stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_teaches_its_use(path: tuple[str, ...]) -> None:
    done = agentmem(*path, "-h")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: agentmem {' '.join(path)} ")
    assert max(map(len, done.stdout.splitlines())) <= 100
    options = [each for each in EVERY[path].params if isinstance(each, click.Option)]
    assert all(each.help for each in options)
    assert any("--json" in each.opts for each in options) or isinstance(EVERY[path], Commands)


@pytest.mark.parametrize("group", ["memories", "events", "dead-letters"])
def test_a_group_alone_shows_its_commands(group: str) -> None:
    done = agentmem(group)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands:" in done.stdout


def test_who_reads_the_output_may_have_enough(plain: Connection, plain_url: str) -> None:
    memory = AgentMemory(plain)
    memory.events.append(*(Event(kind="mine", thread_id="one", data={"n": "x" * 500}) for _ in range(500)))
    program = [sys.executable, "-c", MAIN, "events", "replay", "one", "--json", "--url", plain_url]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 1


def test_its_version() -> None:
    assert agentmem("--version").stdout == f"agentmem, version {__version__}\n"
