# SPDX-License-Identifier: Apache-2.0
"""Bridging at full load. Targets stand beside the pairs that they are about."""

from ..rate import Group, Pair, RateCase, Row
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


def _macs(macs, target=None):
    return Row(_number(macs), macs, {"pattern": "one-way", "flows": macs, "macs": macs}, _pairs(target))


def _mac_group(macs, target=None, specs=ALL):
    return Group(tuple(Spec(spec.kind, macs=macs) for spec in specs), (_macs(macs, target),))


MACS = RateCase(
    "macs", "Bridge between 2 ports, one direction, with as many flows as MAC addresses on each side.",
    # A group each: the tables are made for the number of addresses.
    (_mac_group(1), _mac_group(1000), _mac_group(100000, 1.20), _mac_group(1000000, specs=ALL[:2])), "MACs on each side",
    notes=("Open vSwitch keeps a flow for each pair of addresses, 200,000 by default: not measured with 1,000,000.",),
    smoke_groups=(_mac_group(1000),))

CASES = (FLOWS, ECHO, MACS)
