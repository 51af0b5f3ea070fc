"""What langgraph-checkpoint-redis and langchain-redis leave in Redis, written by those packages themselves.

`python -m tests.serve.peers URL` writes it to an empty server with search and records it in `data/peers.jsonl`, so
that the tests of the migration need neither package.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Send, interrupt

from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

RECORDING = Path(__file__).parent / "data" / "peers.jsonl"
SHALLOW = {"checkpoint_prefix": "shallow", "checkpoint_write_prefix": "shallow_w"}
THREADS = ("trip", "a:b/ü [x]", "waits", "fan")


@dataclass
class Plan:
    city: str
    nights: int = 1


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    plan: Plan
    tags: set[str]
    blob: bytes
    answers: Annotated[list[str], add]


def answer(state: State) -> State:
    said = state["messages"][-1].text
    call = {"name": "book", "args": {"city": said}, "id": "c1"}
    return {"messages": [AIMessage("", id="ai", tool_calls=[call]), ToolMessage("ok", id="t", tool_call_id="c1")]}


def plan(state: State) -> State:
    return {"plan": Plan("Oslo", 3), "tags": {"north"}, "blob": b"\x00\xff"}


def ask(state: State) -> State:
    return {"answers": [f"you said {interrupt({'question': 'sure?'})}"]}


def fan_out(state: State) -> list[Send]:
    return [Send("visit", {"answers": [city]}) for city in ("Oslo", "Rome")]


def visit(state: State) -> State:
    if "Rome" in state["answers"]:
        interrupt("Rome?")
    return {"answers": ["been there"]}


def agent(saver: BaseCheckpointSaver[Any]) -> Any:
    """A graph with a sub-graph, tools' messages, an interrupt and sends; `route` in the config says where it goes."""
    inner = StateGraph(State).add_node("plan", plan).add_edge(START, "plan").compile()
    graph = StateGraph(State)
    graph.add_node("answer", answer)
    graph.add_node("planner", inner)
    graph.add_node("ask", ask)
    graph.add_node("visit", visit)
    graph.add_edge(START, "answer")
    graph.add_conditional_edges("answer", _route, ["planner", "ask", "visit", END])
    return graph.compile(checkpointer=saver)


def _route(state: State) -> Any:
    said = next(message.text for message in state["messages"] if message.type == "human")
    return {"trip": "planner", "wait": "ask"}.get(said) or (fan_out(state) if said == "fan" else END)


def config(thread_id: str) -> Any:
    return {"configurable": {"thread_id": thread_id}}


def write_threads(saver: BaseCheckpointSaver[Any]) -> None:
    graph = agent(saver)
    said = dict(zip(THREADS, ("trip", "hello", "wait", "fan"), strict=True))
    for thread_id, text in said.items():
        graph.invoke({"messages": [HumanMessage(text, id="h1")]}, config(thread_id))
    graph.invoke({"messages": [HumanMessage("and on", id="h2")]}, config("trip"))


def write_all(url: str) -> None:
    from langchain_redis import RedisChatMessageHistory
    from langgraph.checkpoint.redis import RedisSaver, ShallowRedisSaver
    from langgraph.store.redis import RedisStore
    from redis import Redis

    with Redis.from_url(url, protocol=2) as client:
        saver = RedisSaver(redis_client=client)
        saver.setup()
        write_threads(saver)
        shallow = ShallowRedisSaver(
            redis_client=client, checkpoint_prefix="shallow", checkpoint_write_prefix="shallow_w"
        )
        shallow.setup()
        agent(shallow).invoke({"messages": [HumanMessage("wait", id="h1")]}, config("brief"))
        store = RedisStore(client, index={"dims": 2, "embed": lambda texts: [[1.0, 2.0] for _ in texts]})
        store.setup()
        store.put(("users", "ada@x.org".replace(".", "-")), "likes", {"text": "tea", "n": 1.5})
        store.put(("users", "10"), "k:{1}", {"text": "coffee", "nested": {"a": [1, None]}})
        store.put(("notes",), "quiet", {"text": "not indexed"}, index=False)
        store.put(("notes",), "message", {"said": HumanMessage("hi", id="m")}, index=False)
        store.put(("notes",), "brief", {"text": "soon gone"}, ttl=60)
        history = RedisChatMessageHistory("chat: one", redis_client=client)
        history.add_messages([HumanMessage("hi"), AIMessage("hello"), ToolMessage("done", tool_call_id="c1")])
        RedisChatMessageHistory("two", redis_client=client).add_messages([HumanMessage("other")])


def record(url: str) -> dict[str, Any]:
    """Every JSON document of a server, with its time to live."""
    from redis import Redis

    with Redis.from_url(url, decode_responses=True) as client:
        found = sorted(client.scan_iter(count=1000, _type="ReJSON-RL"))
        return {key: {"ttl": client.pttl(key), "json": client.json().get(key)} for key in found}


def main(url: str) -> None:
    write_all(url)
    RECORDING.parent.mkdir(exist_ok=True)
    lines = (json.dumps({"key": key} | found, ensure_ascii=False) for key, found in record(url).items())
    RECORDING.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def play(redis: Connection) -> None:
    """Put what was recorded on a server."""
    for entry in map(json.loads, RECORDING.read_text("utf-8").splitlines()):
        run(redis.send(("JSON.SET", entry["key"], "$", json.dumps(entry["json"]))))
        if entry["ttl"] > 0:
            run(redis.send(("PEXPIRE", entry["key"], entry["ttl"])))


if __name__ == "__main__":
    main(sys.argv[1])
