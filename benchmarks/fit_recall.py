"""Fits the weights of a recall on the tune users, and checks that they are no knowledge of the scenes.

    python -m benchmarks.fit_recall [--encoder minilm]

Listwise softmax (Cao et al. 2007, "Learning to Rank: From Pairwise Approach to Listwise Approach") over the features
of `features.relevance`, all of them monotone, with a small L2 pull to 0, by full-batch gradient steps from 0: no
randomness. Every scene of episodes.txt is a template family. For the check each fold of families is left out of the
fit and asked only by weights that never saw it; were the fit a memory of the scenes, those figures would fall below
the fit's own. The printed weights are relative to semantic = 1. The defaults in `RecallWeights` lie about halfway
between them and the two-term baseline: synthetic talk is tidier than real talk, and the figures are nearly flat on
that way.
"""

from __future__ import annotations

import argparse
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.dialogues import Question, generate, split
from benchmarks.recall import ENCODERS, Cached, Ranked
from langchain_agentmem.longterm.features import relevance
from langchain_agentmem.longterm.query import analyse
from langchain_agentmem.longterm.scoring import RecallWeights

NAMES = ("semantic", "lexical", "coverage", "neighbour", "speaker", "date", "shape", "asking", "substance")
DEFAULTS = np.array([getattr(RecallWeights(), name) for name in NAMES])
BASELINE = np.array([1.0, 0.7] + [0.0] * (len(NAMES) - 2))
FOLDS = 4


@dataclass(frozen=True)
class Example:
    """One question: a row of features for each candidate, and which of them are evidence."""

    question: Question
    rows: np.ndarray
    evidence: np.ndarray

    @property
    def fold(self) -> int:
        return zlib.crc32(self.question.family.encode()) % FOLDS


def examples(recaller: Ranked, questions: Sequence[Question]) -> list[Example]:
    """The pools of all questions that ask for a fact."""
    made = []
    for question in (each for each in questions if each.kind == "fact"):
        query = analyse(question.text, question.asked)
        pool = recaller.pool(question, query)
        columns = relevance(query, pool, recaller.scopes[question.user].corpus(query), RecallWeights())
        rows = np.array([columns[name] for name in NAMES]).T
        made.append(Example(question, rows, np.array([each.id in question.evidence for each in pool], dtype=float)))
    return made


def fit(data: Sequence[Example], *, pull: float = 0.001, steps: int = 400, rate: float = 1.0) -> np.ndarray:
    """Maximises the likelihood of the evidence under a softmax over each pool (Adam, full batch)."""
    data = [each for each in data if each.evidence.any()]
    size = max(len(each.rows) for each in data)
    rows = np.zeros((len(data), size, len(NAMES)))
    wanted, absent = np.zeros((len(data), size)), np.full((len(data), size), -np.inf)
    for at, each in enumerate(data):
        rows[at, : len(each.rows)] = each.rows
        wanted[at, : len(each.rows)] = each.evidence / each.evidence.sum()
        absent[at, : len(each.rows)] = 0.0
    weights, slope, curve = np.zeros(len(NAMES)), np.zeros(len(NAMES)), np.zeros(len(NAMES))
    for step in range(1, steps + 1):
        scores = rows @ weights + absent
        chance = np.exp(scores - scores.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        gradient = np.einsum("qp,qpf->f", chance - wanted, rows) / len(data) + pull * weights
        slope, curve = 0.9 * slope + 0.1 * gradient, 0.99 * curve + 0.01 * gradient**2
        step_size = rate * 0.1 / math.sqrt(1 + step / 50)
        weights -= step_size * (slope / (1 - 0.9**step)) / (np.sqrt(curve / (1 - 0.99**step)) + 1e-9)
    return weights


def figures(data: Sequence[Example], weights: np.ndarray) -> tuple[float, float]:
    """Recall@10 and nDCG@10 in percent."""
    recall, ndcg = [], []
    for each in data:
        gains = each.evidence[np.argsort(-(each.rows @ weights), kind="stable")[:10]]
        count = len(each.question.evidence)
        discounts = 1 / np.log2(np.arange(2, 12))
        recall.append(gains.sum() / count)
        ndcg.append(gains @ discounts[: len(gains)] / discounts[: min(10, count)].sum())
    return 100 * float(np.mean(recall)), 100 * float(np.mean(ndcg))


def left_out(data: Sequence[Example]) -> tuple[float, float]:
    """The same figures when every question is ranked by weights fitted without its family of scenes."""
    parts = []
    for fold in range(FOLDS):
        asked = [each for each in data if each.fold == fold]
        weights = fit([each for each in data if each.fold != fold])
        parts.append((len(asked), *figures(asked, weights)))
    total = sum(count for count, _, _ in parts)
    return sum(n * r for n, r, _ in parts) / total, sum(n * g for n, _, g in parts) / total


def main() -> None:
    """Prints the fitted weights, and recall and nDCG of baseline, defaults and fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=ENCODERS, default="offline")
    options = parser.parse_args()
    encoder = Cached(ENCODERS[options.encoder]())
    parts = []
    for part in split(generate()):
        recaller = Ranked(encoder, replace(RecallWeights(), floor=-1.0))
        recaller.index(part.turns)
        encoder.embed_documents([question.text for question in part.questions])
        parts.append(examples(recaller, part.questions))
    tune, test = parts
    fitted = fit(tune)
    print("fitted:", {name: round(float(w / fitted[0]), 2) for name, w in zip(NAMES, fitted, strict=True)})
    for label, weights in (("two terms", BASELINE), ("defaults", DEFAULTS), ("fitted", fitted)):
        print(f"{label:10} tune {_show(figures(tune, weights))}   test {_show(figures(test, weights))}")
    print(f"fitted without the family asked, tune {_show(left_out(tune))}")


def _show(pair: tuple[float, float]) -> str:
    return f"R@10 {pair[0]:.1f} nDCG@10 {pair[1]:.1f}"


if __name__ == "__main__":
    main()
