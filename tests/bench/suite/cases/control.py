# SPDX-License-Identifier: Apache-2.0
"""What the control side costs the worker at full load."""

import contextlib
import os
import socket
import tempfile
from dataclasses import dataclass

from .. import machine, stats
from ..disturber import Disturber
from ..namespace import namespace
from ..podswitch import Podswitch
from ..process import BenchError
from ..progress import Progress
from ..rounds import attached, blocks, one_round
from ..subject import PODSWITCH, Spec

TARGET = stats.at_most(1.02)
TRIAL = {"pattern": "one-way", "flows": 1000, "macs": 1000}
QUIET, BOTHERED, DECOY = "quiet", "bothered", "another one bothered"
LISTS = ("status", "port list", "port show p0", "fdb list", "worker list", "drops --all", "stats", "log level", "version")
IDLE = "p2:0"  # the port after the two that are busy
BUSY = "p0:0"  # where the traffic comes in
RING_FULL = "tx_full"
TAP = "--type tap --ifname x --netns /run/netns/$netns --mac 02:00:00:00:00:99"


@dataclass(frozen=True)
class Loop:
    """Bash, again and again; with `every` on a schedule of so many seconds."""
    name: str
    turn: str
    every: float = 0.0


METRICS = Loop("/metrics", "curl -sf -o /dev/null http://127.0.0.1:$metrics/metrics", 0.1)
LISTING = Loop("all list commands", "\n".join(f"$cli {words}" for words in LISTS))
PORTS = Loop("port added and deleted", f"$cli port add x {TAP}\n$cli port del x")
# Not faster: the second worker, the generator and the commands share a CPU.
QUEUES = Loop("queue moved there and back",
              "$cli worker assign $idle $switch\nsleep 0.05\n$cli worker assign $idle $other\nsleep 0.05")
BUSY_QUEUE = Loop("busy queue moved away and back",
                  "$cli worker assign $busy $other\n$cli worker assign $busy $switch\nsleep 0.15")


@dataclass(frozen=True)
class Bother:
    x: str
    label: str
    loops: tuple  # at the same time
    both_workers: bool = False


BOTHERS = (
    Bother("metrics", "/metrics 10 times a second", (METRICS,)),
    Bother("lists", "every list command in a loop", (LISTING,)),
    Bother("ports", "a tap port added and deleted in a loop", (PORTS,)),
    Bother("queues", "an idle port's queue moved 20 times a second", (QUEUES,), True),
    Bother("busy-queue", "the busy queue moved away and back at once, a few times a second", (BUSY_QUEUE,), True),
    Bother("all", "an idle queue moved, a tap added and deleted, lists and /metrics, all at once",
           (METRICS, LISTING, PORTS, QUEUES), True),
)


@dataclass
class State:
    """One of the two that are compared: the same subject, with or without the bother."""
    name: str
    subject: object
    bother: object = None
    variables: object = None

    def trial(self, options):
        disturbers = [Disturber(loop.name, loop.turn, self.subject.folder, self.variables, loop.every)
                      for loop in (self.bother.loops if self.bother else ())]
        switch, drops = self.subject.switch, []
        result = self.subject.trial(options, _watched(switch, drops, disturbers))
        new = drops[1] - drops[0]
        cycles, packets = switch.by_core[machine.switch_cpu()]
        if not packets:
            raise BenchError(f"{self.name}: the first worker had no packets")
        rates = {one.name: one.per_second for one in disturbers}
        return {**result, "state": self.name, "first_cycles": cycles / packets, "full": new.pop(RING_FULL, 0),
                "other_drops": sum(new.values()), "turns": sum(one.turns for one in disturbers),
                "per_second": sum(rates.values()), "loops_per_second": rates,
                "away": 100 * (1 - packets / sum(one for _, one in switch.by_core.values()))}


@contextlib.contextmanager
def _watched(switch, drops, disturbers):
    """Appends what the switch has dropped before and after."""
    drops.append(switch.drops())
    with contextlib.ExitStack() as stack:
        for disturber in disturbers:
            stack.enter_context(disturber)
        yield
    drops.append(switch.drops())


@contextlib.contextmanager
def _decoy(setup):
    """An idle switch beside the measured one, on the generator's CPU: what the same commands cost when they are
    not for the one that is measured."""
    with tempfile.TemporaryDirectory(prefix="podswitch-bench-") as folder:
        switch = Podswitch(folder, [os.path.join(folder, name) for name in ("p0", "p1", "p2")], build=setup.build,
                           options={"workers.cores": machine.other_cpu(), "workers.main-core": None,
                                    "memory.hugepages": "none", "metrics.listen": f"127.0.0.1:{_free_port()}"})
        try:
            switch.start()
            switch.keep_threads_off_the_switch()
            yield switch
        finally:
            switch.stop()


NOTES = (
    "'another one bothered' is a trial in which the same commands go to a second, idle daemon on the generator's CPU: what is left "
    "of the rise then is the machine's (a generator that is interrupted sends in other bursts), and not what the switch's own work "
    "costs its worker.",
    "No peer: the figure is what podswitch's own commands cost it.",
    "What bothers runs on the generator's CPU and takes time from it: busy cycles per packet, not the rate, is the figure.",
    "The queues' rows have a second worker on that CPU. Busy cycles are of both workers, first: of the one that has the other CPU. "
    "Except while the busy queue is moved, the second has nothing to do.",
    "The busy queue's row: until the queue is back, its worker, the generator and the commands share a CPU, so few packets go that "
    "way (away: their part), and one of their bursts that is interrupted counts until it goes on. The figure is what the moves cost "
    "the flow as a whole, not what a packet costs on the second worker.",
    "turns a second: what the loops achieved, from their start before the warm-up to the end of the last turn.",
    "lost: sent by the generator and not received, in all rounds; ring full and other drops: by the switch's own count, warm-up's "
    "among them. A move loses nothing when there are no other drops: rings are full when the generator does not receive, while "
    "something else has its CPU.",
)


@dataclass(frozen=True)
class Control:
    builds: tuple = ()  # ((name, build folder), ...), podswitch before and after a change; none: the suite's
    name = "control"
    summary = ("The worker's busy cycles per packet at full load while the control side works, relative to the adjacent trial "
               "without.")

    def against(self, old, new):
        return Control((old, new))

    def run(self, setup, options):
        chosen = options.rows.get(self.name)
        bothers = [bother for bother in BOTHERS if not chosen or bother.x in chosen]
        if unknown := set(chosen or ()) - {bother.x for bother in BOTHERS}:
            raise BenchError(f"{self.name} has no {', '.join(unknown)}; it has {', '.join(b.x for b in BOTHERS)}")
        progress = Progress(self.name, options.rounds * len(bothers))
        rounds = {bother.x: [] for bother in bothers}
        with namespace() as netns, _decoy(setup) as decoy:
            for block in blocks(options.rounds, options.restart_every):
                for both in (False, True):
                    chosen = [bother for bother in bothers if bother.both_workers == both]
                    if chosen:
                        self._block(chosen, both, netns, decoy, setup, options, block, progress, rounds)
        progress.end()
        notes = [*NOTES, *(_achieved(bother, rounds[bother.x]) for bother in bothers if len(bother.loops) > 1)]
        return {"rows": [self._row(bother, rounds[bother.x]) for bother in bothers], "notes": notes, "x_label": "meanwhile",
                "columns": [["own_cycles", "busy cycles", ".1f"], ["mpps", "Mpps", ".2f"], ["per_second", "turns a second", ".1f"],
                            ["first_cycles", "first", ".1f"], ["away", "away %", ".2f"], ["lost", "lost", ".0f"],
                            ["full", "ring full", ".0f"], ["other_drops", "other drops", ".0f"]]}

    def _block(self, bothers, both_workers, netns, decoy, setup, options, block, progress, rounds):
        specs = [_spec(name, build, both_workers) for name, build in self.builds or (("", ""),)]
        with machine.hugepages(sum(spec.hugepages for spec in specs) + 100), attached(specs, setup) as subjects:
            if both_workers:
                for subject in subjects:
                    _place(subject.switch)
            trial = {**TRIAL, "seconds": options.seconds, "warmup_ms": options.warmup_ms}
            for bother in bothers:
                states = self._states(subjects, bother, netns, decoy)
                for number in block:
                    progress.step(f"{bother.label}, round {number + 1} of {options.rounds}")
                    rounds[bother.x].append(one_round(states, number, lambda state: state.trial(trial)))

    def _states(self, subjects, bother, netns, decoy):
        """Of two builds, those that are bothered stand beside each other."""
        states = []
        for subject in subjects:
            prefix = f"{subject.name}, " if self.builds else ""
            both = [State(prefix + QUIET, subject),
                    State(prefix + BOTHERED, subject, bother, _variables(subject.switch, netns))]
            states += both[::-1] if states else both
        if _has_decoy(bother) and not self.builds:
            states.append(State(DECOY, subjects[0], bother, _variables(decoy, netns)))
        return states

    def _row(self, bother, rounds):
        subjects = {}
        for state in rounds[0]:
            subjects[state] = {key: stats.summary([one[state][key] for one in rounds])
                               for key in ("own_cycles", "first_cycles", "mpps", "turns", "per_second", "away")}
            subjects[state].update({key: sum(one[state][key] for one in rounds)
                                    for key in ("lost", "full", "other_drops", "corrupt", "unexpected", "reordered")})

        def ratio(figure, of, to, key="own_cycles", target=None):
            return stats.ratio(f"{figure}: {of} / {to}", [one[of][key] / one[to][key] for one in rounds], target)

        if self.builds:
            (old, _), (new, _) = self.builds
            ratios = [ratio("busy cycles", f"{name}, {BOTHERED}", f"{name}, {QUIET}") for name in (old, new)]
            ratios += [ratio("busy cycles", f"{new}, {state}", f"{old}, {state}") for state in (BOTHERED, QUIET)]
        else:
            ratios = [ratio("busy cycles", BOTHERED, QUIET, target=TARGET)]
            if _has_decoy(bother):
                ratios.append(ratio("busy cycles", BOTHERED, DECOY, target=TARGET))
            if bother.both_workers:
                ratios.append(ratio("busy cycles of the first worker", BOTHERED, QUIET, "first_cycles"))
        return {"label": bother.label, "x": bother.x, "trial": TRIAL, "rounds": len(rounds), "subjects": subjects,
                "ratios": ratios, "trials": [list(one.values()) for one in rounds]}


def _has_decoy(bother):
    return not bother.both_workers  # an idle daemon has no queue to move that would cost as much


def _variables(switch, netns):
    return {"cli": f"{switch.build}/ctl/podswitch --socket {switch.control}", "netns": netns, "idle": IDLE,
            "metrics": switch.options["metrics.listen"].partition(":")[2], "busy": BUSY,
            "switch": machine.switch_cpu(), "other": machine.other_cpu()}


def _achieved(bother, rounds):
    """What the table's sum is made of."""
    trials = [trial for one in rounds for trial in one.values() if trial["loops_per_second"]]
    rates = (f"{loop.name} {stats.median([trial['loops_per_second'][loop.name] for trial in trials]):.1f}" for loop in bother.loops)
    return f"{bother.label}: {', '.join(rates)} times a second (medians)."


def _spec(name, build, both_workers):
    extra = {"metrics.listen": f"127.0.0.1:{_free_port()}"}
    if both_workers:
        extra.update({"workers.cores": f"{machine.other_cpu()},{machine.switch_cpu()}", "workers.main-core": None})
    return Spec(PODSWITCH, name, macs=TRIAL["macs"], idle=1 if both_workers else 0, build=build, options=tuple(extra.items()))


def _place(switch):
    """The busy queues on the first worker."""
    switch.resume()
    switch.keep_threads_off_the_switch()
    for queue in ("p0:0", "p1:0"):
        switch.cli("worker", "assign", queue, machine.switch_cpu())
    switch.cli("worker", "assign", IDLE, machine.other_cpu())
    switch.pause()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


CASE = Control()
