# SPDX-License-Identifier: Apache-2.0
"""Services: established flows, new connections, and 100,000 services beside 10."""

from .. import cluster
from ..cluster import Cluster
from ..connections import ESTABLISHED, FULL, NEW
from ..rate import Group, Pair, RateCase, Row
from ..stats import at_least, at_most
from ..subject import OVS, PODSWITCH, TESTPMD, Spec
from .service_changes import SERVICES, ServiceCase

ROOM = 2000000  # connections
MANY_ROOM = 8000000
_PAGES = {ROOM: 400, MANY_ROOM: 1400}
NEW_FLOWS = 8000000  # of each trial: more than any switch takes up meanwhile
SCALE_FLOWS = 100000

# By flows: (cycles beside io, rate beside Open vSwitch).
TARGETS = {1: (1.4, None), 1000: (None, 4), 100000: (1.7, 6), 1000000: (1.9, 6)}
PER_PACKET = at_most(1.15)


def _specs(network, kinds):
    translated, plain = cluster.trial(network.services)
    return tuple(Spec(kind, network=None if kind == TESTPMD else network, pages=_PAGES[network.room] if kind == PODSWITCH else 0,
                      trial=tuple((plain if kind == TESTPMD else translated).items())) for kind in kinds)


# podswitch in the middle: its trials are adjacent to those of both others.
ALL = _specs(Cluster(room=ROOM), (TESTPMD, PODSWITCH, OVS))


def _row(flows, pattern):
    to_io, to_ovs = TARGETS[flows]
    pairs = (Pair(PODSWITCH, TESTPMD, target=at_most(to_io) if to_io else None),
             Pair(PODSWITCH, OVS, "mpps", at_least(to_ovs) if to_ovs else None))
    trial = {"pattern": pattern, "flows": flows, "connections": ESTABLISHED}
    if pattern == "echo":
        return Row(f"{flows:,}, answered", f"echo-{flows}", trial, pairs)
    return Row(f"{flows:,}", flows, trial, pairs)


def _new(kinds, x, label, connections, target):
    network = Cluster(flows=16000000, room=MANY_ROOM)
    pairs = (Pair(PODSWITCH, figure="mpps", target=target), *((Pair(PODSWITCH, OVS, "mpps"),) if OVS in kinds else ()))
    return Group(_specs(network, kinds), (Row(label, x, {"pattern": "one-way", "flows": NEW_FLOWS, "connections": connections}, pairs),))


def _scale():
    names = {count: f"{PODSWITCH}, {count:,} services" for count in (SERVICES, 10)}
    specs = []
    for count, name in names.items():
        (spec,) = _specs(Cluster(services=count, room=ROOM), (PODSWITCH,))
        specs.append(Spec(PODSWITCH, name, network=spec.network, trial=spec.trial, pages=spec.pages))
    pair = Pair(names[SERVICES], names[10], target=PER_PACKET)
    return Group(tuple(specs), (Row(f"{SERVICES:,} services", "scale", {
        "pattern": "one-way", "flows": SCALE_FLOWS, "connections": ESTABLISHED},
        (pair, Pair(pair.of, pair.to, "own_cycles", PER_PACKET))),))


RATES = RateCase(
    "services", "From a pod to a Service of 10 endpoints in another pod, UDP, 64-byte frames, vhost-user both sides: established "
    "flows, new connections, 100,000 services beside 10; then what changes cost.",
    (Group(ALL, tuple(_row(flows, pattern) for pattern in ("one-way", "echo") for flows in TARGETS)),
     _new((PODSWITCH, OVS), "new", "new connections, empty table", NEW, at_least(1)),
     _new((PODSWITCH,), "full", "new connections, full table", FULL, None),
     _scale()), "flows",
    notes=("testpmd io moves the same frames as they are. podswitch and Open vSwitch translate the destination (answered: the source "
           "of the answer as well) and route: other MACs, one hop less.",
           "Open vSwitch: ct(nat), then +trk+est, a select group with ct(commit,nat) for new connections, no time-outs or limits that "
           "are reached.",
           "All flows have been answered before they are measured, so that they are established for both; each has a client "
           "address and port of its own. Cycles of answered flows are for each of the two packets.",
           f"New connections: each packet has a new client address and port, {MANY_ROOM:,} connections of room. Mpps is millions of "
           "new connections a second."),
    smoke_groups=(Group(ALL, (_row(1000, "one-way"), _row(1000, "echo"))), _new((PODSWITCH, OVS), "new", "new connections", NEW, None)))

CASE = ServiceCase(RATES)
