# SPDX-License-Identifier: Apache-2.0
"""The highest rate without loss (NDR) and with little (PDR), and latency at half the former."""

from dataclasses import dataclass

from .. import machine, search, stats
from ..progress import Progress
from ..rounds import attached, blocks, one_round
from ..process import BenchError
from ..subject import OVS, PODSWITCH, TESTPMD, Spec, available

SPECS = (Spec(TESTPMD), Spec(PODSWITCH), Spec(OVS))
TARGET = stats.at_least(0.85)
LATENCIES = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}


@dataclass(frozen=True)
class NoLoss:
    specs: tuple = SPECS
    of: str = PODSWITCH  # what the others are compared with
    name = "noloss"
    summary = ("Bridge between 2 ports, one direction, 64-byte frames: the highest rate that loses at most 0.001 % (NDR) and "
               "0.5 % (PDR); latency at half the NDR.")
    flows = (1, 1000, 100000)

    def against(self, old, new):
        return NoLoss(tuple(Spec(PODSWITCH, name, build=build) for name, build in (old, new)), new[0])

    def run(self, setup, options):
        chosen = [int(row) for row in options.rows.get(self.name) or self.flows]
        if unknown := set(chosen) - set(self.flows):
            raise BenchError(f"{self.name} has no {sorted(unknown)}; it has {self.flows}")
        chosen = chosen[:1] if options.smoke else chosen
        specs = [spec for spec in self.specs if available(spec.kind)]
        progress = Progress(self.name, options.rounds * len(chosen) * len(specs))
        rounds = {flows: [] for flows in chosen}
        with machine.hugepages(sum(spec.hugepages for spec in specs)):
            for block in blocks(options.rounds, options.restart_every):
                with attached(specs, setup) as subjects:
                    for flows in chosen:
                        for number in block:
                            rounds[flows].append(one_round(subjects, number, lambda subject: self._measure(
                                subject, flows, options, progress)))
        progress.end()
        notes = [f"NDR and PDR are a lenient majority decision: they hold in more than half of up to 15 trials of "
                 f"{options.noloss_ms} ms, the others may lose more. loss %: in one trial of {options.seconds:g} s at the NDR, with "
                 "all that the machine did meanwhile."]
        notes += [f"{spec.name}: not installed, left out." for spec in self.specs if spec not in specs]
        return {"rows": [self._row(flows, rounds[flows]) for flows in chosen], "notes": notes, "x_label": "flows",
                "columns": [["ndr", "NDR Mpps", ".2f"], ["pdr", "PDR Mpps", ".2f"], ["full", "max Mpps", ".2f"],
                            ["loss", "loss %", ".3f"],
                            *([key, f"{name} us", ".1f"] for key, name in LATENCIES.items())]}

    def _measure(self, subject, flows, options, progress):
        progress.step(f"{flows:,} flows, {subject.name}")
        # It runs through: what a switch makes up for after a stop must not count as loss.
        with subject.running():
            return self._search(subject, flows, options)

    @staticmethod
    def _search(subject, flows, options):
        trial = {"pattern": "one-way", "flows": flows, "warmup_ms": options.warmup_ms, "seconds": options.seconds}
        spoilt = 0

        def run(**more):
            return subject.generator.trial({**trial, **more})

        def loss(rate):
            nonlocal spoilt
            for _ in range(3):
                result = run(rate=rate, seconds=options.noloss_ms / 1000, warmup_ms=20)
                # A generator that stood still so long has filled the ring by itself while it caught up.
                if result["longest_turn_ns"] / 1e9 * rate < 3 * subject.queue_size:
                    break
                spoilt += 1
            return search.loss_ratio(result)

        def fastest():
            return max(run()["rate_received"] for _ in range(3))

        full = fastest()
        for _ in range(3):
            searching = search.Search(loss, full, search.PHASES[:1] if options.smoke else search.PHASES)
            ndr, pdr = searching.highest(search.NDR), searching.highest(search.PDR)
            # A maximum that was measured in a bad moment would cap what is searched below it, and flatter the ratio.
            before, full = full, max(full, fastest())
            if full < 1.03 * before:
                break
        figures = {"full": full / 1e6, "ndr": ndr / 1e6, "pdr": pdr / 1e6}
        if figures["ndr"]:
            figures["loss"] = 100 * search.loss_ratio(run(rate=figures["ndr"] * 1e6))
            latency = run(rate=figures["ndr"] * 1e6 / 2, latency=True)["latency_ns"]
            figures.update({key: latency[key] / 1000 for key in LATENCIES})
        searched = {f"{rate / 1e6:.3f}": [round(100 * one, 4) for one in losses]
                    for rate, losses in sorted(searching.known.items())}
        return {"subject": subject.name, **figures, "spoilt_trials": spoilt, "loss_percent_at_mpps": searched}

    def _row(self, flows, rounds):
        names = [name for name in (spec.name for spec in self.specs) if name in rounds[0]]
        subjects = {name: {key: stats.summary([one[name].get(key, 0) for one in rounds])
                           for key in ("ndr", "pdr", "full", "loss", *LATENCIES)} for name in names}
        ratios = []
        for name in names:
            for key, heading in (("ndr", "NDR"), ("pdr", "PDR")):
                values = [one[name][key] / one[name]["full"] for one in rounds]
                target = TARGET if (name, key) == (self.of, "ndr") else None
                ratios.append(stats.ratio(f"{name}: {heading} / max", values, target))
        for other in (name for name in names if name != self.of):
            for key, heading in (("ndr", "NDR"), ("pdr", "PDR"), ("full", "max")):
                if all(one[other][key] for one in rounds):
                    ratios.append(stats.ratio(f"{heading}: {self.of} / {other}",
                                              [one[self.of][key] / one[other][key] for one in rounds]))
        return {"label": f"{flows:,}", "x": flows, "rounds": len(rounds), "subjects": subjects, "ratios": ratios,
                "trials": [list(one.values()) for one in rounds]}


CASE = NoLoss()
