"""A data set for recall: months of talk, with dated facts, updates, distractors and labelled questions.

Nothing here comes from a public benchmark. `data/episodes.txt` holds some 110 short hand-written scenes (its header
explains the format); this generator casts them with people, fills their slots, plays some twice with the roles
swapped (so that the same thing happens to both speakers and only the speaker tells them apart), spreads their parts
over sessions, and mixes in small talk, greetings and asides. The same seed gives the same data set on every machine.

    python -m benchmarks.dialogues            # prints counts and a sample
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

EPISODES = Path(__file__).parent / "data" / "episodes.txt"
SLOTS = Path(__file__).parent / "data" / "slots.txt"
_COMMON = frozenset(
    """about after again always been before could does doing down ever every from going have here honestly into just
    like more most much never only over past really said same that their them then there they think this though today
    very want wanted were what when where which with would your yours""".split()
)


Part = tuple[tuple[str, str, int], ...]
Values = dict[str, str]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of talk, the memory to be found; `state` is its state key where it tells a value that changes."""

    id: str
    user: str
    speaker: str
    text: str
    session: str
    sequence: int
    when: datetime
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A query with the turns that answer it, and those that once did; `kind` is fact, current or statement."""

    user: str
    text: str
    evidence: frozenset[str]
    stale: frozenset[str]
    kind: str
    family: str
    asked: datetime


@dataclass(frozen=True, slots=True)
class Dialogues:
    """All turns and questions of some users."""

    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]

    def only(self, users: frozenset[str]) -> Dialogues:
        """The part that belongs to some users."""
        return Dialogues(
            tuple(turn for turn in self.turns if turn.user in users),
            tuple(question for question in self.questions if question.user in users),
        )

    @property
    def users(self) -> tuple[str, ...]:
        """The users in order."""
        return tuple(dict.fromkeys(turn.user for turn in self.turns))


@dataclass(frozen=True, slots=True)
class Scene:
    """One entry of episodes.txt: parts of lines (role, text, mark), and asks (kind, marks, stale marks, text)."""

    name: str
    parts: tuple[Part, ...]
    asks: tuple[tuple[str, tuple[int, ...], tuple[int, ...], str], ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A line on its way into a session: who says what, and which mark of which staging it bears."""

    speaker: str
    text: str
    staging: int
    mark: int
    state: str | None


def generate(seed: int = 7, users: int = 12) -> Dialogues:
    """Builds the data set.

    Args:
        seed: The same seed gives the same data set.
        users: How many users; every fourth talks with an assistant, the others with a friend.
    """
    scenes, slots = _scenes(), _slots()
    turns: list[Turn] = []
    questions: list[Question] = []
    for number in range(users):
        part = _Life(random.Random(f"{seed}/{number}"), number, scenes, slots).play()
        turns += part.turns
        questions += part.questions
    return Dialogues(tuple(turns), tuple(questions))


def split(data: Dialogues) -> tuple[Dialogues, Dialogues]:
    """Parts the users into tune (two thirds) and test (every third); nothing of one user is in both."""
    tested = frozenset(data.users[2::3])
    return data.only(frozenset(data.users) - tested), data.only(tested)


class _Life:
    """Months of talk of one user with one partner."""

    def __init__(self, rng: random.Random, number: int, scenes: list[Scene], slots: Mapping[str, list[str]]) -> None:
        self.rng = rng
        self.slots = slots
        self.user = f"user{number}"
        self.assisted = number % 4 == 3
        names = rng.sample(slots["name"], 2)
        self.cast = ("User", "Assistant") if self.assisted else (names[0], names[1])
        self.scenes = [scene for scene in scenes if self._fits(scene)]
        self.sessions = 24
        self.first = datetime(2023, 1, 3, 9, tzinfo=UTC) + timedelta(days=rng.randrange(60))

    def _fits(self, scene: Scene) -> bool:
        if self.assisted:
            return scene.name.startswith("u_") or self.rng.random() < 0.4
        return not scene.name.startswith("u_") and (scene.name.startswith("chat_") or self.rng.random() < 0.75)

    def play(self) -> Dialogues:
        """Stages every scene, spreads the parts over sessions and writes the questions."""
        stagings = self._stagings()
        agenda: list[list[list[Said]]] = [[] for _ in range(self.sessions)]
        for index, (scene, roles, values) in enumerate(stagings):
            for place, part in zip(self._places(len(scene.parts)), scene.parts, strict=True):
                agenda[place].append(self._say(index, scene, part, roles, values))
        turns, found = self._hold(agenda)
        questions = [
            question
            for index, (scene, roles, values) in enumerate(stagings)
            for question in self._ask(scene, roles, values, {m: t for (i, m), t in found.items() if i == index})
        ]
        return Dialogues(tuple(turns), tuple(questions))

    def _stagings(self) -> list[tuple[Scene, dict[str, str], dict[str, str]]]:
        user, partner = self.cast
        stagings = []
        for scene in self.scenes:
            castings = [(user, partner)] if self.assisted or self.rng.random() < 0.5 else [(partner, user)]
            if not self.assisted and self.rng.random() < 0.5:
                castings.append(castings[0][::-1])
            if scene.name.startswith("chat_"):
                castings = [self.rng.choice([(user, partner), (partner, user)]) for _ in range(4)]
            stagings += [(scene, {"A": a, "B": b}, self._draw()) for a, b in castings]
        return stagings

    def _draw(self) -> dict[str, str]:
        """One value for every slot; numbered slots such as {city2} differ from {city}."""
        values: dict[str, str] = {}
        for slot, choices in self.slots.items():
            one, two = self.rng.sample(choices, 2)
            values |= {slot: one, f"{slot}2": two}
        values |= {
            "n": str(self.rng.randint(3, 40)),
            "n2": str(self.rng.randint(41, 90)),
            "money": f"{self.rng.randint(4, 90) * 10} euros",
        }
        values["friend"], values["person"] = self.rng.sample(self.slots["other"], 2)
        values["person2"] = self.rng.choice([name for name in self.slots["other"] if name not in values.values()])
        return values

    def _places(self, parts: int) -> list[int]:
        return sorted(self.rng.sample(range(self.sessions), parts))

    def _say(self, index: int, scene: Scene, part: Part, roles: Values, values: Values) -> list[Said]:
        changing = {mark for kind, marks, stale, _ in scene.asks if kind == "current" for mark in (*marks, *stale)}
        lines = []
        for role, text, mark in part:
            state = f"{roles['A']}/{scene.name}" if mark in changing else None
            lines.append(Said(roles[role], self._season(_fill(text, roles | values), roles, role), index, mark, state))
        return lines

    def _season(self, text: str, roles: Mapping[str, str], role: str) -> str:
        """Adds what people add: an opener with the other's name, a closing question."""
        if self.assisted:
            return text
        other = roles["B" if role == "A" else "A"]
        if self.rng.random() < 0.18:
            text = f"{self.rng.choice(self.slots['opener']).replace('{B}', other)} {text}"
        if not text.endswith("?") and self.rng.random() < 0.12:
            text = f"{text} {self.rng.choice(self.slots['closer']).replace('{B}', other)}"
        return text

    def _hold(self, agenda: list[list[list[Said]]]) -> tuple[list[Turn], dict[tuple[int, int], Turn]]:
        turns: list[Turn] = []
        found: dict[tuple[int, int], Turn] = {}
        when = self.first
        for number, parts in enumerate(agenda):
            self.rng.shuffle(parts)
            session = f"{self.user}-s{number}"
            lines = [*self._greeting(), *(line for part in parts for line in part)]
            for sequence, line in enumerate(lines):
                text = line.text.replace("{past}", self.rng.choice(self.slots["past"]))
                turn = Turn(f"{session}-{sequence}", self.user, line.speaker, text, session, sequence, when, line.state)
                turns.append(turn)
                if line.mark:
                    found[line.staging, line.mark] = turn
            when += timedelta(days=self.rng.randint(3, 17), hours=self.rng.randint(-3, 3))
        return turns, found

    def _greeting(self) -> list[Said]:
        if self.assisted:
            return []
        pair = list(self.cast)
        self.rng.shuffle(pair)
        return [
            Said(pair[turn], self.rng.choice(self.slots[slot]).replace("{B}", pair[1 - turn]), -1, 0, None)
            for turn, slot in ((0, "greeting"), (1, "answer"))
        ]

    def _ask(self, scene: Scene, roles: Values, values: Values, found: Mapping[int, Turn]) -> Iterator[Question]:
        dates = {f"date{m}": f"{t.when.day} {t.when:%B} {t.when.year}" for m, t in found.items()}
        for kind, marks, stale, template in scene.asks:
            text = _first_person(template) if self.assisted else template
            if kind == "fact":
                text = self._hint(text, found[marks[0]])
            yield Question(
                user=self.user,
                text=_fill(text, roles | values | dates),
                evidence=frozenset(found[m].id for m in marks),
                stale=frozenset(found[m].id for m in stale),
                kind=kind,
                family=scene.name,
                asked=self.first + timedelta(days=400),
            )

    def _hint(self, question: str, evidence: Turn) -> str:
        """Adds what people who ask remember: a word or two of what was said, or the month."""
        words = [word for word in re.findall(r"[a-z]{4,}", evidence.text) if word not in _COMMON]
        count = self.rng.choices((0, 1, 2), (5, 4, 1))[0]
        if words and count:
            hint = " and ".join(dict.fromkeys(self.rng.sample(words, min(count, len(words)))))
            question = f"{question[:-1]} {self.rng.choice(('about', 'with', 'regarding', 'and'))} {hint}?"
        if not question.startswith("When") and self.rng.random() < 0.15:
            question = f"{question[:-1]} in {evidence.when:%B %Y}?"
        return question


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: m[0] if m[1] == "past" else values[m[1]], text)


def _first_person(text: str) -> str:
    """Whoever talks with an assistant asks about himself: "What did {A} buy?" becomes "What did I buy?"."""
    for old, new in (
        ("{A}'s", "my"),
        ("does {A}", "do I"),
        ("is {A}", "am I"),
        ("has {A}", "have I"),
        ("Has {A}", "Have I"),
    ):
        text = text.replace(old, new)
    text = re.sub(r"\b(for|to|with|given|gave|took|give|left|from|on) \{A\}", r"\1 me", text)
    return text.replace("{A}", "I")


def _scenes() -> list[Scene]:
    blocks = re.split(r"^== ", EPISODES.read_text(encoding="utf-8"), flags=re.M)[1:]
    return [_scene(block.strip().splitlines()) for block in blocks]


def _scene(lines: list[str]) -> Scene:
    parts: list[list[tuple[str, str, int]]] = [[]]
    asks = []
    for line in lines[1:]:
        if line == "--":
            parts.append([])
        elif match := re.fullmatch(r"([AB]): (.*?)(?: \[(\d)\])?", line):
            parts[-1].append((match[1], match[2], int(match[3] or 0)))
        elif match := re.fullmatch(r"([?!~]) ([\d,]+)(?:>(\d))? \| (.*)", line):
            kind = {"?": "fact", "!": "statement", "~": "current"}[match[1]]
            stale = (int(match[3]),) if match[3] else ()
            asks.append((kind, tuple(int(m) for m in match[2].split(",")), stale, match[4]))
        elif line:
            raise ValueError(f"episodes.txt: cannot read {line!r} in scene {lines[0]!r}")
    return Scene(lines[0], tuple(tuple(part) for part in parts), tuple(asks))


def _slots() -> dict[str, list[str]]:
    lines = (line for line in SLOTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return {
        name: [value.strip() for value in values.split(";")] for name, values in (line.split(": ", 1) for line in lines)
    }


if __name__ == "__main__":
    made = generate()
    for label, part in zip(("tune", "test"), split(made), strict=True):
        print(f"{label}: {len(part.users)} users, {len(part.turns)} turns, {len(part.questions)} questions")
    for turn in made.turns[:20]:
        print(f"{turn.when:%Y-%m-%d} {turn.speaker}: {turn.text}")
    for question in made.questions[:10]:
        print(question.text, sorted(question.evidence))
