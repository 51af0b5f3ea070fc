"""Whose the words are that the extraction node of a graph hands over, when a thread is shared, or sent again."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from langchain_agentmem.promotion.outbox import Outbox
from tests.conftest import Do
from tests.promotion.graphs import config, failing, graph_of, told

# --- a run that fails leaves its words in the thread


async def test_a_first_run_that_failed_stays_its_own_users(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    await do(graph.invoke, {"messages": "I like opera."}, config("bob"))
    assert await told(box) == [("bob", "I like opera.")]
    await do(graph.invoke, {"messages": "I like tea."}, config("ada"))
    assert await told(box) == [("ada", "I fail to eat nuts."), ("ada", "I like tea.")]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_later_run_that_failed_stays_its_own_users(
    box: Outbox, node: Any, saver: Any, do: Do, durability: str
) -> None:
    graph, how = graph_of(node, saver), {"durability": durability}
    await do(graph.invoke, {"messages": "I like jazz."}, config("bob"), **how)
    await failing(do, graph, "I fail to eat nuts.", config("ada"), **how)
    await failing(do, graph, "I failed my exam.", config("bob"), **how)
    await do(graph.invoke, {"messages": "I like opera."}, config("bob"), **how)
    assert await told(box) == [("bob", text) for text in ("I like jazz.", "I failed my exam.", "I like opera.")]
    await do(graph.invoke, {"messages": "I like tea."}, config("ada"), **how)
    await do(graph.invoke, {"messages": "And cake."}, config("ada"), **how)
    assert await told(box) == [("ada", text) for text in ("I fail to eat nuts.", "I like tea.", "And cake.")]


async def test_what_nobody_said_stays_nobodys(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    await failing(do, graph, "I fail to eat nuts.", config(None))
    await do(graph.invoke, {"messages": "I live in Kiel."}, config(None))
    await failing(do, graph, "I failed my exam.", config("eve"))
    await do(graph.invoke, {"messages": "I live in Rome."}, config(None))
    await do(graph.invoke, {"messages": "I like tea."}, config("eve"))
    assert await told(box) == [("eve", "I failed my exam."), ("eve", "I like tea.")]


async def test_all_that_came_with_the_run(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    await do(graph.invoke, {"messages": ["I like tea.", ("user", "And jazz.")]}, config("bob"))
    assert await told(box) == [("bob", "I like tea."), ("bob", "And jazz.")]


async def test_the_same_words_of_two_users(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    await failing(do, graph, ["I like tea.", "I fail to eat nuts."], config("ada"))
    await do(graph.invoke, {"messages": "I like tea."}, config("bob"))
    assert await told(box) == [("bob", "I like tea.")]


async def test_what_a_guard_takes_away_leaves_nobody_elses(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    def guard(state: Any) -> dict[str, Any]:
        last = state["messages"][-1]
        return {"messages": [RemoveMessage(last.id)]} if "secret" in last.text else {}

    def refuse(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage("I am sorry.")]} if "fail" in state["messages"][-1].text else {}

    await failing(do, graph_of(node, saver), "I fail to eat nuts.", config("ada"))
    await do(graph_of(node, saver, guard=guard, refuse=refuse).invoke, {"messages": "A secret."}, config("bob"))
    assert await told(box) == []


async def test_what_a_node_wrote_anew_is_the_users(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    def anew(state: Any) -> dict[str, Any]:
        last = state["messages"][-1]
        return {"messages": [RemoveMessage(last.id), HumanMessage(last.text.upper())]}

    await failing(do, graph_of(node, saver), "I fail to eat nuts.", config("ada"))
    await do(graph_of(node, saver, anew=anew).invoke, {"messages": "I like tea."}, config("bob"))
    assert await told(box) == [("bob", "I LIKE TEA.")]


async def test_what_a_node_wrote_anew_of_words_that_others_said_too(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    def anew(state: Any) -> dict[str, Any]:
        last = state["messages"][-1]
        return {"messages": [RemoveMessage(last.id), HumanMessage(last.text.upper())]}

    graph = graph_of(node, saver)
    await do(graph.invoke, {"messages": "Hi."}, config("ada"))
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    await do(graph_of(node, saver, anew=anew).invoke, {"messages": ["Hi.", "I like tea."]}, config("bob"))
    assert await told(box) == [("ada", "Hi."), ("bob", "Hi."), ("bob", "I LIKE TEA.")]


async def test_a_run_that_is_given_no_words(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver, note=lambda state: {"messages": [AIMessage("Good morning.")]})
    await failing(do, graph_of(node, saver), "I fail to eat nuts.", config("ada"))
    await do(graph.invoke, {"messages": []}, config("bob"))
    assert await told(box) == []


# --- who goes on with a run


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_who_goes_on_with_a_run(box: Outbox, node: Any, saver: Any, do: Do, durability: str) -> None:
    graph, how = graph_of(node, saver), {"durability": durability}
    for user, thread in (("ada", "t"), ("bob", "u")):
        await do(graph.invoke, {"messages": ["I like tea.", "But ask me."]}, config("ada", thread), **how)
        await do(graph.invoke, Command(resume="yes"), config(user, thread), **how)
    assert await told(box) == [("ada", "I like tea."), ("ada", "But ask me.")]
    await do(graph.invoke, {"messages": "I like jazz."}, config("ada", "u"), **how)
    assert await told(box) == [("ada", text) for text in ("I like tea.", "But ask me.", "I like jazz.")]


async def test_an_answer_is_to_whom_it_answers(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    await do(graph.invoke, {"messages": "Please ask me."}, config("ada"))
    await do(graph.invoke, Command(resume="yes"), config("bob"))
    assert await told(box, "ai") == []


async def test_a_run_that_failed_is_tried_again(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    trouble = [TimeoutError(), TimeoutError()]

    def shaky(state: Any) -> dict[str, Any]:
        if trouble:
            raise trouble.pop()
        return {}

    graph = graph_of(node, saver, shaky=shaky)
    await failing(do, graph, "I like tea.", config("ada"))
    await failing(do, graph, "I like jazz.", config("ada"))
    await do(graph.invoke, None, config("bob"))
    assert await told(box) == []
    await do(graph.invoke, {"messages": "I like opera."}, config("ada"))
    assert await told(box) == [("ada", "I like tea."), ("ada", "I like jazz."), ("ada", "I like opera.")]


async def test_what_is_said_to_a_run_that_waits(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    def hearing(state: Any) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("Your name?"))]}

    graph = graph_of(node, saver, hearing=hearing)
    await do(graph.invoke, {"messages": "I like tea."}, config("ada"))
    await do(graph.invoke, Command(resume="I am Bob.", update={"messages": "I like jazz."}), config("bob"))
    assert sorted(await told(box)) == [("bob", "I am Bob."), ("bob", "I like jazz.")]


async def test_a_thread_that_somebody_puts_words_in(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    await do(graph.invoke, {"messages": "Please ask me."}, config("ada"))
    said = (await do(graph.get_state, config("ada"))).values["messages"]
    changed = {"messages": [HumanMessage("I hate ada's ask.", id=said[0].id)]}
    await do(graph.update_state, config("bob"), changed)
    await do(graph.update_state, config("bob"), {"messages": [HumanMessage("I like jazz.")]})
    await do(graph.invoke, None, config("ada"))
    assert await told(box) == []
    await do(graph.invoke, {"messages": "I like tea."}, config("bob"))
    assert await told(box) == [("bob", "I like jazz."), ("bob", "I like tea.")]


async def test_an_earlier_checkpoint_is_gone_on_from(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    await do(graph.invoke, {"messages": "I like tea."}, config("ada"))
    first = (await do(graph.get_state, config("ada"))).config["configurable"]["checkpoint_id"]
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    forked = config("bob")
    forked["configurable"]["checkpoint_id"] = first
    await do(graph.invoke, {"messages": "I like opera."}, forked)
    await do(graph.invoke, {"messages": "I like jazz."}, config("ada"))
    assert await told(box) == [("ada", "I like tea."), ("bob", "I like opera."), ("ada", "I like jazz.")]
    past = [each async for each in graph.aget_state_history(config("ada"))]
    replayed = next(each for each in past if each.next == ("answer",) and len(each.values["messages"]) == 5)
    await do(graph.invoke, None, {"configurable": {**replayed.config["configurable"], "user_id": "bob"}})
    assert await told(box) == []


# --- graphs in graphs


async def test_a_node_in_a_subgraph(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    built: Any = StateGraph(MessagesState)
    built.add_node("talk", graph_of(node)).add_edge(START, "talk")
    graph = built.compile(checkpointer=saver)
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    await do(graph.invoke, {"messages": ["I like opera.", "But ask me."]}, config("bob"))
    await do(graph.invoke, Command(resume="yes"), config("bob"))
    assert await told(box) == [("bob", "I like opera."), ("bob", "But ask me.")]
    await do(graph.invoke, {"messages": "I like tea."}, config("ada"))
    assert await told(box) == [("ada", "I fail to eat nuts."), ("ada", "I like tea.")]


class Question(MessagesState):
    question: str


@pytest.mark.parametrize("inside", [False, True])
async def test_a_graph_whose_input_is_none_of_messages(
    box: Outbox, node: Any, saver: Any, do: Do, inside: bool
) -> None:
    def hearing(state: Any) -> dict[str, Any]:
        return {"messages": [HumanMessage(each) for each in state["question"].split("|") if each]}

    graph = graph_of(node, saver, schema=Question, hear=hearing)
    if inside:
        built: Any = StateGraph(Question)
        built.add_sequence([("hear", hearing), ("talk", graph_of(node))]).add_edge(START, "hear")
        graph = built.compile(checkpointer=saver)
    with pytest.raises(TimeoutError):
        await do(graph.invoke, {"question": "I fail to eat nuts."}, config("ada"))
    await do(graph.invoke, {"question": "I like tea.|And jazz."}, config("bob"))
    assert await told(box) == [("bob", "I like tea."), ("bob", "And jazz.")]
