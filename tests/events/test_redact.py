"""No secret reaches a stream, and no value makes an event large."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from langchain_agentmem.events.redact import Redactor, plain, redact_secrets

SECRETS = {
    "OpenAI key": ("Incorrect API key provided: {}. See the docs", "sk-proj-Ab1_cdefghijklmnopqrstuvwx"),
    "Anthropic key": ("401 for {}", "sk-ant-api03-abcdefghijklmnopqrst"),
    "AWS key": ("{} is not authorised", "AKIAIOSFODNN7EXAMPLE"),
    "GitHub token": ("git clone failed with {}", "ghp_abcdefghijklmnopqrstuvwxyz012345"),
    "Slack token": ("slack said no to {}", "xoxb-123456789012-abcdefghij"),
    "Google key": ("key={}", "AIzaSyA1234567890abcdefghijklmnopqrstu"),
    "LangSmith key": ("key {}", "lsv2_pt_0123456789abcdef_0123456789"),
    "JSON web token": ("token was {}", "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSM"),
    "bearer token": ("headers: Authorization: Bearer {}", "abcdef123456"),
    "basic auth": ("Authorization: Basic {}", "dXNlcjpwYXNzd29yZA=="),
    "password in a URL": ("cannot reach redis://alice:{}@cache:6379/0", "pa/ss@w:ord"),
    "password only in a URL": ("cannot reach rediss://:{}@cache", "hunter2"),
    "token in a URL": ("https://{}@github.com/x.git", "x0a1b2c3d4"),
    "assignment": ("connect(db_password={}, timeout=3)", "hunter2"),
    "JSON": ('{{"client_secret": "{}", "x": 1}}', "my own secret"),
    "header": ("X-Api-Key: {}", "0123abcd"),
    "card with spaces": ("charged {} twice", "4111 1111 1111 1111"),
    "card": ("charged {}.", "5500005555555559"),
    "card with dashes": ("charged {}", "3782-822463-10005"),
    "password that is said": ("Well, my password is {}, so", "hunter2"),
    "PIN that is said": ("our bank PIN for the card was {}.", "1234"),
    "private key": ("{}", "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----"),
    "half a private key": ("{}", "-----BEGIN PRIVATE KEY-----\nMIIabc"),
}
HARMLESS = [
    "step 1 of 4: 20 tokens, max_tokens=900, input_tokens: 5",
    "run 01a1fae0-6677-73e8-ada8-de55428d623f of thread 1234567890123456",
    "https://example.com:8080/a?b=c#d and redis://localhost:6379/0",
    "the password is required; my pine is green, I pinned my note",
    "time 1795211319926-17, mail a@b.example",
    "",
    "é\ud800\0",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_removed_and_the_rest_stays(name: str) -> None:
    text, secret = SECRETS[name]
    cleaned = redact_secrets(text.format(secret))
    assert secret not in cleaned
    assert "***" in cleaned
    assert cleaned.startswith(text.split("{")[0][:8])


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_secrets(text) == text


@given(st.integers(10**14, 10**15 - 1))
def test_every_number_with_a_luhn_digit_is_taken_for_a_card(number: int) -> None:
    digits = [int(digit) for digit in f"{number}"]
    total = sum(sum(divmod(d * (2 - i % 2), 10)) if i % 2 == 0 else d for i, d in enumerate(reversed(digits)))
    check = -total % 10
    assert redact_secrets(f"{number}{check}") == "***"
    assert redact_secrets(f"{number}{(check + 1) % 10}") != "***"


@given(st.text(max_size=300), st.integers(0, 60))
def test_a_text_is_never_longer_than_its_limit(text: str, at: int) -> None:
    assert len(Redactor(max_text=50).text(text[:at] + " password=hunter2 " + text)) <= 50


@pytest.mark.parametrize("at", range(150, 215))
def test_no_half_of_a_secret_survives_a_cut(at: int) -> None:
    # Many secrets before it shrink, so that what was cut off far behind comes into view.
    text = ("sk-abcdefghijklmnop0123456789 " * 20)[:at] + " sk-QQQQQQQQQQQQQQQQQQQQQQ"
    assert "Q" not in Redactor(max_text=50).text(text)


def test_a_mapping_hides_what_its_keys_call_secret() -> None:
    value = {"password": "x", "Api-Key": "y", "auth_token": "z", "tokens": 5, "secret_count": 3, "deep": [{"pwd": "q"}]}
    cleaned = Redactor().value(value)
    assert cleaned["tokens"] == 5
    assert cleaned["secret_count"] == 3
    assert [cleaned["password"], cleaned["Api-Key"], cleaned["auth_token"], cleaned["deep"][0]["pwd"]] == ["***"] * 4


@pytest.mark.parametrize("secret", [12345, 1.5, ["a", "b"], {"inner": "x"}])
def test_a_secret_need_not_be_a_text(secret: Any) -> None:
    assert Redactor().value({"db_password": secret, "kept": secret}) == {"db_password": "***", "kept": secret}
    assert Redactor().value({"password": None, "has_password": True}) == {"password": None, "has_password": True}


def test_the_user_may_choose_what_is_removed() -> None:
    redactor = Redactor(lambda text: text.replace("Ada", "someone"))
    assert redactor.text("Ada wrote") == "someone wrote"
    assert redactor.value({"by": ["Ada"]}) == {"by": ["someone"]}


@dataclass
class Order:
    number: int
    items: list[str]


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("never asked")


ANY: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(Unshowable),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
)


@given(ANY, st.integers(10, 500))
def test_any_value_becomes_plain_and_small(value: Any, limit: int) -> None:
    shown = json.dumps(plain(value, limit), ensure_ascii=False)
    assert len(shown) < 30 * limit + 1_000


def test_messages_and_dataclasses_are_shown_by_content() -> None:
    call = {"name": "f", "args": {"a": 1}, "id": "1", "type": "tool_call"}
    state = {"messages": [HumanMessage("hi"), AIMessage("", tool_calls=[call])], "order": Order(7, ["tea"])}
    assert plain(state, 1_000) == {
        "messages": [
            {"type": "human", "content": "hi"},
            {"type": "ai", "content": "", "tool_calls": [call]},
        ],
        "order": {"number": 7, "items": ["tea"]},
    }


def test_it_is_a_copy() -> None:
    state: dict[str, Any] = {"x": [1]}
    shown = plain(state, 100)
    state["x"].append(2)
    assert shown == {"x": [1]}


def test_what_contains_itself_ends() -> None:
    knot: list[Any] = []
    knot.append(knot)
    assert len(json.dumps(plain(knot, 100))) < 200
