# SPDX-License-Identifier: Apache-2.0
"""Two workers beside one, between ports without a ring: tests/bench/bench-workers."""

import json
import os
import tempfile
from dataclasses import dataclass
from statistics import mean, median

from .. import machine, stats
from ..process import BenchError, run
from ..progress import Progress
from ..rounds import blocks, in_turn

TARGET = stats.at_most(1.10)
ONE, TWO, APART = "1 worker", "2 workers", "2 workers on two switches"


@dataclass(frozen=True)
class Setting:
    x: str
    label: str
    flags: tuple
    target: object = None


SETTINGS = (
    Setting("own", "a sink for each source", ("--egress", "own"), TARGET),
    Setting("shared", "one sink, a queue for each worker", ("--egress", "shared")),
    Setting("cross", "the other worker's sources", ("--egress", "cross")),
    Setting("locked", "one sink with one locked queue", ("--egress", "locked")),
    Setting("flows", "own, 100,000 flows", ("--egress", "own", "--flows", 100000)),
    Setting("macs", "own, 100,000 MACs and flows", ("--egress", "own", "--flows", 100000, "--macs", 100000)),
)


@dataclass(frozen=True)
class Workers:
    builds: tuple = ()  # ((name, build folder), ...), podswitch before and after a change; none: the suite's
    name = "workers"
    summary = "Busy cycles per packet of each of two workers, relative to the same worker alone; sources and sinks without rings."
    needs = ("tests/bench/bench-workers",)  # of a build

    def against(self, old, new):
        return Workers((old, new))

    def run(self, setup, options):
        chosen = options.rows.get(self.name)
        if unknown := set(chosen or ()) - {setting.x for setting in SETTINGS}:
            raise BenchError(f"{self.name} has no {', '.join(unknown)}; it has {', '.join(setting.x for setting in SETTINGS)}")
        settings = [setting for setting in SETTINGS if not chosen or setting.x in chosen]
        builds = self.builds or (("", setup.build),)
        rounds = {setting.x: [] for setting in settings}
        # Two builds take turns; one measures all that it can before it is started anew.
        parts = [part for block in blocks(options.rounds, options.restart_every)
                 for part in (([number] for number in block) if self.builds else [block])]
        progress = Progress(self.name, len(parts) * len(settings))
        with machine.hugepages(400):
            for part in parts:
                for setting in settings:
                    progress.step(f"{setting.label}, round {part[-1] + 1} of {options.rounds}")
                    measured = {name: _measure(build, setting, len(part), 0.3 * options.seconds)
                                for name, build in in_turn(builds, part[0])}
                    rounds[setting.x] += [{name: measured[name][i] for name, _ in builds} for i in range(len(part))]
        progress.end()
        notes = ["No peer: testpmd and Open vSwitch cannot be run without rings, and on two CPUs two workers leave none for a "
                 "generator.",
                 "Two switches share nothing but the machine (memory, caches, clock): what they lose is not the switch's."]
        for setting in settings:
            off = max(median(one[name]["off_core"] for one in rounds[setting.x]) for name, _ in builds)
            if off > 0.01:
                notes.append(f"{setting.label}: something else had a worker's CPU for {100 * off:.0f} % of the time.")
        make = self._compared if self.builds else self._row
        return {"rows": [make(setting, rounds[setting.x]) for setting in settings], "x_label": "packets go to",
                "columns": [["cycles", "busy cycles", ".1f"]],
                "notes": notes}

    @staticmethod
    def _row(setting, rounds):
        trials = [one[""] for one in rounds]
        subjects = {name: {"cycles": stats.summary([mean(trial[name]) for trial in trials])} for name in (ONE, TWO, APART)}
        together = [_ratio(trial[TWO], trial[ONE]) for trial in trials]
        apart = [_ratio(trial[APART], trial[f"{ONE}, two switches"]) for trial in trials]
        ratios = [stats.ratio(f"busy cycles: {TWO} / {ONE}", together, setting.target),
                  stats.ratio(f"busy cycles: {APART} / {ONE}", apart),
                  stats.ratio("sharing costs: one switch / two", [a / b for a, b in zip(together, apart)])]
        return {"label": setting.label, "x": setting.x, "rounds": len(rounds), "subjects": subjects, "ratios": ratios,
                "trials": trials}

    def _compared(self, setting, rounds):
        (old, _), (new, _) = self.builds
        subjects = {f"{name}, {kind}": {"cycles": stats.summary([mean(one[name][kind]) for one in rounds])}
                    for name in (old, new) for kind in (ONE, TWO)}
        ratios = [stats.ratio(f"busy cycles, {kind}: {new} / {old}", [_ratio(one[new][kind], one[old][kind]) for one in rounds])
                  for kind in (ONE, TWO)]
        return {"label": setting.label, "x": setting.x, "rounds": len(rounds), "subjects": subjects, "ratios": ratios,
                "trials": rounds}


def _ratio(of, to):
    """Worker by worker."""
    return mean(a / b for a, b in zip(of, to))


def _measure(build, setting, rounds, seconds):
    """Of each round: cycles per packet, by worker."""
    program = os.path.join(build, "tests/bench/bench-workers")
    with tempfile.TemporaryDirectory(prefix="podswitch-bench-") as folder:
        path = os.path.join(folder, "workers.json")
        # It takes both CPUs.
        run("taskset", "-c", ",".join(map(str, sorted(machine.CPUS))), program, *setting.flags, "--rounds", rounds,
            "--seconds", seconds, "--json", path, timeout=60 + 10 * rounds * seconds)
        with open(path) as file:
            result = json.load(file)
    if not result["hugepages"]:
        raise BenchError("bench-workers found no hugepages")
    pairs = zip(result["one_switch"]["rounds"], result["two_switches"]["rounds"])
    return [{ONE: one["alone"], TWO: one["together"], f"{ONE}, two switches": two["alone"], APART: two["together"],
             "off_core": result["off_core_share"]} for one, two in pairs]


CASE = Workers()
