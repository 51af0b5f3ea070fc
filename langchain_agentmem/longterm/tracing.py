"""Operations on memories as runs in LangSmith, below the node or run that asks for them.

Runs are made only where tracing is on. They hold what was asked, ids and scores; of texts only those that were
recalled, as documents, and never a vector. What LangSmith is set to hide or to anonymize is hidden here too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeAlias, TypeVar

from langsmith.run_helpers import trace
from langsmith.utils import tracing_is_enabled

from langchain_agentmem.longterm.embeddings import model_name
from langchain_agentmem.longterm.recalling import Recalled
from langchain_agentmem.longterm.remembering import Remembered
from langchain_agentmem.longterm.store import AgentMemoryStore

P = ParamSpec("P")
R = TypeVar("R")
Outputs: TypeAlias = dict[str, Any]


class _Bank(Protocol):
    store: AgentMemoryStore


B = TypeVar("B", bound=_Bank)
Operation: TypeAlias = Callable[Concatenate[B, P], Coroutine[Any, Any, R]]


def traced(
    run_type: Literal["retriever", "chain"], *shown: str, outputs: Callable[[R], Outputs]
) -> Callable[[Operation[B, P, R]], Operation[B, P, R]]:
    """Make a run of every call of an operation, named after it: `arecall` is `memory.recall`.

    Args:
        run_type: How LangSmith shows it.
        *shown: The arguments that are the run's inputs, where they are given.
        outputs: The run's outputs, from the operation's result.
    """

    def decorate(operation: Operation[B, P, R]) -> Operation[B, P, R]:
        signature, name = inspect.signature(operation), f"memory.{operation.__name__[1:]}"

        @wraps(operation)
        async def call(bank: B, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not tracing_is_enabled():
                return await operation(bank, *args, **kwargs)
            given = signature.bind(bank, *args, **kwargs)
            given.apply_defaults()
            inputs = {each: given.arguments[each] for each in shown if given.arguments[each]}
            metadata: dict[str, Any] = {"namespace": list(getattr(given.arguments["scope"], "path", ()))}
            if run_type == "retriever":
                metadata |= described(bank.store)
            # The sync form in both colours: it only queues, as LangChain's own tracer does, and this coroutine stays in
            # one context, so that what it calls finds its parent.
            with trace(name, run_type, inputs=inputs, metadata=metadata) as run:
                result = await operation(bank, *args, **kwargs)
                run.end(outputs=outputs(result))
                return result

        return call

    return decorate


def documents(recalled: list[Recalled]) -> Outputs:
    """What was recalled, in the form that LangSmith shows as documents."""
    return {
        "documents": [
            {
                "page_content": each.memory.text,
                "type": "Document",
                "metadata": {
                    "id": each.memory.id,
                    "score": each.score,
                    "similarity": each.similarity,
                    "kind": each.memory.kind,
                },
            }
            for each in recalled
        ]
    }


def outcome(remembered: Remembered) -> Outputs:
    """What became of a memory."""
    return {"id": remembered.id, "outcome": remembered.outcome, "version": remembered.version}


def outcomes(remembered: list[Remembered]) -> Outputs:
    """What became of memories."""
    return {"memories": [outcome(each) for each in remembered]}


def ids(deleted: list[str]) -> Outputs:
    """Which memories were deleted."""
    return {"ids": deleted}


def described(store: AgentMemoryStore) -> dict[str, str]:
    """How a retriever over a store is described to LangSmith: LangChain's `LangSmithRetrieverParams`."""
    described = {"ls_retriever_name": "memory_bank", "ls_vector_store_provider": "redis"}
    if store.embeddings is not None:
        described["ls_embedding_provider"] = type(store.embeddings).__name__
        if model := model_name(store.embeddings):
            described["ls_embedding_model"] = model
    return described
