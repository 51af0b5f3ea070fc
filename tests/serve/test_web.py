"""The demo page's requests: who is answered, what is sent along, and what the playground does. Without a browser."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import pytest
from starlette.testclient import TestClient

from langchain_agentmem import AgentMemory, ConfigurationError
from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.event import Event
from langchain_agentmem.serve.demo.agent import ModelError
from langchain_agentmem.serve.web import serve
from langchain_agentmem.serve.web.app import build_app
from langchain_agentmem.serve.web.feed import Feed
from langchain_agentmem.serve.web.guard import MAX_BODY, TOKEN_HEADER
from langchain_agentmem.serve.web.playground import Playground
from langchain_agentmem.serve.web.settings import SLIDERS, Settings, Slider
from langchain_agentmem.wire.connection import Connection
from tests.openai_stub import ChatRequest, OpenAIStub, Reply, Status

_NUMBERS = count(1)
ORIGIN = "http://127.0.0.1:8000"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[TestClient]:
    """What a browser that has opened the page sends: its origin and the token. Each test has users of its own."""
    with pytest.MonkeyPatch.context() as patch, AgentMemory.embedded(checkpoint_events=True) as memory:
        patch.delenv("OPENAI_API_KEY", raising=False)
        with TestClient(build_app(Playground(memory)), base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
            client.headers[TOKEN_HEADER] = client.get("/api/hello").json()["token"]
            yield client


@pytest.fixture
def user() -> str:
    """A user whom no other test knows."""
    return f"user-{next(_NUMBERS)}"


def turn(client: TestClient, user: str, text: str, thread: str = "1") -> dict[str, Any]:
    said: dict[str, Any] = did(client, "turn", user=user, thread=f"{user}-{thread}", text=text)
    return said


def did(client: TestClient, act: str, **what: Any) -> Any:
    response = client.post(f"/api/{act}", json=what)
    assert response.status_code == 200, response.text
    return response.json()


def view(client: TestClient, user: str, thread: str = "1") -> dict[str, Any]:
    seen: dict[str, Any] = client.get("/api/view", params={"user": user, "thread": f"{user}-{thread}"}).json()
    return seen


# --- who is answered ---


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:9", "localhost.evil:8000", ""]
)
@pytest.mark.parametrize("path", ["/", "/page.js", "/api/hello", "/api/events"])
def test_a_foreign_host_is_refused(browser: TestClient, host: str, path: str) -> None:
    response = browser.get(path, headers={"host": host})
    assert response.status_code == 403
    assert "token" not in response.text


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_this_machine_is_answered(browser: TestClient, host: str) -> None:
    assert browser.get("/api/hello", headers={"host": host}).status_code == 200


def test_what_another_site_asks_for_is_refused(browser: TestClient) -> None:
    for site, status in {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}.items():
        assert browser.get("/api/hello", headers={"sec-fetch-site": site}).status_code == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8000"},
        {"origin": "https://127.0.0.1:8000"},
        {TOKEN_HEADER: "wrong"},
        {TOKEN_HEADER: "ü"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_forged_change_is_refused(browser: TestClient, user: str, wrong: Mapping[str, str]) -> None:
    told = json.dumps({"user": user, "text": "forged"})
    headers = {b"content-type": b"application/json"} | {k.encode(): v.encode() for k, v in wrong.items()}
    assert browser.post("/api/remember", content=told, headers=headers).status_code == 403
    assert view(browser, user)["memories"] == []


@pytest.mark.parametrize("missing", ["origin", TOKEN_HEADER])
def test_a_change_without_origin_or_token_is_refused(browser: TestClient, missing: str) -> None:
    kept = {"origin": ORIGIN, TOKEN_HEADER: browser.headers[TOKEN_HEADER]}
    del kept[missing]
    stranger = TestClient(browser.app, base_url=ORIGIN, headers=kept)
    assert stranger.post("/api/reset", json={}).status_code == 403


def test_a_change_is_of_a_bounded_length(browser: TestClient) -> None:
    assert browser.post("/api/remember", json={"user": "ada", "text": "x" * MAX_BODY}).status_code == 403

    def endless() -> Iterator[bytes]:
        yield b"{}"

    headers = {"content-type": "application/json"}
    assert browser.post("/api/reset", content=endless(), headers=headers).status_code == 403


def test_nothing_changes_by_get(browser: TestClient) -> None:
    for act in ("turn", "recall", "remember", "correct", "forget", "change", "promote", "reset"):
        assert browser.get(f"/api/{act}").status_code == 405


def test_no_other_origin_may_read(browser: TestClient) -> None:
    preflight = browser.options(
        "/api/reset", headers={"origin": "http://evil.example", "access-control-request-method": "POST"}
    )
    assert preflight.status_code in {403, 405}
    for response in (preflight, browser.get("/api/hello")):
        assert not any(name.startswith("access-control") for name in response.headers)


def test_every_answer_has_a_strict_policy(browser: TestClient) -> None:
    for path in ("/", "/page.css", "/api/hello", "/api/view", "/nowhere"):
        headers = browser.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_holds_no_script_no_style_no_secret_and_no_foreign_address(browser: TestClient) -> None:
    page = browser.get("/").text
    token = browser.headers[TOKEN_HEADER]
    assert page.count("<script") == page.count('<script type="module" src="page.js"></script>') == 1
    assert "<style" not in page
    assert " style=" not in page
    scripts = ("page.js", "api.js", "chat.js", "dom.js", "panels.js", "recall.js", "trouble.js")
    for name in ("page.css", *scripts, "mark.svg"):
        response = browser.get(f"/{name}")
        assert response.status_code == 200, name
        assert token not in response.text
        assert "innerHTML" not in response.text
        assert "http" not in response.text.replace("http://www.w3.org/2000/svg", "")
    assert token not in page
    assert "http" not in page


# --- what goes wrong is told in one line ---


@pytest.mark.parametrize(
    ("act", "what", "named"),
    [
        ("turn", {"user": "ada", "thread": "t"}, "text"),
        ("turn", {"user": "", "thread": "t", "text": "hello"}, "user"),
        ("turn", {"user": "ada", "thread": "t", "text": "   "}, "text"),
        ("turn", {"user": "ada", "thread": "t", "text": "hello", "scope": "grace"}, "scope"),
        ("remember", {"user": "u" * 65, "text": "x"}, "user"),
        ("correct", {"user": "ada", "id": "nobody", "text": "x"}, "nobody"),
        ("change", {"settings": {"limit": 0}}, "limit"),
        ("change", {"settings": {"limit": 2.5}}, "limit"),
        ("change", {"settings": {"sudo": 1}}, "sudo"),
        ("change", {"settings": {"floor": "high"}}, "floor"),
    ],
)
def test_a_wrong_request_names_what_is_wrong(browser: TestClient, act: str, what: Any, named: str) -> None:
    response = browser.post(f"/api/{act}", json=what)
    assert response.status_code in {400, 422}
    error = response.json()["error"]
    assert named in error
    assert "\n" not in error


def test_what_is_no_json_or_not_asked_whole_is_refused(browser: TestClient) -> None:
    headers = {"content-type": "application/json"}
    assert browser.post("/api/reset", content=b"{", headers=headers).status_code == 422
    assert browser.get("/api/view", params={"user": "ada"}).status_code == 400
    assert browser.get("/api/key", params={"name": "other:default:x"}).status_code == 400
    assert browser.get("/../guard.py").status_code == 404
    assert browser.get("/__init__.py").status_code == 404


# --- what the page shows ---


def test_a_conversation_is_shown_from_every_side(browser: TestClient, user: str) -> None:
    said = turn(browser, user, "Hi, I'm Ada. I'm vegetarian and I'm going to Lisbon in May.")
    assert said["reply"] == "Noted: name Ada, diet vegetarian, city Lisbon, month May."
    assert said["recalled"]["found"] == []
    seen = view(browser, user)
    assert [message["role"] for message in seen["messages"]] == ["human", "ai"]
    assert seen["threads"] == [f"{user}-1"]
    assert seen["working"]["entries"]["noted.diet"] == "vegetarian"
    assert "Lisbon" in seen["working"]["entries"]["goal"]
    [waiting] = seen["promotion"]["waiting"]
    assert (waiting["thread"], waiting["turns"]) == (f"{user}-1", 2)
    panels = {key["panel"]: key["bytes"] for key in seen["keys"]}
    assert panels.keys() == {"conversation", "working", "promotion", "events"}
    assert all(panels.values())


def test_what_was_said_is_recalled_in_another_thread_and_by_nobody_else(browser: TestClient, user: str) -> None:
    turn(browser, user, "I always take the night train instead of flying.")
    did(browser, "promote")
    said = turn(browser, user, "How do I like to travel?", thread="2")
    assert "night train" in said["reply"]
    [best, *_] = said["recalled"]["found"]
    assert best["shown"]
    assert "night train" in best["text"]
    assert sum(best["terms"].values()) == pytest.approx(best["score"], abs=0.001)
    assert best["text"] in said["recalled"]["block"]
    other = turn(browser, f"{user}-other", "How do I like to travel?")
    assert other["reply"] == "You have not told me yet."
    assert (other["recalled"]["found"], other["recalled"]["block"]) == ([], "")


def test_a_duplicate_is_caught_and_a_fact_superseded(browser: TestClient, user: str) -> None:
    for text in ("I'm vegetarian.", "I love jazz.", "I love jazz!", "I'm vegan now."):
        turn(browser, user, text)
        did(browser, "promote")
    outcomes = {each["text"]: each["outcome"] for each in view(browser, user)["promotion"]["last"]}
    assert outcomes["I love jazz!"] == "reinforced"
    assert outcomes["User is vegan."] == "superseded"
    diet = next(fact for fact in view(browser, user)["facts"] if fact[0]["name"] == "diet")
    assert [version["value"] for version in diet] == ["vegan", "vegetarian"]
    past = browser.get("/api/history", params={"user": user, "id": diet[0]["memory"]}).json()
    assert [version["text"] for version in past] == ["User is vegan.", "User is vegetarian."]


def test_a_memory_is_remembered_corrected_and_forgotten(browser: TestClient, user: str) -> None:
    done = did(browser, "remember", user=user, text="Ada sails a small boat.")
    assert (done["outcome"], done["reason"]) == ("added", "new")
    assert did(browser, "remember", user=user, text="Ada sails a small boat!")["outcome"] == "reinforced"
    assert did(browser, "correct", user=user, id=done["id"], text="Ada sold her boat.")["outcome"] == "superseded"
    assert [each["text"] for each in view(browser, user)["memories"]] == ["Ada sold her boat."]
    assert did(browser, "forget", user=f"{user}-other", id=done["id"]) == {"forgotten": []}
    assert did(browser, "forget", user=user, id=done["id"]) == {"forgotten": [done["id"]]}
    assert view(browser, user)["memories"] == []


def test_the_sliders_change_what_is_recalled_and_what_is_a_duplicate(browser: TestClient, user: str) -> None:
    for text in ("Ada plays the cello.", "Ada plays the violin.", "Ada lives in Oslo."):
        did(browser, "remember", user=user, text=text)
    question = {"user": user, "text": "What does Ada play?"}
    before = did(browser, "recall", **question)["found"]
    sliders = did(browser, "change", settings={"limit": 1, "substance": 0, "duplicate": 0.7, "quiet": 1})
    assert {each["name"]: each["value"] for each in sliders}["limit"] == 1
    after = did(browser, "recall", **question)["found"]
    assert (len(before), len(after)) == (3, 1)
    assert "substance" in before[0]["terms"]
    assert "substance" not in after[0]["terms"]
    assert did(browser, "remember", user=user, text="Ada lives in old Oslo.")["outcome"] == "reinforced"


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda slider: slider.name)
def test_every_slider_is_a_setting_between_its_bounds(slider: Slider) -> None:
    assert slider.low <= getattr(Settings(), slider.name) <= slider.high
    for value in (slider.low, slider.high):
        assert getattr(Settings().changed({slider.name: value}), slider.name) == value
    step = slider.low + slider.step
    assert getattr(Settings().changed({slider.name: step}), slider.name) == pytest.approx(step)
    for value in (slider.low - 1, slider.high + 1, slider.low + slider.step / 2, float("nan")):
        with pytest.raises(InvalidInputError, match=slider.name):
            Settings().changed({slider.name: value})


def test_a_key_is_looked_into(browser: TestClient, user: str) -> None:
    turn(browser, user, EVIL)
    did(browser, "promote")
    for key in view(browser, user)["keys"]:
        held = browser.get("/api/key", params={"name": key["key"]}).json()
        assert (held["key"], held["type"]) == (key["key"], key["type"])
        assert held["entries"] or held["type"] == "stream"  # one whose entries are all done with
        assert all(isinstance(part, str) for entry in held["entries"] for part in entry)


def test_what_was_said_stays_text(browser: TestClient, user: str) -> None:
    turn(browser, EVIL, EVIL)
    response = browser.get("/api/view", params={"user": EVIL, "thread": f"{EVIL}-1"})
    assert response.headers["content-type"] == "application/json"
    assert response.json()["messages"][0]["text"] == EVIL


def test_a_reset_forgets_everything_and_the_demo_goes_on(browser: TestClient, user: str) -> None:
    turn(browser, user, "I'm vegetarian.")
    did(browser, "promote")
    turn(browser, user, "I love jazz.")
    did(browser, "reset")
    seen = view(browser, user)
    assert not any(seen[panel] for panel in ("messages", "threads", "memories", "facts"))
    assert (seen["promotion"]["waiting"], seen["promotion"]["last"]) == ([], [])
    assert turn(browser, user, "I'm vegan.")["reply"] == "Noted: diet vegan."
    assert did(browser, "promote") == {"promoted": 2}
    assert [fact[0]["value"] for fact in view(browser, user)["facts"]] == ["vegan"]


async def test_every_page_is_told_what_happened_and_what_happens(search: Connection) -> None:
    log = AgentMemory(search).events
    feed = Feed(log)
    following = asyncio.create_task(feed.follow())
    await log.aappend(Event(kind="note.early", data={"said": "line\n\nevent: forged"}))
    page = feed.listen()
    async with asyncio.timeout(10):
        while "note.early" not in (early := await anext(page)):
            pass
        await log.aappend(Event(kind="note.late"))
        late = await anext(page)
        other = feed.listen()
        assert [await anext(other), await anext(other)] == [early, late]
        feed.forget()
        assert await anext(page) == "event: forgotten\ndata: {}\n\n"
        feed.close()
        assert [message async for message in page] == []
    assert early.startswith("event: happened\ndata: {")
    assert early.count("\n") == 3
    following.cancel()


async def test_sliders_that_are_moved_during_a_turn_are_all_kept(
    search: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with Playground(AgentMemory(search)) as playground:
        turn = playground.turn("ada", "ada-1", "I love jazz.")
        await asyncio.gather(turn, playground.change({"limit": 3}), playground.change({"token_budget": 150}))
        chosen = {each["name"]: each["value"] for each in (await playground.hello())["settings"]}
    assert (chosen["limit"], chosen["token_budget"]) == (3, 150)


async def test_with_a_key_the_model_answers_and_finds_what_to_remember(
    search: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: ChatRequest) -> Reply:
        if request.body.get("tools"):
            return "Noted, with pleasure." if "sail" in request.text else Status(401)
        found = {"text": "Ada sails on Sundays.", "turns": [1], "action": "add"}
        return {"discrete": [found], "preferences": []}

    with OpenAIStub(answer) as stub:
        for name, value in (("API_KEY", "sk-hunter2"), ("BASE_URL", stub.url), ("MODEL", "gpt-x")):
            monkeypatch.setenv(f"OPENAI_{name}", value)
        async with Playground(AgentMemory(search)) as playground:
            here = await playground.hello()
            assert (here["offline"], here["model"]) == (False, "OpenAI gpt-x")
            assert "hunter2" not in json.dumps(here)
            assert (await playground.turn("ada", "ada-1", "I sail on Sundays."))["reply"] == "Noted, with pleasure."
            await playground.promote()
            [memory] = (await playground.view("ada", "ada-1"))["memories"]
            assert memory["text"] == "Ada sails on Sundays."
            with pytest.raises(ModelError, match="Check OPENAI_API_KEY"):
                await playground.turn("ada", "ada-2", "Hello?")


# --- how it is started ---


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::", ""])
def test_it_listens_on_this_machine_only(host: str) -> None:
    with pytest.raises(ConfigurationError, match="host"):
        serve(host=host, open_browser=False)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError, match="port"):
        serve(port=taken.getsockname()[1], open_browser=False)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[web\]"):
        serve(open_browser=False)
