"""What the page's sliders set: thresholds, weights and budgets, each with its bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.scoring import RecallWeights


class Slider(NamedTuple):
    """A number that the page may set.

    Attributes:
        name: The field of `Settings`.
        label: What it is called on the page.
        low: Its least value.
        high: Its greatest value.
        step: The distance of two values.
        about: What it does, in a line.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    about: str


SLIDERS = (
    Slider("duplicate", "Duplicate from cosine", 0.7, 1, 0.01, "Nearer than this, two memories say the same"),
    Slider("limit", "Memories recalled", 1, 12, 1, "The most that one recall returns"),
    Slider("token_budget", "Token budget", 100, 1000, 50, "What the recalled texts may take of the prompt"),
    Slider("quiet", "Quiet seconds", 1, 30, 1, "How long a thread must rest before it is promoted"),
    Slider("semantic", "Meaning", 0, 2, 0.05, "Weight of the cosine"),
    Slider("lexical", "Words", 0, 2, 0.05, "Weight of BM25"),
    Slider("coverage", "Coverage", 0, 2, 0.05, "Weight of the share of the question's words"),
    Slider("substance", "Substance", 0, 2, 0.05, "Weight of having something to say"),
    Slider("recency", "Recency", 0, 1, 0.01, "Weight of youth, by the half-life of its kind"),
    Slider("diversity", "Diversity", 0, 1, 0.05, "Penalty for repeating a better result"),
    Slider("floor", "Noise floor", 0, 0.2, 0.01, "Evidence below which nothing is returned"),
)
_BOUNDS = {slider.name: slider for slider in SLIDERS}
_WEIGHTS = frozenset(each.name for each in fields(RecallWeights))
_TUNED = RecallWeights()
_DIGITS = 6
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Settings:
    """The sliders' values; the defaults are those of the package, but for a demo's shorter waits and lists."""

    duplicate: float = 0.95
    limit: float = 5
    token_budget: float = 400
    quiet: float = 3
    semantic: float = _TUNED.semantic
    lexical: float = _TUNED.lexical
    coverage: float = _TUNED.coverage
    substance: float = _TUNED.substance
    recency: float = _TUNED.recency
    diversity: float = _TUNED.diversity
    floor: float = _TUNED.floor

    def changed(self, values: Mapping[str, float]) -> Settings:
        """These settings with others.

        Raises:
            InvalidInputError: A value is out of bounds or between two steps, or there is no such slider.
        """
        return replace(self, **{name: _stepped(name, value) for name, value in values.items()})

    def for_bank(self) -> dict[str, Any]:
        """Those among them that a bank is made with."""
        weights = RecallWeights(**{name: value for name, value in asdict(self).items() if name in _WEIGHTS})
        return {"weights": weights, "duplicate_threshold": self.duplicate}

    def plain(self) -> list[dict[str, Any]]:
        """The sliders with their values, for the page."""
        return [slider._asdict() | {"value": getattr(self, slider.name)} for slider in SLIDERS]


def _stepped(name: str, value: float) -> float:
    """A slider's value, without what floating point adds to it."""
    if (slider := _BOUNDS.get(name)) is None:
        raise InvalidInputError(f"settings: there is none named {name!r}")
    exact = round(value, _DIGITS)
    if not slider.low <= exact <= slider.high:
        raise InvalidInputError(f"{name}: a number from {slider.low} to {slider.high}, not {value}")
    steps = (exact - slider.low) / slider.step
    if not math.isclose(steps, round(steps), abs_tol=_TOLERANCE):
        raise InvalidInputError(f"{name}: a number from {slider.low} in steps of {slider.step}, not {value}")
    return exact
