from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.thread.sessions import Sessions
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import ScriptCall


class Both:
    """Calls the async method and its sync twin in turn, so that a story is told by both colours."""

    def __init__(self, memory: WorkingMemory) -> None:
        self._memory = memory
        self._calls = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self._calls += 1
        if self._calls % 2:
            return getattr(self._memory, name)  # type: ignore[no-any-return]
        return lambda *args, **kw: asyncio.run(getattr(self._memory, f"a{name}")(*args, **kw))


@pytest.fixture(params=["sync", "async"])
def memory(request: pytest.FixtureRequest, plain: Connection) -> Both:
    """The working memory of thread `t`; the first call is in the colour of the parameter, each next in the other."""
    both = Both(WorkingMemory(plain, "t"))
    both._calls = int(request.param == "async")
    return both


def replayed(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every pipeline is sent twice, as redis-py does when the first reply is lost."""
    around, around_sync = plain._around, plain._round

    async def twice(commands: Any) -> list[Any]:
        await around(commands)
        return await around(commands)

    def twice_sync(commands: Any) -> list[Any]:
        around_sync(commands)
        return around_sync(commands)

    monkeypatch.setattr(plain, "_around", twice)
    monkeypatch.setattr(plain, "_round", twice_sync)


def test_a_session_begins_with_its_first_write(memory: Both) -> None:
    session = memory.load()
    assert not session.exists
    assert (session.goal, session.scratchpad, session.summary, session.user) == (None, None, None, None)
    assert (session.data, session.turns, session.turn_count, session.tokens) == ({}, (), 0, 0)
    assert session.created_at is session.updated_at is None
    memory.write(goal="book a flight")
    assert memory.load().exists


def test_texts_are_set_kept_and_cleared(memory: Both) -> None:
    memory.write(goal="é\0\ud800", scratchpad="", summary="s")
    memory.write(scratchpad="notes", summary=None)
    memory.write()
    session = memory.load()
    assert (session.goal, session.scratchpad, session.summary) == ("é\0\ud800", "notes", None)


def test_notes_are_lines_of_the_scratchpad(memory: Both) -> None:
    for line in ("one", "two", "é"):
        memory.note(line)
    assert memory.load().scratchpad == "one\ntwo\né"


def test_times_are_the_servers(memory: Both) -> None:
    memory.write(goal="a")
    first = memory.load()
    time.sleep(0.005)
    memory.note("b")
    second = memory.load()
    assert first.created_at == first.updated_at == second.created_at < second.updated_at
    assert abs(datetime.now(UTC) - second.updated_at) < timedelta(minutes=1)


def test_data_set_merge_delete(memory: Both) -> None:
    memory.set({"user": {"name": "Ann", "tags": ["x", {"y": []}]}, "empty": {}, "n": 1, "f": 1.0, "none": None})
    assert memory.load().data == {
        "user": {"name": "Ann", "tags": ["x", {"y": []}]},
        "empty": {},
        "n": 1,
        "f": 1.0,
        "none": None,
    }
    memory.merge({"user": {"name": {"first": "Ann"}, "age": 40}, "empty": {}, "n": {"deep": {"er": True}}})
    memory.set({"f": {}})
    memory.delete("none")
    memory.delete("user", "tags")
    memory.delete("absent", "too")
    assert memory.load().data == {
        "user": {"name": {"first": "Ann"}, "age": 40},
        "empty": {},
        "n": {"deep": {"er": True}},
        "f": {},
    }
    memory.set({"user": "gone"})
    memory.merge({"f": {"a": 1}})
    memory.merge({"f": {}})
    memory.delete("n", "deep", "er")
    assert memory.load().data == {"user": "gone", "empty": {}, "f": {"a": 1}}


def test_numbers_are_added_to(memory: Both) -> None:
    assert memory.increment("n") == 1
    assert memory.increment("n", by=-4) == -3
    assert memory.increment("big", by=2**62) == 2**62  # a float would lose digits
    assert memory.increment("big") == 2**62 + 1
    assert memory.increment("usage", "tokens", by=5) == 5
    assert memory.increment("f", by=0.25) == 0.25
    total = memory.increment("f", by=0.75)
    assert (total, type(total)) == (1.0, float)
    data = memory.load().data
    assert data == {"n": -3, "big": 2**62 + 1, "usage": {"tokens": 5}, "f": 1.0}
    assert type(data["f"]) is float


@pytest.mark.parametrize("path", [("text",), ("flag",), ("list",), ("dict",), ("text", "below"), ("huge",)])
def test_what_is_no_number_cannot_be_added_to(memory: Both, path: tuple[str, ...]) -> None:
    data = {"text": "1", "flag": True, "list": [1], "dict": {"a": 1}, "huge": 2**63}
    memory.set(data)
    with pytest.raises(InvalidInputError, match=f"^path: {'.'.join(path)} "):
        memory.increment(*path)
    assert memory.load().data == data


@pytest.mark.parametrize(
    "call",
    [
        lambda memory: memory.set({"a": {"b": object()}}),
        lambda memory: memory.set({"a": float("nan")}),
        lambda memory: memory.merge({1: "a"}),
        lambda memory: memory.set({"a": {2: "b"}}),
        lambda memory: memory.delete(),
        lambda memory: memory.increment("a", by=float("inf")),
        lambda memory: memory.append(object()),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_changes(memory: Both, call: Callable[[Both], Any]) -> None:
    with pytest.raises(InvalidInputError, match=r"^(data|path|messages): "):
        call(memory)
    assert not memory.load().exists


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda memory: memory.write(goal=5), "goal"),
        (lambda memory: memory.note(b"x"), "line"),
        (lambda memory: memory.summarize(5, memory.load()), "summary"),
        (lambda memory: memory.summarize("all", memory.load(), keep=-1), "keep"),
    ],
)
def test_what_is_no_text_and_no_count_is_refused(memory: Both, call: Callable[[Both], Any], name: str) -> None:
    memory.append("hi")
    with pytest.raises(InvalidInputError, match=f"^{name} is "):
        call(memory)
    assert len(memory.load().turns) == 1


def test_a_thread_is_named_by_a_text(plain: Connection) -> None:
    with pytest.raises(InvalidInputError, match="thread_id is a int"):
        Sessions(plain).open(cast("str", 5))


@pytest.mark.parametrize("settings", [{"window": 0}, {"ttl": 0}, {"ttl": -1.0}, {"ttl": float("nan")}])
def test_settings_that_cannot_work_are_refused(plain: Connection, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(settings))):
        WorkingMemory(plain, "t", **settings)


TURNS = [
    SystemMessage("be kind"),
    HumanMessage([{"type": "text", "text": "hi"}], id="h1", name="ann"),
    AIMessage(
        "",
        id="a1",
        tool_calls=[{"name": "f", "args": {"x": [1]}, "id": "c1", "type": "tool_call"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"model": "m"},
    ),
    ToolMessage("done", tool_call_id="c1", artifact={"raw": b"\xff"}, status="error"),
]


def test_turns_come_back_whole_and_in_order(memory: Both) -> None:
    assert memory.append(*TURNS[:3]) == 3
    assert memory.append(TURNS[3]) == 4
    session = memory.load()
    assert list(session.turns) == TURNS
    assert session.turn_count == 4


def test_turns_may_be_given_in_any_form_of_langchains(memory: Both) -> None:
    memory.append("hi", ("ai", "hello"), {"role": "user", "content": "bye"})
    assert memory.load().turns == (HumanMessage("hi"), AIMessage("hello"), HumanMessage("bye"))


def test_the_window_keeps_the_newest(plain: Connection) -> None:
    memory = Both(WorkingMemory(plain, "t", window=5))
    for i in range(8):
        memory.append(f"{i}")
    assert [turn.content for turn in memory.load().turns] == ["3", "4", "5", "6", "7"]
    assert memory.append(*(f"{i}" for i in range(8, 30))) == 30
    session = memory.load()
    assert [turn.content for turn in session.turns] == ["25", "26", "27", "28", "29"]
    assert session.turn_count == 30
    assert sum(field.startswith(b"t:") for field in session.fields) == 5
    smaller = Both(WorkingMemory(plain, "t", window=2))
    smaller.append("30")
    assert [turn.content for turn in smaller.load().turns] == ["29", "30"]
    wider = Both(WorkingMemory(plain, "t", window=3))
    for i in (31, 32):
        wider.append(f"{i}")
    assert [turn.content for turn in wider.load().turns] == ["30", "31", "32"]


def test_100_threads_at_once_lose_no_turn(plain: Connection) -> None:
    memory = WorkingMemory(plain, "t", window=1000)

    def write(writer: int) -> list[int]:
        return [memory.append(f"{writer}.{i}") for i in range(5)]

    with ThreadPoolExecutor(100) as pool:
        numbers = list(pool.map(write, range(100)))
    said = [str(turn.content) for turn in memory.load().turns]
    assert len(said) == 500
    for writer in range(100):
        assert [said[number - 1] for number in numbers[writer]] == [f"{writer}.{i}" for i in range(5)]


async def test_100_tasks_at_once_lose_nothing(plain: Connection) -> None:
    memory = WorkingMemory(plain, "t", window=1000)

    async def write(writer: int) -> None:
        await memory.aappend(f"{writer}")
        await memory.aincrement("n")
        await memory.amerge({"seen": {f"{writer}": True}})
        await memory.anote(f"{writer}")

    await asyncio.gather(*(write(writer) for writer in range(100)))
    session = await memory.aload()
    everyone = sorted(str(writer) for writer in range(100))
    assert sorted(str(turn.content) for turn in session.turns) == everyone
    assert session.data["n"] == 100
    assert sorted(session.data["seen"]) == sorted((session.scratchpad or "").split("\n")) == everyone


def test_a_replayed_write_is_done_once(plain: Connection, memory: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    replayed(plain, monkeypatch)
    for expected in (1, 2):
        assert memory.append("hi") == expected
        assert memory.increment("n") == expected
        assert memory.increment("f", by=0.5) == expected / 2
        memory.note("line")
    session = memory.load()
    assert len(session.turns) == 2
    assert session.data == {"n": 2, "f": 1.0}
    assert session.scratchpad == "line\nline"


WRITES: list[Callable[[Any], Any]] = [
    lambda memory: memory.write(goal="g"),
    lambda memory: memory.note("n"),
    lambda memory: memory.set({"a": 1}),
    lambda memory: memory.merge({"a": 1}),
    lambda memory: memory.delete("a"),
    lambda memory: memory.increment("b"),
    lambda memory: memory.append("hi"),
    lambda memory: memory.summarize("s", memory.load()),
]


@pytest.mark.parametrize("write", WRITES)
def test_every_write_moves_the_expiry_on(plain: Connection, memory: Both, write: Callable[[Both], Any]) -> None:
    key = Keys().session("t")
    memory.write(goal="g")
    assert 3590 < run(plain.send(("TTL", key)))[0] <= 3600
    run(plain.send(("EXPIRE", key, 5)))
    write(memory)
    assert 3590 < run(plain.send(("TTL", key)))[0] <= 3600


@pytest.mark.parametrize("write", WRITES[:-1])
async def test_every_write_is_one_round_trip(plain: Connection, write: Callable[[Any], Any]) -> None:
    memory = WorkingMemory(plain, "t")
    write(memory)  # the server has the script from here on

    async def reads() -> int:
        return int((await plain.send(("INFO", "stats")))[0]["total_reads_processed"])

    before = await reads()
    write(memory)
    assert await reads() - before == 2  # the write, and INFO itself
    memory.load()
    assert await reads() - before == 4


def test_a_session_expires_with_all_that_belongs_to_it(plain: Connection) -> None:
    memory = Both(WorkingMemory(plain, "t", user="ann", ttl=0.05))
    memory.append("hi")
    memory.increment("n")
    keys = [key for key in run(plain.send(("KEYS", "*")))[0] if b":done:" not in key]
    assert len(keys) == 3
    time.sleep(0.1)
    assert run(plain.send(("EXISTS", *keys))) == [0]
    assert not memory.load().exists
    assert all(
        0 < left <= 120 for left in run(plain.send(*(("TTL", key) for key in run(plain.send(("KEYS", "*")))[0])))
    )


def test_without_ttl_nothing_expires(plain: Connection) -> None:
    WorkingMemory(plain, "t", ttl=5).append("hi")
    WorkingMemory(plain, "t", ttl=None).append("hi")
    assert run(plain.send(("TTL", Keys().session("t")), ("TTL", Keys().sessions()))) == [-1, -1]
    assert [session.thread_id for session in Sessions(plain).list()] == ["t"]


def test_needs_summary_counts_as_langchain_does(memory: Both) -> None:
    memory.append("x" * 400)
    assert memory.load().tokens == count_tokens_approximately([HumanMessage("x" * 400)])
    assert memory.needs_summary(50)
    assert not memory.needs_summary(200)
    memory.write(summary="y" * 800)
    assert memory.needs_summary(200)


def test_a_summary_takes_the_place_of_what_it_tells(memory: Both) -> None:
    memory.append(*(f"{i}" for i in range(6)))
    told = memory.load()
    memory.append("late")  # while the model is writing the summary
    assert memory.summarize("0 to 3", told, keep=2) == 4
    session = memory.load()
    assert [turn.content for turn in session.turns] == ["4", "5", "late"]
    assert session.summary == "0 to 3"
    assert memory.summarize("0 to 3", told, keep=2) == 0  # as in a replay
    assert memory.summarize("all", memory.load()) == 3
    assert memory.load().turns == ()
    assert memory.append("next") == 8
    assert [turn.content for turn in memory.load().turns] == ["next"]


def test_clear_forgets_everything(plain: Connection) -> None:
    memory = Both(WorkingMemory(plain, "t", user="ann"))
    for _ in range(2):
        memory.append("hi")
        memory.clear()
        assert not memory.load().exists
        assert Sessions(plain).list() == Sessions(plain).list(user="ann") == []
        assert run(plain.send(("EXISTS", Keys().session("t"), Keys().sessions(), Keys().sessions("ann")))) == [0]


def test_anothers_bytes_are_refused(plain: Connection, memory: Both) -> None:
    memory.append("hi")
    run(plain.send(("HSET", Keys().session("t"), "t:1", "p\x07garbage")))
    session = memory.load()
    with pytest.raises(CorruptDataError):
        assert session.turns


def test_all_keys_of_a_call_share_a_slot(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    send = plain.send

    async def spy(*commands: Any, **kw: Any) -> list[Any]:
        sent.extend(commands)
        return await send(*commands, **kw)

    monkeypatch.setattr(plain, "send", spy)
    memory = WorkingMemory(plain, "t", user="ann")
    for write in WRITES:
        write(memory)
    calls = [command for command in sent if isinstance(command, ScriptCall)]
    assert {call.script.name for call in calls} == {
        *(f"session_{name}" for name in ("write", "note", "increment", "append", "fold")),
        "registry_note",
    }
    for call in calls:
        assert len(call.keys) == 1 or all("{t}" in key for key in call.keys)
