"""Where in a running graph a piece of code stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables.config import RunnableConfig
from langsmith.run_helpers import get_current_run_tree

from langchain_agentmem.wire.whose import running, user_of


def here(config: RunnableConfig | None = None) -> dict[str, Any]:
    """The fields of an event that say where in a graph it happens.

    Args:
        config: The config of the node or runnable. Default: the one that LangChain keeps for the running code.

    Returns:
        thread_id, user, namespace, node, step, task_id, checkpoint_id and parent_run_id as far as they are known, under
        `checkpoints` the checkpoints that the graph and the graphs around it run from. Empty outside of any run.
    """
    config = running(config)
    if not config:
        return {}
    found = placed(config.get("metadata") or {})
    configurable = config.get("configurable") or {}
    if configurable.get("thread_id") is not None:
        found["thread_id"] = str(configurable["thread_id"])
    if user := user_of(config, config.get("metadata")):
        found["user"] = user
    checkpoints = configurable.get("checkpoint_map") or {}
    if checkpoint_id := checkpoints.get(found.get("namespace")):
        found["checkpoint_id"] = checkpoint_id
        found["checkpoints"] = list(checkpoints.values())
    if run_id := getattr(config.get("callbacks"), "parent_run_id", None):
        found["parent_run_id"] = str(run_id)
    return found


def traced_run() -> dict[str, Any]:
    """The fields of an event that name the LangSmith run that is current, where tracing is on: run_id and trace_id."""
    tree = get_current_run_tree()
    return {} if tree is None else {"run_id": str(tree.id), "trace_id": str(tree.trace_id)}


def placed(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The same from the metadata that LangGraph gives to callbacks."""
    found: dict[str, Any] = {}
    thread_id = metadata.get("thread_id")
    if thread_id is not None:
        found["thread_id"] = str(thread_id)
    path = metadata.get("langgraph_checkpoint_ns")
    if path is not None:
        # "outer:task|inner:task": the last part is the node's own task, what is before it the graph's namespace.
        found["namespace"], _, own = path.rpartition("|")
        found["task_id"] = own.rpartition(":")[2]
        found["node"] = metadata.get("langgraph_node")
        found["step"] = metadata.get("langgraph_step")
    return found
