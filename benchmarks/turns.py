"""What memory adds to one turn of an agent, part by part, without the time of a model.

python -m benchmarks.turns [--quick] [--memories N] [--turns N] [--json FILE]

The same agent (`create_agent` with a model that answers at once) is built up part by part; all of them take turns, turn
by turn of their conversations, so that what one part adds is the difference of two agents in the same round. Two more
agents show what LangGraph itself spends on the same steps: one that keeps its checkpoints in this process's memory, and
one that has an `after_agent` of nothing besides.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.dialogues import generate
from benchmarks.harness import Samples, amount, rotated
from langchain_agentmem import AgentMemory, Memory, Scope
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.middleware import RecallMiddleware
from langchain_agentmem.wire.bridge import run

LIMIT = 8_000.0  # us: what all of memory may add to a turn
USER = Scope("anna")
BARE, CHECKPOINTS, EVENTS, RECALL, PROMOTION = "bare", "checkpoints", "events", "recall, context", "promotion"
PARTS = (CHECKPOINTS, EVENTS, RECALL, PROMOTION)
IN_MEMORY, SUPER_STEP = "in memory", "in memory, after_agent"
FLOORS = (("checkpoints", BARE, IN_MEMORY), ("super-step of `after_agent`", IN_MEMORY, SUPER_STEP))
TURNS_IN_A_THREAD = 20


class InstantModel(BaseChatModel):
    """Answers at once; a question that begins with "Look" it gives to the tool first."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        last = messages[-1]
        calls = [{"name": "look_up", "args": {"city": "Oslo"}, "id": uuid4().hex, "type": "tool_call"}]
        looks = not isinstance(last, ToolMessage) and last.text.startswith("Look")
        answer = AIMessage("", tool_calls=calls) if looks else AIMessage("I see. Tell me more about it.")
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)  # the base class would go through a thread, as no real model does


@tool
async def look_up(city: str) -> str:
    """Look something up."""
    return f"It rains in {city}."


look_up.func = lambda city: f"It rains in {city}."


class Nothing(AgentMiddleware[Any, Any, Any]):
    """The super-step of an `after_agent`, and nothing in it."""

    def after_agent(self, state: Any, runtime: Any) -> None:
        pass

    async def aafter_agent(self, state: Any, runtime: Any) -> None:
        pass


@dataclass
class Contender:
    """An agent with some of the parts, and the thread that it is in."""

    agent: Any
    callbacks: list[Any]
    thread_id: str = ""

    def config(self, turn: int) -> RunnableConfig:
        if turn % TURNS_IN_A_THREAD == 0:
            self.thread_id = uuid4().hex
        return {"configurable": {"thread_id": self.thread_id, "user_id": USER.user}, "callbacks": self.callbacks}


def contenders(memory: AgentMemory) -> dict[str, Contender]:
    """The agent with more and more of memory."""

    def made(*middleware: Any, saver: Any = memory.checkpointer) -> Any:
        return create_agent(InstantModel(), [look_up], middleware=middleware, checkpointer=saver)

    recall = RecallMiddleware(ContextAssembler(memory.bank, memory.sessions, memory.events))
    seen = [memory.tracer]
    return {
        BARE: Contender(made(saver=None), []),
        IN_MEMORY: Contender(made(saver=InMemorySaver()), []),
        SUPER_STEP: Contender(made(Nothing(), saver=InMemorySaver()), []),
        CHECKPOINTS: Contender(made(), []),
        EVENTS: Contender(made(), seen),
        RECALL: Contender(made(recall), seen),
        PROMOTION: Contender(made(memory.middleware()), seen),
    }


def load(memory: AgentMemory, wanted: int) -> list[str]:
    """Fill the scope with so many memories. Returns questions about them."""
    questions: list[str] = []
    for seed in itertools.count(1):
        data = generate(seed, users=12)
        memory.bank.remember([Memory(text=turn.text, speaker=turn.speaker) for turn in data.turns], USER)
        questions += [question.text for question in data.questions]
        held = memory.bank.count(USER)
        print(f"  {held:,} memories", flush=True)
        if held >= wanted:
            break
    for number in range(10):
        memory.facts.set(USER, f"fact_{number}", f"value {number}")
    memory.events.flush()
    random.Random(0).shuffle(questions)
    return questions


def measure(samples: Samples, memory: AgentMemory, questions: Iterator[str], turns: int, *, tools: bool) -> None:
    """Turns in the sync colour."""
    talking = contenders(memory)
    row = f"a turn{' with a tool call' if tools else ''}, sync"
    for turn in range(-TURNS_IN_A_THREAD, turns):  # the first conversation warms up
        asked = {"messages": f"{'Look: ' if tools else ''}{next(questions)}"}
        for name, each in rotated([*talking.items()], turn):
            config = each.config(turn)
            start = time.perf_counter_ns()
            each.agent.invoke(asked, config)
            _note(samples, memory, row, name, start, turn)


async def ameasure(samples: Samples, memory: AgentMemory, questions: Iterator[str], turns: int, *, tools: bool) -> None:
    """Turns in the async colour."""
    talking = contenders(memory)
    row = f"a turn{' with a tool call' if tools else ''}, async"
    for turn in range(-TURNS_IN_A_THREAD, turns):
        asked = {"messages": f"{'Look: ' if tools else ''}{next(questions)}"}
        for name, each in rotated([*talking.items()], turn):
            config = each.config(turn)
            start = time.perf_counter_ns()
            await each.agent.ainvoke(asked, config)
            _note(samples, memory, row, name, start, turn)


def _note(samples: Samples, memory: AgentMemory, row: str, name: str, start: int, turn: int) -> None:
    took = (time.perf_counter_ns() - start) / 1000
    if turn >= 0:
        samples.add(row, name, took)
    memory.tracer.flush()  # what goes out in the background must not disturb whoever comes next
    memory.events.flush()


def measure_alone(samples: Samples, memory: AgentMemory, questions: Iterator[str], rounds: int) -> None:
    """The pieces of recall and hand-over by themselves, without an agent."""
    assembler = ContextAssembler(memory.bank, memory.sessions, memory.events)
    thread_id = uuid4().hex
    memory.session(thread_id, USER.user).write(goal="find a gift", summary="They talked about birthdays.")
    node = memory.extraction_node()
    for turn in range(-5, rounds):
        asked = next(questions)
        talk = [("user", asked), ("ai", "I see.")]
        config: RunnableConfig = {"configurable": {"thread_id": thread_id, "user_id": USER.user}}
        for row, action in (
            ("context: state and recall", lambda: assembler.assemble(asked, USER, thread_id=thread_id)),  # noqa: B023
            ("of that: state", lambda: assembler.assemble("", USER, thread_id=thread_id)),
            ("of that: the recall", lambda: memory.bank.recall(asked, USER)),  # noqa: B023
            ("of that: the embedding", lambda: memory.embeddings.embed_query(asked)),  # noqa: B023
            ("hand-over to promotion", lambda: node.invoke({"messages": talk}, config)),  # noqa: B023
        ):
            busy, used, start = _server_seconds(memory), time.thread_time_ns(), time.perf_counter_ns()
            action()
            used = time.thread_time_ns() - used
            _note(samples, memory, row, "wall", start, turn)
            if turn >= 0:
                samples.add(row, "client", used / 1000)
                samples.add(row, "server", (_server_seconds(memory) - busy) * 1e6)


def _server_seconds(memory: AgentMemory) -> float:
    """CPU time that the server has used so far."""
    told = run(memory.connection.send(("INFO", "cpu")))[0]
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def report(samples: Samples) -> tuple[str, list[str]]:
    """The tables, and the targets that were missed."""
    lines = ["| | bare | " + " | ".join(f"+ {part}" for part in PARTS) + " | all of memory | target |"]
    lines.append("| --- |" + " ---: |" * (len(PARTS) + 3))
    missed = []
    for row, values in samples.values.items():
        if BARE not in values:
            continue
        stack = [values[name] for name in (BARE, *PARTS)]
        steps = [_added(below, above) for below, above in itertools.pairwise(stack)]
        added = _added(stack[0], stack[-1])
        met = added <= LIMIT
        missed += [] if met else [f"{row}: {amount(added, 'us')}"]
        shown = [amount(statistics.median(stack[0]), "us"), *(amount(step, "us") for step in steps)]
        verdict = f"<= {amount(LIMIT, 'us')}: {'met' if met else '**MISSED**'}"
        lines.append("| " + " | ".join([row, *shown, f"**{amount(added, 'us')}**", verdict]) + " |")
    lines += ["", "| LangGraph itself | " + " | ".join(name for name, *_ in FLOORS) + " |", "| --- | ---: | ---: |"]
    for row, values in samples.values.items():
        if BARE in values:
            floors = [amount(_added(values[below], values[above]), "us") for _, below, above in FLOORS]
            lines.append("| " + " | ".join([row, *floors]) + " |")
    lines += ["", "| alone | p50 | p95 | CPU of the client | of the server |", "| --- | ---: | ---: | ---: | ---: |"]
    for row, values in samples.values.items():
        if "wall" in values:
            cuts = statistics.quantiles(values["wall"], n=20)
            took = [cuts[9], cuts[18], *(statistics.median(values[name]) for name in ("client", "server"))]
            lines.append("| " + " | ".join([row, *(amount(each, "us") for each in took)]) + " |")
    return "\n".join(lines), missed


def _added(below: list[float], above: list[float]) -> float:
    """What one agent takes longer than another, by the median of their rounds."""
    return statistics.median([more - less for less, more in zip(below, above, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few turns")
    parser.add_argument("--memories", type=int, default=10_000, help="in scope")
    parser.add_argument("--turns", type=int, default=200, help="of each agent")
    parser.add_argument("--json", type=Path, help="write every sample to this file")
    options = parser.parse_args()
    turns = 20 if options.quick else options.turns
    samples = Samples()
    with AgentMemory.embedded() as memory:
        questions = itertools.cycle(load(memory, options.memories))
        measure_alone(samples, memory, questions, turns)
        for tools in (False, True):
            measure(samples, memory, questions, turns, tools=tools)
            asyncio.run(ameasure(samples, memory, questions, turns, tools=tools))
        held, server = memory.bank.count(USER), str(memory.server)
    table, missed = report(samples)
    print(f"\n{held:,} memories in scope; {server}\n\n{table}")
    if options.json:
        samples.save(options.json, {"memories": f"{held}", "server": server})
    if missed:
        raise SystemExit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
