"""What of a text a model gets to read."""

from __future__ import annotations

import unicodedata

import pytest

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.rendering import one_line
from langchain_agentmem.longterm.record import Scope
from tests.agent.conftest import EMBEDDER
from tests.conftest import Do

ANNA = Scope("anna")

UNSEEN = [
    *("\x00", "\x07", "\x08", "\x1b", "\x7f", "\x80", "\x9b", "\xad", "\u061c", "\u180e", "\u200b", "\u200e", "\u202e"),
    *("\u2060", "\u2063", "\u2066", "\u206f", "\ufeff", "\ufff9", "\U000e0041", "\U000e0100", "\U000e01ef"),
]


@pytest.mark.parametrize("sign", UNSEEN, ids=lambda sign: f"U+{ord(sign):04X}")
@pytest.mark.parametrize("around", ["in", "ü"])
def test_what_is_not_seen_is_not_shown(sign: str, around: str) -> None:
    assert unicodedata.category(sign) in ("Cc", "Cf", "Mn")
    assert one_line(f"{sign}{around}{sign}{around} {sign} end{sign}") == f"{around}{around} end"


@pytest.mark.parametrize(
    "text",
    [
        "❤️ 👩‍👩‍👧 🙏🏽",  # selectors, joiners and skin tones
        "می‌کنم",  # Persian, with a non-joiner
        "ශ්‍රී",  # Sinhala, with a joiner
        "a\u0301 ü 我住在北京，",  # noqa: RUF001 - a full-width comma
    ],
    ids=["emoji", "persian", "sinhala", "marks"],
)
def test_what_scripts_and_emoji_need_stays(text: str) -> None:
    assert one_line(text) == text


def test_controls_that_part_words_become_a_space() -> None:
    assert one_line("a\tb\x0bc\x1cd\x1fe\x85f\u2028g\r\nh") == "a b c d e f g h"


@pytest.mark.parametrize(
    "said",
    [
        "她的女儿今年九月开始上小学，每天早上八点送她去学校",  # noqa: RUF001 - a full-width comma
        "Её дочь в сентябре пошла в первый класс и занимается музыкой",
    ],
    ids=["chinese", "russian"],
)
async def test_a_block_of_another_script_keeps_its_budget(memory: AgentMemory, do: Do, said: str) -> None:
    texts = [f"{said} {number}" for number in range(60)]
    memory.bank.remember(texts, ANNA)
    context = await do(ContextAssembler(memory.bank, budget=800, limit=60).assemble, said, ANNA)
    assert 10 < len(context.memories) < 60
    assert tokens(context.text) < 1_000  # ids and dates are ASCII, of which a tokenizer makes more than is counted
    recalled = await do(memory.bank.recall, said, ANNA, limit=60, token_budget=500)
    assert 10 < len(recalled) < 60
    assert tokens(" ".join(each.memory.text for each in recalled)) <= 500


def tokens(text: str) -> int:
    """Tokens of a text, as Llama 2 counts them."""
    return len(EMBEDDER._model.tokenizer.encode(text).ids)


def test_half_a_surrogate_pair_never_reaches_a_provider() -> None:
    line = one_line("An emoji cut in two: \ud83d and a whole one: \U0001f600")
    assert line == "An emoji cut in two: \ufffd and a whole one: \U0001f600"
    assert line.encode()
