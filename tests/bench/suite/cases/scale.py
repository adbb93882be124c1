# SPDX-License-Identifier: Apache-2.0
"""A cluster of 5,000 nodes: what a packet costs beside one of 2, and what changes cost."""

import os
import threading
import time
from dataclasses import dataclass, replace

from .. import machine, overlay, stats
from ..progress import Progress
from ..rate import Group, Pair, RateCase, Row
from ..rounds import attached
from ..session import Session
from ..subject import PODSWITCH, Spec

NODES = 5000
PODS = 256  # of this node
FLOWS = 100000
FEW, MANY = f"{PODSWITCH}, 2 nodes", f"{PODSWITCH}, {NODES:,} nodes"
PER_PACKET = stats.at_most(1.10)
APPLY_SECONDS = stats.at_most(2)
ADD_MS = stats.at_most(5)
ROUTE_MIB = stats.at_most(4)
NO_LOSS = stats.at_most(0)

# Frames a second, while the generator shares its CPU with the control side. A ring holds 1,024: what looks for losses must
# bear the 10 ms for which a virtual machine's host takes a CPU away.
QUIET_RATE = 200000
CAREFUL_RATE = 50000
HEAD_START = 0.25  # seconds of traffic before something changes
_PAUSE = 0.02  # seconds between changes


def _spec(name, network, nodes, trials):
    trial = {**trials[PODSWITCH], "nodes": nodes}
    return Spec(PODSWITCH, name, idle=PODS - 1, network=replace(network, nodes=nodes), trial=tuple(trial.items()))


def _group(x, label, network, trials):
    specs = (_spec(MANY, network, NODES, trials), _spec(FEW, network, 2, trials))
    pairs = (Pair(MANY, FEW, target=PER_PACKET), Pair(MANY, FEW, "own_cycles", PER_PACKET))
    return Group(specs, (Row(label, x, {**overlay.COMMON, "flows": FLOWS}, pairs),))


RATES = RateCase(
    "scale", f"{NODES:,} nodes with two CIDRs each beside 2, {PODS} pods of this node, {FLOWS:,} flows over all nodes, 64-byte "
    "frames; then what changes cost.",
    (_group("into", "into the tunnels", overlay.ENCAPSULATE, overlay.INTO),
     _group("out", "out of the tunnels", overlay.DECAPSULATE, overlay.OUT_OF)), "packets go",
    notes=("No peer: Open vSwitch has no routes of this kind, and testpmd none at all.",))
CHANGES = "changes"


@dataclass(frozen=True)
class Scale:
    rates: RateCase = RATES
    has_changes: bool = True  # two builds are compared by rates alone
    name = RATES.name
    summary = RATES.summary

    def against(self, old, new):
        return Scale(self.rates.against(old, new), False)

    def run(self, setup, options):
        chosen = options.rows.get(self.name)
        if not self.has_changes:
            return self.rates.run(setup, options)
        result = {"rows": [], "notes": [], "x_label": self.rates.x_label, "columns": self.rates.columns}
        if not chosen or set(chosen) != {CHANGES}:
            rows = {**options.rows, self.name: [row for row in chosen or () if row != CHANGES]}
            result = self.rates.run(setup, replace(options, rows=rows))
        if not chosen or CHANGES in chosen:
            result["rows"].append(_changes(setup, options))
            result["notes"] += [
                "A node is added on a connection to the control socket, with traffic of its pods only: until they are reached, the "
                "frames leave untunnelled by the gateway. To the answer, and to the first frame's arrival in its tunnel at the "
                "generator, which are both counted from when the request was sent.",
                "There the control threads and who asks them go before the generator, with which they share a CPU (SCHED_FIFO).",
                f"Lost: of {CAREFUL_RATE:,} frames a second to all other nodes, while nodes are added and deleted, "
                f"{1000 * _PAUSE:.0f} ms after each other. The JSON has what the switch dropped (tx_full: the generator stood still).",
                f"apply: podswitch apply of {NODES:,} nodes in JSON, from its start to its end, on a switch that has none; and the "
                "memory of the routes' tables and next hops as podswitch status says."]
        return result


def _changes(setup, options):
    spec = _spec(MANY, overlay.ENCAPSULATE, 1, overlay.INTO)
    rounds = options.rounds
    progress = Progress("scale", 3)
    with machine.hugepages(spec.hugepages), attached((spec,), setup) as (subject,), subject.running():
        switch = subject.switch
        progress.step("nodes applied")
        applied = [_apply(switch) for _ in range(min(rounds, 5))]
        status = switch.cli("status")
        with urgent(switch):
            progress.step("nodes added")
            added = [_add(subject, NODES + number) for number in range(rounds)]
        progress.step("nodes added and deleted under traffic")
        losses = [_bothered(subject, options.seconds) for _ in range(min(rounds, 5))]
    progress.end()
    ratios = [stats.ratio(f"{NODES:,} nodes applied, seconds", applied, APPLY_SECONDS),
              stats.ratio("one node added, ms to the answer", [one["answer_ms"] for one in added], ADD_MS),
              stats.ratio("one node added, ms to the first frame", [one["frame_ms"] for one in added], ADD_MS),
              stats.ratio("frames lost meanwhile", [one["lost"] for one in losses], NO_LOSS),
              stats.ratio(f"{status['routes']:,} routes, MiB", [status["route_bytes"] / 2**20], ROUTE_MIB)]
    return {"label": "changes", "x": CHANGES, "rounds": rounds, "subjects": {}, "ratios": ratios,
            "trials": [{"applied": applied, "added": added, "bothered": losses, "routes": status["routes"],
                        "route_bytes": status["route_bytes"]}]}


class urgent:
    """This process and the switch's control threads before the generator."""

    def __init__(self, switch):
        self.switch = switch

    def __enter__(self):
        self.switch.prefer_control()
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

    def __exit__(self, *unused):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _apply(switch):
    """Seconds. Leaves all nodes there."""
    switch.apply(overlay.node_list(()), "--prune=Node", "--allow-empty")
    nodes = overlay.node_list(range(NODES))
    path = os.path.join(switch.folder, "nodes.json")
    with open(path, "w") as file:
        file.write(nodes)
    start = time.monotonic()
    switch.cli("apply", "-f", path)
    return time.monotonic() - start


def _new_node(number):
    return {"name": f"new-{number}", "vtep": [overlay.vtep(number)], "pod-cidr": overlay.pod_cidrs(number)}


def while_trial_runs(subject, options, work):
    """(the trial's result, what `work` returns), which begins when traffic has been running for a moment."""
    results = []
    thread = threading.Thread(target=lambda: results.append(subject.generator.trial({**dict(subject.spec.trial), **options})))
    thread.start()
    try:
        time.sleep(HEAD_START)
        done = work()
    finally:
        thread.join()
    return results[0], done


def _add(subject, number):
    options = {**overlay.COMMON, "nodes": 1, "first_node": number, "flows": 100, "rate": QUIET_RATE, "warmup_ms": 0,
               "seconds": 2 * HEAD_START}
    session = Session(subject.switch.control)
    try:
        result, (sent, answered) = while_trial_runs(subject, options, lambda: session.request("node add", _new_node(number)))
    finally:
        session.close()
    # Frames that never came took longer than the trial.
    first = result["first_arrival_ns"] / 1e9 if result["first_arrival_ns"] else sent + HEAD_START
    return {"answer_ms": (answered - sent) * 1e3, "frame_ms": (first - sent) * 1e3, "untunnelled": result["unexpected"]}


def _bothered(subject, seconds):
    options = {**overlay.COMMON, "nodes": NODES, "flows": FLOWS, "rate": CAREFUL_RATE, "warmup_ms": 100,
               "seconds": seconds + 2 * HEAD_START}
    session = Session(subject.switch.control)

    def change():
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            node = _new_node(20000)
            for command, args in (("node add", node), ("node del", {"name": [node["name"]]})):
                session.request(command, args)
                time.sleep(_PAUSE)
            number += 1
        return number

    before = subject.switch.drops()
    try:
        result, changes = while_trial_runs(subject, options, change)
    finally:
        session.close()
    return {"lost": result["lost"] + result["refused"], "sent": result["sent"], "changes": 2 * changes,
            "dropped": dict(subject.switch.drops() - before), "longest_turn_ns": result["longest_turn_ns"]}


CASE = Scale()
