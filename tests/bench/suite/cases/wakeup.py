# SPDX-License-Identifier: Apache-2.0
"""The first packet after idle: tests/bench/wakeup, a few wake-ups in each round."""

import json
from dataclasses import dataclass

from .. import machine, stats
from ..process import run
from ..progress import Progress
from ..rounds import in_turn

SWITCH, BARE = "podswitch, tap to tap", "bare eventfd loop"
KEYS = ("p50", "p90", "max")
COUNT, QUIET_MS = 20, 250


@dataclass(frozen=True)
class WakeUp:
    builds: tuple = ()  # ((name, build folder), ...), podswitch before and after a change; none: the suite's
    name = "wakeup"
    summary = "First packet after idle, tap to tap, against a bare eventfd loop across the same CPUs; microseconds."

    def against(self, old, new):
        return WakeUp((old, new))

    def run(self, setup, options):
        count, quiet_ms = (10, 20) if options.smoke else (COUNT, QUIET_MS)
        builds = self.builds or ((SWITCH, setup.build),)
        progress = Progress(self.name, options.rounds * len(builds))
        rounds = []
        for number in range(options.rounds):
            figures = {}
            for name, build in in_turn(builds, number):
                progress.step(f"{count} wake-ups, {quiet_ms} ms quiet before each, round {number + 1} of {options.rounds}")
                figures[name] = _measure(setup, build, count, quiet_ms)
            rounds.append(figures)
        progress.end()
        lost = sum(figures["lost"] for one in rounds for figures in one.values())
        return {"rows": [self._row(builds, rounds, count, quiet_ms)], "x_label": "", "columns": [[key, key, ".1f"] for key in KEYS],
                "notes": [f"Medians over the rounds of each round's percentiles, of {count} wake-ups each. {lost} lost. "
                          "`sudo tests/bench/wakeup` has 1,000 wake-ups of a quiet second each.",
                          "testpmd and Open vSwitch are left out: they poll without end and are never asleep. The bare loop is the "
                          "floor: a thread that waits on an eventfd, and answers; the wake-ups alternate with the switch's."]}

    def _row(self, builds, rounds, count, quiet_ms):
        subjects = {name: _summaries([one[name]["switch_us"] for one in rounds]) for name, _ in builds}
        subjects[BARE] = _summaries([figures["eventfd_us"] for one in rounds for figures in one.values()])
        ratios = []
        for key in KEYS[:2]:
            ratios += [stats.ratio(f"{key}: {name} / {BARE}", [one[name]["switch_us"][key] / one[name]["eventfd_us"][key]
                                                               for one in rounds]) for name, _ in builds]
            if self.builds:
                (old, _), (new, _) = builds
                ratios.append(stats.ratio(f"{key}: {new} / {old}", [one[new]["switch_us"][key] / one[old]["switch_us"][key]
                                                                    for one in rounds]))
        return {"label": f"{count} wake-ups after {quiet_ms} ms", "x": quiet_ms, "rounds": len(rounds), "subjects": subjects,
                "ratios": ratios, "trials": rounds}


def _summaries(figures):
    return {key: stats.summary([one[key] for one in figures]) for key in KEYS}


def _measure(setup, build, count, quiet_ms):
    # It places its threads itself.
    printed = run("taskset", "-c", ",".join(map(str, sorted(machine.CPUS))), machine.ROOT / "tests/bench/wakeup",
                  "--count", count, "--quiet-ms", quiet_ms, "--build", build, "--probe", setup.program("wakeup-probe"),
                  timeout=count * quiet_ms / 1000 + 60)
    return json.loads(printed)


CASE = WakeUp()
