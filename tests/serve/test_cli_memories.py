"""`agentmem memories` and `agentmem facts`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_agentmem import AgentMemory, Memory, OfflineEmbeddings, Scope
from langchain_agentmem.errors import AgentMemoryError
from langchain_agentmem.serve.commands import agentmem
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

Run = Callable[..., Result]

ADA, BOB = Scope("ada"), Scope("bob")


@pytest.fixture
def memory(search: Connection) -> Iterator[AgentMemory]:
    """What Ada and Bob said."""
    memory = AgentMemory(search, embeddings=OfflineEmbeddings())
    said = [
        Memory(text="Ada is vegetarian", id="diet", state="diet", value="vegetarian", topics=("food",)),
        Memory(text="Ada went to Lisbon by train", id="trip", kind="episodic"),
        Memory(text="Ada plays the cello", id="cello", pinned=True),
    ]
    memory.bank.remember(said, ADA)
    memory.bank.remember(Memory(text="Bob keeps bees", id="bees"), BOB)
    memory.events.flush()
    yield memory
    memory.events.flush()  # or the next test's server gets what this one did


@pytest.fixture
def cli(search_url: str) -> Run:
    """Run a command on that server."""

    def cli(*args: str, input: str | None = None, code: int = 0) -> Result:
        done = CliRunner().invoke(agentmem, [*args, "--url", search_url], input=input)
        if isinstance(done.exception, AgentMemoryError):
            raise done.exception
        assert done.exit_code == code, done.output
        return done

    return cli


def told(done: Result) -> Any:
    return json.loads(done.stdout)


# --- looking ---


def test_search_finds_by_meaning_and_explains(memory: AgentMemory, cli: Run) -> None:
    found = told(cli("memories", "search", "what food does she eat?", "--user", "ada", "--json", "--explain"))
    assert found[0]["id"] == "diet"
    assert found[0]["score"] == pytest.approx(sum(found[0]["terms"].values()))
    shown = cli("memories", "search", "what food does she eat?", "--user", "ada").stdout.splitlines()
    assert shown[0].split() == ["score", "id", "kind", "when"]
    assert shown[1].split()[1:3] == ["diet", "semantic"]
    assert shown[2].strip() == found[0]["text"]
    explained = cli("memories", "search", "what food does she eat?", "--user", "ada", "--explain").stdout
    assert f"semantic {found[0]['terms']['semantic']:+.2f}" in " ".join(explained.split())


def test_what_was_forgotten_comes_back_unless_it_was_erased(memory: AgentMemory, cli: Run) -> None:
    cli("memories", "forget", "diet", "--user", "ada", "--yes")
    assert told(cli("memories", "undo", "diet", "--user", "ada", "--json"))["id"] == "diet"
    assert memory.bank.get("diet", ADA) is not None
    cli("memories", "forget", "diet", "--user", "ada", "--yes", "--erase")
    assert "nothing to undo" in cli("memories", "undo", "diet", "--user", "ada", code=1).stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--kind", "episodic"), {"trip"}),
        (("--topic", "food"), {"diet"}),
        (("--since", "1h", "--kind", "episodic"), {"trip"}),
        (("--until", "2020-01-01"), set()),
        (("--limit", "1", "--kind", "episodic", "--kind", "semantic"), {"trip"}),
    ],
)
def test_search_takes_filters(memory: AgentMemory, cli: Run, options: tuple[str, ...], expected: set[str]) -> None:
    found = told(cli("memories", "search", "Ada food train Lisbon", "--user", "ada", "--json", *options))
    assert {each["id"] for each in found} == expected


def test_looking_leaves_no_trace(memory: AgentMemory, cli: Run) -> None:
    events = len(memory.events.recent())
    cli("memories", "search", "vegetarian", "--user", "ada")
    cli("memories", "list", "--user", "ada")
    assert len(memory.events.recent()) == events
    diet = memory.bank.get("diet", ADA)
    assert diet is not None
    assert diet.access_count == 0


def test_list_is_a_page_of_one_user(memory: AgentMemory, cli: Run) -> None:
    assert {each["id"] for each in told(cli("memories", "list", "--user", "ada", "--json"))} == {
        "diet",
        "trip",
        "cello",
    }
    assert [each["id"] for each in told(cli("memories", "list", "--user", "bob", "--json"))] == ["bees"]
    assert len(told(cli("memories", "list", "--user", "ada", "--limit", "2", "--offset", "2", "--json"))) == 1
    assert told(cli("memories", "list", "--user", "ada", "--kind", "episodic", "--json"))[0]["id"] == "trip"
    assert cli("memories", "list", "--user", "eve").stdout == "No memories.\n"
    assert cli("memories", "list", "--user", "ada", "--namespace", "other").stdout == "No memories.\n"


@pytest.mark.parametrize("user", ["a", "ad", "ada:", "*", "ada*", "ada.b", "%", "{ada}", "memories"])
def test_no_other_name_reaches_a_users_memories(memory: AgentMemory, cli: Run, user: str) -> None:
    assert told(cli("memories", "list", "--user", user, "--json")) == []
    assert told(cli("memories", "search", "vegetarian", "--user", user, "--json")) == []
    assert told(cli("facts", "list", "--user", user, "--json")) == []
    cli("memories", "show", "diet", "--user", user, code=1)
    cli("memories", "forget", "diet", "--user", user, "--yes", code=1)
    assert told(cli("memories", "forget", "--all", "--user", user, "--yes", "--json"))["forgotten"] == []
    assert memory.bank.count(ADA) == 3


def test_show_and_history(memory: AgentMemory, cli: Run) -> None:
    memory.bank.correct("diet", "Ada eats fish", ADA)
    shown = told(cli("memories", "show", "diet", "--user", "ada", "--json"))
    assert (shown["text"], shown["version"], shown["topics"]) == ("Ada eats fish", 2, ["food"])
    assert "Ada eats fish" in cli("memories", "show", "diet", "--user", "ada").stdout
    past = told(cli("memories", "history", "diet", "--user", "ada", "--json"))
    assert [each["text"] for each in past] == ["Ada eats fish", "Ada is vegetarian"]
    assert "Ada is vegetarian" in cli("memories", "history", "diet", "--user", "ada").stdout


@pytest.mark.parametrize("command", ["show", "history", "forget"])
def test_a_memory_that_is_not_there_is_one_line(memory: AgentMemory, cli: Run, command: str) -> None:
    done = cli("memories", command, "bees", "--user", "ada", code=1)
    assert done.stderr.startswith("agentmem: there is no memory 'bees' in this scope; agentmem memories list")
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


# --- forgetting ---


def test_forget_asks(memory: AgentMemory, cli: Run) -> None:
    done = cli("memories", "forget", "diet", "--user", "ada", input="n\n", code=1)
    assert "Forget 1 memory of ada in memories? [y/N]" in done.stderr
    assert "nothing was changed" in done.stderr
    assert "add --yes" in cli("memories", "forget", "diet", "--user", "ada", input="", code=1).stderr
    assert memory.bank.count(ADA) == 3
    assert cli("memories", "forget", "diet", "--user", "ada", input="y\n").stdout == "Forgot 1 memory.\n"
    assert memory.bank.get("diet", ADA) is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--kind", "episodic"), {"trip"}),
        (("--all",), {"diet", "trip"}),
        (("--before", "1h"), set()),
        (("--before", "2999-01-01"), {"diet", "trip"}),
    ],
)
def test_forget_by_choice(memory: AgentMemory, cli: Run, options: tuple[str, ...], expected: set[str]) -> None:
    tried = told(cli("memories", "forget", "--user", "ada", "--dry-run", "--json", *options))
    assert (set(tried["forgotten"]), tried["dry_run"]) == (expected, True)
    assert memory.bank.count(ADA) == 3
    done = told(cli("memories", "forget", "--user", "ada", "--yes", "--json", *options))
    assert set(done["forgotten"]) == expected
    assert {each.id for each in memory.bank.list(ADA)} == {"diet", "trip", "cello"} - expected
    assert memory.bank.count(BOB) == 1


@pytest.mark.parametrize("args", [(), ("diet", "--all")])
def test_forget_needs_to_know_what(memory: AgentMemory, search_url: str, args: tuple[str, ...]) -> None:
    done = CliRunner().invoke(agentmem, ["memories", "forget", *args, "--yes", "--url", search_url])
    assert done.exit_code == 2
    assert memory.bank.count(ADA) == 3


# --- out and in ---


def test_export_and_import(memory: AgentMemory, cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "ada.jsonl"
    assert told_on_stderr(cli("memories", "export", str(file), "--user", "ada", "--json")) == {
        "exported": 3,
        "memories": 3,
        "facts": 0,
    }
    assert cli("memories", "export", "--user", "ada").stdout == file.read_text("utf-8")
    assert told(cli("memories", "import", str(file), "--user", "eve", "--dry-run", "--json"))["read"] == 3
    assert memory.bank.count(Scope("eve")) == 0
    taken = told(cli("memories", "import", str(file), "--user", "eve", "--json"))
    assert taken == {"read": 3, "added": 3, "reinforced": 0, "superseded": 0, "kept": 0}
    again = told(cli("memories", "import", "-", "--user", "eve", "--json", input=file.read_text("utf-8")))
    assert again == {"read": 3, "added": 0, "reinforced": 0, "superseded": 0, "kept": 3}
    assert {each.id for each in memory.bank.list(Scope("eve"))} == {"diet", "trip", "cello"}


def test_export_counts_memories_and_facts_apart(memory: AgentMemory, cli: Run) -> None:
    memory.bank.forget(ADA, ["trip", "cello"])
    memory.facts.delete(ADA, "pet")  # it is kept that it was said to be no longer so, and no more
    done = cli("memories", "export", "--user", "ada")
    assert (done.stdout.count("\n"), done.stderr.endswith("Exported 1 memory.\n")) == (2, True)
    memory.facts.set(ADA, "shoe_size", 38)
    stderr = cli("memories", "export", "--user", "ada").stderr
    assert stderr.endswith("Exported 1 memory, and 1 fact that no memory stands for.\n")


def told_on_stderr(done: Result) -> Any:
    assert done.stdout == ""
    return json.loads(done.stderr)


def test_a_line_that_is_no_memory_is_named(memory: AgentMemory, cli: Run) -> None:
    with pytest.raises(AgentMemoryError, match="line 2"):
        cli("memories", "import", "--user", "eve", input='{"text": "hello"}\n{"x": 1}\n')
    assert memory.bank.count(Scope("eve")) == 0


# --- facts ---


def test_facts(memory: AgentMemory, cli: Run) -> None:
    assert cli("facts", "get", "diet", "--user", "ada").stdout == "vegetarian\n"
    assert told(cli("facts", "set", "seats", "2", "--user", "ada", "--json")) == {"name": "seats", "version": 1}
    assert cli("facts", "set", "diet", "anything", "--user", "ada").stdout == "diet is at version 2.\n"
    facts = told(cli("facts", "list", "--user", "ada", "--json"))
    assert {fact["name"]: fact["value"] for fact in facts} == {"diet": "anything", "seats": 2}
    assert cli("facts", "list", "--user", "ada").stdout == cli("facts", "--user", "ada").stdout
    assert "seats" in cli("facts", "--user", "ada").stdout
    past = told(cli("facts", "history", "diet", "--user", "ada", "--json"))
    assert [fact["value"] for fact in past] == ["anything", "vegetarian"]
    assert "vegetarian" in cli("facts", "history", "diet", "--user", "ada").stdout
    assert "Delete seats = 2?" in cli("facts", "delete", "seats", "--user", "ada", input="n\n", code=1).stderr
    assert told(cli("facts", "delete", "seats", "--user", "ada", "--yes", "--json"))["deleted"]
    assert memory.facts.get(ADA, "seats") is None
    assert cli("facts", "list", "--user", "eve").stdout == "No facts.\n"


def test_a_fact_that_somebody_else_has_changed_stays(memory: AgentMemory, cli: Run) -> None:
    with pytest.raises(AgentMemoryError, match="at version 1"):
        cli("facts", "set", "diet", "fish", "--expected-version", "0", "--user", "ada")
    assert cli("facts", "get", "diet", "--user", "ada").stdout == "vegetarian\n"


@pytest.mark.parametrize("value", ["NaN", "[1, -Infinity]", '{"a": 1e999}', "2 "])
def test_a_value_that_is_no_json_stays_text(memory: AgentMemory, cli: Run, value: str) -> None:
    cli("facts", "set", "x", value, "--user", "ada")
    fact = memory.facts.get(ADA, "x")
    assert fact is not None
    assert fact.value == (2 if value == "2 " else value)


def test_a_value_that_was_stored_long_ago_is_shown(memory: AgentMemory, cli: Run) -> None:
    stored = {"deep": "[" * 600 + "]" * 600, "half": r'"\ud800"', "number": "NaN"}
    fields = [part for name, text in stored.items() for part in (name, f"1 1000 - {text}")]
    run(memory.connection.send(("HSET", memory.keys.facts(("memories", "eve")), *fields)))
    expected = {name: json.loads(text, parse_constant=str) for name, text in stored.items()}
    listed = cli("facts", "--user", "eve", "--json").stdout
    assert {fact["name"]: fact["value"] for fact in json.loads(listed, parse_constant=pytest.fail)} == expected
    for name, value in expected.items():
        assert told(cli("facts", "get", name, "--user", "eve", "--json"))["value"] == value
        assert told(cli("facts", "history", name, "--user", "eve", "--json"))[0]["value"] == value
    run(memory.connection.send(("HDEL", memory.keys.facts(("memories", "eve")), "half")))
    assert "deep" in cli("facts", "--user", "eve").stdout


@pytest.mark.parametrize("command", ["get", "history", "delete"])
def test_a_fact_that_is_not_there_is_one_line(memory: AgentMemory, cli: Run, command: str) -> None:
    done = cli("facts", command, "shoe", "--user", "ada", code=1)
    assert done.stderr.startswith("agentmem: there is no fact 'shoe' in this scope; agentmem facts list")


def test_text_is_no_markup_and_commands_no_terminal(memory: AgentMemory, cli: Run) -> None:
    memory.bank.remember(Memory(text="[bold]:smile: \x1b[31mred\x9b1m\ttea\r\nnow", id="x"), Scope("eve"))
    for command in (["list"], ["search", "red"], ["show", "x"], ["history", "x"]):
        shown = cli("memories", *command, "--user", "eve").stdout
        assert "[bold]:smile: [31mred1m" in shown
        assert {letter for letter in shown if not letter.isprintable()} == {"\n"}
    memory.facts.set(Scope("eve"), "colour", "\x1b[31mred")
    assert cli("facts", "get", "colour", "--user", "eve").stdout == "[31mred\n"


def test_only_what_embeds_needs_the_embedder(search: Connection, cli: Run) -> None:
    other = AgentMemory(search, embeddings=DeterministicFakeEmbedding(size=8), dims=8)
    other.bank.remember(Memory(text="Ada is vegetarian", id="diet", state="diet"), ADA)
    assert told(cli("memories", "list", "--user", "ada", "--json"))[0]["id"] == "diet"
    assert told(cli("memories", "show", "diet", "--user", "ada", "--json"))["id"] == "diet"
    assert told(cli("facts", "set", "diet", "fish", "--user", "ada", "--json"))["version"] == 2
    assert told(cli("memories", "forget", "diet", "--yes", "--user", "ada", "--json"))["forgotten"] == ["diet"]
    other.events.flush()
    with pytest.raises(AgentMemoryError, match="Use the embedder that wrote them"):
        cli("memories", "search", "diet", "--user", "ada")


def test_a_server_without_search_will_do(plain: Connection, plain_url: str) -> None:
    memory = AgentMemory(plain, embeddings=OfflineEmbeddings())
    memory.bank.remember("Ada is vegetarian", ADA)
    done = CliRunner().invoke(agentmem, ["memories", "search", "vegetarian", "--user", "ada", "--url", plain_url])
    memory.events.flush()
    assert "Ada is vegetarian" in done.stdout
    assert run(plain.send(("PING",)))
