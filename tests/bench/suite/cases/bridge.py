# SPDX-License-Identifier: Apache-2.0
"""Bridging at full load. Targets stand beside the pairs that they are about."""

from ..podswitch import AGING_SECONDS
from ..rate import Group, Pair, RateCase, Row
from ..report import COLUMNS
from ..stats import at_least, at_most
from ..subject import OVS, PODSWITCH, TESTPMD, Spec, fdb_size

# podswitch in the middle: its trials are adjacent to those of both others.
ALL = (Spec(TESTPMD), Spec(PODSWITCH), Spec(OVS))
RING = 256  # descriptors, with many ports


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

def _mac_group(macs, target=None, specs=ALL, pattern="one-way", label="", x=None):
    kinds = [spec.kind for spec in specs]
    trial = {"pattern": pattern, "flows": macs, "macs": macs}
    pairs = tuple(pair for pair in _pairs(target) if pair.to in kinds)
    return Group(tuple(Spec(kind, macs=macs) for kind in kinds), (Row(label or _number(macs), x or macs, trial, pairs),))


ECHO = RateCase(
    "echo", "Bridge between 2 ports, both directions: the receiver sends every frame back.",
    (Group(ALL, _flows("echo", {1: (1.08,), 1000: (1.10,), 100000: (1.10,)})),
     _mac_group(100000, 1.20, pattern="echo", label="100,000 between as many MACs on each side", x="macs")), "flows",
    smoke_groups=(Group(ALL, _flows("echo", {1: (1.08,)})),
                  _mac_group(1000, pattern="echo", label="1,000 between as many MACs on each side", x="macs")))


MACS = RateCase(
    "macs", "Bridge between 2 ports, one direction, with as many flows as MAC addresses on each side.",
    # A group each: the tables are made for the number of addresses.
    (_mac_group(1), _mac_group(1000), _mac_group(100000, 1.20), _mac_group(1000000, specs=ALL[:2])), "MACs on each side",
    notes=("Open vSwitch keeps a flow for each pair of addresses, 200,000 by default: left out with 1,000,000.",
           f"podswitch's fdb.size is {_number(fdb_size(100000))} with 100,000 MACs on each side and {_number(fdb_size(1000000))} "
           f"with 1,000,000 (a quarter more than there are addresses), else {_number(fdb_size(1))}, the default; "
           f"fdb.aging-seconds is {_number(AGING_SECONDS)}, so that nothing ages while the others have their turn."),
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


def _protocol(name, label):
    return Row(label, name, {"pattern": "one-way", "flows": 1000, "frame": 96, "protocol": name}, _pairs())


PROTOCOLS = RateCase(
    "protocols", "Bridge between 2 ports, one direction, 1,000 flows, 96-byte frames (the smallest that all have): UDP and TCP "
    "over IPv4 and IPv6.",
    (Group(ALL, (_protocol("udp4", "UDP, IPv4"), _protocol("tcp4", "TCP, IPv4"), _protocol("udp6", "UDP, IPv6"),
                 _protocol("tcp6", "TCP, IPv6"))),), "protocol",
    smoke_groups=(Group(ALL, (_protocol("tcp6", "TCP, IPv6"),)),))


def _ports(count):
    """All three side by side; the ring size is what the generator's buffers for 30 ports still fit its cache with."""
    specs = tuple(Spec(kind, ports=count, queue_size=RING) for kind in (TESTPMD, PODSWITCH, OVS))
    return Group(specs, (Row(str(count), count, {"pattern": "two-way", "flows": 1000}, _pairs()),))


def _ports_beside_2(count, target=None):
    """Each beside 2 ports of its own kind, so that these ratios are of adjacent trials as well."""
    io, here = f"{TESTPMD}, 2 ports", f"{PODSWITCH}, 2 ports"
    specs = (Spec(PODSWITCH, here, 2, queue_size=RING), Spec(PODSWITCH, ports=count, queue_size=RING),
             Spec(TESTPMD, ports=count, queue_size=RING), Spec(TESTPMD, io, 2, queue_size=RING))
    pairs = (Pair(PODSWITCH, here), Pair(TESTPMD, io), Pair(PODSWITCH, here, "own_cycles", at_most(target) if target else None))
    return Group(specs, (Row(f"{count} beside 2", count, {"pattern": "two-way", "flows": 1000}, pairs),))


PORTS = RateCase(
    "ports", "Bridge, all ports send to their partner: 2, 8 and 30 ports on one worker.",
    (_ports(2), _ports(8), _ports_beside_2(8), _ports(30), _ports_beside_2(30, 1.5)), "active ports",
    notes=(f"The generator's rings have {RING} descriptors: with 1,024 its buffers for 30 ports do not fit its cache and it is "
           "the limit.",
           "The target is judged on own, the worker's busy cycles per packet: with 30 ports the generator is about as fast as "
           "the switch, and what the switch waits for it is in cycles, not in own. Waiting makes bursts smaller, so own is "
           "rather too high."),
    smoke_groups=(_ports(8), _ports_beside_2(8)))


def _attached(idle):
    """A chain in which every ratio is of neighbours."""
    few, many = f"{PODSWITCH}, 2 ports", f"{PODSWITCH}, {idle + 2} ports"
    ovs_few, ovs_many = f"{OVS}, 2 ports", f"{OVS}, {idle + 2} ports"
    specs = (Spec(PODSWITCH, few), Spec(PODSWITCH, many, idle=idle), Spec(OVS, ovs_many, idle=idle), Spec(OVS, ovs_few))
    pairs = (Pair(many, few, target=at_most(1.15)), Pair(ovs_many, ovs_few), Pair(many, ovs_many, "mpps"))
    return Group(specs, (Row(f"{idle} idle", idle, {"pattern": "one-way", "flows": 1000}, pairs),))


ATTACHED = RateCase(
    "attached", "Bridge between 2 ports, one direction, while 254 more ports are attached that never send.",
    (_attached(254),), "ports beside 2 active ones",
    notes=("testpmd is left out: Debian's DPDK has room for 32 ethdev ports (RTE_MAX_ETHPORTS), and testpmd needs one for each "
           "vhost-user port. podswitch and Open vSwitch use the vhost library itself.",
           "Open vSwitch asks every port in every loop; what that takes is in its busy cycles."),
    smoke_groups=(_attached(30),))

CASES = (FLOWS, ECHO, MACS, SIZES, PROTOCOLS, PORTS, ATTACHED)
