"""What rules make of facts that are known already."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.finding import singular
from tests.promotion.talks import ANN, NOON, promote


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: fact.value for name, fact in bank.facts.all(ANN).items()}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("said", "known"),
    [
        (["I'm pescatarian.", "I'm not vegan, by the way."], {"diet": "pescatarian"}),
        (["I'm vegan.", "I'm not really vegan."], {}),
        (["I'm vegan.", "I stopped being vegan."], {}),
        (["I'm allergic to peanuts.", "I'm not allergic to peanuts any more."], {}),
        (["I'm allergic to peanuts.", "I'm not allergic to nuts."], {"allergy.peanuts": "peanuts"}),
        (["I have a peanut allergy.", "I'm not allergic to peanuts."], {}),
        (["I'm allergic to peanuts.", "I have a peanut allergy."], {"allergy.peanuts": "peanuts"}),
        (["I'm allergic to peanuts.", "I don't have a peanut allergy any more."], {}),
        (["I like jazz.", "I don't like jazz any more"], {"taste.jazz": "dislikes"}),
        (["I like jazz.", "I used to like jazz."], {}),
        (["I hate jazz.", "I used to like jazz."], {"taste.jazz": "dislikes"}),
        (["I live in Rome.", "I don't live in Rome any more."], {}),
        (["I live in Rome, Italy.", "I used to live in Rome."], {}),
        (["I live in New York.", "I no longer live in York."], {"home": "New York"}),
        (["I live in Rome.", "I've moved out of Rome."], {}),
        (["I live in Rome.", "I used to live in Oslo."], {"home": "Rome"}),
        (["I live in Rome.", "I no longer live in Rome, I moved to Oslo."], {"home": "Oslo"}),
        (["I work at Google.", "I no longer work at Google."], {}),
        (["I work at Google.", "I don't work for Apple."], {"employer": "Google"}),
        (["I'm a nurse.", "I'm no longer a nurse."], {}),
        (["I'm a nurse.", "I'm not a doctor."], {"job": "nurse"}),
        (["I'm a nurse.", "I no longer work as a nurse"], {}),
        (["I don't eat meat.", "I don't eat fish"], {"avoids.meat": "meat", "avoids.fish": "fish"}),
        (["I don't eat meat.", "Actually I eat meat now."], {"diet": "eats meat"}),
        (["I eat fish.", "I don't eat fish."], {"avoids.fish": "fish"}),
        (["I'm vegetarian.", "I eat eggs."], {"diet": "vegetarian"}),
        (["I'm vegan.", "I eat eggs now."], {"diet": "eats eggs"}),
        (["I'm vegetarian.", "Actually I eat fish now."], {"diet": "eats fish"}),
        (["My name is Ann.", "I'm Legend."], {"name": "Ann"}),
        (["I'm Ann.", "My name is Anne."], {"name": "Anne"}),
        (["I live in Rome.", "> I live in Hell.", "I live in Hell."], {"home": "Rome"}),
    ],
)
def test_what_was_known_gives_way_only_to_what_is_about_it(
    bank: MemoryBank, said: list[str], known: dict[str, str], together: bool
) -> None:
    extractor = Extractor(bank, None, "rules")
    if together or any(each.startswith(">") for each in said):
        promote(extractor, *said)
    else:
        for number, each in enumerate(said):
            promote(extractor, each, prefix=f"{number}-")
    assert facts(bank) == known


def test_what_is_taken_back_at_once_leaves_what_was_known(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, "I'm vegetarian.")
    promote(extractor, "I'm vegan.", "I'm not vegan.", prefix="n")
    assert facts(bank) == {"diet": "vegetarian"}


def test_what_begins_anew_is_not_retired_as_well(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, "I live in Rome.")
    done = promote(extractor, "I don't live in Rome any more.", "I live in Oslo.", prefix="n")
    assert [each.outcome for each in done] == ["superseded"]
    assert facts(bank) == {"home": "Oslo"}


def test_what_is_promoted_late_ends_nothing_that_was_said_since(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, "I live in Rome.", thread="new", start=NOON.replace(day=3))
    promote(extractor, "I don't live in Rome any more.", thread="old")
    assert facts(bank) == {"home": "Rome"}
    promote(extractor, "I don't live in Rome any more.", thread="newer", start=NOON.replace(day=4))
    assert facts(bank) == {}


def said_by(name: str | None, text: str) -> HumanMessage:
    return HumanMessage(text, name=name)


BEN = said_by("Ben", "I'm Ben and I live in Oslo. I eat meat.")


def test_of_several_people_only_the_user_is_read(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, said_by("Ann", "My name is Ann Lee and I'm vegetarian."), BEN)
    assert facts(bank) == {"name": "Ann Lee", "diet": "vegetarian"}
    promote(extractor, said_by("ann lee", "I work for Acme."), said_by(None, "I like jazz."), BEN, prefix="n")
    assert facts(bank) == {"name": "Ann Lee", "diet": "vegetarian", "employer": "Acme"}


def test_who_spoke_before_counts_among_several(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, BEN, context=[said_by("Ann", "I'm vegetarian.")])
    assert facts(bank) == {}


@pytest.mark.parametrize("name", [None, "Ben"])
def test_of_one_speaker_all_is_read_whatever_the_name(bank: MemoryBank, name: str | None) -> None:
    promote(Extractor(bank, None, "rules"), said_by(name, "I live in Oslo."), said_by(None, "I like jazz."))
    assert facts(bank) == {"home": "Oslo", "taste.jazz": "likes"}


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("allergy.peanuts", "allergy.peanut"),
        ("berries", "berry"),
        ("tomatoes", "tomato"),
        ("radishes", "radish"),
        ("glass", "glass"),
        ("citrus", "citrus"),
        ("gas", "gas"),
    ],
)
def test_one_and_many(many: str, one: str) -> None:
    assert singular(many) == one


@pytest.mark.parametrize(("later", "outcome"), [(timedelta(minutes=5), "reinforced"), (timedelta(days=1), "added")])
def test_what_is_said_again_on_the_same_day_is_one_memory(bank: MemoryBank, later: timedelta, outcome: str) -> None:
    extractor = Extractor(bank, None, "verbatim")
    promote(extractor, "The cello is in the hall.")
    [done] = promote(extractor, "The cello is in the hall.", start=NOON + later, prefix="n")
    assert done.outcome == outcome
