"""Whose memories a run is about: the application says it with the run, a model never can.

A template such as `("memories", "{user_id}")` names the fields. Their values come from the run's context
(`graph.invoke(..., context=...)`) or from `config["configurable"]`, and from nowhere else: not from messages, not from
the state, not from a tool's arguments. Whom a LangGraph server authenticated (`{langgraph_auth_user_id}`) is read from
the config alone, which the server writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from string import Formatter
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from langchain_core.runnables.config import RunnableConfig

from langchain_agentmem.errors import InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.record import Scope, escape_label
from langchain_agentmem.wire.whose import context_of, running, told


class ScopeTemplate:
    """A scope with blanks, filled in for each run.

    Where one label mixes text and a value, as in `"team-{team}"`, it takes one value only: two of them could be cut
    apart in two ways. What a value holds is data: braces in it mean nothing, and it never makes a second label.

    Args:
        *labels: The scope's namespace, label by label, with `{field}` for what the run says. A last label that is
            one field becomes the scope's user. `{{` and `}}` stand for braces.
        tenant: See `Scope`.

    Attributes:
        fields: The fields to fill in, in order.

    Raises:
        InvalidInputError: A label is no text, or has something else in braces than one field's name.
    """

    def __init__(self, *labels: str, tenant: str | None = None) -> None:
        self._labels = [_Label(label) for label in labels or ("memories", "{user_id}")]
        self._tenant = tenant
        self._given = labels
        self.fields = tuple(dict.fromkeys(label.field for label in self._labels if label.field))
        self._fill(("x",) * len(self.fields))  # what no value can mend is said at once

    def resolve(self, config: RunnableConfig | None = None, context: Any = None) -> Scope:
        """The scope of a run.

        Args:
            config: The run's config. Default: that of the running code.
            context: The run's context: a dict, dataclass, pydantic model or other object. Default: that of the graph
                which the config belongs to. What it does not have is looked up in `config["configurable"]`.

        Raises:
            MissingScopeError: A field has no value, or an empty one.
            InvalidInputError: A value is no id: neither text nor a whole number nor a UUID; or context and config name
                different ones.
        """
        config = running(config)
        configurable = config.get("configurable") or {}
        if context is None:
            context = context_of(config)
        return self._fill(tuple([_id(name, told(name, context, configurable)) for name in self.fields]))

    @lru_cache(maxsize=4096)  # noqa: B019 - templates are few, and live as long as what they are for
    def _fill(self, told: tuple[str, ...]) -> Scope:
        values = dict(zip(self.fields, told, strict=True))
        *namespace, last = self._labels
        if namespace and last.bare:
            return Scope(values[last.field], tuple(label.fill(values) for label in namespace), self._tenant)
        return Scope(None, tuple(label.fill(values) for label in self._labels), self._tenant)

    def __repr__(self) -> str:
        return f"ScopeTemplate{self._given}"


class ScopeSource(Protocol):
    """What says whose memories a run is about: a template, or a scope that is the same for all."""

    fields: tuple[str, ...]

    def resolve(self, config: RunnableConfig | None = None, context: Any = None) -> Scope:
        """The scope of a run."""


class _Fixed:
    """A scope that is the same for all runs."""

    fields: tuple[str, ...] = ()

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def resolve(self, config: RunnableConfig | None = None, context: Any = None) -> Scope:
        return self._scope

    def __repr__(self) -> str:
        return repr(self._scope)


def scope_of_run(
    whose: ScopeSource, config: RunnableConfig | None = None, context: Any = None, *, required: bool
) -> Scope | None:
    """The scope of a run; None where it does not say whose memories it is about, unless that is required.

    Args:
        whose: What says whose they are.
        config: As for `ScopeSource.resolve`.
        context: The same.
        required: Whether a run must say so.

    Raises:
        MissingScopeError: It is required, and the run does not say so.
    """
    try:
        return whose.resolve(config, context)
    except MissingScopeError:
        if required:
            raise
        return None


ScopeLike: TypeAlias = Scope | ScopeTemplate | Sequence[str]


def template_of(given: ScopeLike | ScopeSource) -> ScopeSource:
    """What resolves a scope for each run, from any form in which it may be given.

    Args:
        given: A `Scope` for all runs, a `ScopeTemplate`, or a template's labels: `("users", "{user_id}")`.

    Raises:
        InvalidInputError: It is none of these.
    """
    if isinstance(given, Scope):
        return _Fixed(given)
    if isinstance(given, ScopeTemplate | _Fixed):
        return given
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        return ScopeTemplate(*given)
    raise InvalidInputError(
        f'scope: a Scope, a ScopeTemplate or labels such as ("users", "{{user_id}}"), not {given!r}'
    )


class _Label:
    """One label of a template: text around at most one field."""

    def __init__(self, label: str) -> None:
        if not isinstance(label, str):
            raise InvalidInputError(f"labels: texts, not {label!r}")
        self.before, self.field, self.after = "", "", ""
        for text, name, spec, conversion in _parts(label):
            if self.field:
                self.after += text
            else:
                self.before += text
            if name is None:
                continue
            if self.field or spec or conversion or not name.isidentifier() or name.startswith("_"):
                raise InvalidInputError(
                    f'labels: one field a label, in braces and by its name, not {label!r}: "{{id}}"'
                )
            self.field = name

    @property
    def bare(self) -> bool:
        return bool(self.field) and not self.before and not self.after

    def fill(self, values: Mapping[str, str]) -> str:
        return self.before + escape_label(values[self.field]) + self.after if self.field else self.before


def _parts(label: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(label))
    except ValueError as error:
        raise InvalidInputError(f"labels: {label!r} cannot be read ({error}); write {{{{ for a brace") from error


def _id(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | UUID | None):
        raise InvalidInputError(f"{name}: an id is a text, a whole number or a UUID, not a {type(value).__name__}")
    text = "" if value is None else str(value)
    if not text.strip():
        raise MissingScopeError(
            f"{name}: the run does not say whose memories these are; pass context={{{name!r}: ...}}"
            f" or config={{'configurable': {{{name!r}: ...}}}}"
        )
    return text


DEFAULT_SCOPE = ScopeTemplate()
"""A user's memories: `("memories", "{user_id}")`."""
