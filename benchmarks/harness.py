"""Interleaved measurements: samples by row and contender, medians, ratios and tables.

Only ratios within one interleaved run mean anything on a machine that does other work too. So contenders take turns in
every round, in an order that rotates, and a ratio's spread is that of the rounds' own ratios.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Measures what happens inside `with probe(row):`.
Probe = Callable[[str], AbstractContextManager[None]]
# What a contender does once.
Action = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio to stay under: of ours to `against`; with `absolute`, a number that ours stays under."""

    limit: float
    against: str
    absolute: bool = False


@dataclass
class Samples:
    """What was measured. Lower is better in every row.

    Attributes:
        unit: Of each row's numbers.
        values: By row and contender, one number a round.
    """

    unit: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, row: str, name: str, value: float, unit: str = "us") -> None:
        """Note one number."""
        self.unit[row] = unit
        self.values[row][name].append(value)

    def median(self, row: str, name: str) -> float | None:
        """The median of a row, or None where the contender took no part."""
        numbers = self.values[row].get(name)
        return statistics.median(numbers) if numbers else None

    def ratio(self, row: str, name: str, against: str) -> float | None:
        """Ratio of the medians of two contenders."""
        above, below = self.median(row, name), self.median(row, against)
        return above / below if above is not None and below else None

    def spread(self, row: str, name: str, against: str) -> tuple[float, float] | None:
        """First and third quartile of the ratios within each round."""
        pairs = zip(self.values[row].get(name, ()), self.values[row].get(against, ()), strict=False)
        ratios = [above / below for above, below in pairs if below]
        if len(ratios) < 4:
            return None
        low, _, high = statistics.quantiles(ratios, n=4)
        return low, high

    def stopwatch(self, name: str) -> Probe:
        """A probe that notes microseconds."""

        @contextmanager
        def probe(row: str) -> Iterator[None]:
            start = time.perf_counter_ns()
            yield
            self.add(row, name, (time.perf_counter_ns() - start) / 1000)

        return probe

    def save(self, path: Path, about: Mapping[str, str]) -> None:
        """Write every number as JSON."""
        rows = {row: {"unit": self.unit[row], "samples": by_name} for row, by_name in self.values.items()}
        path.write_text(json.dumps({"about": dict(about), "rows": rows}, indent=1), "utf-8")


def rotated(items: Sequence[T], turn: int) -> list[T]:
    """The items in the order of one round: each comes first in turn."""
    at = turn % len(items)
    return [*items[at:], *items[:at]]


def measure(samples: Samples, row: str, actions: Mapping[str, Action], rounds: int, calls: int = 20) -> None:
    """Note how long each contender takes for one call, the contenders taking turns.

    Args:
        samples: Take the numbers.
        row: What is measured.
        actions: What each contender does, by name; each does it once before, unmeasured.
        rounds: How often each has its turn.
        calls: Of one kind in a row, so that a clock tick or an interrupt does not weigh.
    """
    for action in actions.values():
        action()
    for turn in range(rounds):
        for name, action in rotated([*actions.items()], turn):
            start = time.perf_counter_ns()
            for _ in range(calls):
                action()
            samples.add(row, name, (time.perf_counter_ns() - start) / 1000 / calls)


@dataclass(frozen=True, slots=True)
class Report:
    """How samples are shown.

    Attributes:
        base: The contender that all others are compared with.
        ours: The contender whose targets are checked.
        others: The rest, in the order of their columns.
        targets: By row.
    """

    base: str
    ours: str
    others: Sequence[str]
    targets: Mapping[str, Sequence[Target]]

    def table(self, samples: Samples) -> str:
        """A Markdown table of ratios to the base, which is given in units."""
        head = ["", self.base, f"**{self.ours}**", "quartiles", *self.others, "target"]
        lines = [self._line(samples, row) for row in samples.values]
        return "\n".join(_cells(line) for line in [head, ["---"] + ["---:"] * (len(head) - 1), *lines])

    def _line(self, samples: Samples, row: str) -> list[str]:
        spread = samples.spread(row, self.ours, self.base)
        return [
            row,
            amount(samples.median(row, self.base), samples.unit[row]),
            f"**{_times(samples.ratio(row, self.ours, self.base))}**"
            if samples.median(row, self.base)
            else amount(samples.median(row, self.ours), samples.unit[row]),
            f"{spread[0]:.3f} - {spread[1]:.3f}" if spread else "",
            *(_times(samples.ratio(row, name, self.base)) for name in self.others),
            "; ".join(self.verdict(samples, row, target) for target in self.targets.get(row, ())),
        ]

    def verdict(self, samples: Samples, row: str, target: Target) -> str:
        """A target and whether it is met."""
        got = samples.median(row, self.ours) if target.absolute else samples.ratio(row, self.ours, target.against)
        if got is None:
            return "not measured"
        limit = amount(target.limit, samples.unit[row]) if target.absolute else f"{target.limit:g}x"
        named = "" if target.absolute or target.against == self.base else f" {target.against}"
        shown = amount(got, samples.unit[row]) if target.absolute else f"{got:.3f}x"
        return f"<= {limit}{named}: " + ("met" if got <= target.limit else f"**MISSED** ({shown})")

    def show(self, title: str, samples: Samples) -> None:
        """Print the table, and which targets were missed."""
        print(f"\n## {title}\n\n{self.table(samples)}\n")
        for line in self.missed(samples):
            print(f"missed: {line}")

    def missed(self, samples: Samples) -> list[str]:
        """The targets that were measured and not met."""
        verdicts = [(row, self.verdict(samples, row, t)) for row in samples.values for t in self.targets.get(row, ())]
        return [f"{row}: {verdict}" for row, verdict in verdicts if "MISSED" in verdict]


def amount(value: float | None, unit: str) -> str:
    """A number with its unit, in three digits."""
    if value is None:
        return "-"
    if unit == "us" and value >= 10_000:
        value, unit = value / 1000, "ms"
    if unit == "B" and value >= 10_000:
        value, unit = value / 1000, "kB"
    digits = 0 if value >= 100 or value == int(value) else 1
    return f"{value:,.{digits}f} {unit}".strip()


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3g}x"


def _cells(parts: Sequence[str]) -> str:
    return "| " + " | ".join(parts) + " |"
