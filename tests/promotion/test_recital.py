"""The loop that fills other memories with junk: an agent recites what it remembers, and it is learned anew."""

from __future__ import annotations

import json
import re
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.batch import RECALLED
from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.wire.connection import Connection
from tests.openai_stub import ChatRequest, OpenAIStub, Reply
from tests.promotion.talks import ANN

TURNS = 100
ASKED = ("What do you know about me?", "Tell me again, please.", "Go on!", "And what else?")
CONFIG: Any = {"configurable": {"thread_id": "t1", "user_id": "ann"}}


def greedy(request: ChatRequest) -> Reply:
    """The worst of extractors: it notes every sentence that it is shown, and cites a user's turn for all."""
    lines = re.findall(r'^turn (\d+), [^:]*:\d\d UTC, (user|assistant)[^:]*: (".*")$', request.text, re.M)
    known = re.findall(r'^memory \d+: (?:\[.*\] )?(".*")$', request.text, re.M)
    by_user = [int(number) for number, who, _ in lines if who == "user"]
    said = [(json.loads(text), int(number)) for number, _, text in lines]
    repeated = [(json.loads(text), by_user[0]) for text in known]
    entries = [
        {"text": sentence, "turns": turns}
        for text, number in [*said, *repeated]
        for sentence in re.split(r"(?<=[.!?])\s+", text)
        for turns in ([number], [by_user[0]])
    ]
    return {"discrete": entries}


def test_nothing_is_learned_from_recitals(search: Connection, bank: MemoryBank, stub: OpenAIStub) -> None:
    bank.remember(["Ann plays the cello.", "Ann was born in Bergen.", "Ann's dog is called Bruno."], ANN)
    before = {memory.text: (memory.hits, memory.confidence) for memory in bank.list(ANN)}
    stub.answer = greedy
    node = ExtractionNode(Outbox(search), Extractor(bank, stub.chat_model(), "discrete"), mode="inline")
    messages: list[Any] = []
    for turn in range(TURNS):
        memories = [recalled.memory.text for recalled in bank.recall("Ann", ANN)] or list(before)
        block = f"<recalled_memory>\n{' '.join(memories)}\n</recalled_memory>"
        messages += [
            SystemMessage(block, id=f"s{turn}", additional_kwargs={RECALLED: True}),
            HumanMessage(f"{ASKED[turn % len(ASKED)]}\n{block}", id=f"h{turn}"),
            AIMessage(f"You told me this: {' '.join(memories)}", id=f"a{turn}"),
        ]
        node.invoke({"messages": messages}, CONFIG)
    learned = {memory.text: (memory.hits, memory.confidence) for memory in bank.list(ANN)}
    assert {text: learned[text] for text in before} == before, "nothing confirmed itself"
    assert set(learned) - set(before) <= {*ASKED, *(asked.rstrip("!.?") for asked in ASKED)}, (
        "only the user's own words"
    )
    assert len(stub.requests) == TURNS
