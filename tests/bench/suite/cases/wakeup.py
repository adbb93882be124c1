# SPDX-License-Identifier: Apache-2.0
"""The first packet after idle: tests/bench/wakeup, with few wake-ups."""

import json

from .. import machine
from ..process import run
from ..progress import Progress

SWITCH, BARE = "podswitch, tap to tap", "bare eventfd loop"


class WakeUp:
    name = "wakeup"
    summary = "First packet after idle, tap to tap, against a bare eventfd loop across the same CPUs; microseconds."

    def run(self, setup, options):
        count, quiet_ms = (10, 20) if options.smoke else (20 * options.rounds, 250)
        progress = Progress(self.name, 1)
        progress.step(f"{count} wake-ups, {quiet_ms} ms quiet before each: about {count * quiet_ms // 1000} s")
        # It places its threads itself.
        printed = run("taskset", "-c", ",".join(map(str, sorted(machine.CPUS))), machine.ROOT / "tests/bench/wakeup",
                      "--count", count, "--quiet-ms", quiet_ms, "--build", setup.build, timeout=count * quiet_ms / 1000 + 60)
        progress.end()
        figures = json.loads(printed)
        keys = ("p50", "p90", "p99", "max")
        subjects = {name: {key: figures[source][key] for key in keys}
                    for name, source in ((SWITCH, "switch_us"), (BARE, "eventfd_us"))}
        row = {"label": f"{count} wake-ups after {quiet_ms} ms", "x": quiet_ms, "rounds": 1, "subjects": subjects, "ratios": [],
               "trials": [figures]}
        return {"rows": [row], "x_label": "", "columns": [[key, key, ".1f"] for key in keys],
                "notes": [f"{figures['lost']} lost; `sudo tests/bench/wakeup` has 1,000 wake-ups of a quiet second each."]}


CASE = WakeUp()
