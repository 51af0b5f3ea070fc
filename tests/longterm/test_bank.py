from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import EMBEDDER, Trips

ANNA = Scope("anna")


def texts(found: list[Any]) -> list[str]:
    return [getattr(each, "memory", each).text for each in found]


async def test_what_is_remembered_is_recalled(bank: MemoryBank, do: Do) -> None:
    learned = ["Anna plays the cello", "Anna's dog is called Bruno", "Anna works as a nurse in Leeds"]
    done = await do(bank.remember, learned, ANNA)
    assert [each.outcome for each in done] == ["added"] * 3
    found = await do(bank.recall, "Which instrument does Anna play?", ANNA, explain=True)
    assert found[0].memory.text == learned[0]
    assert found[0].score == pytest.approx(sum(found[0].terms.values()))
    assert found[0].memory.id == done[0].id
    assert texts(await do(bank.recall, "name of the dog", ANNA, limit=1)) == [learned[1]]
    assert await do(bank.recall, "Anna", Scope("bob")) == []


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("Anna plays the cello", "anna  plays the CELLO."),
        ("Anna really loves to play the cello at home", "Anna loves to really play the cello at home!"),
    ],
)
async def test_the_same_again_is_confirmed_not_stored(bank: MemoryBank, do: Do, first: str, again: str) -> None:
    one = Source(thread_id="t1", message_ids=("m1",))
    two = Source(thread_id="t2", message_ids=("m2",))
    added = (await do(bank.remember, Memory(text=first, source=one), ANNA))[0]
    done = (await do(bank.remember, Memory(text=again, source=two), ANNA))[0]
    if "really" in first:  # the words stand in another order, which may mean something else
        assert (done.outcome, done.related) == ("added", (added.id,))
        return
    assert (done.outcome, done.id) == ("reinforced", added.id)
    memory = await do(bank.get, added.id, ANNA)
    assert (memory.hits, memory.sources, await do(bank.count, ANNA)) == (2, (one, two), 1)
    assert memory.confidence == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna is allergic to peanuts", "Anna is not allergic to peanuts"),
        ("The meeting is at 3 pm", "The meeting is at 4 pm"),
        ("Anna moved from Rome to Oslo", "Anna moved from Oslo to Rome"),
        ("Bob owes Carol money", "Carol owes Bob money"),
        ("The lease of Anna's flat in Leeds ends in May", "The lease of Anna's flat in Leeds ends in June"),
    ],
)
async def test_near_misses_are_kept_apart(bank: MemoryBank, do: Do, one: str, other: str) -> None:
    done = await do(bank.remember, [one, other], ANNA)
    assert [each.outcome for each in done] == ["added", "added"]
    assert done[1].related == (done[0].id,)


async def test_kinds_speakers_and_scopes_are_not_merged(bank: MemoryBank, do: Do) -> None:
    same = "I like tea"
    await do(bank.remember, [Memory(text=same, speaker="Anna"), Memory(text=same, speaker="Bob")], ANNA)
    await do(bank.remember, Memory(text=same, speaker="Anna", kind="episodic"), ANNA)
    await do(bank.remember, Memory(text=same, speaker="Anna"), Scope("anna", ("memories", "anna")))
    assert await do(bank.count, Scope(None)) == 4


async def test_a_state_keeps_one_current_memory(bank: MemoryBank, do: Do) -> None:
    first = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value="Rome"), ANNA))[0]
    moment = datetime.now(UTC)
    second = (await do(bank.remember, Memory(text="Anna has moved to Oslo", state="home", value="Oslo"), ANNA))[0]
    assert (second.outcome, second.id, second.version) == ("superseded", first.id, 2)
    assert (await do(bank.facts.get, ANNA, "home")).value == "Oslo"
    assert [fact.value for fact in await do(bank.facts.history, ANNA, "home")] == ["Oslo", "Rome"]
    assert texts(await do(bank.recall, "Where does Anna live?", ANNA)) == ["Anna has moved to Oslo"]
    assert texts(await do(bank.recall, "Where does Anna live?", ANNA, as_of=moment)) == ["Anna lives in Rome"]
    assert await do(bank.recall, "Where does Anna live?", ANNA, as_of=moment - timedelta(minutes=1)) == []
    both = await do(bank.recall, "Where does Anna live?", ANNA, include_history=True)
    assert {(each.memory.text, each.memory.superseded) for each in both} == {
        ("Anna lives in Rome", True),
        ("Anna has moved to Oslo", False),
    }
    assert [item.value["text"] for item in await do(bank.store.search, ANNA.path, query="Rome")] == [
        "Anna has moved to Oslo"
    ]


async def test_a_correction_makes_a_version_and_undo_takes_it_back(bank: MemoryBank, do: Do) -> None:
    new = Memory(text="Anna is 30", topics=("age",), pinned=True, metadata={"x": 1})
    made = (await do(bank.remember, new, ANNA))[0].id
    done = await do(bank.correct, made, "Anna is 31", ANNA)
    now = await do(bank.get, made, ANNA)
    assert (done.version, now.text, now.topics, now.pinned, now.metadata) == (2, "Anna is 31", ("age",), True, {"x": 1})
    assert (await do(bank.get, made, ANNA, version=1)).text == "Anna is 30"
    assert [(each.text, each.superseded) for each in await do(bank.history, made, ANNA)] == [
        ("Anna is 31", False),
        ("Anna is 30", True),
    ]
    back = await do(bank.undo, made, ANNA)
    assert (back.text, back.version, back.superseded) == ("Anna is 30", 3, False)
    assert texts(await do(bank.recall, "How old is Anna?", ANNA)) == ["Anna is 30"]
    assert (await do(bank.remember, "Anna is 30", ANNA))[0].outcome == "reinforced"
    assert await do(bank.undo, "nobody", ANNA) is None
    with pytest.raises(InvalidInputError, match="'nobody'"):
        await do(bank.correct, "nobody", "x", ANNA)


async def test_a_superseded_version_expires(server: Connection, do: Do) -> None:
    bank = MemoryBank(AgentMemoryStore(server), history_ttl=0.05)
    made = (await do(bank.remember, Memory(text="old", state="s"), ANNA))[0].id
    await do(bank.correct, made, "new", ANNA)
    await asyncio.sleep(0.1)
    assert texts(await do(bank.history, made, ANNA)) == ["new"]
    assert [fact.value for fact in await do(bank.facts.history, ANNA, "s")] == ["new"]


async def test_erasing_leaves_nothing(bank: MemoryBank, do: Do, keys: Callable[[], list[bytes]]) -> None:
    done = await do(bank.remember, [Memory(text="Anna likes tea", state="drink"), "Anna likes jazz"], ANNA)
    await do(bank.correct, done[0].id, "Anna likes coffee", ANNA)
    await do(bank.pin, done[1].id, ANNA)
    assert await do(bank.forget, ANNA, filter={"kind": "semantic"}, dry_run=True) == [done[0].id]
    assert await do(bank.count, ANNA) == 2
    assert await do(bank.forget, ANNA, [done[0].id, "nobody"], erase=True) == [done[0].id]
    assert await do(bank.facts.all, ANNA) == {}
    assert await do(bank.forget, ANNA, [done[1].id]) == [done[1].id]
    assert await do(bank.forget, ANNA, [done[1].id]) == []
    assert await do(bank.forget, ANNA, [done[1].id], erase=True) == [done[1].id]
    assert keys() == []
    with pytest.raises(InvalidInputError, match="say what to forget"):
        await do(bank.forget, ANNA)


async def test_forgetting_by_age_spares_what_is_young_or_pinned(bank: MemoryBank, do: Do) -> None:
    old, pinned = (each.id for each in await do(bank.remember, ["Anna likes tea", "Bob likes jazz"], ANNA))
    await do(bank.pin, pinned, ANNA)
    middle = datetime.now(UTC) + timedelta(microseconds=1)
    await asyncio.sleep(0.01)
    await do(bank.remember, "Carol paints", ANNA)
    assert await do(bank.forget, ANNA, before=middle) == [old]
    assert sorted(texts(await do(bank.list, ANNA))) == ["Bob likes jazz", "Carol paints"]
    await do(bank.pin, pinned, ANNA, False)
    assert await do(bank.forget, ANNA, before=middle) == [pinned]
    assert not await do(bank.pin, "nobody", ANNA)
    assert await do(bank.get, "nobody", ANNA) is None


async def test_recall_narrows_by_kind_topic_and_time(bank: MemoryBank, do: Do) -> None:
    may = datetime(2023, 5, 7, tzinfo=UTC)
    await do(
        bank.remember,
        [
            Memory(text="Anna ran a race in York", kind="episodic", topics=("sport",), event_time=may),
            Memory(
                text="Anna ran a race in Hull",
                kind="episodic",
                topics=("a|b", "{x}"),
                event_time=may.replace(year=2024),
            ),
            Memory(text="Anna runs a bakery", topics=("work", "w" * 200)),
        ],
        ANNA,
    )

    async def found(**more: Any) -> set[str]:
        return {text.split()[-1] for text in texts(await do(bank.recall, "What does Anna run?", ANNA, **more))}

    assert await found() == {"York", "Hull", "bakery"}
    assert await found(kinds=["episodic"]) == {"York", "Hull"}
    assert await found(topics=["sport", "work"]) == {"York", "bakery"}
    assert await found(topics=["a|b"]) == await found(topics=["{x}"]) == {"Hull"}
    assert await found(topics=["a"]) == await found(kinds=["epi*"]) == set()
    assert await found(topics=["w" * 200]) == {"bakery"}
    assert await found(since=may, until=may) == {"York"}
    assert await found(until=may.replace(year=2025)) == {"York", "Hull"}
    assert texts(await do(bank.recall, "Where did Anna race in May 2023?", ANNA, limit=1)) == [
        "Anna ran a race in York"
    ]


async def test_what_is_no_longer_true_is_left_out(bank: MemoryBank, do: Do) -> None:
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    await do(
        bank.remember,
        [
            Memory(text="Anna was on holiday", valid_from=now - 3 * hour, valid_to=now - hour),
            Memory(text="Anna will be on holiday", valid_from=now + hour),
            Memory(text="Anna plans a holiday", valid_to=now + hour),
        ],
        ANNA,
    )

    async def found(**more: Any) -> list[str]:
        return sorted(texts(await do(bank.recall, "Anna holiday", ANNA, **more)))

    assert await found() == ["Anna plans a holiday"]
    assert await found(as_of=now - 2 * hour) == ["Anna was on holiday"]
    assert await found(as_of=now + 2 * hour) == ["Anna will be on holiday"]
    assert len(await found(include_history=True)) == 3


async def test_recall_keeps_to_its_budget(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, ["tea " * 40, "Anna likes tea", "Bob drinks tea"], ANNA)
    assert len(await do(bank.recall, "tea", ANNA, token_budget=8)) == 2
    assert len(await do(bank.recall, "tea", ANNA, token_budget=1, count_tokens=lambda text: 1)) == 1
    assert await do(bank.recall, "tea", ANNA, token_budget=0) == []
    assert await do(bank.recall, "", ANNA, limit=2) == await do(bank.recall, "zzz qqq", Scope("bob")) == []


async def test_many_memories_go_in_few_round_trips(search: Connection, do: Do, trips: Trips) -> None:
    bank = MemoryBank(AgentMemoryStore(search, index={"dims": 256, "embed": EMBEDDER}), duplicate_threshold=1.0)
    seen: list[tuple[int, int]] = []
    await do(bank.remember, "first", ANNA)
    trips.taken()
    words = [f"{a} {b} {c}" for a in "ABCDEFGHIJ" for b in "KLMNOPQRST" for c in "UVWXYZ0123"]
    await do(bank.remember, words, ANNA, on_progress=lambda done, of: seen.append((done, of)))
    assert trips.taken() <= 10
    assert seen[-1] == (1000, 1000)
    assert len(seen) > 1
    assert await do(bank.count, ANNA) == 1001


async def test_lists_are_ordered_and_paged(bank: MemoryBank, do: Do) -> None:
    learned = [
        Memory(text=f"{word} is a word", confidence=c) for word, c in (("tea", 0.5), ("jazz", 0.9), ("snow", 0.1))
    ]
    ids = [each.id for each in await do(bank.remember, learned, ANNA)]
    assert [each.id for each in await do(bank.list, ANNA)] == ids[::-1]
    assert [each.id for each in await do(bank.list, ANNA, order_by="confidence")] == [ids[1], ids[0], ids[2]]
    assert [each.id for each in await do(bank.list, ANNA, order_by="confidence", offset=1, limit=1)] == [ids[0]]
    await do(bank.recall, "snow", ANNA, limit=1)
    await do(bank.flush)
    assert [each.id for each in await do(bank.list, ANNA, order_by="accessed", limit=1)] == [ids[2]]
    assert await do(bank.count, ANNA, filter={"kind": "other"}) == 0
    assert await do(bank.count, ANNA, filter={"text": {"$gt": "snow"}}) == 2


async def test_memories_travel_as_lines(bank: MemoryBank, do: Do) -> None:
    class Pet(BaseModel):
        name: str
        age: int | None = None

    learned = [
        Memory(text="Anna likes tea", state="drink", value={"hot": True}, speaker="Anna", entities=("Anna",)),
        Memory.of(Pet(name="Bruno"), importance=0.9, source=Source(thread_id="t", session="s", sequence=3)),
    ]
    await do(bank.remember, learned, ANNA)
    seen: list[int] = []
    lines = list(await do(bank.export, ANNA, on_progress=lambda done, _: seen.append(done)))
    assert seen == [1, 2]
    other = Scope("copy")
    assert {each.outcome for each in await do(bank.import_, [*lines, ""], other)} == {"added"}
    assert {each.outcome for each in await do(bank.import_, lines, other)} == {"kept"}
    first, second = sorted(await do(bank.list, other), key=lambda each: each.text)
    assert (first.value, first.speaker, first.state) == ({"hot": True}, "Anna", "drink")
    assert (second.kind, second.as_model(Pet), second.source) == ("Pet", Pet(name="Bruno"), learned[1].source)
    with pytest.raises(InvalidInputError, match="line 2"):
        await do(bank.import_, [lines[0], json.dumps({"kind": "x"})], Scope("bad"))
    assert await do(bank.count, Scope("bad")) == 0


async def test_a_memory_is_an_item_both_ways(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, Memory(text="Anna likes tea", topics=("drinks",)), ANNA))[0].id
    item = await do(bank.store.get, ANNA.path, made)
    assert item.value == {"text": "Anna likes tea", "kind": "semantic", "importance": 0.5, "topics": ["drinks"]}
    await do(bank.store.put, ANNA.path, made, item.value | {"text": "Anna likes coffee"})
    await do(bank.store.put, ANNA.path, "mine", {"text": "Anna owns a boat", "kind": 7, "topics": "x"})
    await do(
        bank.store.put, ANNA.path, "lm", {"kind": "Memory", "content": {"content": "Anna sails"}}, index=["content"]
    )
    assert (await do(bank.get, made, ANNA)).text == "Anna likes coffee"
    assert texts(await do(bank.recall, "boat", ANNA, limit=1)) == ["Anna owns a boat"]
    assert texts(await do(bank.recall, "Who sails?", ANNA, limit=1)) == ["Memory Anna sails"]
    assert (await do(bank.remember, "Anna likes tea", ANNA))[0].outcome == "added"
    await do(bank.store.delete, ANNA.path, made)
    assert await do(bank.get, made, ANNA) is None


async def test_what_cannot_be_remembered_is_refused(bank: MemoryBank, do: Do) -> None:
    for wrong in ({"text": " "}, {"text": "x", "importance": 2}, {"text": "x", "confidence": -1}):
        with pytest.raises(InvalidInputError):
            Memory(**wrong)
    with pytest.raises(InvalidInputError, match="supersedes: there is no memory 'nobody'"):
        await do(bank.remember, Memory(text="x", supersedes="nobody"), ANNA)
    with pytest.raises(InvalidInputError, match="tenant 'other'"):
        await do(bank.remember, "x", Scope("anna", tenant="other"))
    assert (await do(bank.remember, "x", Scope("anna", tenant="default")))[0].outcome == "added"


async def test_a_bank_without_an_embedder_recalls_by_words(server: Connection, do: Do) -> None:
    bank = MemoryBank(AgentMemoryStore(server))
    await do(bank.remember, ["Anna plays the cello", "Bob sails"], ANNA)
    assert texts(await do(bank.recall, "Who was playing the cello?", ANNA)) == ["Anna plays the cello"]
    assert (await do(bank.remember, "anna plays the cello!", ANNA))[0].outcome == "reinforced"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"source": Source(session="s", sequence=3)}, {"source": Source(session="s", sequence=4)}),
        ({"source": Source(thread_id="s", sequence=3)}, {"source": Source(thread_id="s", sequence=4)}),
        ({"source": Source("s", ("D1:3",))}, {"source": Source("s", ("D1:4",))}),
        ({"id": "D1:3"}, {"id": "D1:4"}),
    ],
)
async def test_turns_in_a_row_are_evidence_for_each_other(
    bank: MemoryBank, do: Do, first: dict[str, Any], second: dict[str, Any]
) -> None:
    asked, told = "Which instrument did you take up?", "It is the cello"
    await do(bank.remember, [Memory(text=asked, kind="episodic", **first)], ANNA)
    await do(bank.remember, [Memory(text=told, kind="episodic", **second)], ANNA)
    found = await do(bank.recall, asked, ANNA, explain=True)
    assert {each.memory.text: each.terms.get("neighbour", 0) > 0 for each in found} == {asked: False, told: True}


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("semantic", Source("s", ("D1:3",)), Source("s", ("D1:4",))),
        ("episodic", Source("s", ("D1:3",)), Source("other", ("D1:4",))),
        ("episodic", Source("s", ("D1:3",)), Source("s", ("D2:4",))),
        ("episodic", Source("s", ("D1:3",)), Source("s", ("D1:9",))),
        ("episodic", Source("s", ("D1:",)), Source("s", ("D1:" + "4" * 5000,))),
        ("episodic", None, None),
    ],
)
async def test_what_is_no_row_of_turns_is_no_evidence(
    bank: MemoryBank, do: Do, kind: str, first: Source | None, second: Source | None
) -> None:
    asked, told = "Which instrument did you take up?", "It is the cello"
    await do(
        bank.remember, [Memory(text=asked, kind=kind, source=first), Memory(text=told, kind=kind, source=second)], ANNA
    )
    assert not any("neighbour" in each.terms for each in await do(bank.recall, asked, ANNA, explain=True))


async def test_another_programs_turns_do_no_harm(bank: MemoryBank, do: Do) -> None:
    for name, source in (
        ("a", {"message_ids": 5, "sequence": "x"}),
        ("b", {"message_ids": [7], "session": ["s"], "sequence": 1}),
    ):
        bank.store.put(ANNA.path, name, {"text": "The cello", "kind": "episodic", "source": source})
    assert texts(await do(bank.recall, "cello", ANNA)) == ["The cello"] * 2


async def test_a_speaker_may_stand_in_the_metadata(bank: MemoryBank, do: Do) -> None:
    told = [Memory(text="I moved to Oslo", metadata={"speaker": who}) for who in ("Ben", "Anna")]
    assert [each.outcome for each in await do(bank.remember, told, ANNA)] == ["added", "added"]
    assert (await do(bank.recall, "Where did Anna move?", ANNA))[0].memory.speaker == "Anna"


async def test_a_small_scope_answers_in_other_words(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, ["I am vegetarian", "I live in Kyoto"], ANNA)
    assert texts(await do(bank.recall, "what do I eat?", ANNA))[0] == "I am vegetarian"
