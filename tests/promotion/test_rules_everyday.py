"""What people say every day of themselves, as rules read it: where they moved, what they do, and what they like."""

from __future__ import annotations

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.rules import read_text
from tests.promotion.talks import promote
from tests.promotion.test_unaided import facts

MOVES = """I moved to Oslo for my job.
I moved to Oslo for my studies.
I moved to Oslo for university.
I moved to Oslo for school.
I moved to Oslo for love.
I moved to Oslo for good.
I moved to Oslo to study.
I moved to Oslo in January.
I moved to Oslo in March.
I moved to Oslo in the summer.
I moved to Oslo on Monday.
I moved to Oslo last year for a new job.
I moved to Oslo three months ago.
I moved to Oslo a couple of months ago.
I moved to Oslo two years ago.
I moved to Oslo to be closer to my parents.
I moved to Oslo with my girlfriend.
I just moved to Oslo for grad school.
I moved to Oslo in 2015 and love it here.
I moved from Rome to Oslo in 2021.
I moved from Rome to Oslo for my new job.
I moved to Oslo from Rome in May.
We just moved to Oslo last week.
We moved to Oslo last week.
We moved to Oslo in May.
We've just moved to Oslo with the kids.
We recently relocated to Oslo.
We moved to Oslo with our daughter.
We moved to Oslo last year, and love it here.
We moved to Oslo and are settling in here.""".splitlines()
MAYBE_MOVES = """We moved to Oslo.
We moved to Oslo for work.
I moved to Oslo in 2010.
I moved to Oslo for my studies in 2009.
I moved to Oslo with my wife in 2009.
I moved to Oslo ten years ago.""".splitlines()
NO_MOVES = """I moved to Oslo for a semester.
I moved to Oslo for the summer.
I moved to Oslo for two years.
I moved to Oslo for a summer internship.
I moved to Oslo until June.
I moved to Gold in the league last week.
I moved to Oslo as a student.
I moved to Oslo, then moved to Rome.
I moved to Oslo when I was five.
We moved to Oslo during the war.
We moved to Kanban last week.
We moved to OpenTelemetry last week.
We moved to Monday.com in May.
We moved to Foo last week, and the pipelines are faster.""".splitlines()


def later(bank: MemoryBank, known: str, said: str) -> dict[str, str]:
    """The facts after a sentence, where another was said before."""
    extractor = Extractor(bank, None, "rules")
    promote(extractor, known)
    promote(extractor, said, prefix="n")
    return facts(bank)


@pytest.mark.parametrize("said", MOVES)
def test_a_move_replaces_the_home_that_is_known(bank: MemoryBank, said: str) -> None:
    assert later(bank, "I live in Rome.", said) == {"home": "Oslo"}


@pytest.mark.parametrize("said", [*MOVES, *MAYBE_MOVES])
def test_a_move_is_a_home_where_none_is_known(bank: MemoryBank, said: str) -> None:
    assert later(bank, "Hello!", said) == {"home": "Oslo"}


@pytest.mark.parametrize("said", [*MAYBE_MOVES, *NO_MOVES])
def test_a_move_of_long_ago_or_of_a_team_or_for_a_time_leaves_the_home(bank: MemoryBank, said: str) -> None:
    assert later(bank, "I live in Rome.", said) == {"home": "Rome"}


@pytest.mark.parametrize("said", NO_MOVES)
def test_a_move_that_is_no_home(said: str) -> None:
    assert read_text(said) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("I work as a designer for a startup.", {"job": "designer"}),
        ("I work as a designer for a startup now.", {"job": "designer"}),
        ("I work as a lawyer for a bank.", {"job": "lawyer"}),
        ("I work as a lawyer for a wedding company.", {"job": "lawyer"}),
        ("I work as a consultant for small businesses.", {"job": "consultant"}),
        ("I work as a freelance writer for magazines.", {"job": "freelance writer"}),
        ("I work as a waiter for now.", {"job": "waiter"}),
        ("I'm a journalist for the Guardian.", {"job": "journalist"}),
        ("I'm a teacher for 10 years.", {"job": "teacher"}),
        ("I'm a nurse living in Boston.", {"job": "nurse"}),
        ("I'm a nurse part time.", {"job": "nurse"}),
        ("I became a pilot last year.", {"job": "pilot"}),
        ("I work at Tesla full time.", {"employer": "Tesla"}),
        ("I work at Tesla remotely.", {"employer": "Tesla"}),
        ("I work at Tesla for a year now.", {"employer": "Tesla"}),
        ("I'm vegan for my health.", {"diet": "vegan"}),
        ("I'm vegan now for my health.", {"diet": "vegan"}),
        ("I became vegan last year.", {"diet": "vegan"}),
        ("I live in Vienna permanently.", {"home": "Vienna"}),
        ("I live in Vienna full time.", {"home": "Vienna"}),
        ("I live in Vienna together with my parents.", {"home": "Vienna"}),
        ("I live in Vienna for 5 years now.", {"home": "Vienna"}),
        ("I live in Vienna, have for ten years.", {"home": "Vienna"}),
        ("I live in Vienna for the time being.", {"home": "Vienna"}),
        # only for a time
        ("I live in Vienna for two weeks.", {}),
        ("I live in Vienna for the next two years.", {}),
        ("I work at Tesla for the summer.", {}),
        ("I work as a teacher for the summer.", {}),
        ("I'm a nurse for a day.", {}),
        ("I'm a pilot for the play.", {}),
        ("I'm vegan for a week.", {}),
        ("I'm vegan for a month as a test.", {}),
        ("I'm vegan for lunch.", {}),
        ("I'm vegan for three more days.", {}),
        ("I live in Vienna for six months a year.", {}),
    ],
)
def test_what_follows_for_is_a_time_or_no_limit(said: str, found: dict[str, str]) -> None:
    assert {each.state: each.value for each in read_text(said)} == found


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        *(("drink", said, said) for said in ("hot chocolate", "cold brew", "iced tea", "sparkling water")),
        *(
            ("food", said, said)
            for said in ("fried chicken", "grilled cheese", "fresh pasta", "baked beans", "fast food")
        ),
        *(("dessert", said, said) for said in ("sweet potato pie", "pudding")),
        ("snack", "roasted almonds", "roasted almonds"),
        ("colour", "bright red", "bright red"),
        ("animal", "the octopus", "the octopus"),
        ("animal", "a dog", "a dog"),
        ("animal", "a big dog", "a big dog"),
        ("animal", "butterfly", "butterfly"),
        ("place", "the beach", "the beach"),
        ("car", "a Porsche", "a Porsche"),
        ("pet", "my cat", "my cat"),
        ("season", "spring", "spring"),
        ("number", "seven", "seven"),
        ("hobby", "playing the guitar", "playing the guitar"),
        ("colour", "now red", "red"),
        ("film", "now Dune", "Dune"),
        ("drink", "now hot chocolate", "hot chocolate"),
        ("drink", "still green tea", "green tea"),
    ],
)
def test_how_a_favourite_is_may_be_part_of_it(kind: str, said: str, value: str) -> None:
    found = [(each.state, each.value) for each in read_text(f"My favourite {kind} is {said}.")]
    assert found == [(f"favourite_{kind}", value)]


@pytest.mark.parametrize(
    "said",
    """closed Mondays
now closed
still closed on Mondays
good and cheap
fully booked
booked out tonight
rated five stars
called Nobu
a mess
a classic
a small pizzeria
a bit far
a great place
a lot of fun
the best
the one on the corner
losing games
playing Rome tonight
run by idiots
far away
too loud
open late""".splitlines(),
)
def test_how_a_favourite_is_alone_is_none(said: str) -> None:
    assert read_text(f"My favourite restaurant is {said}.") == []


@pytest.mark.parametrize("grave", ["an", "a severe", "a mild"])
def test_an_allergy_to_what_follows(grave: str) -> None:
    assert [each.state for each in read_text(f"I have {grave} allergy to peanuts.")] == ["allergy.peanuts"]
