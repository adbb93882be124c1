# SPDX-License-Identifier: Apache-2.0
"""Bridging at full load. Targets stand beside the pairs that they are about."""

from ..rate import Group, Pair, RateCase, Row
from ..report import COLUMNS
from ..stats import at_least, at_most
from ..subject import OVS, PODSWITCH, TESTPMD, Spec

# podswitch in the middle: its trials are adjacent to those of both others.
ALL = (Spec(TESTPMD), Spec(PODSWITCH), Spec(OVS))


def _number(value):
    return f"{value:,}"


def _pairs(to_io=None, to_ovs=None):
    return (Pair(PODSWITCH, TESTPMD, target=at_most(to_io) if to_io else None),
            Pair(PODSWITCH, OVS, "mpps", at_least(to_ovs) if to_ovs else None))


def _flows(pattern, targets):
    return tuple(Row(_number(flows), flows, {"pattern": pattern, "flows": flows}, _pairs(*targets.get(flows, ())))
                 for flows in targets)


FLOWS = RateCase(
    "flows", "Bridge between 2 ports, one direction, 64-byte frames: 1 to 1,000,000 flows.",
    (Group(ALL, _flows("one-way", {1: (1.08, 1.3), 1000: (1.10, 1.3), 100000: (1.10, 2), 1000000: ()})),), "flows",
    smoke_groups=(Group(ALL, _flows("one-way", {1: (1.08, 1.3)})),))

ECHO = RateCase(
    "echo", "Bridge between 2 ports, both directions: the receiver sends every frame back.",
    (Group(ALL, _flows("echo", {1: (1.08,), 1000: (1.10,), 100000: (1.10,)})),), "flows",
    smoke_groups=(Group(ALL, _flows("echo", {1: (1.08,)})),))


def _mac_group(macs, target=None, specs=ALL):
    kinds = [spec.kind for spec in specs]
    trial = {"pattern": "one-way", "flows": macs, "macs": macs}
    pairs = tuple(pair for pair in _pairs(target) if pair.to in kinds)
    return Group(tuple(Spec(kind, macs=macs) for kind in kinds), (Row(_number(macs), macs, trial, pairs),))


MACS = RateCase(
    "macs", "Bridge between 2 ports, one direction, with as many flows as MAC addresses on each side.",
    # A group each: the tables are made for the number of addresses.
    (_mac_group(1), _mac_group(1000), _mac_group(100000, 1.20), _mac_group(1000000, specs=ALL[:2])), "MACs on each side",
    notes=("Open vSwitch keeps a flow for each pair of addresses, 200,000 by default: not measured with 1,000,000.",),
    smoke_groups=(_mac_group(1000),))


def _size(frame, label=""):
    return Row(label or _number(frame), frame, {"pattern": "one-way", "flows": 1000, "frame": frame}, _pairs())


JUMBO = tuple(Spec(spec.kind, mtu=9000) for spec in ALL)
SIZES = RateCase(
    "sizes", "Bridge between 2 ports, one direction, 1,000 flows: frame sizes (with FCS) and IMIX (7 x 64, 4 x 594, 1 x 1518).",
    (Group(ALL, (*(_size(frame) for frame in (64, 128, 256, 512, 1024, 1518)), _size("imix", "IMIX"))),
     Group(JUMBO, (_size(9018),))), "bytes",
    columns=(*COLUMNS, ("gbps", "Gbit/s", ".1f")),
    smoke_groups=(Group(ALL, (_size("imix", "IMIX"),)), Group(JUMBO, (_size(9018),))))


def _ports(count, own_target=None):
    """Beside 2 ports of its own kind, so that both ratios are of adjacent trials."""
    trial = {"pattern": "two-way", "flows": 1000}
    io, here = f"{TESTPMD}, {count} ports", f"{PODSWITCH}, {count} ports"
    specs = [Spec(TESTPMD, io, count), Spec(PODSWITCH, here, count)]
    pairs = [Pair(here, io)]
    if count > 2:
        io_2, here_2 = f"{TESTPMD}, 2 ports", f"{PODSWITCH}, 2 ports"
        specs = [Spec(TESTPMD, io_2), *specs, Spec(PODSWITCH, here_2)]
        pairs += [Pair(here, here_2, target=at_most(own_target) if own_target else None), Pair(io, io_2)]
    return Group(tuple(specs), (Row(str(count), count, trial, tuple(pairs)),))


PORTS = RateCase(
    "ports", "Bridge, all ports send to their partner: 2, 8 and 30 ports on one worker.",
    (_ports(2), _ports(8), _ports(30, 1.5)), "active ports", smoke_groups=(_ports(8),))


def _attached(idle):
    few, many = f"{PODSWITCH}, 2 ports", f"{PODSWITCH}, {idle + 2} ports"
    return Group((Spec(PODSWITCH, few), Spec(PODSWITCH, many, idle=idle)),
                 (Row(f"{idle} idle", idle, {"pattern": "one-way", "flows": 1000}, (Pair(many, few, target=at_most(1.15)),)),))


ATTACHED = RateCase(
    "attached", "Bridge between 2 ports, one direction, while 254 more ports are attached that never send.",
    (_attached(254),), "ports beside 2 active ones", smoke_groups=(_attached(30),))

CASES = (FLOWS, ECHO, MACS, SIZES, PORTS, ATTACHED)
