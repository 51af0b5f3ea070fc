"""Values to bytes and back: LangGraph's stock serializer, with a short way for plain chat messages.

Most of a thread is messages, and most of the time that the stock serializer spends on them goes to pydantic:
`model_dump()` on the way out, validation on the way in. A message that holds nothing but plain msgpack values needs
neither. ormsgpack itself judges what is plain: under strict options it refuses all else, and that goes the stock way.
The bytes are those of `JsonPlusSerializer`, so each reads what the other wrote:

```
message = extension 5 of [module, class name, {field: value}, "model_validate_json"]
```
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import ormsgpack
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.serde import jsonplus
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel, TypeAdapter

from langchain_agentmem.errors import InvalidInputError

__all__ = ["Codec", "array_header", "split_array"]

_log = logging.getLogger(__name__)

Fields = dict[str, Any]
M = TypeVar("M", bound=BaseMessage)
ExtHook = Callable[[int, bytes], Any]

# Upstream's private names are these two and the two in `_upstream_hook`; without them no serde counts as stock.
_upstream_default: Any = getattr(jsonplus, "_msgpack_default", None)
_upstream_option: int | None = getattr(jsonplus, "_option", None)


class Codec:
    """`dumps_typed` and `loads_typed` of a serde, with the short way for messages when the serde is the stock one.

    Args:
        serde: The serializer of a checkpointer. One that is not stock does all the work itself.

    Attributes:
        stock: Whether the serde is exactly a `JsonPlusSerializer`, and without an unpack hook of the user's own.
    """

    def __init__(self, serde: SerializerProtocol) -> None:
        upstream_hook = _upstream_hook(serde)
        self.stock = upstream_hook is not None
        self._serde = serde
        self._ext_hook = _ext_hook(upstream_hook) if upstream_hook else None

    def dumps_typed(self, value: Any) -> tuple[str, bytes]:
        """Type and bytes of a value, equal to what the serde itself returns.

        Raises:
            ormsgpack.MsgpackEncodeError: The stock serde cannot write the value either.
        """
        if not self.stock or value is None or isinstance(value, (bytes, bytearray)):
            return self._serde.dumps_typed(value)
        try:
            return "msgpack", ormsgpack.packb(value, _default, _upstream_option)
        except ormsgpack.MsgpackEncodeError:
            return self._serde.dumps_typed(value)  # which pickles it if it may, else raises its own error

    def loads_typed(self, data: tuple[str, bytes | memoryview]) -> Any:
        """The value of a (type, bytes) pair, equal to what the serde itself returns; no two calls share an object.

        Raises:
            NotImplementedError: The serde does not know the type.
            ormsgpack.MsgpackDecodeError: The bytes are not msgpack.
        """
        type_, packed = data
        if self.stock and type_ == "msgpack":
            return ormsgpack.unpackb(packed, ext_hook=self._ext_hook, option=ormsgpack.OPT_NON_STR_KEYS)
        return self._serde.loads_typed((type_, bytes(packed)))

    def loads_message(self, data: bytes, start: int) -> Any:
        """A message from the msgpack bytes that `dumps_typed` made of it, as it was and in half of the time.

        Its fields are not validated again: this is for bytes that nobody else writes.

        Args:
            data: The bytes, behind others.
            start: Where they begin.
        """
        # The extension's header is passed over here, so that ormsgpack need not call back for it.
        inner = start + _EXT_HEADERS.get(data[start], 0)
        if data.startswith(_HEADS, inner) and self.stock:
            message = _load_message(data[inner:], validate=False)
            if message is not None:
                return message
        return self.loads_typed(("msgpack", data[start:]))


def _upstream_hook(serde: SerializerProtocol) -> ExtHook | None:
    """The serde's own hook for msgpack extensions, allowlist included; None when the serde is not the stock one."""
    # A subclass may override anything, and a hook of the user's own wants to see every object.
    if type(serde) is not JsonPlusSerializer or getattr(serde, "_custom_unpack_ext_hook", True):
        return None
    if _upstream_default is None or _upstream_option is None:
        return None
    return getattr(serde, "_unpack_ext_hook", None)


# --- msgpack arrays: a list's bytes are a header and its items' bytes, so an appended item is appended bytes

_ARRAY16, _ARRAY32 = 0xDC, 0xDD


def split_array(data: bytes) -> tuple[int, int] | None:
    """Number of items of a msgpack array and the offset where they start; None when `data` is not an array."""
    first = data[0] if data else 0
    if first & 0xF0 == 0x90:
        return first & 0x0F, 1
    start = {_ARRAY16: 3, _ARRAY32: 5}.get(first, 0)
    return (int.from_bytes(data[1:start], "big"), start) if 0 < start <= len(data) else None


def array_header(count: int) -> bytes:
    """The msgpack header of an array of `count` items, in its shortest form, which is the one ormsgpack writes.

    Raises:
        InvalidInputError: No msgpack array has that many items.
    """
    if not 0 <= count < 1 << 32:
        raise InvalidInputError(f"count is {count}, but a msgpack array has 0 to 2**32 - 1 items")
    if count < 1 << 4:
        return bytes([0x90 | count])
    if count < 1 << 16:
        return bytes([_ARRAY16]) + count.to_bytes(2, "big")
    return bytes([_ARRAY32]) + count.to_bytes(4, "big")


# --- one message out

_EXT_MESSAGE = 5
_EXT_HEADERS = {0xC7: 3, 0xC8: 4, 0xC9: 6}  # how long the header of a msgpack extension is, by its first byte
_METHOD = "model_validate_json"  # upstream writes this name and never reads it

# With these options, and without `default`, packing refuses whatever is not exactly a built-in type: subclasses, named
# tuples, keys that are not str, lone surrogates. On what is left, `model_dump()` changes nothing.
_STRICT = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


def _default(obj: Any) -> Any:
    """What ormsgpack packs in place of an object that it does not know."""
    kind = _KINDS.get(type(obj))
    if kind is None:
        return _upstream_default(obj)
    fields = obj.__dict__
    # `model_dump()` adds the extra attributes to the declared fields and leaves out whatever else sits in `__dict__`.
    if obj.__pydantic_extra__ or [*fields] != kind.fields:
        return _upstream_default(obj)
    try:
        return ormsgpack.Ext(_EXT_MESSAGE, ormsgpack.packb((kind.module, kind.name, fields, _METHOD), None, _STRICT))
    except ormsgpack.MsgpackEncodeError:
        return _upstream_default(obj)


# --- one message in

# pydantic keeps a model's state in these slots. This is what `BaseModel.__setstate__` does, in half its time.
_set_dict, _set_fields_set, _set_extra, _set_private = (
    BaseModel.__dict__[slot].__set__
    for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)
_new = object.__new__


def _ext_hook(upstream: ExtHook) -> ExtHook:
    def hook(code: int, data: bytes) -> Any:
        # The four classes are on upstream's list of safe types, so no allowlist applies to them.
        message = _load_message(data) if code == _EXT_MESSAGE and data.startswith(_HEADS) else None
        return upstream(code, data) if message is None else message

    return hook


def _load_message(data: bytes, *, validate: bool = True) -> BaseMessage | None:
    """The message that the class's constructor would make; None when only the constructor itself can tell."""
    try:
        _, name, fields, _ = ormsgpack.unpackb(data)  # strict: refuses extensions, and keys that are not str
        kind = _BY_NAME.get(name)
        if kind is None or [*fields] != kind.fields or (validate and not kind.is_valid(fields)):
            return None
    except (TypeError, ValueError):  # not plain, not a dict, or pydantic's ValidationError
        return None
    return make_message(kind.cls, fields)


def make_message(cls: type[M], fields: Fields) -> M:
    """A message of exactly these fields, as its constructor would make it of all of them if they are valid."""
    message = _new(cls)
    _set_dict(message, fields)
    _set_fields_set(message, set(fields))
    _set_extra(message, {})
    _set_private(message, None)
    return message


# --- which fields validation returns as they are; strict unpacking makes no subclasses, so isinstance is exact

_COMMON = ["content", "additional_kwargs", "response_metadata", "type", "name", "id"]
_TOOL_CALL = ["name", "args", "id", "type"]
_USAGE = ["input_tokens", "output_tokens", "total_tokens"]
_STR_OR_DICT = (str, dict)
_validated_usage = TypeAdapter(UsageMetadata).validator.validate_python


def _is_message(fields: Fields) -> bool:
    content, name, id_ = fields["content"], fields["name"], fields["id"]
    return (
        (isinstance(content, str) or (isinstance(content, list) and all(isinstance(c, _STR_OR_DICT) for c in content)))
        and isinstance(fields["additional_kwargs"], dict)
        and isinstance(fields["response_metadata"], dict)
        and (name is None or isinstance(name, str))
        and (id_ is None or isinstance(id_, str))
    )


def _is_human(fields: Fields) -> bool:
    return fields["type"] == "human" and _is_message(fields)


def _is_system(fields: Fields) -> bool:
    return fields["type"] == "system" and _is_message(fields)


def _is_tool(fields: Fields) -> bool:
    return (
        fields["type"] == "tool"
        and _is_message(fields)
        and isinstance(fields["tool_call_id"], str)
        and fields["status"] in ("success", "error")
    )


def _is_ai(fields: Fields) -> bool:
    calls, usage = fields["tool_calls"], fields["usage_metadata"]
    if usage is not None and not _is_plain_usage(usage):
        # Validated as the class does it, for order and coercions. Undeclared keys it would keep: they are refused here.
        fields["usage_metadata"] = _validated_usage(usage)
    return (
        fields["type"] == "ai"
        and _is_message(fields)
        # Lacking tool calls, the class makes them from the provider's raw ones.
        and (_are_tool_calls(calls) if calls else calls == [] and not fields["additional_kwargs"].get("tool_calls"))
        and fields["invalid_tool_calls"] == []
        and fields["usage_metadata"] == usage
    )


def _is_plain_usage(usage: Any) -> bool:
    """Whether it is three whole numbers in their order, as most usage is: validation gives that back as it is."""
    return isinstance(usage, dict) and [*usage] == _USAGE and all(type(tokens) is int for tokens in usage.values())


def _are_tool_calls(calls: Any) -> bool:
    return isinstance(calls, list) and all(map(_is_tool_call, calls))


def _is_tool_call(call: Any) -> bool:
    return (
        [*call] == _TOOL_CALL
        and isinstance(call["name"], str)
        and isinstance(call["args"], dict)
        and (call["id"] is None or isinstance(call["id"], str))
        and call["type"] == "tool_call"
    )


# --- the classes that go the short way


@dataclass(frozen=True, slots=True)
class _Kind:
    """A message class: its fields in order, and the test whether its constructor leaves stored ones as they are."""

    cls: type[BaseMessage]
    fields: list[str]
    is_valid: Callable[[Fields], bool]
    module: str
    name: str

    @property
    def head(self) -> bytes:
        """How every stored message of the class begins."""
        return ormsgpack.packb((self.module, self.name, None, None)).removesuffix(b"\xc0\xc0")


def _kind(cls: type[BaseMessage], own_fields: list[str], is_valid: Callable[[Fields], bool]) -> _Kind:
    return _Kind(cls, [*_COMMON, *own_fields], is_valid, cls.__module__, cls.__name__)


_KINDS: dict[type, _Kind] = {
    HumanMessage: _kind(HumanMessage, [], _is_human),
    AIMessage: _kind(AIMessage, ["tool_calls", "invalid_tool_calls", "usage_metadata"], _is_ai),
    SystemMessage: _kind(SystemMessage, [], _is_system),
    ToolMessage: _kind(ToolMessage, ["tool_call_id", "artifact", "status"], _is_tool),
}
_BY_NAME = {kind.name: kind for kind in _KINDS.values()}
_HEADS = tuple(kind.head for kind in _KINDS.values())


# --- a trial at import, so that a langchain-core or langgraph that has changed makes messages slower, never wrong

_TRIAL: Fields = {
    "content": ["text", {"type": "text", "text": "more"}],
    "additional_kwargs": {"plain": [None, True, 1, 1.5, b"bytes", ("tuple",)]},
    "response_metadata": {"nested": {"key": "value"}},
    "name": "name",
    "id": "id",
    "tool_calls": [{"name": "tool", "args": {"key": "value"}, "id": "call", "type": "tool_call"}],
    "invalid_tool_calls": [],
    "usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "input_token_details": {"audio": 1}},
    "tool_call_id": "call",
    "artifact": {"key": ["value"]},
    "status": "error",
}
# Keys that the typed dicts do not declare: messages edited in place may have them, and `model_dump()` keeps them.
_STRAYS: Fields = {
    "tool_calls": [_TRIAL["tool_calls"][0] | {"stray": 1}],
    "usage_metadata": _TRIAL["usage_metadata"] | {"stray": 1},
}


def _trial_messages(kind: _Kind) -> list[BaseMessage]:
    trials = [_TRIAL, _TRIAL | _STRAYS]
    return [kind.cls.model_construct(**{name: t[name] for name in kind.fields if name in t}) for t in trials]


def _agrees(kind: _Kind) -> bool:
    """Whether upstream writes the same bytes for messages of this class and reads them as equal objects."""
    stock = JsonPlusSerializer()
    codec = Codec(stock)
    for message in _trial_messages(kind):
        stored = stock.dumps_typed(message)
        if codec.dumps_typed(message) != stored:
            return False
        if codec.loads_typed(stored).__getstate__() != stock.loads_typed(stored).__getstate__():
            return False
    return list(kind.cls.model_fields) == kind.fields


for _changed in [kind for kind in _KINDS.values() if not _agrees(kind)]:
    _log.warning("%s is not stored as this package knows it, so it goes the slower way", _changed.name)
    del _KINDS[_changed.cls], _BY_NAME[_changed.name]
