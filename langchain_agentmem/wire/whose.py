"""Whose a run is: its context or its config says it, where the application put it, and nothing else does.

LangGraph's own server writes whom it authenticated into the config, and takes the context as the client sent it. So
the names that it authenticates are read from the config alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from langchain_core.runnables.config import RunnableConfig, var_child_runnable_config
from langgraph.checkpoint.base import CheckpointMetadata, get_checkpoint_metadata

from langchain_agentmem.errors import InvalidInputError

_RUNTIME = "__pregel_runtime"  # where LangGraph keeps the Runtime; `get_runtime` only reads the running code's config
_AUTHENTICATED = "langgraph_auth_"  # what the names begin with that a LangGraph server vouches for
_USER_FIELDS = ("user_id", f"{_AUTHENTICATED}user_id")


def running(config: RunnableConfig | None = None) -> RunnableConfig:
    """A run's config: the one that is given, else that of the running code; empty outside of any run."""
    return config or var_child_runnable_config.get() or RunnableConfig()


def context_of(config: RunnableConfig) -> Any:
    """The context of the graph run that a config belongs to; None where it has none."""
    return getattr((config.get("configurable") or {}).get(_RUNTIME), "context", None)


def told(name: str, context: Any, configurable: Mapping[str, Any]) -> Any:
    """What a run says of a field; None where it says nothing.

    Args:
        name: The field.
        context: The run's context: a mapping, or an object with attributes.
        configurable: Of the run's config.

    Raises:
        InvalidInputError: Context and config say different things. Which of the two is meant, nobody can know.
    """
    by_context, by_config = _in(context, name), configurable.get(name)
    if _is_empty(by_context) or _is_empty(by_config):
        return by_config if _is_empty(by_context) else by_context
    if str(by_context) != str(by_config):
        raise InvalidInputError(
            f"{name}: the run's context and its config['configurable'] name different ones; give it in one of them. A"
            " run inside another has the other's context: pass context= to it"
        )
    return by_context


def user_of(config: RunnableConfig, metadata: Mapping[str, Any] | None = None) -> str:
    """Who runs a graph: `user_id`, or whom a LangGraph server authenticated; "" for nobody.

    Args:
        config: The run's config.
        metadata: Of a checkpoint, which says it first.
    """
    configurable, context = config.get("configurable") or {}, context_of(config)
    for name in _USER_FIELDS:
        for said in ((metadata or {}).get(name), configurable.get(name), _in(context, name)):
            if _is_id(said):
                return str(said)
    return ""


def facts_of(config: RunnableConfig, metadata: CheckpointMetadata) -> CheckpointMetadata:
    """The metadata of a checkpoint: what LangGraph keeps of a config there, and who runs the graph.

    LangGraph keeps no context there, and no UUID. And a client of its server may write anything into the config's own
    `metadata`: what the application says goes before that.

    Args:
        config: The run's config.
        metadata: As LangGraph makes it.
    """
    name, configurable = _USER_FIELDS[0], config.get("configurable") or {}
    facts = get_checkpoint_metadata(RunnableConfig(configurable=configurable), metadata)
    said = [each for each in (configurable.get(name), _in(context_of(config), name)) if _is_id(each)]
    who = {name: str(said[0])} if said and name not in facts else {}
    return get_checkpoint_metadata(
        RunnableConfig(metadata=config.get("metadata") or {}), cast("CheckpointMetadata", {**facts, **who})
    )


def _is_id(said: Any) -> bool:
    return isinstance(said, str | int | UUID) and not isinstance(said, bool) and said != ""


def _is_empty(said: Any) -> bool:
    """Whether it says nothing, as a default in a config may."""
    return said is None or (isinstance(said, str) and not said.strip())


def _in(context: Any, name: str) -> Any:
    if name.startswith(_AUTHENTICATED):
        return None
    return context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)
