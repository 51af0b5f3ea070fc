"""Near misses are never duplicates, paraphrases may be, and the key of exact duplicates ignores form only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.longterm.identity import differs, normalise

NEAR_MISSES = """
Emma does like it | Emma doesnt like it
Anna ist allergisch | Anna ist nicht allergisch
Anna aime le cinéma | Anna n'aime pas le cinéma
User is allergic to peanuts | User is not allergic to peanuts
The meeting is at 3 pm | The meeting is at 4 pm
The meeting is at 3 pm | The meeting is at 3 am
Anna likes coffee | Anna dislikes coffee
Anna likes coffee | Maria likes coffee
Lives in Berlin | Lives in Munich
Moved from Rome to Oslo | Moved from Oslo to Rome
He owes Tom 20 euros | He owes Tom 30 euros
He owes Tom 20 euros | He owes Tom 20 dollars
The dog bit the man | The man bit the dog
The flight is on Monday | The flight is on Tuesday
The flight is in May | The flight is in June
The flight is on 3 May | The flight is on 5 May
Takes 5 mg every morning | Takes 5 mg every evening
Takes 5 mg daily | Takes 50 mg daily
Runs 5 km a day | Runs 5 miles a day
She is married | She is unmarried
She is happy at work | She is unhappy at work
He agrees with the plan | He disagrees with the plan
The feature is enabled | The feature is disabled
I never eat meat | I eat meat
I no longer smoke | I smoke
I used to smoke | I smoke
He stopped drinking wine | He started drinking wine
Has two children | Has three children
Has 2 cats | Has 2 dogs
Turn left at the church | Turn right at the church
The shop opens on the left side | The shop opens on the right side
Calls his mother every week | Calls his father every week
Calls his mother every week | Calls his mother every month
Visited Paris in 2019 | Visited Paris in 2021
Prefers tea to coffee | Prefers coffee to tea
Plans to buy a car | Bought a car
Will move to Madrid | Moved to Madrid
The door is open | The door is closed
Works before lunch | Works after lunch
Wants more spicy food | Wants less spicy food
Arrives early on Fridays | Arrives late on Fridays
Her older sister is a nurse | Her younger sister is a nurse
He passed the exam | He failed the exam
He won the match | He lost the match
She was hired by Acme | She was fired by Acme
Sold the red car | Sold the blue car
Sold the house | Bought the house
Lent Ben the book | Borrowed Ben the book
The rent is $1,200 | The rent is $1,400
The rent is 1.5 thousand | The rent is 15 thousand
Temperature is -5 degrees | Temperature is 5 degrees
The room is on the first floor | The room is on the second floor
Has a window seat | Has an aisle seat
The deadline is today | The deadline is tomorrow
Swims in summer | Swims in winter
She can't drive | She can drive
He doesn't like jazz | He likes jazz
Without sugar please | With sugar please
Nobody knows about the surprise | Everybody knows about the surprise
The server is in the north region | The server is in the south region
Always locks the door | Rarely locks the door
All guests are vegan | Some guests are vegan
Follows a vegan diet | Follows a vegetarian diet
His doctor is Dr. Weiss | His doctor is Dr. Schwarz
Speaks French and Italian | Speaks French and Spanish
Met Anna at the party | Met Anna and Bob at the party
The password hint is the dog's name | The password hint is the cat's name
It is legal there | It is illegal there
The answer is complete | The answer is incomplete
Call me at 10:30 | Call me at 11:30
Her birthday is 7 April | Her birthday is in April
Allow notifications at night | Do not allow notifications at night
He is single | He is engaged
User has cancer. | User had cancer.
User lives in Oslo. | User lived in Oslo.
User works at Siemens. | User worked at Siemens.
User currently works at Siemens | User worked at Siemens
User is engaged to Kim. | User was engaged to Kim.
User takes ramipril. | User took ramipril.
User's wife is pregnant. | User's wife was pregnant.
User is getting married to Kim in June. | User got married to Kim in June.
User is selling the car | User sold the car
User and Ana are dating | User and Ana were dating
I'm ill | I was ill
He\u2019s a nurse | He was a nurse
Do they like jazz | Did they like jazz
Tom lent me 50 euros | I lent Tom 50 euros
I owe my brother 200 euros | my brother owes me 200 euros
I fired my lawyer | my lawyer fired me
I broke up with Kim | Kim broke up with me
she left me | I left her
J'habite à Lyon | J'habite plus à Lyon
👍 for Lisbon | 👎 for Lisbon
I love it ❤️ | I love it 💔
""".strip().splitlines()

PARAPHRASES = """
User likes coffee | User likes coffee.
User likes coffee | The user likes coffee
The user likes hiking | The user enjoys hiking
The user loves hiking | User really loves to hike
Anna lives in Berlin | Anna is living in Berlin
Anna lives in Berlin | Anna's home is in Berlin
I live in Oslo | I am living in Oslo now
Has two cats | Has 2 cats
Has two cats | There are two cats at home
The meeting is at 3 pm | The meeting is at 3pm
The meeting is at 3 PM | Meeting at 3 pm
The meeting is at 15:00 | The meeting takes place at 15:00
Works as a nurse | Is working as a nurse
Works as a nurse | The user's job is nurse
Favourite colour is green | The favourite colour is green
Allergic to peanuts | User is allergic to peanuts
Allergic to peanuts | User has a peanut allergy
I'm allergic to peanuts | I am allergic to peanuts
He doesn't eat meat | He does not eat meat
He doesn't eat meat | He never eats meat
She can't swim | She cannot swim
She isn't able to swim | She is unable to swim
He dislikes jazz | He hates jazz
He dislikes jazz | He does not like jazz
I don't drink coffee any more | I no longer drink coffee
Stopped smoking | Quit smoking
Wants to learn piano | Would like to learn piano
Plans to visit Rome | Is planning to visit Rome
Will visit Rome | Is going to visit Rome
Studies law at Harvard | Is studying law at Harvard
Her dog is called Rex | Her dog's name is Rex
Her dog is called Rex | The dog she has is called Rex
Plays the guitar | Plays guitar
Plays the guitar every Friday | On Friday evenings the guitar is played
The flight leaves on Monday | The flight departs on Monday
Moved to Lisbon in 2020 | In 2020 moved to Lisbon
Drives a red Volvo | Has a red Volvo
Was born in Kenya | Comes from Kenya
Was born in 1990 | Born in 1990
The rent is $1,200 | Rent: $1200
The rent is 1200 dollars | The rent is $1200
Ran 5 km | Ran 5 kilometres
Ran 5km yesterday | Yesterday I ran 5 km
Weighs 70 kg | Weight is 70 kilograms
It takes 30 minutes | It takes 30 min
Prefers dark mode | Likes dark mode better
Prefers dark mode | The user prefers dark mode
Prefers short answers | The user likes short answers
Uses Python at work | Python is used at work
Speaks French | Can speak French
Speaks French fluently | Is fluent in French
Has a sister | There is a sister
Has one sister | Has a sister
Her sister is a doctor | The sister of hers is a doctor
Married to Tom | Tom is the spouse
Reads mystery novels | Likes reading mystery novels
Goes running in the morning | Runs in the morning
Goes to the gym on Tuesday | Is at the gym on Tuesday
Bought a house in Leeds | Purchased a house in Leeds
Got a new job at Acme | Has a new job at Acme
Collects stamps | Stamp collecting is a hobby
Vegetarian since March | Has been vegetarian since March
The deadline is 12 June | Deadline: 12 June
The deadline is 12th June | The deadline is 12 June
Takes the bus to work | Commutes by bus
User has lived in Oslo since 2019 | User lives in Oslo since 2019
I've lived in Oslo for two years | I live in Oslo for 2 years
User has been vegetarian since March | User is vegetarian since March
User was born in Kenya | User is from Kenya
User is married to Tom | User got married to Tom
A dog named Rex | The dog's name is Rex
Glasses needed for driving | Needs glasses for driving
The meeting is set for 3 pm | The meeting has been set for 3 pm
He's ill | He is ill
Me and Tom are dating | Tom and I are dating
Ben gave me a book | Ben gave a book to me
User has a cat plus a dog | User has a cat and a dog
I love pizza 🍕 | I love pizza
I love pizza ❤️ | I love pizza ❤
""".strip().splitlines()


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    return [(one.strip(), other.strip()) for one, other in (line.split("|") for line in lines)]


def test_the_sets_are_large_enough_to_mean_something() -> None:
    assert len(NEAR_MISSES) >= 60
    assert len(PARAPHRASES) >= 60


@pytest.mark.parametrize(("one", "other"), _pairs(NEAR_MISSES))
def test_a_near_miss_is_no_duplicate(one: str, other: str) -> None:
    assert differs(one, other)
    assert differs(other, one)


@pytest.mark.parametrize(("one", "other"), _pairs(PARAPHRASES))
def test_nothing_speaks_against_a_paraphrase(one: str, other: str) -> None:
    assert differs(one, other) is None
    assert differs(other, one) is None


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("at 3 pm", "at 4 pm", "numbers: 3 pm / 4 pm"),
        ("Lives in Berlin", "Lives in Munich", "names: berlin / munich"),
        ("free on Monday", "free on Friday", "dates: monday / friday"),
        ("allergic", "not allergic", "negation"),
        ("turn left", "turn right", "contrast: left / right"),
        ("Anna worked there", "Anna works there", "tense: worked / works"),
        ("Anna is there", "Anna was there", "tense: is / was"),
        ("Kim called me", "I called Kim", "word order"),
        ("Yes 👍", "Yes 👎", "symbols: 👍 / 👎"),
    ],
)
def test_the_reason_names_what_differs(one: str, other: str, reason: str) -> None:
    assert differs(one, other) == reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like tea.", "i LIKE   tea"),
        ("\u201cI like tea\u201d", "I like tea!"),
        ("It\u2019s 3.5 km (about)", "it's 3.5 km about"),
        ("\ufb01ne", "fine"),
    ],
)
def test_form_does_not_count_in_the_key(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"), [("C++", "C"), ("3.5", "35"), ("-5", "5"), ("you like tea?", "you like tea")]
)
def test_content_counts_in_the_key(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(), st.text())
def test_difference_has_no_direction_and_a_text_equals_itself(one: str, other: str) -> None:
    assert differs(one, one) is None
    assert (differs(one, other) is None) == (differs(other, one) is None)
