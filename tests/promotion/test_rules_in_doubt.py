"""What rules leave alone: what is true only of a time or a part, or what may mean something else."""

from __future__ import annotations

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.rules import read_text
from tests.promotion.talks import promote
from tests.promotion.test_unaided import facts

HOME = ("I live in Rome.", {"home": "Rome"})
EMPLOYER = ("I work for Siemens.", {"employer": "Siemens"})
JOBS = {name: (f"I'm a {name}.", {"job": name}) for name in ("nurse", "teacher")}
MEAT = ("I eat meat.", {"diet": "eats meat"})
VEGETARIAN = ("I'm vegetarian.", {"diet": "vegetarian"})
NAME = ("My name is Kim.", {"name": "Kim"})
LIKES = ("I like jazz.", {"taste.jazz": "likes"})
FAVOURITES = {
    kind: (f"My favourite {kind} is {value}.", {f"favourite_{kind}": value})
    for kind, value in (("restaurant", "Da Enzo"), ("team", "Lazio"), ("band", "Blur"), ("colour", "blue"))
}
LEFT_ALONE = [
    *(
        (HOME, said)
        for said in """We moved to Teams at work and everyone hates it
We moved to Postgres last year.
We moved to Postgres 16 last night, everything is slow.
I moved to Accounting at work.
I moved to Marketing in September.
I moved to Linux last week.
I've moved to Neovim.
I've moved to Spotify Premium.
We moved to Friday because of the holiday.
We moved from Slack to Teams.
We moved in July.
We moved in Together in June.
I've moved to Ubuntu 24.04 and the wifi broke.
I moved to Chapter 3.
In 1999 we moved to Turin.
As students we moved to Turin.
I moved to Turin, hated it, and moved back.
I moved to Munich for my studies in 2009.
I moved to Lisbon for a semester, but I'm back home in Bonn now.
I moved to Berlin in 2010 and came back in 2015.
We moved to England's coast for a week.
I'm based in Oslo this week.
I'm currently based in Airbnb hell.
At weekends I live in Ostia.
In July, I live in Ostia.
From October I live in Tokyo.
I live in Turin during the week.
I live in Madrid half the year and Leeds the other half.
I live in Leeds, but only until June.
I live near Lidl
I live in Apartment 4B.
In Skyrim I live in Whiterun
In Sims 4, I live in Willow Creek.
In my dreams I live in Malibu.
I don't just live in Rome.
I no longer live near Rome.
I don't live in Rome on weekdays.""".splitlines()
    ),
    *(
        (EMPLOYER, said)
        for said in """From January I work for Allianz
Starting January I work for Allianz.
I work at Christmas
I work at Christmas and New Year.
I work at Starbucks because the wifi is good
I work for Mum at the shop sometimes
I work for Free.
I work at Desk 14.
I work at Rome's main station.
I work at Lidl on Saturdays.
I don't work at Siemens on Fridays
I don't only work for Siemens.
I don't work for Siemens Energy.""".splitlines()
    ),
    (JOBS["nurse"], "I'm not a nurse today, I'm a patient."),
    (JOBS["nurse"], "I'm not a nurse by training."),
    (JOBS["nurse"], "I'm not just a nurse."),
    (JOBS["teacher"], "I'm not a teacher who yells."),
    *((JOBS["nurse"], f"I'm a {kind} driver.") for kind in ("nervous", "new", "designated", "careful")),
    (JOBS["nurse"], "I'm a lousy cook"),
    (JOBS["nurse"], "I'm a slow writer"),
    (JOBS["nurse"], "I'm a teacher training college reject."),
    (JOBS["nurse"], "I work as a rule from 9 to 5."),
    (MEAT, "I don't eat meat often."),
    (MEAT, "I don't eat meat, usually."),
    (MEAT, "I don't just eat meat."),
    (MEAT, "I don't eat eggs raw"),
    (MEAT, "I don't eat fish and chips."),
    (MEAT, "I can't eat dairy today, I have a test"),
    (MEAT, "I can't eat eggs right now."),
    (VEGETARIAN, "I eat meat substitutes most days."),
    (VEGETARIAN, "I eat fish fingers made of tofu"),
    (VEGETARIAN, "I eat chicken once a year at my gran's, that's it."),
    (VEGETARIAN, "I'm vegan for January."),
    (VEGETARIAN, "I'm not vegetarian today."),
    (VEGETARIAN, "I'm not a vegetarian who preaches."),
    (VEGETARIAN, "On Sundays I'm not vegetarian."),
    (VEGETARIAN, "I'm vegan as a joke."),
    (NAME, "Hi I'm Stuck."),
    (NAME, "Hi, I'm Legend."),
    (NAME, "My name is Not Important."),
    *((LIKES, f"I don't {only} like jazz, I adore it.") for only in ("just", "only", "merely", "often")),
    (LIKES, "I used to like jazz, and still do."),
    (FAVOURITES["restaurant"], "My favourite restaurant is closed on Mondays."),
    (FAVOURITES["restaurant"], "My favourite restaurant is the worst."),
    (FAVOURITES["team"], "My favourite team is losing again"),
    (FAVOURITES["band"], "My favourite band is playing in Rome"),
    (FAVOURITES["band"], "My favourite band is on TV tonight."),
    (FAVOURITES["colour"], "My favourite colour is sold out"),
]


@pytest.mark.parametrize(("known", "said"), LEFT_ALONE)
def test_what_is_known_stays(bank: MemoryBank, known: tuple[str, dict[str, str]], said: str) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, known[0])
    promote(extractor, said, prefix="n")
    assert facts(bank) == known[1]


@pytest.mark.parametrize(
    "text",
    [
        *(f"I have a {kind} allergy" for kind in ("severe", "bad", "seasonal", "mild", "food", "new")),
        "I have a dog allergy test tomorrow.",
        "I'm Deaf, so please no calls.",
        *(f"I'm {what}." for what in ("Autistic", "Sikh", "Capricorn", "Nigerian", "Turkish", "Vietnamese")),
        "For the play: I'm a doctor.",
        "I moved to Slack from Teams.",
        "I wrote 12 pages, and I hate every one of them.",
        # in other languages
        "Ich wohne in Kassel und arbeite bei Siemens.",
        "Ich bin Vegetarierin. Mein Mann ist gegen Erdbeeren allergisch.",
        "Je m'appelle Am\u00e9lie, j'habite \u00e0 Nantes. Je ne mange pas de porc.",
        "Hola, soy Carlos y vivo en Valencia. Me mudo a Alicante en diciembre.",
        "\u5927\u962a\u306b\u4f4f\u3093\u3067\u3044\u307e\u3059\u3002",
    ],
)
def test_nothing_is_found(text: str) -> None:
    assert read_text(text) == []


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("I'm allergic to nuts and shellfish", "allergy.nuts allergy.shellfish"),
        ("I'm allergic to penicillin and react within minutes.", "allergy.penicillin"),
        ("I'm allergic to peanuts and carry an EpiPen", "allergy.peanuts"),
        ("I'm allergic to bees and got stung", "allergy.bees"),
        ("I'm allergic to milk and other things", "allergy.milk"),
        ("I'm allergic to cats, dogs and pollen", "allergy.cats allergy.dogs allergy.pollen"),
        ("I like tea, dark chocolate, and jazz!", "taste.tea taste.dark_chocolate taste.jazz"),
        ("I like tea, but Ben and Tom like coffee.", "taste.tea"),
        ("I love Rome, London and Paris are too loud.", "taste.rome"),
        ("I like jazz, Ben likes rock and pop", "taste.jazz"),
        ("I like tea, thanks.", "taste.tea"),
        ("I'm allergic to dust and so is Ben.", "allergy.dust"),
        ("I like tea and coffee", "taste.tea taste.coffee"),
        ("I love red wine and dark chocolate.", "taste.red_wine taste.dark_chocolate"),
        ("I love coffee and Ben loves cocoa.", "taste.coffee"),
        ("I love coffee and Tom sings", "taste.coffee"),
        ("I like tea and drink it daily", "taste.tea"),
        ("I hate spiders and scream when I see one", "taste.spiders"),
        ("For the playlist: I can't stand opera, jazz is fine.", "taste.opera"),
        ("I love curry \N{HOT PEPPER}\ufe0f", "taste.curry"),
    ],
)
def test_a_list_ends_where_the_sentence_says_something_else(text: str, states: str) -> None:
    assert [each.state for each in read_text(text)] == states.split()


@pytest.mark.parametrize(
    ("known", "said", "then"),
    [
        ("I live in Oslo.", "I moved to Rome last month and love my new flat", {"home": "Rome"}),
        ("I live in Oslo.", "I've just moved from Oslo to Rome.", {"home": "Rome"}),
        ("I live in Oslo.", "We moved to Rome and now live near the river.", {"home": "Rome"}),
        ("I live in Oslo.", "I moved to Rome.", {"home": "Rome"}),
        ("I live in Oslo.", "I've just moved to Rome, and I'm looking for a dentist.", {"home": "Rome"}),
        ("I live in Oslo.", "Last month I moved to Rome for work.", {"home": "Rome"}),
        ("I like tea.", "Great news! I moved to Rome.", {"taste.tea": "likes", "home": "Rome"}),
        ("I live in Oslo.", "I moved out of Oslo last week.", {}),
        ("I live in Oslo.", "I live in St. Andrews.", {"home": "St. Andrews"}),
        ("I live in Oslo.", "After ten years abroad I now live in Rome, Italy.", {"home": "Rome, Italy"}),
        ("I live in Oslo.", "I live in Cairo, but from October I live in Tokyo.", {"home": "Cairo"}),
        ("I live in Oslo.", "For the record, I live in Rome with my wife.", {"home": "Rome"}),
        ("I live in Oslo.", "I live in Rome, Ben lives in Bonn.", {"home": "Rome"}),
        ("I work for Acme.", "I work at St. Mary's Hospital.", {"employer": "St. Mary's Hospital"}),
        ("I work for Acme.", "I work at Google in Bonn and love it.", {"employer": "Google"}),
        ("I work for Siemens.", "I no longer work at Siemens", {}),
        ("I'm a nurse.", "I'm an IT consultant and live alone.", {"job": "IT consultant"}),
        ("I'm a nurse.", "I'm a primary school teacher in Leeds.", {"job": "primary school teacher"}),
        ("I'm a nurse.", "I'm not a nurse any more, I'm a React developer.", {"job": "React developer"}),
        ("I eat meat.", "I don't eat meat any more.", {"avoids.meat": "meat"}),
        ("I eat meat.", "I don't eat meat, and it feels right.", {"avoids.meat": "meat"}),
        ("I eat meat.", "I'm vegan for ethical reasons.", {"diet": "vegan"}),
        ("I have a severe tree nut allergy.", "I'm not allergic to tree nuts.", {}),
        ("I like jazz.", "I don't really like jazz.", {"taste.jazz": "dislikes"}),
        ("Hello, I'm Sebastian.", "Hi, I'm Stuck.", {"name": "Sebastian"}),
        ("My favourite restaurant is Da Enzo", "Hi!", {"favourite_restaurant": "Da Enzo"}),
        ("My favourite colour is blue.", "My favourite colour is dark green.", {"favourite_colour": "dark green"}),
        ("My favourite band is Blur.", "My favourite band is the Beatles.", {"favourite_band": "the Beatles"}),
        ("My favourite hobby is chess.", "My favourite hobby is fishing.", {"favourite_hobby": "fishing"}),
    ],
)
def test_what_is_plain_is_read(bank: MemoryBank, known: str, said: str, then: dict[str, str]) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, known)
    promote(extractor, said, prefix="n")
    assert facts(bank) == then
