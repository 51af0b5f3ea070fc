"""`agentmem chat`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from langchain_core.messages import HumanMessage
from langgraph.store.base import PutOp

from langchain_agentmem import AgentMemory, ConfigurationError, InvalidInputError, OfflineEmbeddings, Scope
from langchain_agentmem.serve.chat import choose_speaker
from langchain_agentmem.serve.commands import agentmem
from langchain_agentmem.wire.connection import Connection
from tests.openai_stub import ChatRequest, OpenAIStub, Reply, Status

ADA = Scope("ada")
Chat = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def memory(search: Connection) -> Iterator[AgentMemory]:
    memory = AgentMemory(search, embeddings=OfflineEmbeddings())
    yield memory
    memory.events.flush()  # or the next test's server gets what this one did


def run_chat(url: str, *lines: str, args: tuple[str, ...] = ()) -> Result:
    given = ["chat", "--user", "ada", "--url", url, *args]
    done = CliRunner().invoke(agentmem, given, input="".join(f"{line}\n" for line in lines))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def chat(search: Connection, search_url: str) -> Chat:
    """Talk, and get what was told, as JSON."""

    def chat(*lines: str, args: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        done = run_chat(search_url, *lines, args=("--json", *args))
        return [json.loads(line) for line in done.stdout.splitlines()]

    return chat


def answers(told: list[dict[str, Any]]) -> list[str]:
    return [each["answered"] for each in told if "answered" in each]


def tables(told: list[dict[str, Any]], name: str) -> list[list[dict[str, Any]]]:
    return [each[name] for each in told if name in each]


# --- remembering ---


def test_another_conversation_knows_what_the_first_one_heard(chat: Chat) -> None:
    told = chat("Hi, I am Ada and I am vegetarian.", "/new", "What should you cook for me?")
    assert "vegetarian" in answers(told)[-1]
    assert len({each["thread"] for each in told if "thread" in each}) == 2


def test_so_does_another_process_by_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("REDIS_URL", raising=False)
    said = CliRunner().invoke(agentmem, ["chat"], input="My sister Carla teaches the violin in Porto.\n")
    assert said.exit_code == 0, said.output
    done = subprocess.run(
        [sys.executable, "-m", "langchain_agentmem.serve.cli", "chat", "--json"],
        input="Who in my family is a musician?",
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Carla teaches the violin" in answers([json.loads(line) for line in done.stdout.splitlines()])[0]
    assert (tmp_path / "agentmem" / "chat").is_dir()


def test_a_conversation_is_taken_up_again(chat: Chat) -> None:
    chat("I am Ada.", args=("--thread", "ours"))
    told = chat("Who am I?", args=("--thread", "ours"))
    assert any(each.get("note") == "thread  ours, of 2 messages" for each in told)
    assert answers(told) == ["You are Ada."]


def test_users_have_memories_and_threads_of_their_own(chat: Chat, memory: AgentMemory, search_url: str) -> None:
    chat("I am vegetarian.", args=("--thread", "ours"))
    bob = chat("What do I eat?", "/memories", "/facts", "/new ours", args=("--user", "bob"))
    assert answers(bob) == ["You have not told me yet."]
    assert "vegetarian" not in json.dumps(bob)
    assert any("another user's" in each.get("note", "") for each in bob)
    with pytest.raises(InvalidInputError, match="another user's"):
        run_chat(search_url, "Who am I?", args=("--user", "bob", "--thread", "ours"))
    assert memory.bank.count(ADA) > 0


# --- commands ---


def test_commands(chat: Chat, memory: AgentMemory) -> None:
    told = chat(
        "I am vegetarian.", "/memories", "/memories what does she eat", "/facts", "/threads", "/events", "/help"
    )
    everything, found = tables(told, "memories")
    assert {"id", "kind", "says", "when"} == everything[0].keys()
    assert "vegetarian" in found[0]["says"]
    assert tables(told, "facts")[0][0] | {"since": ""} == {"name": "diet", "value": "vegetarian", "since": ""}
    assert len(tables(told, "threads")[0]) == 1
    assert "run.end" in {each["kind"] for each in tables(told, "events")[0]}
    assert {"command": "/quit", "about": "leave; so does Ctrl-D"} in tables(told, "commands")[0]
    gone = memory.bank.list(ADA, filter={"kind": "episodic"})[0].id
    told = chat(f"/forget {gone[:12]}", "/forget", "/forget x", "/nonsense", "/quit", "I am not heard")
    assert [each["note"].split()[0] for each in told[4:]] == ["forgot", "/forget", "/forget", "/nonsense"]
    assert memory.bank.get(gone, ADA) is None
    assert answers(told) == []


def test_the_oldest_of_very_many_memories_can_be_forgotten(chat: Chat, memory: AgentMemory) -> None:
    gone = memory.bank.remember("Ada read a book", ADA)[0].id
    memory.store.batch([PutOp(ADA.path, f"book{number}", {"n": number}, index=False) for number in range(1001)])
    assert f"forgot {gone}" in [each.get("note") for each in chat(f"/forget {gone}", "/quit")]
    assert memory.bank.get(gone, ADA) is None


def test_it_is_plain_text_in_a_pipe(memory: AgentMemory, search_url: str) -> None:
    shown = run_chat(search_url, "I am Ada. [bold]", "", "/facts", "/threads").stdout
    assert "scripted offline model" in shown
    assert "Noted: name Ada.\n" in shown
    assert "\x1b" not in shown
    assert "Ada" in shown.split("name  value")[1]


# --- real models ---


def test_any_model_of_langchain_talks_with_tools_and_recalled_memory(
    chat: Chat, memory: AgentMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ChatRequest] = []

    def answer(request: ChatRequest) -> Reply:
        asked.append(request)
        if "tools" in request.body:
            return "Tea it is." if "cold" in request.text else "Nice."
        return {"discrete": [{"text": "Ada likes Assam tea.", "turns": [1]}], "preferences": []}

    with OpenAIStub(answer) as stub:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        told = chat("I like Assam tea.", "/new", "It is cold, what should I drink?", args=("--model", "openai:gpt-x"))
    assert answers(told) == ["Nice.", "Tea it is."]
    assert [each.text for each in memory.bank.list(ADA)] == ["Ada likes Assam tea."]
    last = next(each for each in reversed(asked) if "cold" in each.text and "tools" in each.body)
    assert "<recalled_memory>" in last.system
    assert "Assam" in last.system
    assert {tool["function"]["name"] for tool in last.body["tools"]} >= {"search_memory", "remember"}


def test_a_model_that_does_not_answer_ends_nothing(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIStub(lambda request: Status(400)) as stub:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2hunter2hunter2")
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        told = chat("hello", "/facts", args=("--model", "openai:gpt-x"))
    assert [each["note"] for each in told if "note" in each][4].startswith("the model did not answer (OpenAI")
    assert tables(told, "facts") == [[]]
    assert "hunter2" not in json.dumps(told)


def test_what_cannot_be_remembered_now_is_told_and_waits(
    chat: Chat, memory: AgentMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIStub(lambda request: "Nice." if "tools" in request.body else Status(400)) as stub:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        told = chat("I like Assam tea.", "/memories", args=("--model", "openai:gpt-x"))
    assert answers(told) == ["Nice."]
    assert any(each.get("note", "").startswith("not remembered yet (") for each in told)
    assert memory.outbox.stats().waiting > 0


def test_what_others_have_waiting_is_left_to_their_workers(chat: Chat, memory: AgentMemory) -> None:
    memory.outbox.add("theirs", [HumanMessage("I like tea.", id="1")], Scope("bob"), ["verbatim@1"])
    chat("I am vegetarian.", "/memories")
    assert (memory.bank.count(Scope("bob")), memory.outbox.stats().waiting) == (0, 1)


@pytest.mark.parametrize("name", ["nobody:gpt", "gpt", "openai:gpt-x"])
def test_a_model_that_cannot_be_made_is_told(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^--model: {name} cannot be used"):
        choose_speaker(name)


def test_without_langchain_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[langchain\]"):
        choose_speaker("openai:gpt-x")


def test_offline_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    assert choose_speaker("offline").offline
    assert not choose_speaker(None).offline
