"""`agentmem worker`, `promote`, `stats`, `dead-letters` and `forget-user`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from subprocess import PIPE, Popen
from typing import Any

import pytest
from click.testing import CliRunner, Result
from langchain_core.messages import HumanMessage

from langchain_agentmem import AgentMemory, OfflineEmbeddings, Scope
from langchain_agentmem.promotion.health import Health
from langchain_agentmem.serve.commands import agentmem
from langchain_agentmem.serve.heartbeats import Heartbeats
from langchain_agentmem.serve.working import Reporter, run_worker
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.serve.shell import agentmem as agentmem_here
from tests.users import wait_until

ADA = Scope("ada")
OFFLINE = ["verbatim@1", "rules@1"]


@pytest.fixture
def memory(plain: Connection) -> Iterator[AgentMemory]:
    memory = AgentMemory(plain, embeddings=OfflineEmbeddings(), outbox={"quiet": 0.1})
    yield memory
    memory.events.flush()  # or the next test's server gets what this one did


def say(memory: AgentMemory, text: str, thread: str = "one", scope: Scope = ADA, by: list[str] = OFFLINE) -> None:
    memory.outbox.add(thread, [HumanMessage(text, id=f"{thread}-{len(text)}")], scope, by)


def cli(*args: str, url: str, code: int = 0, input: str | None = None) -> Result:
    done = CliRunner().invoke(agentmem, [*args, "--url", url], input=input)
    assert done.exit_code == code, done.output + done.stderr
    return done


def told(done: Result) -> Any:
    return json.loads(done.stdout)


# --- once ---


def test_promote_makes_memories_of_what_waits(memory: AgentMemory, plain_url: str) -> None:
    say(memory, "I am vegetarian and I live in Lisbon.")
    report = told(cli("promote", "--json", url=plain_url))
    assert (report["promoted"], report["failed"], report["errors"]) == (1, 0, [])
    assert {"diet", "home"} & memory.facts.all(ADA).keys()
    assert "vegetarian" in memory.bank.recall("what does she eat?", ADA)[0].memory.text
    assert cli("promote", url=plain_url).stdout.startswith("Promoted 0 turns")


def test_stats_tell_what_waits_and_what_became_of_it(memory: AgentMemory, plain_url: str) -> None:
    say(memory, "I like tea.")
    before = told(cli("stats", "--json", "--user", "ada", url=plain_url))
    assert (before["waiting"], before["promoted"], before["workers"]) == (1, 0, [])
    assert before["spent_today"] == {name: {"calls": 0, "tokens": 0} for name in ("all", "memories.ada")}
    cli("promote", url=plain_url)
    after = told(cli("stats", "--json", url=plain_url))
    assert (after["waiting"], after["promoted"], after["dead_letters"]) == (0, 1, 0)
    shown = cli("stats", url=plain_url).stdout
    assert "No worker is running." in shown
    assert "dead letters" in shown


# --- dead letters ---


@pytest.fixture
def given_up(memory: AgentMemory, plain_url: str) -> str:
    """The id of a dead letter: its turns wait for a strategy that needs a model."""
    say(memory, "I like tea.", by=["discrete@1"])
    strict = AgentMemory(memory.connection, embeddings=memory.embeddings, outbox={"max_attempts": 1})
    assert strict.promote_pending().dead == 1
    return memory.outbox.dead()[0].id


def test_dead_letters_are_listed_replayed_and_discarded(memory: AgentMemory, plain_url: str, given_up: str) -> None:
    [letter] = told(cli("dead-letters", "list", "--json", url=plain_url))
    assert (letter["id"], letter["thread_id"], letter["user"]) == (given_up, "one", "ada")
    assert letter["error_type"] == "ConfigurationError"
    assert "tea" not in json.dumps(letter), "what was said is not for a list of errors"
    assert given_up in cli("dead-letters", "list", url=plain_url).stdout
    assert cli("dead-letters", "list", "--thread", "two", url=plain_url).stdout == "No dead letters.\n"
    assert told(cli("dead-letters", "replay", given_up, "--json", url=plain_url)) == {"turns": 1}
    assert memory.outbox.stats().waiting == 1
    assert memory.outbox.dead() == []


def test_dead_letters_are_discarded_when_told_so(memory: AgentMemory, plain_url: str, given_up: str) -> None:
    cli("dead-letters", "discard", given_up, url=plain_url, input="n\n", code=1)
    assert len(memory.outbox.dead()) == 1
    assert told(cli("dead-letters", "discard", given_up, "--yes", "--json", url=plain_url)) == {"discarded": 1}
    assert memory.outbox.dead() == []


def test_all_letters_are_replayed_where_none_is_named(memory: AgentMemory, plain_url: str, given_up: str) -> None:
    cli("dead-letters", "replay", given_up, "--all", url=plain_url, code=2)
    assert cli("dead-letters", "replay", url=plain_url).stdout == "1 turns wait again.\n"
    assert told(cli("dead-letters", "replay", "--all", "--json", url=plain_url)) == {"turns": 0}


def test_a_letter_that_is_not_there_is_one_line(memory: AgentMemory, plain_url: str) -> None:
    done = cli("dead-letters", "replay", "1-1", url=plain_url, code=1)
    assert done.stderr == "agentmem: there is no dead letter 1-1; agentmem dead-letters list shows what there is\n"


def test_promote_fails_where_turns_do(memory: AgentMemory, plain_url: str) -> None:
    say(memory, "I like tea.", by=["discrete@1"])
    done = cli("promote", url=plain_url, code=1)
    assert "1 failed" in done.stdout
    assert "discrete" in done.stderr


# --- a worker ---


@pytest.fixture
def worker(memory: AgentMemory, plain_url: str) -> Iterator[Popen[str]]:
    """A running worker, as a process."""
    command = [sys.executable, "-m", "langchain_agentmem.serve.cli", "worker", "--url", plain_url, "--json"]
    process = Popen(command, stdout=PIPE, stderr=PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_a_worker_promotes_says_how_it_is_and_ends_in_order(
    worker: Popen[str], memory: AgentMemory, plain_url: str
) -> None:
    assert worker.stdout
    said = json.loads(worker.stdout.readline())
    wait_until(lambda: bool(Heartbeats(memory.connection, memory.keys).all()))
    say(memory, "I am vegetarian.")
    wait_until(lambda: memory.outbox.stats().promoted == 1)
    health = told(cli("worker", "--check", "--json", url=plain_url))
    assert (health["well"], [each["well"] for each in health["workers"]]) == (True, [True])
    name = health["workers"][0]["name"]
    assert name.split("-")[-2] == str(worker.pid)
    assert cli("worker", "--check", "--name", name, url=plain_url).stdout.startswith("ok worker=")
    assert [each["name"] for each in told(cli("stats", "--json", url=plain_url))["workers"]] == [name]
    cli("worker", "--check", "--name", "another", url=plain_url, code=1)
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=30)
    assert worker.returncode == 0
    assert "stopping: running promotions end first" in err
    assert said["name"] == name
    done = cli("worker", "--check", url=plain_url, code=1)
    assert done.stderr.startswith("agentmem: no worker of this host has said how it is; is agentmem worker running")
    assert memory.facts.get(ADA, "diet") is not None


SLOW = """
import sys, time
from langchain_agentmem.promotion import unaided
from langchain_agentmem.promotion.extraction import Extractor
import asyncio
async def slow(self, batch):
    print("at it", flush=True)
    await asyncio.sleep(60)
Extractor.aplan = slow
from langchain_agentmem.serve.cli import main
main()
"""


def test_a_second_signal_ends_it_at_once_and_loses_nothing(memory: AgentMemory, plain_url: str) -> None:
    say(memory, "I am vegetarian.")
    command = [sys.executable, "-c", SLOW, "worker", "--url", plain_url]
    process = Popen(command, stdout=PIPE, stderr=PIPE, text=True)
    try:
        assert process.stdout
        while "at it" not in (line := process.stdout.readline()):
            assert line, "it ended too early"
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None, "it should end what it has begun"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 143
    assert "Traceback" not in err
    assert memory.outbox.stats().waiting == 1
    assert told(cli("promote", "--json", url=plain_url))["promoted"] == 1


def health(**changes: Any) -> Health:
    zeros = dict.fromkeys(("running", "promoted", "memories", "failed", "deferred", "dead", "waiting", "pending"), 0)
    return Health(**zeros | {"name": "w", "alive": True, "rate": 0.0, "lag": 0.0, "last_error": None} | changes)


async def test_who_is_silent_or_stuck_is_not_well(memory: AgentMemory, plain_url: str) -> None:
    beats = Heartbeats(memory.connection, memory.keys)
    await beats.anote(health(name="stuck", alive=False))
    await beats.anote(health(name="well"))
    await memory.connection.send(("HSET", memory.keys.outbox_workers(), "old", f"1000 {json.dumps(asdict(health()))}"))
    await beats.anote(health(name="w", lag=1.5))
    assert [(each.name, each.well) for each in await beats.aall()] == [("stuck", False), ("w", True), ("well", True)]
    await memory.connection.send(("HSET", memory.keys.outbox_workers(), "old", f"1000 {json.dumps(asdict(health()))}"))
    told = {each.name: str(each) for each in beats.all()}
    assert told["stuck"] == "worker=stuck is stuck"
    assert "lag=1.5s" in told["w"]
    assert told["old"].startswith("worker=old is silent for ")
    assert cli("worker", "--check", "--name", "stuck", url=plain_url, code=1).stdout == "worker=stuck is stuck\n"
    await beats.aleave("w")
    assert [each.name for each in await beats.aall()] == ["stuck", "well"]


async def test_a_probe_asks_the_workers_of_its_host_whatever_their_names(memory: AgentMemory, plain_url: str) -> None:
    now = int(time.time() * 1000)
    elsewhere = json.dumps(asdict(health(name="far")) | {"host": "elsewhere"})
    await memory.connection.send(("HSET", memory.keys.outbox_workers(), "far", f"{now} {elsewhere}"))
    assert "no worker of this host" in cli("worker", "--check", url=plain_url, code=1).stderr
    cli("worker", "--check", "--name", "far", url=plain_url)
    await Heartbeats(memory.connection, memory.keys).anote(health(name="mine"))
    assert cli("worker", "--check", url=plain_url).stdout.startswith("ok worker=mine ")


def test_workers_of_other_versions_are_read_as_far_as_known(memory: AgentMemory, plain_url: str) -> None:
    now = int(time.time() * 1000)
    said = {
        "older": {"alive": True},
        "newer": asdict(health(name="newer")) | {"colour": "red"},
        "odd": {"alive": "yes"},
    }
    said["older"] |= {"rate": "fast", "running": 2}
    beats = [part for name, each in said.items() for part in (name, f"{now} {json.dumps(each)}")]
    run(memory.connection.send(("HSET", memory.keys.outbox_workers(), *beats)))
    workers = told(cli("stats", "--json", url=plain_url))["workers"]
    assert [(each["name"], each["well"], each["health"]["running"]) for each in workers] == [
        ("newer", True, 0),
        ("odd", False, 0),
        ("older", True, 2),
    ]
    assert "ok worker=older running=2 " in cli("worker", "--check", "--name", "older", url=plain_url).stdout
    cli("worker", "--check", "--name", "odd", url=plain_url, code=1)


@pytest.mark.parametrize("garbage", ["", "x {}", "1 {", "1 [1]", b"\xff"])
def test_what_no_worker_said_is_named(memory: AgentMemory, plain_url: str, garbage: str | bytes) -> None:
    key = memory.keys.outbox_workers()
    run(memory.connection.send(("HSET", key, "w", garbage)))
    for command in (["stats"], ["worker", "--check"]):
        done = agentmem_here(*command, REDIS_URL=plain_url)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith(f"agentmem: {key}: what lies there as 'w' was said by no worker")


async def test_a_worker_that_cannot_note_itself_works_all_the_same(memory: AgentMemory) -> None:
    await memory.connection.send(("HSET", memory.keys.outbox_workers(), "w", "garbage"))
    heartbeats = Heartbeats(memory.connection, memory.keys)
    asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
    assert await run_worker(memory.worker(), heartbeats, lambda _: None) == 0


def test_health_is_shown_when_it_changes_and_not_too_often() -> None:
    shown: list[Health] = []
    times = iter([0, 0, 5, 11, 11, 31, 31])  # it is asked for when there is news, and when that is shown
    reporter = Reporter(shown.append, 10, lambda: next(times))
    for promoted in (0, 1, 2, 2, 3):
        reporter(health(promoted=promoted))
    assert [each.promoted for each in shown] == [0, 2, 3]


# --- the right to be forgotten ---


def test_forget_user_asks_erases_and_proves(memory: AgentMemory, plain_url: str) -> None:
    memory.bank.remember("Ada is vegetarian", ADA)
    memory.bank.remember("Bob keeps bees", Scope("bob"))
    say(memory, "I like tea.")
    asked = cli("forget-user", "ada", url=plain_url, input="n\n", code=1)
    assert "Erase all of 'ada' on agentmem:default, for ever?" in asked.stderr
    assert memory.bank.count(ADA) == 1
    receipt = told(cli("forget-user", "ada", "--yes", "--json", url=plain_url))
    assert (receipt["user"], receipt["clean"], receipt["residue"]) == ("ada", True, [])
    assert receipt["erased"]["items"] == 1
    assert receipt["erased"]["turns"] == 1
    assert (memory.bank.count(ADA), memory.bank.count(Scope("bob"))) == (0, 1)
    assert memory.outbox.stats().waiting == 0
    assert "nothing" in cli("forget-user", "ada", "--yes", url=plain_url).stdout
