# SPDX-License-Identifier: Apache-2.0
"""Medians, bootstrap intervals, and whether a target is met."""

import random
from statistics import median

RESAMPLES = 2000


def interval(values, confidence=0.95):
    """Percentile bootstrap of the median; seeded, so that one set of figures gives one interval."""
    rng = random.Random(1)
    medians = sorted(median(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = (1 - confidence) / 2
    return medians[int(tail * RESAMPLES)], medians[min(RESAMPLES - 1, int((1 - tail) * RESAMPLES))]


def summary(values):
    """All None when there are no values."""
    if not values:
        return {"median": None, "low": None, "high": None, "values": []}
    low, high = interval(values)
    return {"median": median(values), "low": low, "high": high, "values": list(values)}


class Target:
    """`at most` or `at least` a value."""

    def __init__(self, kind, value):
        assert kind in ("at most", "at least")
        self.kind = kind
        self.value = value

    def __str__(self):
        return f"{self.kind} {self.value:g}"

    def verdict(self, low, high):
        """met, missed, or undecided when the interval spans the target, or there is none."""
        if low is None:
            return "undecided"
        if self.kind == "at least":
            low, high = -high, -low
        bound = self.value if self.kind == "at most" else -self.value
        if high <= bound:
            return "met"
        return "missed" if low > bound else "undecided"


def at_most(value):
    return Target("at most", value)


def at_least(value):
    return Target("at least", value)


def ratio(label, values, target=None):
    result = {"label": label, **summary(values), "rounds": len(values), "target": None, "verdict": None}
    if target:
        result.update(target=str(target), verdict=target.verdict(result["low"], result["high"]))
    return result
