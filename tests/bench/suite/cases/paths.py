# SPDX-License-Identifier: Apache-2.0
"""Routing and tunnels beside bridging, one worker between ports without a ring: tests/bench/bench-paths."""

import json
import os
import tempfile
from dataclasses import dataclass
from statistics import median

from .. import machine, stats
from ..process import BenchError, run
from ..progress import Progress
from ..rounds import blocks, in_turn

MORE = stats.at_most(90)  # cycles than bridging
# (path, what it is compared with), as bench-paths calls them
PAIRS = (("encapsulate", "bridge"), ("decapsulate", "bridge_outer"))
NAMES = {"bridge": "bridge", "encapsulate": "encapsulate", "bridge_outer": "bridge, 114 bytes", "decapsulate": "decapsulate"}


@dataclass(frozen=True)
class Setting:
    x: str
    label: str
    flags: tuple
    target: object = None


SETTINGS = (
    Setting("1", "1 flow", ("--flows", 1), MORE),
    Setting("1000", "1,000 flows", ("--flows", 1000), MORE),
    Setting("100000", "100,000 flows", ("--flows", 100000), MORE),
    Setting("nodes", "100,000 flows to 5,000 nodes", ("--flows", 100000, "--nodes", 5000)),
)


@dataclass(frozen=True)
class Paths:
    builds: tuple = ()  # ((name, build folder), ...), podswitch before and after a change; none: the suite's
    name = "paths"
    summary = ("Cycles per packet of one worker: routing into VXLAN and out of it, beside bridging the same frames; sources and "
               "sinks without rings.")
    needs = ("tests/bench/bench-paths",)  # of a build

    def against(self, old, new):
        return Paths((old, new))

    def run(self, setup, options):
        chosen = options.rows.get(self.name)
        if unknown := set(chosen or ()) - {setting.x for setting in SETTINGS}:
            raise BenchError(f"{self.name} has no {', '.join(unknown)}; it has {', '.join(setting.x for setting in SETTINGS)}")
        settings = [setting for setting in SETTINGS if not chosen or setting.x in chosen]
        builds = self.builds or (("", setup.build),)
        rounds = {setting.x: [] for setting in settings}
        parts = list(blocks(options.rounds, 1 if self.builds else options.restart_every))
        progress = Progress(self.name, len(parts) * len(settings))
        with machine.hugepages(200):
            for part in parts:
                for setting in settings:
                    progress.step(f"{setting.label}, round {part[-1] + 1} of {options.rounds}")
                    measured = {name: _measure(build, setting, len(part), 0.1 * options.seconds)
                                for name, build in in_turn(builds, part[0])}
                    rounds[setting.x] += [{name: measured[name][i] for name, _ in builds} for i in range(len(part))]
        progress.end()
        notes = ["No peer: testpmd and Open vSwitch cannot be run without rings.",
                 "2 nodes but for the last row; 256 pods of this node. What is bridged from pod to pod is guarded by MAC and address, "
                 "as what is routed."]
        for setting in settings:
            off = max(median(one[name]["off_core"] for one in rounds[setting.x]) for name, _ in builds)
            if off > 0.01:
                notes.append(f"{setting.label}: something else had the worker's CPU for {100 * off:.0f} % of the time.")
        make = self._compared if self.builds else self._row
        return {"rows": [make(setting, rounds[setting.x]) for setting in settings], "x_label": "with",
                "columns": [["cycles", "cycles", ".1f"]], "notes": notes}

    def _row(self, setting, rounds):
        trials = [one[""] for one in rounds]
        subjects = {NAMES[path]: {"cycles": stats.summary([one[path] for one in trials])} for path in NAMES}
        ratios = [stats.ratio(f"cycles: {NAMES[path]} - {NAMES[base]}", [one[path] - one[base] for one in trials], setting.target)
                  for path, base in PAIRS]
        return {"label": setting.label, "x": setting.x, "rounds": len(rounds), "subjects": subjects, "ratios": ratios,
                "trials": trials}

    def _compared(self, setting, rounds):
        (old, _), (new, _) = self.builds
        subjects = {f"{name}, {NAMES[path]}": {"cycles": stats.summary([one[name][path] for one in rounds])}
                    for name in (old, new) for path in NAMES}
        ratios = [stats.ratio(f"cycles, {NAMES[path]}: {new} / {old}", [one[new][path] / one[old][path] for one in rounds])
                  for path in NAMES]
        return {"label": setting.label, "x": setting.x, "rounds": len(rounds), "subjects": subjects, "ratios": ratios,
                "trials": rounds}


def _measure(build, setting, rounds, seconds):
    """Of each round: cycles per packet, by path."""
    program = os.path.join(build, "tests/bench/bench-paths")
    with tempfile.TemporaryDirectory(prefix="podswitch-bench-") as folder:
        path = os.path.join(folder, "paths.json")
        run("taskset", "-c", ",".join(map(str, sorted(machine.CPUS))), program, *setting.flags, "--core", machine.switch_cpu(),
            "--rounds", rounds, "--seconds", seconds, "--json", path, timeout=60 + 20 * rounds * seconds)
        with open(path) as file:
            result = json.load(file)
    if not result["hugepages"]:
        raise BenchError("bench-paths found no hugepages")
    return [{**one, "off_core": result["off_core_share"]} for one in result["rounds"]]


CASE = Paths()
