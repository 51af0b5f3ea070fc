"""Made-up conversations of a realistic size: about 750 bytes a message once serialized, tool calls included."""

from __future__ import annotations

import random
import uuid

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

_WORDS = """order account invoice delivery customer warehouse tomorrow morning because although please compare summary
budget meeting contract deadline project review schedule report weather flight hotel restaurant recipe question answer
window garden music history language computer network database memory between during without the a of and to
in""".split()


def conversation(length: int, seed: int = 1) -> list[BaseMessage]:
    """`length` messages: people ask, the model answers, and in every third exchange it calls a tool first."""
    rng = random.Random(seed)
    return [_message(rng, i) for i in range(length)]


def _message(rng: random.Random, i: int) -> BaseMessage:
    match i % 6:
        case 0 | 2:
            return HumanMessage(_text(rng, 40), id=_id(rng))
        case 4:
            return ToolMessage(_text(rng, 80), tool_call_id=f"call_{i - 1:024d}", name="lookup", id=_id(rng))
        case turn:
            call: dict[str, object] = {
                "name": "lookup",
                "args": {"query": _text(rng, 6), "limit": 10},
                "id": f"call_{i:024d}",
            }
            return reply(_text(rng, 55), rng, [call] if turn == 3 else [])


def reply(text: str, rng: random.Random, tool_calls: list[dict[str, object]] | None = None) -> AIMessage:
    """An answer as a provider's chat model makes it."""
    used, made = rng.randrange(200, 4000), rng.randrange(20, 400)
    return AIMessage(
        text,
        id=f"run--{_id(rng)}-0",
        tool_calls=tool_calls or [],
        response_metadata={
            "model_name": "gpt-4o-mini-2024-07-18",
            "finish_reason": "tool_calls" if tool_calls else "stop",
            "token_usage": {"completion_tokens": made, "prompt_tokens": used, "total_tokens": used + made},
        },
        usage_metadata={"input_tokens": used, "output_tokens": made, "total_tokens": used + made},
    )


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words))


def _id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
