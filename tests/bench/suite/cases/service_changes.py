# SPDX-License-Identifier: Apache-2.0
"""What changes cost at 100,000 services: all of them from nothing, one endpoint until packets see it, and the memory of a
connection."""

import json
import os
import time
from dataclasses import dataclass, replace

from .. import cluster, machine, overlay, stats
from ..cluster import Cluster
from ..progress import Progress
from ..rounds import attached
from ..session import Session
from ..subject import PODSWITCH, Spec
from .scale import HEAD_START, urgent, while_trial_runs

SERVICES = 100000
CHANGES = "changes"
VIP_OF_LATE = "10.95.0.1"
RATE = 200000  # frames a second, while the generator shares its CPU with the control side

APPLY_SECONDS = stats.at_most(20)
VISIBLE_MS = stats.at_most(10)
CONNECTION_BYTES = stats.at_most(192)


@dataclass(frozen=True)
class ServiceCase:
    rates: object
    has_changes: bool = True  # two builds are compared by rates alone

    @property
    def name(self):
        return self.rates.name

    @property
    def summary(self):
        return self.rates.summary

    def against(self, old, new):
        return ServiceCase(self.rates.against(old, new), False)

    def run(self, setup, options):
        chosen = options.rows.get(self.name)
        if not self.has_changes or options.smoke:
            return self.rates.run(setup, options)
        result = {"rows": [], "notes": [], "x_label": self.rates.x_label, "columns": self.rates.columns}
        if not chosen or set(chosen) != {CHANGES}:
            rows = {**options.rows, self.name: [row for row in chosen or () if row != CHANGES]}
            result = self.rates.run(setup, replace(options, rows=rows))
        if not chosen or CHANGES in chosen:
            result["rows"].append(_changes(setup, options))
            result["notes"] += [
                f"One endpoint: of one more service beside {SERVICES:,}, which had none; from when the EndpointSlice was sent on a "
                "connection to the control socket, to the answer, and to the first frame's arrival at the endpoint. There the "
                "control threads and who asks them go before the generator, with which they share a CPU (SCHED_FIFO).",
                f"apply: podswitch apply of {SERVICES:,} services of {cluster.BACKENDS} endpoints in JSON, from its start to its "
                "end, on a switch that has none.",
                "Memory of a connection: the table's bytes by four fifths of the connections that it has room for, of either family."]
        return result


def _changes(setup, options):
    translated, _ = cluster.trial()
    spec = Spec(PODSWITCH, network=Cluster(services=0), trial=tuple(translated.items()), pages=200)
    rounds = options.rounds
    progress = Progress("services", 2)
    with machine.hugepages(spec.hugepages), attached((spec,), setup) as (subject,), subject.running():
        switch = subject.switch
        progress.step("services applied")
        applied = _apply(switch, min(rounds, 5))
        table = switch.cli("conntrack", "stats")
        switch.apply(_list(*cluster.late_service(VIP_OF_LATE)[:2]))
        with urgent(switch):
            progress.step("endpoints added")
            added = [_add(subject) for _ in range(rounds)]
    progress.end()
    ratios = [stats.ratio(f"{SERVICES:,} services applied, seconds", applied, APPLY_SECONDS),
              stats.ratio("one endpoint added, ms to the answer", [one["answer_ms"] for one in added]),
              stats.ratio("one endpoint added, ms to the first frame", [one["frame_ms"] for one in added], VISIBLE_MS),
              stats.ratio("bytes per connection, four fifths of the table in use",
                          [table["bytes"] / (table["capacity"] * 0.8)], CONNECTION_BYTES)]
    return {"label": CHANGES, "x": CHANGES, "rounds": rounds, "subjects": {}, "ratios": ratios,
            "trials": [{"applied": applied, "added": added, "table": table}]}


def _list(*items):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _apply(switch, times):
    """Seconds of each. Leaves all services there."""
    path = os.path.join(switch.folder, "services.json")
    with open(path, "w") as file:
        file.write(cluster.objects(SERVICES))
    taken = []
    for _ in range(times):
        switch.apply(overlay.node_list(()), "--prune=Service,EndpointSlice", "--allow-empty")
        start = time.monotonic()
        switch.cli("apply", "-f", path)
        taken.append(time.monotonic() - start)
    os.unlink(path)
    return taken


def _add(subject):
    """The endpoint comes while a flow asks for it; then it goes again."""
    _, without, with_one = cluster.late_service(VIP_OF_LATE)
    options = {"pattern": "one-way", "flows": 1, "rate": RATE, "warmup_ms": 0, "seconds": 2 * HEAD_START,
               "service": f"{VIP_OF_LATE}:{cluster.PORT}"}
    session = Session(subject.switch.control)
    try:
        result, (sent, answered) = while_trial_runs(subject, options, lambda: session.apply(with_one))
        session.apply(without)
    finally:
        session.close()
    subject.switch.forget_connections()
    # Frames that never came took longer than the trial.
    first = result["first_arrival_ns"] / 1e9 if result["first_arrival_ns"] else sent + HEAD_START
    return {"answer_ms": (answered - sent) * 1e3, "frame_ms": (first - sent) * 1e3, "corrupt": result["corrupt"]}
