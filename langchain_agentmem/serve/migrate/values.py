"""Python values in the form that langgraph-checkpoint-redis (0.2 to 0.5) gives them in JSON documents."""

from __future__ import annotations

import dataclasses
import importlib
import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Interrupt, Send
from pydantic import BaseModel

_INTERRUPT_FIELDS = {field.name for field in dataclasses.fields(Interrupt)}


class TheirSerializer(JsonPlusSerializer):
    """Reads LangChain's constructor envelopes as LangGraph does, and what that package adds.

    It adds marks for interrupts, sends, snapshots of delta channels and bytes, and constructor envelopes for sets,
    dataclasses and pydantic models. A class that cannot be imported here leaves the envelope as plain data: nothing is
    lost, and `langchain_core.load` reads it. As in LangGraph, LANGGRAPH_STRICT_MSGPACK=true keeps stored data from
    naming modules to import.
    """

    def loads(self, text: bytes | str) -> Any:
        """A document."""
        return json.loads(text, object_hook=self._reviver)

    def loads_blob(self, kind: str, blob: str) -> Any:
        """A value that lies in a document as a type and base64."""
        return self.loads_typed((kind, b64decode(blob or "")))

    def _reviver(self, value: dict[str, Any]) -> Any:  # the hook that the base class reads JSON with
        marked = _MARKS.get(frozenset(value))
        if marked is not None:
            return marked(value)
        if value.get("__interrupt__") is True and "value" in value:
            return Interrupt(**{name: value[name] for name in _INTERRUPT_FIELDS & value.keys()})
        if value.get("lc") in (1, 2) and value.get("type") == "constructor":
            built = _build(value, imports=self._allowed_msgpack_modules is True)
            return super()._reviver(value) if built is None else built
        return value


_MARKS: Mapping[frozenset[str], Any] = {
    frozenset(("__bytes__",)): lambda value: b64decode(value["__bytes__"]),
    frozenset(("__send__", "node", "arg")): lambda value: Send(value["node"], value["arg"]),
    frozenset(("__delta_snapshot__", "value")): lambda value: _DeltaSnapshot(value["value"]),
}


def _build(envelope: Mapping[str, Any], *, imports: bool) -> Any:
    """The set, dataclass or model that an envelope holds; None when it holds something else, or may not be imported."""
    name, args, kwargs = envelope.get("id"), envelope.get("args") or [], envelope.get("kwargs") or {}
    if name == ["builtins", "set"]:
        return set(args[0] if args else kwargs.get("__set_items__", ()))
    if not imports or envelope.get("lc") != 2 or not isinstance(name, list) or len(name) < 2:
        return None
    try:
        cls = getattr(importlib.import_module(".".join(name[:-1])), name[-1])
        plain = dataclasses.is_dataclass(cls) or (isinstance(cls, type) and issubclass(cls, BaseModel))
        return cls(*args, **kwargs) if plain else None
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
