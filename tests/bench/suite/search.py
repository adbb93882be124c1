# SPDX-License-Identifier: Apache-2.0
"""The highest rate whose loss stays within a bound, in the manner of MLRsearch (FD.io): the rate at full load bounds
the search, few trials narrow it down, and only what they leave is measured with many. A rate holds when more than half
of its trials hold: on a machine that is shared, the host takes a CPU away every now and then for longer than any ring
lasts, and which trial it hits says nothing about the switch."""

from dataclasses import dataclass

NDR = 0.00001
PDR = 0.005


@dataclass(frozen=True)
class Phase:
    width: float  # of the interval that is left, as a part of its upper bound
    trials: int


PHASES = (Phase(0.08, 3), Phase(0.03, 5), Phase(0.01, 15))


def loss_ratio(result):
    """What the switch's full ring refused is lost as well: nobody waits for it."""
    offered = result["sent"] + result["refused"]
    return max(0, offered - result["received"]) / offered if offered else 1.0


class Search:
    """measure(rate) is a loss ratio, or None when the generator could not offer the rate: then it is not reached."""

    def __init__(self, measure, full_rate, phases=PHASES):
        self.measure = measure
        self.full_rate = full_rate
        self.phases = phases
        self.known = {}  # rate: what was measured

    def highest(self, bound):
        """The rate, 0 when even a hundredth of the full rate loses more."""
        low, high = 0.5 * self.full_rate, self.full_rate
        for phase in self.phases:
            low, high = self._narrow(low, high, bound, phase)
            if low == 0:
                return 0.0
        return low

    def held_back(self, found, bound):
        """Whether it was the generator that kept `found` from being higher."""
        above = [rate for rate in self.known if rate > found]
        if not above:
            return False
        losses = self.known[min(above)]
        bad = sum(loss is not None and loss > bound for loss in losses)
        return 2 * bad <= len(losses)

    def _narrow(self, low, high, bound, phase):
        step = max(high - low, phase.width * high)
        # What few trials said need not hold for many: first both ends.
        while not self._holds(low, bound, phase):
            low, high, step = low - step, low, 2 * step
            if low < 0.01 * self.full_rate:
                low = 0.01 * self.full_rate
                if high <= low or not self._holds(low, bound, phase):
                    return 0, 0
        step = max(high - low, phase.width * high)
        while high < self.full_rate and self._holds(high, bound, phase):
            low, high, step = high, min(high + step, self.full_rate), 2 * step
        if high == self.full_rate and self._holds(high, bound, phase):
            return high, high
        while high - low > phase.width * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self._holds(middle, bound, phase) else (low, middle)
        return low, high

    def _holds(self, rate, bound, phase):
        losses = self.known.setdefault(rate, [])
        while True:
            good = sum(loss is not None and loss <= bound for loss in losses)
            # Decided as soon as the rest could not change it.
            if 2 * good > phase.trials or 2 * (len(losses) - good) > phase.trials:
                return 2 * good > len(losses)
            losses.append(self.measure(rate))
