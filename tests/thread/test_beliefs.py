"""What a process remembers of the server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.thread import beliefs
from langchain_agentmem.thread.beliefs import Belief, Beliefs, digest_of

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def belief(text: str) -> Belief:
    return Belief(text, digest_of(text, b""), {}, {})


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beliefs, "_REMEMBERED", 3)
    known = Beliefs()
    for head in ("a", "b", "c"):
        known.learn(head, belief(head))
    known.learn("a", belief("a again"))
    known.learn("d", belief("d"))
    found = [known.get(head) for head in ("a", "b", "c", "d", "never")]
    assert found == [belief("a again"), None, belief("c"), belief("d"), None]


@given(NAMES, st.binary(), NAMES, st.binary())
def test_digests_tell_checkpoints_apart(one: str, record: bytes, other: str, another: bytes) -> None:
    assert (digest_of(one, record) == digest_of(other, another)) == ((one, record) == (other, another))
