"""What a model's answer looks like: lenient about form, since small models are careless, and strict about meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

from langchain_core.utils.json_schema import dereference_refs
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from langchain_agentmem.promotion.changes import Action

Model = TypeVar("Model", bound=BaseModel)

_ACTIONS = frozenset(get_args(Action))
_OTHER_WORDS = {"delete": "retire", "remove": "retire", "replace": "update"}
_WORDS = {"low": 0.2, "medium": 0.5, "high": 0.9}


def _list(value: Any) -> Any:
    """One value instead of a list, or nothing, or a text with commas."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list) else [value]


def _share(value: Any) -> Any:
    """A share between 0 and 1, also where a model says `high`, or 80 for 80 %."""
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower(), value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return min(1.0, max(0.0, number / 100 if number > 1 else number))


def _action(value: Any) -> Any:
    folded = str(value or "add").strip().lower()
    return folded if folded in _ACTIONS else _OTHER_WORDS.get(folded, "add")


def _numbers(value: Any) -> Any:
    """Numbers, also as `3`, `"3, 4"` or `["turn 3"]`; what is none stays, to be complained about."""
    found = value if isinstance(value, list) else [] if value in (None, "") else [value]
    split = [re.findall(r"\d+", each) or [each] if isinstance(each, str) else [each] for each in found]
    return [number for numbers in split for number in numbers]


def _number(value: Any) -> Any:
    """The number of a memory, written in any of these ways; None for 0 and for a word that says that there is none."""
    first = next(iter(_numbers(value)), None)
    return None if str(first).lower() in {"0", "none", "null", "n/a"} else first


def _text(value: Any) -> Any:
    """A text, also where a number or a list of texts came; what is none stays, to be complained about."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if value is None or isinstance(value, str | dict) else str(value)


Texts = Annotated[list[str], BeforeValidator(_list)]
Numbers = Annotated[list[int], BeforeValidator(_numbers)]
Share = Annotated[float | None, BeforeValidator(_share)]
Text = Annotated[str | None, BeforeValidator(_text)]


class Entry(BaseModel):
    """What every entry of an answer says, besides what its strategy asks for. A bare text is an entry, too."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, given: Any) -> Any:
        return {"text": given} if isinstance(given, str) else given

    action: Annotated[Action, BeforeValidator(_action)] = Field("add", description="What becomes of the memory.")
    known: Annotated[int | None, BeforeValidator(_number)] = Field(
        None, description="Number of the known memory that is changed; null for add."
    )
    turns: Numbers = Field(default_factory=list, description="Numbers of the turns that say it.")
    text: Text = Field(None, description="What to remember, to be understood alone.")
    confidence: Share = Field(None, description="0 to 1: how sure it is that the user meant this.")
    importance: Share = Field(None, description="0 to 1: how much it matters in other conversations.")
    instruction: bool = Field(False, description="True where it tells the assistant what to do.")


_SAYING = AliasChoices("text", "content", "memory", "fact", "statement")
_NAMING = AliasChoices("slot", "name", "key", "attribute")


class Learned(Entry):
    """A fact or an episode."""

    text: Text = Field(None, validation_alias=_SAYING, description="What to remember, to be understood alone.")
    kind: Annotated[
        Literal["semantic", "episodic"],
        BeforeValidator(lambda value: "episodic" if str(value).lower() == "episodic" else "semantic"),
    ] = Field("semantic", description="semantic: what is so; episodic: what happens at a time.")
    event_date: Text = Field(None, description="When it happens, as ISO 8601; null if that is not known.")
    topics: Texts = Field(default_factory=list, description="At most three topics.")
    entities: Texts = Field(default_factory=list, description="People, places and things that are named.")

    @model_validator(mode="before")
    @classmethod
    def _says_it_where_it_is_read(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.keys() & set(_SAYING.choices):
            strange = given.keys() - cls.model_fields.keys()
            if strange and _action(given.get("action")) not in ("reinforce", "retire"):  # to drop it would lose it
                raise ValueError(f"it has no text, but {', '.join(sorted(strange))}")
        return given


class Preference(Entry):
    """The value of a slot."""

    slot: str = Field(validation_alias=_NAMING, description="Which slot, in snake_case.")
    value: Text = Field(None, description="Its value, short; with retire, the one that ends.")
    subject: Text = Field(None, description="Whose, if not the user's: a name.")


class Summary(BaseModel):
    """The summary of a thread."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="The whole summary.")


class Episode(Entry):
    """Something that was tried, and what came of it."""

    situation: Text = Field(None, description="What was to be done, and under which circumstances.")
    attempt: Text = Field(None, description="What was tried.")
    outcome: Text = Field(None, description="What came of it.")
    lesson: Text = Field(None, description="What to do, or not to do, next time.")
    succeeded: bool | None = Field(None, description="Whether it worked.")


class _Carrier(Entry):
    """An entry with a `content`; the content alone, without what an entry says besides, is one too."""

    @model_validator(mode="before")
    @classmethod
    def _bare_content(cls, given: Any) -> Any:
        alone = isinstance(given, dict) and "content" not in given and given.keys() - cls.model_fields.keys()
        return {**given, "content": given} if alone else given


def entry_of(content: type[BaseModel]) -> type[Entry]:
    """An entry that carries an object of your own schema as its `content`."""
    made: type[Entry] = create_model(
        f"{content.__name__}Entry", __base__=_Carrier, content=(content, Field(description="What was found."))
    )
    return made


def joint(sections: Sequence[tuple[str, type[BaseModel], bool]]) -> type[BaseModel]:
    """One schema for several strategies, so that one model call serves them all.

    Args:
        sections: Name, schema, and whether there may be several, of each.
    """
    fields: dict[str, Any] = {}
    for name, schema, several in sections:
        if several:
            fields[name] = (Annotated[list[schema], BeforeValidator(_entries)], Field(default_factory=list))  # type: ignore[valid-type]
        else:
            fields[name] = (Annotated[schema | None, BeforeValidator(_single)], Field(None))
    return create_model("MemoryChanges", __doc__="How the memory changes.", **fields)


def _entries(value: Any) -> Any:
    """One entry instead of a list, or nothing."""
    return [] if value in (None, "", {}) else value if isinstance(value, list) else [value]


def _single(value: Any) -> Any:
    if isinstance(value, str):
        return {"text": value} if value.strip() else None
    if isinstance(value, list):
        return value[0] if value else None
    return value or None


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of an answer, without references: some providers and most small models cannot follow them."""
    schema: dict[str, Any] = dereference_refs(model.model_json_schema())
    schema.pop("$defs", None)
    return schema | {"required": list(schema["properties"])}
