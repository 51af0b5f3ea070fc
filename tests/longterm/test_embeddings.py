"""The offline encoder, and thresholds by family."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings, calibrated_threshold, related_threshold


@pytest.fixture(scope="module")
def offline() -> OfflineEmbeddings:
    pytest.importorskip("wordllama")
    return OfflineEmbeddings()


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_loading_it_leaves_logging_to_the_application(offline: OfflineEmbeddings) -> None:
    program = (
        "import logging; from langchain_agentmem.longterm.embeddings import OfflineEmbeddings; OfflineEmbeddings();"
        "assert (logging.root.handlers, logging.root.level) == ([], logging.WARNING)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_near_meanings_are_nearer(offline: OfflineEmbeddings) -> None:
    cat, kitten, tax = offline.embed_documents(["my cat sleeps", "the kitten is asleep", "income tax return"])
    assert len(cat) == offline.dimensions
    assert math.hypot(*cat) == pytest.approx(1.0, abs=1e-3)
    assert cosine(cat, kitten) > cosine(cat, tax)


def test_a_query_is_embedded_like_a_document_in_both_colours(offline: OfflineEmbeddings) -> None:
    texts = [
        "my cat sleeps",
        "x",
        "\u732b\u306f\u5bdd\u3066\u3044\u308b \U0001f408",
        " ",
        "the end of a long text " * 900,
    ]
    documents = offline.embed_documents(texts)
    assert documents == asyncio.run(offline.aembed_documents(texts))
    for text, document in zip(texts, documents, strict=True):
        vector = offline.embed_query(text)
        assert vector == pytest.approx(document, abs=1e-6)
        assert vector == asyncio.run(offline.aembed_query(text))


def test_nothing_and_an_empty_text(offline: OfflineEmbeddings) -> None:
    assert offline.embed_documents([]) == []
    assert offline.embed_query("") == offline.embed_documents([""])[0] == [0.0] * offline.dimensions


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[embedded\]"):
        OfflineEmbeddings()


def test_a_threshold_belongs_to_a_family(offline: OfflineEmbeddings) -> None:
    assert calibrated_threshold(offline) == 0.95
    assert calibrated_threshold("sentence-transformers/all-MiniLM-L6-v2") == 0.95
    assert calibrated_threshold("text-embedding-3-small") < 0.95 < calibrated_threshold("intfloat/e5-base-v2")
    assert calibrated_threshold(DeterministicFakeEmbedding(size=8)) == 0.95
    assert related_threshold(offline) < calibrated_threshold(offline)


def test_the_model_name_of_an_embedder_is_found() -> None:
    class Hosted:
        model = "text-embedding-ada-002"

    assert calibrated_threshold(Hosted()) == 0.97
