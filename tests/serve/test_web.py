"""The demo page's requests: who is answered, what is sent along, and what the playground does. Without a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from langchain_agentmem import AgentMemory
from langchain_agentmem.serve.web.app import build_app
from langchain_agentmem.serve.web.guard import MAX_BODY, TOKEN_HEADER
from langchain_agentmem.serve.web.playground import Playground
from langchain_agentmem.wire.connection import Connection

ORIGIN = "http://127.0.0.1:8000"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def browser(search: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """What a browser that has opened the page sends: its origin, and the token."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    app = build_app(Playground(AgentMemory(search, checkpoint_events=True)))
    with TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        client.headers[TOKEN_HEADER] = client.get("/api/hello").json()["token"]
        yield client


def turn(client: TestClient, text: str, user: str = "ada", thread: str = "ada-1") -> dict[str, Any]:
    said: dict[str, Any] = did(client, "turn", user=user, thread=thread, text=text)
    return said


def did(client: TestClient, act: str, **what: Any) -> Any:
    response = client.post(f"/api/{act}", json=what)
    assert response.status_code == 200, response.text
    return response.json()


def view(client: TestClient, user: str = "ada", thread: str = "ada-1") -> dict[str, Any]:
    seen: dict[str, Any] = client.get("/api/view", params={"user": user, "thread": thread}).json()
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
def test_a_forged_change_is_refused(browser: TestClient, wrong: Mapping[str, str]) -> None:
    headers = {"content-type": "application/json"} | {name: value.encode() for name, value in wrong.items()}
    response = browser.post("/api/remember", content='{"user": "ada", "text": "forged"}', headers=headers)
    assert response.status_code == 403
    assert view(browser)["memories"] == []


@pytest.mark.parametrize("missing", ["origin", TOKEN_HEADER])
def test_a_change_without_origin_or_token_is_refused(browser: TestClient, missing: str) -> None:
    del browser.headers[missing]
    assert browser.post("/api/reset", json={}).status_code == 403


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
    for name in ("page.css", "page.js", "api.js", "chat.js", "dom.js", "panels.js", "recall.js", "mark.svg"):
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
