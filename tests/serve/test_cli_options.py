"""What a command is told: options before and after a subcommand, and values that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from langchain_agentmem import AgentMemory, OfflineEmbeddings, Scope
from langchain_agentmem.wire.connection import Connection
from tests.serve.shell import agentmem

ADA = Scope("ada")


@pytest.fixture
def memory(plain: Connection) -> Iterator[AgentMemory]:
    memory = AgentMemory(plain, embeddings=OfflineEmbeddings())
    yield memory
    memory.events.flush()  # or the next test's server gets what this one did


# --- before a subcommand ---

AWAY = "redis://127.0.0.1:1"


def test_options_before_a_subcommand_count_for_it(memory: AgentMemory, plain_url: str) -> None:
    before = (
        "--url",
        plain_url,
        "--user",
        "ada",
        "--namespace",
        "traits",
        "--tenant",
        "acme",
        "--prefix",
        "p",
        "--json",
    )
    done = agentmem("facts", *before, "set", "diet", "vegan", REDIS_URL=AWAY)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"name": "diet", "version": 1})
    there = AgentMemory(memory.connection, prefix="p", tenant="acme", embeddings=OfflineEmbeddings())
    assert there.facts.get(Scope("ada", ("traits",)), "diet") is not None
    there.events.flush()
    assert memory.facts.all(Scope()) == {}


@pytest.mark.parametrize("command", ["memories list", "events tail", "dead-letters list", "threads", "facts list"])
def test_every_group_takes_the_options_of_the_server(memory: AgentMemory, plain_url: str, command: str) -> None:
    group, *rest = command.split()
    done = agentmem(group, "--url", plain_url, "--tenant", "acme", "--json", *rest, REDIS_URL=AWAY)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_subcommands_own_options_win(memory: AgentMemory, plain_url: str) -> None:
    done = agentmem(
        "facts", "--url", AWAY, "--user", "bob", "set", "diet", "vegan", "--url", plain_url, "--user", "ada"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "diet" in memory.facts.all(ADA)
    assert memory.facts.all(Scope("bob")) == {}


def test_no_thread_of_another_server_is_deleted(memory: AgentMemory, plain_url: str) -> None:
    config: Any = {"configurable": {"thread_id": "trip", "checkpoint_ns": ""}}
    checkpoint: Any = {"id": "1", "channel_values": {}, "channel_versions": {}}
    memory.checkpointer.put(config, checkpoint, {}, {})
    done = agentmem("threads", "--url", AWAY, "delete", "trip", "--yes", REDIS_URL=plain_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert [each.thread_id for each in memory.threads()] == ["trip"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("threads", "--user", "ada", "delete", "trip", "--yes"), "--user does not go with delete"),
        (("threads", "--limit", "3", "show", "trip"), "--limit does not go with show"),
        (("threads", "--path", "/tmp", "--url", AWAY), "--url and --path name a server each"),
        (("facts", "--path", "/tmp", "list", "--url", AWAY), "--url and --path name a server each"),
    ],
)
def test_what_would_do_nothing_is_refused(args: tuple[str, ...], told: str) -> None:
    done = agentmem(*args)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


# --- values that are none ---


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("memories", "search", "hi", "--since", "900000d"), "'900000d' is before the year 1"),
        (("memories", "forget", "--before", "900000d"), "'900000d' is before the year 1"),
        (("memories", "list", "--limit", "99999999999999999999"), "is not in the range"),
        (("events", "tail", "-n", "99999999999999999999"), "is not in the range"),
        (("worker", "--concurrency", "99999999999999"), "is not in the range"),
        (("facts", "set", "x", "[" * 100_000), "nested too deep"),
        (("threads", "--where", f"x={'[' * 100_000}"), "nested too deep"),
    ],
)
def test_a_value_that_cannot_be_is_wrong_usage(plain_url: str, args: tuple[str, ...], told: str) -> None:
    done = agentmem(*args, REDIS_URL=plain_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr
