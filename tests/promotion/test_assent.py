"""Yes, no, and no longer, in the languages of users."""
# ruff: noqa: RUF001 - words of many scripts, some of whose letters look like others

from __future__ import annotations

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.assent import agrees, denies, negates, tells_of_end
from langchain_agentmem.promotion.extraction import Extractor
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import batch, fact, says, slot

DENIALS = [
    *("No.", "Nope, never", "Of course not!", "Absolutely not, no way", "That's wrong", "I'm not."),
    *("Nein.", "Nein, auf keinen Fall.", "Natürlich nicht", "Nö", "Stimmt nicht.", "Keineswegs."),
    *("Non, pas du tout.", "Pas du tout.", "Jamais de la vie", "Bien sûr que non", "Absolument pas"),
    *("Para nada.", "No, gracias.", "Claro que no", "En absoluto", "¡Qué va!", "¡Nunca!"),
    *("No, per niente.", "Assolutamente no", "Não, de jeito nenhum", "Nao.", "Nee, helemaal niet", "Nej, inte alls"),
    *("Nie.", "Нет.", "Нет, никогда", "Ні", "Hayır, değilim", "Όχι", "Nem", "Tidak", "Không"),
    *(
        "いいえ、違います。",
        "いえ",
        "違います",
        "iie, chigaimasu",
        "不是",
        "没有",
        "不，我吃肉",
        "아니요",
        "لا",
        "לא",
        "नहीं",
        "ไม่",
    ),
]
ASSENTS = [
    *("Yes", "yes, exactly!", "Ja, genau.", "Klar", "Oui, bien sûr", "D'accord", "Sí, claro", "Vale", "Certo", "Sim"),
    *(
        "Да",
        "Так",
        "Evet",
        "Tak",
        "はい",
        "はい、そうです",
        "ええ",
        "うん",
        "是的",
        "对",
        "好的",
        "네",
        "예",
        "हाँ",
        "نعم",
    ),
]


@pytest.fixture
def extractor(bank: MemoryBank, stub: OpenAIStub) -> Extractor:
    return Extractor(bank, stub.chat_model(), ["discrete", "preferences"])


@pytest.mark.parametrize("text", DENIALS)
def test_no(text: str) -> None:
    assert denies(text)
    assert not agrees(text)


@pytest.mark.parametrize("text", ASSENTS)
def test_yes(text: str) -> None:
    assert agrees(text)
    assert not denies(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Mai 2025", "Nothing against it, I live in Rome and I work at Acme", "没错", "没问题", "Rome, since May"),
        *("Nový Jork", "Nora", "Neapel", "Notaire", "Noël", "Nepal", "いつも魚を食べる"),
    ],
)
def test_neither(text: str) -> None:
    assert not denies(text)
    assert not agrees(text)


@pytest.mark.parametrize(
    "text", ["Ja, aber nicht heute", "Oui mais plus tard", "是不是", "ええと", "はい？", "네덜란드", "对不起"]
)
def test_what_only_begins_like_a_yes(text: str) -> None:
    assert not agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "User is not vegan.",
            "User doesn\u2019t eat meat.",
            "User ist kein Vegetarier.",
            "L'utilisateur n'est pas végétarien.",
        ),
        *(
            "El usuario no es vegetariano.",
            "Пользователь не ест мясо.",
            "ユーザーはベジタリアンではない。",
            "用户不吃肉。",
        ),
    ],
)
def test_what_is_not_so(text: str) -> None:
    assert negates(text)
    assert tells_of_end(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Rex died.", "User sold the car.", "User used to be vegan.", "User and Kim split up.", "Rex ist gestorben."),
        *(
            "User left Acme.",
            "Le chien est mort.",
            "Rex murió.",
            "ソラが昨日亡くなりました。",
            "小狗去世了",
            "Кот умер.",
        ),
    ],
)
def test_what_tells_of_an_end(text: str) -> None:
    assert tells_of_end(text)


@pytest.mark.parametrize(
    "text",
    ["User has a dog called Rex.", "User works for Acme.", "User ist Vegetarier.", "ユーザーは大阪に住んでいる。"],
)
def test_what_tells_of_none(text: str) -> None:
    assert not tells_of_end(text)


@pytest.mark.parametrize(
    ("asked", "answer", "text", "diet"),
    [
        ("Are you vegetarian?", "No way, absolutely not.", "User is vegetarian.", "vegetarian"),
        ("Soll ich dich als Vegetarier eintragen?", "Nein.", "User ist Vegetarier.", "Vegetarier"),
        ("Êtes-vous végétarien ?", "Non, pas du tout.", "User est végétarien.", "végétarien"),
        ("¿Apunto que eres vegetariano?", "Para nada.", "User es vegetariano.", "vegetariano"),
        ("ベジタリアンですか？", "いいえ、違います。", "ユーザーはベジタリアンです。", "ベジタリアン"),
    ],
)
def test_who_says_no_is_not_what_he_was_asked(
    extractor: Extractor, stub: OpenAIStub, asked: str, answer: str, text: str, diet: str
) -> None:
    stub.answer = says(discrete=[fact(text, 2)], preferences=[slot("diet", diet, 2, text=text)])
    plan = extractor.plan(batch(f"> {asked}", answer))
    assert (plan.changes, plan.refused) == ((), {"assistant": 2})


def test_what_a_no_says_is_the_users(extractor: Extractor, stub: OpenAIStub) -> None:
    text = "User ist kein Vegetarier."
    stub.answer = says(discrete=[fact(text, 2)], preferences=[])
    plan = extractor.plan(batch("> Bist du Vegetarier?", "Nein."))
    assert [change.memory.text for change in plan.changes if change.memory] == [text]
