"""The memory as tools: what a model sends, what it reads, and what the application gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.tools import ToolName, memory_tools
from langchain_agentmem.agent.toolset import TOOLSET
from langchain_agentmem.errors import InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.recalling import Recalled
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.longterm.remembering import Remembered
from langchain_agentmem.wire.connection import Connection
from tests.agent.conftest import EMBEDDER
from tests.agent.scripted import ScriptedModel, calls
from tests.conftest import Do

ANNA = Scope("anna")
CONFIG: RunnableConfig = {"configurable": {"user_id": "anna", "thread_id": "t1"}}
KNOWN = "m1"  # the id of a memory that is there

Use = Callable[..., ToolMessage]


class User(TypedDict):
    user_id: str


@pytest.fixture(params=["sync", "async"])
def use(request: pytest.FixtureRequest, memory: AgentMemory) -> Use:
    """Calls a tool as an agent does: `use("remember", text="...")`."""
    tools = {tool.name: tool for tool in memory_tools(memory, on_error="raise")}

    def call(name: ToolName, /, **args: Any) -> ToolMessage:
        asked = {"name": name, "args": args, "id": "1", "type": "tool_call"}
        if request.param == "sync":
            message = tools[name].invoke(asked, CONFIG)
        else:
            message = asyncio.run(tools[name].ainvoke(asked, CONFIG))
        assert isinstance(message, ToolMessage)
        assert isinstance(message.content, str)
        assert "Traceback" not in message.content
        return message

    return call


# --- what the model is shown


def test_there_are_nine_tools_by_the_names_of_the_field(memory: AgentMemory) -> None:
    assert [tool.name for tool in memory_tools(memory)] == [
        *("search_memory", "remember", "correct_memory", "forget_memory"),
        *("get_facts", "set_fact", "update_scratchpad", "recall_events", "get_current_datetime"),
    ]


SCHEMAS: dict[str, dict[str, str]] = {
    "search_memory": {"query*": "string", "limit": "integer", "include_past": "boolean"},
    "remember": {"text*": "string", "topics": "array"},
    "correct_memory": {"id*": "string", "text*": "string"},
    "forget_memory": {"id*": "string"},
    "get_facts": {"names": "array"},
    "set_fact": {"name*": "string", "value*": "string"},
    "update_scratchpad": {"text*": "string", "replace": "boolean"},
    "recall_events": {"limit": "integer"},
    "get_current_datetime": {"timezone": "string"},
}


def test_schemas_are_flat_and_hold_nothing_of_the_scope(memory: AgentMemory) -> None:
    for tool in memory_tools(memory):
        function = convert_to_openai_tool(tool)["function"]
        parameters = function["parameters"]
        shown = {
            name + "*" * (name in parameters.get("required", ())): field["type"]
            for name, field in parameters["properties"].items()
        }
        assert shown == SCHEMAS[tool.name]
        for field in parameters["properties"].values():
            assert field["description"]
            assert field.keys() <= {"type", "description", "default", "items"}  # no anyOf, no $ref: every provider's
            assert field.get("items", {"type": "string"}) == {"type": "string"}
        assert "Example: {" in function["description"]
        assert len(function["description"]) < 600


def test_schemas_pass_where_openai_is_strict(memory: AgentMemory) -> None:
    for tool in memory_tools(memory):
        parameters = convert_to_openai_tool(tool, strict=True)["function"]["parameters"]
        assert parameters["additionalProperties"] is False


def test_some_tools_only(memory: AgentMemory) -> None:
    assert [tool.name for tool in memory_tools(memory, names=["get_facts", "search_memory"])] == [
        "get_facts",
        "search_memory",
    ]
    with pytest.raises(InvalidInputError, match="no tool 'drop_table'; there are search_memory"):
        memory_tools(memory, names=["drop_table"])  # type: ignore[list-item]


# --- what each does


def test_what_is_remembered_is_found_with_ids_to_cite(use: Use) -> None:
    made = use("remember", text="Anna is vegetarian since May 2024", topics="food")
    assert isinstance(made.artifact, Remembered)
    assert made.text == f"Remembered, as [{made.artifact.id}]."
    found = use("search_memory", query="what does Anna eat?", limit="5")
    assert f"[{made.artifact.id[:8]}] Anna is vegetarian since May 2024" in found.text
    assert "not instructions" in found.text
    [recalled] = found.artifact
    assert isinstance(recalled, Recalled)
    assert recalled.memory.topics == ("food",)
    assert recalled.memory.source is not None
    assert recalled.memory.source.thread_id == "t1"


def test_what_is_known_is_not_stored_twice(use: Use) -> None:
    first = use("remember", text="Anna is vegetarian")
    assert use("remember", text="anna is vegetarian.").text == f"Known already, as [{first.artifact.id}]."


def test_nothing_found_says_how_to_go_on(use: Use) -> None:
    found = use("search_memory", query="shoe size")
    assert (found.status, found.artifact) == ("success", [])
    assert "Try other words" in found.text


def test_a_memory_is_corrected_and_its_past_found_when_asked_for(use: Use) -> None:
    known = use("remember", text="Anna lives in Berlin").artifact.id
    corrected = use("correct_memory", id=f"[{known[:8]}]", text="Anna lives in Paris")  # as it was shown
    assert corrected.text == f'Corrected [{known}]. It said: "Anna lives in Berlin"'
    assert "Berlin" not in use("search_memory", query="where does Anna live?").text
    past = use("search_memory", query="where does Anna live?", include_past=True).text
    assert "Anna lives in Berlin (" in past
    assert ", until " in past


def test_a_memory_is_forgotten_for_good(use: Use, memory: AgentMemory) -> None:
    known = use("remember", text="Anna lives in Berlin").artifact.id
    gone = use("forget_memory", id=known)
    assert (gone.text, gone.artifact) == (f'Deleted [{known}]. It said: "Anna lives in Berlin"', [known])
    assert memory.bank.history(known, ANNA) == []


@pytest.mark.parametrize("name", ["correct_memory", "forget_memory"])
def test_an_unknown_id_comes_back_with_those_that_exist(name: ToolName, use: Use) -> None:
    args = {"id": "m99"} | ({"text": "x"} if name == "correct_memory" else {})
    assert use(name, **args).text.endswith("Nothing is remembered yet.")
    known = use("remember", text="Anna lives in Berlin").artifact.id
    refused = use(name, **args)
    assert refused.status == "error"
    assert "the id 'm99' is that of no memory" in refused.text
    assert "search_memory" in refused.text
    assert f"[{known[:8]}] Anna lives in Berlin" in refused.text


def test_facts_are_set_and_read_by_name(use: Use, memory: AgentMemory) -> None:
    assert use("get_facts").text == "No facts are known yet."
    set_ = use("set_fact", name="home_city", value="Berlin")
    assert isinstance(set_.artifact, Fact)
    use("set_fact", name="Home City", value="Paris")  # a model seldom writes a name the same way twice
    use("set_fact", name="age", value=42)
    assert {name: fact.value for name, fact in memory.facts.all(ANNA).items()} == {"age": 42, "home_city": "Paris"}
    assert {fact.source for fact in memory.facts.all(ANNA).values()} == {Source(thread_id="t1")}
    read = use("get_facts", names="Home-City")
    assert read.text.startswith("home_city: Paris (since ")
    assert read.artifact.keys() == {"home_city"}
    assert use("get_facts", names=["diet"]).text == "Not known: diet. Known are: age, home_city."
    assert use("set_fact", name="age", value="").text == "age is no longer known."
    assert use("set_fact", name="age", value="").text == "There was no fact age."
    assert use("get_facts").artifact.keys() == {"home_city"}


def test_many_facts_are_cut_and_named(use: Use, memory: AgentMemory) -> None:
    for number in range(60):
        memory.facts.set(ANNA, f"fact{number:02}", number)
    read = use("get_facts")
    assert "And 10 more; ask by name: fact50, fact51" in read.text
    assert len(read.artifact) == 60


def test_the_scratchpad_is_added_to_and_replaced(use: Use, memory: AgentMemory) -> None:
    use("update_scratchpad", text="step 1")
    assert use("update_scratchpad", text="step 2").text == "The scratchpad says:\nstep 1\nstep 2"
    assert memory.session("t1").load().user == "anna"
    assert use("update_scratchpad", text="step 3", replace="true").artifact == "step 3"
    assert use("update_scratchpad", text="", replace=True).text == "The scratchpad is empty."


def test_a_full_scratchpad_is_not_added_to(use: Use, memory: AgentMemory) -> None:
    memory.session("t1").write(scratchpad="x" * 19_999)
    refused = use("update_scratchpad", text="more")
    assert refused.status == "error"
    assert "replace=true" in refused.text
    assert use("update_scratchpad", text="more", replace=True).artifact == "more"


def test_events_of_the_thread_are_recalled(use: Use, memory: AgentMemory) -> None:
    assert use("recall_events").text == "Nothing is on record for this conversation."
    use("remember", text="Anna lives in Berlin")
    memory.events.flush()
    found = use("recall_events", limit=1000)
    assert [event.kind for event in found.artifact] == ["memory.remembered"]
    assert "memory.remembered" in found.text


def test_the_time_is_told_where_it_is_asked_for(use: Use) -> None:
    assert use("get_current_datetime").text.endswith("UTC (+0000)")
    told = use("get_current_datetime", timezone="Asia/Tokyo")
    assert told.text.endswith("JST (+0900)")
    assert isinstance(told.artifact, datetime)
    for nowhere in ("Tokio", "../../etc/passwd", "Europe"):
        assert "such as Europe/Berlin" in use("get_current_datetime", timezone=nowhere).text


def test_the_notes_and_events_of_somebody_elses_conversation_stay_closed(use: Use, memory: AgentMemory) -> None:
    memory.session("t1", "bob").note("bob's secret")
    for refused in (use("update_scratchpad", text="x"), use("recall_events")):
        assert (refused.status, "bob" in refused.text) == ("error", False)
    assert memory.session("t1").load().scratchpad == "bob's secret"


class Unreachable(OfflineEmbeddings):
    def embed_query(self, text: str) -> list[float]:
        raise ConnectionError("the embedder is away")


def test_a_failing_embedder_costs_the_answer_and_not_the_turn(plain: Connection) -> None:
    memory = AgentMemory(plain, embeddings=Unreachable(), dims=256)
    asked = {"name": "search_memory", "args": {"query": "x"}, "id": "1", "type": "tool_call"}
    [search] = memory_tools(memory, names=["search_memory"])
    message = search.invoke(asked, CONFIG)
    assert (message.status, message.content[:24]) == ("error", "Memory cannot be reached")
    memory.events.flush()
    assert [event.kind for event in memory.events.recent("t1")] == ["memory.failed"]
    [strict] = memory_tools(memory, names=["search_memory"], on_error="raise")
    with pytest.raises(ConnectionError):
        strict.invoke(asked, CONFIG)


def test_outside_of_a_thread_there_is_no_scratchpad_and_no_event(memory: AgentMemory) -> None:
    pad, events = memory_tools(memory, scope=ANNA, names=["update_scratchpad", "recall_events"])
    assert "no scratchpad" in pad.invoke({"text": "x"})
    assert events.invoke({}) == "Nothing is on record for this conversation."


# --- what arrives


def test_one_text_is_taken_for_the_first_argument(memory: AgentMemory) -> None:
    remember, search = memory_tools(memory, scope=ANNA, names=["remember", "search_memory"])
    remember.invoke("Anna lives in Berlin")
    assert "Anna lives in Berlin" in search.invoke("where does Anna live?")


def test_what_was_meant_is_understood(use: Use) -> None:
    use("remember", text=["Anna lives in Berlin.", "She likes it."], topics='["home", "city"]')
    found = use("search_memory", query="where does Anna live?", limit=5.0, include_past="false", model="gpt")
    assert found.artifact[0].memory.topics == ("home", "city")
    assert use("search_memory", query="Anna", limit=None).status == "success"
    assert use("search_memory", query=42, limit=-1).status == "success"
    assert use("get_facts", names="").text == "No facts are known yet."


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("search_memory", {}, "query: Field required"),
        ("search_memory", {"query": " "}, "it must say something"),
        ("search_memory", {"query": "x", "limit": "many"}, "limit: Input should be a valid integer"),
        ("remember", {"text": "x" * 5_000}, "5,000 characters are too many; at most 4,000"),
        ("remember", {"text": "x", "topics": [None]}, "topics.0: Input should be a valid string"),
        ("forget_memory", {"id": {"$ne": ""}}, 'the id \'{"$ne": ""}\' is that of no memory'),
        ("set_fact", {"name": "x" * 300, "value": "y"}, "at most 200"),
        ("set_fact", {"name": "x", "value": ["y" * 5_000]}, "use remember"),
    ],
)
def test_what_cannot_be_used_comes_back_with_the_remedy(
    name: ToolName, args: dict[str, Any], words: str, use: Use
) -> None:
    refused = use(name, **args)
    assert refused.status == "error"
    assert words in refused.text
    assert len(refused.text) < 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({name.rstrip("*") for schema in SCHEMAS.values() for name in schema})


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SCHEMAS)), st.dictionaries(st.sampled_from([*NAMES, "config", "scope"]), JSON))
def test_no_arguments_whatever_break_a_tool(plain: Connection, name: str, args: dict[str, Any]) -> None:
    tools = {tool.name: tool for tool in memory_tools(AgentMemory(plain, embeddings=EMBEDDER), on_error="raise")}
    message = tools[name].invoke({"name": name, "args": args, "id": "1", "type": "tool_call"}, CONFIG)
    assert isinstance(message.content, str)
    message.text.encode()  # no half of a surrogate pair, which no provider takes


# --- whose memories


def test_a_run_that_names_no_user_is_an_error_of_the_application(memory: AgentMemory) -> None:
    [search] = memory_tools(memory, names=["search_memory"])
    with pytest.raises(MissingScopeError, match="user_id"):
        search.invoke({"query": "x"})


def test_the_scope_is_a_template_of_the_application(memory: AgentMemory) -> None:
    [remember] = memory_tools(memory, scope=("teams", "{team}", "{user_id}"), names=["remember"])
    remember.invoke({"text": "Anna lives in Berlin"}, {"configurable": {"team": "red", "user_id": "anna"}})
    assert memory.bank.count(Scope("anna", ("teams", "red"))) == 1


# --- in an agent


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_an_agent_calls_tools_in_parallel(memory: AgentMemory, colour: str) -> None:
    memory.bank.remember(Memory(id=KNOWN, text="Anna lives in Berlin"), ANNA)
    model = ScriptedModel(
        lines=[
            calls(
                ("search_memory", {"query": "where does Anna live?"}),
                ("set_fact", {"name": "diet", "value": "vegan"}),
                ("remember", {"text": "Anna has a dog"}),
                ("update_scratchpad", {"text": "asked about the dog"}),
                ("forget_memory", {"id": "nobody's"}),
                ("get_current_datetime", {}),
            ),
            AIMessage("Done."),
        ]
    )
    agent = create_agent(model, tools=memory_tools(memory), checkpointer=memory.checkpointer)
    asked: Any = {"messages": [HumanMessage("hi")]}
    state = agent.invoke(asked, CONFIG) if colour == "sync" else await agent.ainvoke(asked, CONFIG)
    results = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert [message.status for message in results] == [*["success"] * 4, "error", "success"]
    assert f"[{KNOWN}] Anna lives in Berlin" in results[0].text
    assert memory.facts.all(ANNA)["diet"].value == "vegan"
    assert memory.session("t1").load().scratchpad == "asked about the dog"
    assert [tool.name for tool in model.tools] == list(TOOLSET)


def test_the_user_may_come_from_the_context(memory: AgentMemory) -> None:
    model = ScriptedModel(lines=[calls(("remember", {"text": "Anna has a dog"})), AIMessage("Done.")])
    agent = create_agent(model, tools=memory_tools(memory), context_schema=User)
    agent.invoke({"messages": [HumanMessage("hi")]}, context={"user_id": "anna"})
    assert memory.bank.count(ANNA) == 1


def test_a_checkpoint_keeps_artifacts_as_plain_values(memory: AgentMemory) -> None:
    memory.bank.remember(Memory(id=KNOWN, text="Anna lives in Berlin"), ANNA)
    memory.facts.set(ANNA, "diet", "vegan")
    wanted = calls(("search_memory", {"query": "where does Anna live?"}), ("get_facts", {}), ("recall_events", {}))
    model = ScriptedModel(lines=[wanted, AIMessage("Done.")])
    agent = create_agent(model, tools=memory_tools(memory), checkpointer=memory.checkpointer)
    agent.invoke({"messages": [HumanMessage("hi")]}, CONFIG)
    kept = [each for each in agent.get_state(CONFIG).values["messages"] if isinstance(each, ToolMessage)]
    assert kept[0].artifact[0]["memory"]["text"] == "Anna lives in Berlin"
    assert kept[1].artifact["diet"]["value"] == "vegan"


async def test_without_a_user_there_is_no_memory_where_a_run_may_be_nobodys(memory: AgentMemory, do: Do) -> None:
    for tool in memory.tools(required=False):
        asked = {"text": "x", "id": "12345678", "name": "diet", "value": "x", "query": "x"}
        call = {"name": tool.name, "args": asked, "id": "1", "type": "tool_call"}
        told = await do(tool.invoke, call, {"configurable": {"thread_id": "t"}})
        assert told.status == "success"
        if tool.name != "get_current_datetime":
            assert "no memory" in told.content
    assert memory.session("t").load().scratchpad is None
    with pytest.raises(MissingScopeError):
        await do(memory.tools(names=["search_memory"])[0].invoke, {"query": "x"}, {"configurable": {}})
