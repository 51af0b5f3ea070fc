"""`agentmem events`."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from click.testing import CliRunner, Result

from langchain_agentmem import AgentMemory, Event
from langchain_agentmem.serve.commands import agentmem
from langchain_agentmem.wire.connection import Connection


@pytest.fixture
def memory(plain: Connection) -> AgentMemory:
    """What two threads did."""
    memory = AgentMemory(plain)
    for i in range(4):
        memory.events.append(Event(kind="tool.end", thread_id="one", name=f"t{i}", duration=0.5, step=i))
    memory.events.append(Event(kind="memory.recalled", thread_id="two", node="recall", data={"memories": [["m", 0.5]]}))
    memory.events.append(Event(kind="tool.error", thread_id="two", error_type="ValueError", error="no [bold]"))
    return memory


def cli(*args: str, url: str, code: int = 0) -> Result:
    done = CliRunner().invoke(agentmem, ["events", *args, "--url", url])
    assert done.exit_code == code, done.output
    return done


def lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_tail_is_the_last_ones(memory: AgentMemory, plain_url: str) -> None:
    assert [each["name"] for each in lines(cli("tail", "one", "-n", "2", "--json", url=plain_url))] == ["t2", "t3"]
    assert len(lines(cli("tail", "--json", url=plain_url))) == 6
    shown = cli("tail", "two", url=plain_url).stdout.splitlines()
    assert "memory.recalled" in shown[0]
    assert '{"memories": [["m", 0.5]]}' in shown[0]
    assert "ValueError: no [bold]" in shown[1]
    assert "step 3  t3  500 ms" in cli("tail", "one", url=plain_url).stdout


def test_replay_is_all_of_them(memory: AgentMemory, plain_url: str) -> None:
    found = lines(cli("replay", "one", "--json", url=plain_url))
    assert [each["name"] for each in found] == ["t0", "t1", "t2", "t3"]
    after = lines(cli("replay", "one", "--after", found[1]["cursor"], "--json", url=plain_url))
    assert [each["name"] for each in after] == ["t2", "t3"]
    assert len(lines(cli("replay", "--json", url=plain_url))) == 6


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--since", "1h"), 6),
        (("--until", "1h"), 0),
        (("--since", "2999-01-01"), 0),
        (("--kind", "memory"), 1),
        (("--kind", "tool.error", "--kind", "tool.end"), 5),
        (("--kind", "tool"), 5),
    ],
)
def test_replay_takes_filters(memory: AgentMemory, plain_url: str, options: tuple[str, ...], expected: int) -> None:
    assert len(lines(cli("replay", "--json", *options, url=plain_url))) == expected


@pytest.mark.parametrize("thread", [("one",), ()])
def test_follow_goes_on_with_what_happens(memory: AgentMemory, plain_url: str, thread: tuple[str, ...]) -> None:
    def act() -> None:
        time.sleep(0.3)
        memory.events.append(Event(kind="mine", thread_id="one", name="later"))

    actor = threading.Thread(target=act)
    actor.start()
    found = lines(cli("tail", *thread, "-n", "1", "--follow", "--idle", "0.8", "--json", url=plain_url))
    actor.join()
    assert [each.get("name") for each in found][-1] == "later"
    assert len(found) == 2


def test_a_time_that_is_none_is_one_line(plain_url: str) -> None:
    done = CliRunner().invoke(agentmem, ["events", "replay", "--since", "yesterday", "--url", plain_url])
    assert done.exit_code == 2
    assert "'yesterday' is no time; write 2026-05-01T12:00, or how long ago: 10m, 2h, 3d" in " ".join(
        done.stderr.split()
    )
