# SPDX-License-Identifier: Apache-2.0
"""What the switch answers itself: neighbour requests, and ping to the gateway."""

from scapy.layers.inet6 import ICMPv6ND_NS
from scapy.layers.l2 import ARP, Ether

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect


def asked_by(frames, kind):
    return [frame for frame in map(Ether, frames) if kind in frame]


@scenario(takes=4)
def neighbour_requests_are_answered_not_flooded(world):
    switch = world.daemon(options={"pods.gateway": "10.9.0.254,fd00:9::fe"})
    a = world.tap_pod(switch, "a", ["10.9.0.1/24", "fd00:9::1/64"])
    world.tap_pod(switch, "b", ["10.9.0.2/24", "fd00:9::2/64"])
    third = world.tap_pod(switch, "c", ["10.9.0.3/24", "fd00:9::3/64"])
    wire = traffic.Wire(third)
    for address in ("10.9.0.2", "fd00:9::2", "10.9.0.254", "fd00:9::fe"):
        traffic.ping(a, address)
    seen = wire.received()
    wire.close()
    expect(not asked_by(seen, ARP) and not asked_by(seen, ICMPv6ND_NS), f"flooded to c: {[Ether(f).summary() for f in seen]}")
    neighbours = a.ip("neighbour").stdout
    gateway = switch.cli("status")["gateway_mac"]
    expect(f"10.9.0.254 dev eth0 lladdr {gateway}" in neighbours, f"neighbours of a:\n{neighbours}")


@scenario(takes=4)
def unknown_addresses_are_asked_for_by_flooding(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.9.0.1/24"], ip=[], mac=None)
    third = world.tap_pod(switch, "c", ["10.9.0.3/24"], ip=[], mac=None)
    wire = traffic.Wire(third)
    a.exec("ping", "-c", 1, "-W", 1, "10.9.0.77", check=False)
    expect(asked_by(wire.received(), ARP), "nobody asked c")
    wire.close()
    traffic.ping(a, "10.9.0.3")
    table = switch.cli("fdb", "list", "--port", "c")
    expect(any(row["mac"] == third.mac() and not row["static"] for row in table), f"c was not learned: {table}")


@scenario(takes=3)
def flush_forgets_what_was_learned_and_keeps_what_was_given(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.9.0.1/24"])
    b = world.tap_pod(switch, "b", ["10.9.0.2/24"], ip=[], mac=None)
    traffic.ping(a, "10.9.0.2")
    switch.cli("fdb", "flush")
    table = {row["port"]: row for row in switch.cli("fdb", "list")}
    expect(set(table) == {"a"} and table["a"]["static"], f"the table is {table}")
    traffic.ping(b, "10.9.0.1")
    eventually("b is learned again", lambda: "b" in {row["port"] for row in switch.cli("fdb", "list")})
