"""What is said in the demo. Each act runs in a process of its own, and leaves a report of plain values."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import MessagesState

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.serve.demo.agent import build_agent
from langchain_agentmem.serve.demo.inventory import stored_keys
from langchain_agentmem.serve.demo.model import ScriptedModel, choose_model
from langchain_agentmem.serve.demo.screen import Screen
from langchain_agentmem.serve.demo.stopwatch import Stopwatch
from langchain_agentmem.wire.bridge import run

if TYPE_CHECKING:
    from langchain_agentmem.wire.embedded import EmbeddedServer


def _thread(thread_id: str, user: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "user_id": user}}


THREAD = _thread("trip", "ada")


class Stage:
    """An agent over a memory, and the report of what it says.

    Args:
        memory: Its memory, on an embedded server.
        screen: Shows what happens.
        model: Who answers.
        name: What the model is called on screen.
    """

    def __init__(self, memory: AgentMemory, screen: Screen, model: BaseChatModel, name: str) -> None:
        self.screen, self.memory = screen, memory
        self._server = cast("EmbeddedServer", memory.server)
        self._model, self._name = model, name
        self._watch = Stopwatch(memory.checkpointer)
        self.agent = self._build_agent()
        self.turns: list[dict[str, str]] = []

    def _build_agent(self, **nodes: Any) -> Any:
        return build_agent(self._model, self._watch, then={"remember": self.memory.extraction_node()}, **nodes)

    def recall_from_now_on(self) -> None:
        """Put what long-term memory knows in front of the model."""
        self.agent = self._build_agent(recall=self.memory.recall_node(key="recalled"))

    def introduce(self, place: RunnableConfig = THREAD) -> None:
        """Tell who and what is here, and what was said in a thread."""
        self.screen.note("model", self._name)
        self.screen.note("server", f"{self._server.info}, process {self._server.pid}, on a private unix socket")
        said = len(self.agent.get_state(place).values.get("messages", ()))
        self.screen.note("memory", f"{said} messages in thread {place['configurable']['thread_id']!r}")

    def ask(self, text: str, config: RunnableConfig = THREAD, *, user: str = "Ada") -> str:
        """Say something to the agent, and return what it answers."""
        self.screen.said(user, text)
        place: RunnableConfig = {"configurable": THREAD["configurable"] | config["configurable"]}
        messages = self.agent.invoke(MessagesState(messages=[HumanMessage(text)]), place)["messages"]
        asked = max(i for i, message in enumerate(messages) if message.type == "human")
        for call in (call for message in messages[asked:] for call in getattr(message, "tool_calls", ())):
            given = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
            self.screen.note("tool", f"{call['name']}({given})")
        answer = str(messages[-1].text)
        self.screen.said("Agent", answer)
        self.turns.append({"asked": text, "answered": answer})
        return answer

    def report(self) -> dict[str, Any]:
        """What happened, as plain values."""
        return {
            "process": os.getpid(),
            "model": self._name,
            "server": asdict(self._server.info),
            "server_process": self._server.pid,
            "turns": self.turns,
            "seconds": self._watch.seconds,
            "keys": run(stored_keys(self.memory.connection, self.memory.keys)),
        }


def meet(stage: Stage) -> dict[str, Any]:
    """A conversation begins."""
    stage.introduce()
    stage.ask("Hi, I'm Ada and I'm vegetarian.")
    stage.ask("I am going to Lisbon in May.")
    return stage.report()


def resume(stage: Stage) -> dict[str, Any]:
    """Another process goes on with it, then back in time and on from there."""
    stage.introduce()
    stage.ask("What do you know about me?")
    stage.ask("Where could I have dinner there?")
    return {**_fork(stage), **stage.report()}


def _fork(stage: Stage) -> dict[str, Any]:
    agent = stage.agent
    history = [*agent.get_state_history(THREAD)]
    trunk = history[0].config
    early = [state for state in history if not state.next][-1]  # the end of the first turn
    stage.screen.scene("Time travel: back to the end of the first turn, and another way from there")
    stage.screen.note("history", f"{len(history)} checkpoints; back to {_id(early.config)}")
    stage.ask("I am going to Kyoto in October.", early.config)
    forked = stage.ask("Where am I going?")
    stage.screen.note("trunk", f"what was said at first is still there, at {_id(trunk)}")
    kept = stage.ask("Where am I going?", trunk)
    return {"checkpoints": len(history), "fork": forked, "trunk": kept}


def _id(config: RunnableConfig) -> str:
    return str(config["configurable"]["checkpoint_id"])


def elsewhere(stage: Stage) -> dict[str, Any]:
    """A third process, and threads in which nothing was said: what is known comes from long-term memory."""
    dinner = _thread("dinner", "ada")
    stage.introduce(dinner)
    report = stage.memory.promote_pending()
    stage.screen.note("promoted", f"{report.promoted} turns of the conversation, into {report.memories} memories")
    stage.recall_from_now_on()
    stage.ask("What do you know about me?", dinner)
    stage.ask("Which holidays have I planned?", _thread("holidays", "ada"))
    stage.ask("Where could I have dinner in Kyoto?", dinner)
    stage.screen.scene("And what does it tell to somebody else?")
    stage.ask("Which holidays has Ada planned?", _thread("gossip", "bob"), user="Bob")
    return {"promoted": report.promoted, "memories": report.memories, **stage.report()}


ACTS: dict[str, Callable[[Stage], dict[str, Any]]] = {"meet": meet, "resume": resume, "elsewhere": elsewhere}


def perform(act: str, data: Path, screen: Screen) -> dict[str, Any]:
    """Run one act over the server on `data`, and end that server with it."""
    model, name = choose_model()
    extracting = None if isinstance(model, ScriptedModel) else model
    with AgentMemory.embedded(data, model=extracting) as memory:
        return ACTS[act](Stage(memory, screen, model, name))
