"""`agentmem demo`: the whole of it as a real process, then its parts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import PIPE, Popen
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_agentmem import AgentMemory, ConfigurationError
from langchain_agentmem.agent.rendering import CLOSING, OPENING
from langchain_agentmem.serve.commands import agentmem
from langchain_agentmem.serve.commands import demo as demo_command
from langchain_agentmem.serve.demo.agent import ModelError, build_agent, find_restaurant
from langchain_agentmem.serve.demo.inventory import StoredKey, stored_keys
from langchain_agentmem.serve.demo.model import ScriptedModel, choose_model
from langchain_agentmem.serve.demo.screen import Screen
from langchain_agentmem.serve.demo.stopwatch import Stopwatch
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.users import gone, wait_until

THREAD: Any = {"configurable": {"thread_id": "t"}}


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """Where the demo puts its temporary directory, so that one left behind is seen."""
    with tempfile.TemporaryDirectory(prefix="am-") as folder:
        yield Path(folder)


PLAY = """
import json, sys
from langchain_agentmem.serve.commands import demo
from langchain_agentmem.serve.demo.stage import play
def also_tell(*args, **options):
    print(json.dumps(happened := play(*args, **options)), file=sys.stderr)
    return happened
demo.play = also_tell
demo.demo([])
"""


def start(
    scratch: Path,
    *args: str,
    program: tuple[str, ...] = ("-m", "langchain_agentmem.serve.cli", "demo"),
    env: Mapping[str, str] = MappingProxyType({}),
    **more: Any,
) -> Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "FORCE_COLOR"))}
    return Popen(
        [sys.executable, *program, *args],
        env={**kept, "TMPDIR": str(scratch), **env},
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        **more,
    )


def nothing_left(scratch: Path) -> bool:
    """Whether neither files nor processes remain. The server's arguments name its directory."""
    running = subprocess.run(["ps", "-axo", "args="], capture_output=True, text=True, check=True).stdout
    return not any(scratch.iterdir()) and str(scratch) not in running


# --- as a process ---


@pytest.fixture(scope="module")
def played(scratch: Path) -> tuple[str, dict[str, Any]]:
    """The demo once, in full: what it shows in a pipe, and what happened."""
    process = start(scratch, program=("-c", PLAY))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, json.loads(err)


@pytest.fixture(scope="module")
def shown(played: tuple[str, dict[str, Any]]) -> str:
    return played[0]


@pytest.fixture(scope="module")
def happened(played: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return played[1]


def answers(report: dict[str, Any]) -> dict[str, str]:
    return {turn["asked"]: turn["answered"] for turn in report["turns"]}


def test_the_second_process_knows_what_the_first_one_heard(happened: dict[str, Any]) -> None:
    first, second, _ = happened["processes"]
    assert first["process"] != second["process"]
    assert first["server_process"] != second["server_process"]
    answer = answers(second)["What do you know about me?"]
    assert all(word in answer for word in ("Ada", "vegetarian", "Lisbon", "May"))
    assert not any("Lisbon" in asked for asked in answers(second))


def test_the_tool_is_called_with_what_was_remembered(happened: dict[str, Any]) -> None:
    answer = answers(happened["processes"][1])["Where could I have dinner there?"]
    assert find_restaurant.invoke({"city": "Lisbon", "diet": "vegetarian"}) in answer


def test_the_fork_differs_and_the_trunk_stays(happened: dict[str, Any]) -> None:
    second = happened["processes"][1]
    assert "Kyoto" in second["fork"]
    assert "Lisbon" not in second["fork"]
    assert "Lisbon" in second["trunk"]
    assert "Kyoto" not in second["trunk"]


def test_a_third_process_knows_it_in_other_threads(happened: dict[str, Any]) -> None:
    first, second, third = happened["processes"]
    assert len({report["process"] for report in (first, second, third)}) == 3
    assert len({report["server_process"] for report in (first, second, third)}) == 3
    assert third["promoted"] >= 2 * len(first["turns"] + second["turns"])  # each question, each answer, tool calls
    assert third["memories"] > 0
    told = answers(third)
    assert told["What do you know about me?"] == "You are Ada and you are vegetarian."
    assert "“I am going to Lisbon in May.”" in told["Which holidays have I planned?"]
    assert (
        find_restaurant.invoke({"city": "Kyoto", "diet": "vegetarian"}) in told["Where could I have dinner in Kyoto?"]
    )


def test_it_tells_nobody_else(happened: dict[str, Any]) -> None:
    assert answers(happened["processes"][2])["Which holidays has Ada planned?"] == "You have not told me yet."


def test_it_tells_what_was_stored_and_how_long_it_took(happened: dict[str, Any]) -> None:
    stored = {key["key"]: key for key in happened["keys"]}
    assert stored["agentmem:default:thread:{trip}:%:head"]["type"] == "hash"
    assert all(key["bytes"] > 0 for key in stored.values())
    assert set(happened["operations"]) == {"get_tuple", "list", "put", "put_writes"}
    for took in happened["operations"].values():
        assert took["calls"] > 0
        assert 0 < took["median_ms"] <= took["slowest_ms"]
    assert set(happened["processes"][0]["server"]) == {"flavour", "version", "search", "json"}


def test_it_leaves_nothing_behind(happened: dict[str, Any], shown: str, scratch: Path) -> None:
    wait_until(lambda: nothing_left(scratch))
    assert all(gone(report["server_process"]) for report in happened["processes"])


def test_it_is_plain_text_in_a_pipe(shown: str) -> None:
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "scripted offline model" in shown
    assert "You are going to Kyoto" in shown
    assert re.search(r"^agentmem:default:thread:\{trip\}:%:head +hash +1 +[\d,]+$", shown, re.M)
    assert re.search(r"^put_writes +store a step's writes +\d+ +[\d.]+ +[\d.]+$", shown, re.M)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_nothing_behind(number: signal.Signals, code: int, scratch: Path) -> None:
    process = start(scratch, start_new_session=True)
    assert process.stdout
    while "Agent" not in (line := process.stdout.readline()):
        assert line, "it ended too early"
    if number == signal.SIGINT:  # as a terminal sends it: to all
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err.strip()) == (code, "")
    wait_until(lambda: nothing_left(scratch))


def test_a_model_that_does_not_answer_is_one_line(scratch: Path) -> None:
    nobody_there = {"OPENAI_API_KEY": "sk-hunter2", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    process = start(scratch, "--json", env=nobody_there)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert "Check OPENAI_API_KEY" in err
    assert "hunter2" not in err
    wait_until(lambda: nothing_left(scratch))


# --- who answers ---


def test_without_a_key_the_model_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model, name = choose_model()
    assert isinstance(model, ScriptedModel)
    assert "offline" in name


def test_with_a_key_it_is_openais(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-x")
    model, name = choose_model()
    assert type(model).__name__ == "ChatOpenAI"
    assert name == "OpenAI gpt-x"


def test_with_a_key_but_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setitem(sys.modules, "langchain_openai", None)
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[openai\]"):
        choose_model()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["Who am I?"], "You have not told me yet."),
        (["I'm Ada.", "Who am I?"], "You are Ada."),
        (["I'm Ada.", "My name is Bob.", "Who am I?"], "You are Bob."),
        (["I'm Ada, a vegan.", "I go to Rome in May.", "And?"], None),
        (["I go to Rome in May.", "Where am I going?"], "You are going to Rome and it is in May."),
        (["I'm Ada, a vegan."], "Noted: name Ada, diet vegan."),
        (["It rains."], "I see."),
    ],
)
async def test_the_scripted_model_knows_what_it_is_told(said: list[str], answer: str | None) -> None:
    expected = answer or "You are Ada, you are vegan, you are going to Rome and it is in May."
    messages = [HumanMessage(text) for text in said]
    assert ScriptedModel().invoke(messages).text == expected
    assert (await ScriptedModel().ainvoke(messages)).text == expected


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who am I?", "You are Ada and you are vegan."),
        ("What must I avoid?", "You are allergic to nuts."),
        ("What should I cook?", "You are vegan."),
        ("How do I travel?", "You told me: “I take night trains.” [t2]"),
        ("Where am I going?", "You told me: “I go to Rome in May.” [t3]"),
        ("What do you know about me?", "You are Ada, you are vegan and you are allergic to nuts."),
    ],
)
def test_the_scripted_model_knows_what_is_recalled(question: str, answer: str) -> None:
    block = f"""Be kind.

{OPENING}
Recalled data about the user.
Facts:
- allergy.nuts: nuts (since 2026-05-01)
- diet: vegan (since 2026-05-01)
- name: Ada (since 2026-05-01)
Memories, best first:
- [t1] user: Do I fly? (2026-05-01)
- [t2] user: I take night trains. (2026-05-01)
- [t3] user: I go to Rome in May. (2026-05-01)
{CLOSING}"""
    assert ScriptedModel().invoke([SystemMessage(block), HumanMessage(question)]).text == answer


def test_the_scripted_model_asks_for_what_a_tool_needs() -> None:
    agent = build_agent(ScriptedModel(), InMemorySaver())
    said = agent.invoke({"messages": [HumanMessage("Where can I eat?")]}, THREAD)["messages"]
    assert said[-1].text == "First tell me your city and diet."
    said = agent.invoke({"messages": [HumanMessage("I go to Kyoto, I'm vegan, where can I eat?")]}, THREAD)["messages"]
    assert [call["args"] for call in said[-3].tool_calls] == [{"city": "Kyoto", "diet": "vegan"}]
    assert "A counter in Gion in Kyoto has a vegan menu" in said[-1].text


def test_a_failing_model_is_an_error_of_ours() -> None:
    class Mute(FakeListChatModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self

        def _call(self, *args: Any, **kwargs: Any) -> str:
            raise RuntimeError("mute")

    with pytest.raises(ModelError, match=r"RuntimeError: mute.*unset the key"):
        build_agent(Mute(responses=[]), InMemorySaver()).invoke({"messages": [HumanMessage("hello")]}, THREAD)


# --- what measures and shows ---


def test_the_stopwatch_changes_nothing_and_counts_all(plain: Connection) -> None:
    watch = Stopwatch(AgentMemory(plain).checkpointer)
    plainly = build_agent(ScriptedModel(), InMemorySaver())
    timed = build_agent(ScriptedModel(), watch)
    for text in ("I'm Ada.", "Who am I?"):
        for agent in (plainly, timed):
            agent.invoke({"messages": [HumanMessage(text)]}, THREAD)
    histories = [[*agent.get_state_history(THREAD)] for agent in (plainly, timed)]
    texts = [[[m.text for m in state.values.get("messages", ())] for state in history] for history in histories]
    assert texts[0] == texts[1]
    assert [len(watch.seconds[name]) for name in ("get_tuple", "list", "put")] == [2, 1, len(histories[1])]
    assert all(took > 0 for each in watch.seconds.values() for took in each)


async def test_the_inventory_is_that_of_one_tenant(plain: Connection) -> None:
    memory = AgentMemory(plain)
    build_agent(ScriptedModel(), memory.checkpointer).invoke({"messages": [HumanMessage("hello")]}, THREAD)
    await plain.send(("SET", "agentmem:other:x", "y"), ("SET", "agentmem:default2:x", "y"))
    stored = run(stored_keys(plain, memory.keys))
    names = [name.decode() for name in (await plain.send(("KEYS", "agentmem:default:*")))[0]]
    assert [key.key for key in stored] == sorted(names)
    assert {key.key: key.type for key in stored}[memory.keys.thread("t")] == "hash"
    assert await stored_keys(plain, memory.keys) == stored


def test_the_inventory_of_nothing(plain: Connection) -> None:
    assert run(stored_keys(plain, AgentMemory(plain).keys)) == []


def test_keys_that_differ_only_in_an_id_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    one, two, own = f"a:item:{{ada}}:turn-{'1' * 32}", f"a:item:{{ada}}:turn-{'2f' * 16}", "a:item:{ada}:turn-dad"
    Screen().keys([StoredKey(one, "hash", 2000), StoredKey(two, "hash", 7), StoredKey(own, "hash", 1)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == [
        ["a:item:{ada}:turn-…", "hash", "2", "2,007"],
        ["a:item:{ada}:turn-dad", "hash", "1", "1"],
        ["all", "3", "2,008"],
    ]


def test_what_happened_is_told_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(screen: Screen, *, quiet: bool) -> dict[str, Any]:
        screen.said("Ada", "hello")
        return {"quiet": quiet}

    monkeypatch.setattr(demo_command, "play", play)
    told = CliRunner().invoke(agentmem, ["demo", "--json"])
    assert (json.loads(told.stdout), told.exit_code) == ({"quiet": True}, 0)


def test_what_is_said_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().said("Ada", "[bold]:smile:")
    assert "[bold]:smile:" in capsys.readouterr().out
    Screen(quiet=True).said("Ada", "hello")
    assert capsys.readouterr().out == ""
