"""What a memory's own history says of it: how often and how lately it was used. Pure functions, all between 0 and 1.

These are tie-breaks, not relevance: measured on real dialogues a recency weight of .1 costs .3 points of nDCG@10,
1.0 costs 24, and neither lifts the current fact over the old one. What is current is a matter of supersession, not
of age.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["activation", "recency"]

DECAY = 0.5
"""ACT-R's decay d; .5 in practically all of its models (Anderson and Schooler 1991)."""

DAY = 86_400.0
_SHORTEST = 1.0  # seconds: an access in this very moment would be infinitely active


def activation(accesses: Sequence[float], count: int, created: float, now: float, *, decay: float = DECAY) -> float:
    """ACT-R base-level activation, squeezed into 0 to 1.

    B = ln(sum over accesses of age^-d): Anderson and Schooler 1991, "Reflections of the Environment in Memory". Only
    the newest times are kept; the others are taken as spread evenly between creation and the oldest time kept, the
    hybrid of Petrov 2006, "Computationally Efficient Approximation of the Base-Level Learning Equation in ACT-R":

        sum = sum_{i<=k} t_i^-d  +  (n - k) (t_n^(1-d) - t_k^(1-d)) / ((1 - d) (t_n - t_k))

    Ages count in days. The squeeze is the logistic function of B, which for that sum S is S / (1 + S).

    Args:
        accesses: The newest access times, epoch seconds, in any order; creation counts as an access when there is
            none.
        count: How many accesses there were in all; never taken as fewer than `accesses` holds.
        created: When the memory was written, epoch seconds.
        now: The present, epoch seconds.
        decay: The exponent d, over 0 and below 1.

    Returns:
        About .5 for one access a day ago, near 1 for many fresh ones, near 0 for one long ago.
    """
    first = max(_SHORTEST, now - created) / DAY
    if not accesses and count <= 1:  # as most are
        return 1.0 / (1.0 + math.pow(first, decay))
    ages = [max(_SHORTEST, now - moment) / DAY for moment in accesses] or [first]
    total = sum([math.pow(age, -decay) for age in ages])
    unseen = count - len(ages)
    if unseen > 0:
        total += unseen * _mean_trace(max(ages), first, decay)
    return total / (1.0 + total)


def recency(moment: float, now: float, half_life: float) -> float:
    """Exponential ageing: 1 for now (or the future), .5 after one half-life.

    Args:
        moment: When the memory was written or last confirmed, epoch seconds.
        now: The present, epoch seconds.
        half_life: In days; infinity for what never ages.
    """
    return math.pow(2.0, -max(0.0, now - moment) / DAY / half_life)


def _mean_trace(newer: float, older: float, decay: float) -> float:
    """Mean of age^-d over ages spread evenly from newer to older."""
    if older - newer < 1e-6:
        return math.pow(newer, -decay)
    rest = 1.0 - decay
    return (math.pow(older, rest) - math.pow(newer, rest)) / (rest * (older - newer))
