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
        notes += missing_notes(rounds)
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

        def offered(rate, **more):
            """The result, None when the generator did not keep the rate in any of three trials."""
            nonlocal spoilt
            for _ in range(3):
                result = run(rate=rate, **more)
                # A generator that stood still so long has filled the ring by itself while it caught up.
                stood_still = "seconds" in more and result["longest_turn_ns"] / 1e9 * rate >= 3 * subject.queue_size
                if result["limit"] != "generator" and not stood_still:
                    break
                spoilt += 1
            return None if result["limit"] == "generator" else result

        def loss(rate):
            result = offered(rate, seconds=options.noloss_ms / 1000, warmup_ms=20)
            return result and search.loss_ratio(result)

        def fastest():
            """(rate, whether the generator was its limit)"""
            return max((one["rate_received"], one["limit"] == "generator") for one in (run() for _ in range(3)))

        full = fastest()
        for _ in range(3):
            if not full[0]:
                raise BenchError(f"{subject.name}: nothing arrives")
            searching = search.Search(loss, full[0], search.PHASES[:1] if options.smoke else search.PHASES)
            found, held_back = {}, set()
            for key, bound in (("ndr", search.NDR), ("pdr", search.PDR)):
                found[key] = searching.highest(bound)
                if searching.held_back(found[key], bound) or full[1] and found[key] == full[0]:
                    held_back.add(key)
            # A maximum that was measured in a bad moment would cap what is searched below it, and flatter the ratio.
            before, full = full[0], max(full, fastest())
            if full[0] < 1.03 * before:
                break
        figures = {"full": full[0] / 1e6, **{key: rate / 1e6 for key, rate in found.items()}}
        if full[1]:
            held_back.add("full")
        ndr = found["ndr"]
        if ndr and (result := offered(ndr)):
            figures["loss"] = 100 * search.loss_ratio(result)
        if ndr and (result := offered(ndr / 2, latency=True)):
            figures.update({key: result["latency_ns"][key] / 1000 for key in LATENCIES})
        searched = {f"{rate / 1e6:.3f}": [None if one is None else round(100 * one, 4) for one in losses]
                    for rate, losses in sorted(searching.known.items())}
        return {"subject": subject.name, **figures, "held_back": sorted(held_back),
                "spoilt_trials": spoilt, "loss_percent_at_mpps": searched}

    def _row(self, flows, rounds):
        names = [name for name in (spec.name for spec in self.specs) if name in rounds[0]]
        subjects = {}
        for name in names:
            figures = {key: [one[name][key] for one in rounds if key in one[name]]
                       for key in ("ndr", "pdr", "full", "loss", *LATENCIES)}
            subjects[name] = {key: stats.summary(values) if values else None for key, values in figures.items()}
            subjects[name]["generator_limit"] = sum(bool(one[name]["held_back"]) for one in rounds)
        ratios = []
        for name in names:
            for key, heading in (("ndr", "NDR"), ("pdr", "PDR")):
                values = [one[name][key] / one[name]["full"] for one in rounds]
                target = TARGET if (name, key) == (self.of, "ndr") else None
                ratios.append(judged(stats.ratio(f"{name}: {heading} / max", values, target), name, key, rounds))
        for other in (name for name in names if name != self.of):
            for key, heading in (("ndr", "NDR"), ("pdr", "PDR"), ("full", "max")):
                if all(one[other][key] for one in rounds):
                    ratios.append(stats.ratio(f"{heading}: {self.of} / {other}",
                                              [one[self.of][key] / one[other][key] for one in rounds]))
        return {"label": f"{flows:,}", "x": flows, "rounds": len(rounds), "subjects": subjects, "ratios": ratios,
                "trials": [list(one.values()) for one in rounds]}


def judged(ratio, name, key, rounds):
    """Whoever the generator held back could have been faster: a maximum that is too low flatters, an NDR does wrong."""
    held_back = {"met": "full", "missed": key}.get(ratio["verdict"])
    if held_back and sum(held_back in one[name]["held_back"] for one in rounds) > len(rounds) / 10:
        ratio["verdict"] = "undecided"
    return ratio


def missing_notes(rounds):
    """Of {flows: [round, ...]}: which figures are of fewer rounds."""
    for flows, measured in rounds.items():
        for name in measured[0]:
            for key, heading in (("loss", "loss"), ("p50", "latency")):
                if missing := sum(key not in one[name] for one in measured):
                    yield (f"{flows:,} flows, {name}: no {heading} in {missing} of {len(measured)} rounds, in which no rate held or "
                           "the generator did not keep it.")


CASE = NoLoss()
