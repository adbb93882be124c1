# SPDX-License-Identifier: Apache-2.0
"""Pods on a veth, whose other end the switch has by AF_PACKET or AF_XDP."""

from harness import traffic
from harness.runner import scenario
from harness.shell import Failure, Skip, eventually, expect


def two_pods(world, kind, mtu=None):
    switch = world.daemon()
    try:
        a = world.veth_pod(switch, "a", kind, ["10.2.0.1/24", "fd00:2::1/64"], mtu)
    except Failure as error:
        if kind == "af-xdp" and "built without" in str(error):
            raise Skip(f"no AF_XDP here: {error}") from None
        raise
    b = world.veth_pod(switch, "b", kind, ["10.2.0.2/24", "fd00:2::2/64"], mtu)
    switch.port_up("a")
    switch.port_up("b")
    return switch, a, b


@scenario(takes=8)
def af_packet(world):
    switch, a, b = two_pods(world, "af-packet")
    traffic.ping(a, "10.2.0.2", count=5)
    traffic.ping(b, "fd00:2::1")
    world.note(f"TCP {traffic.tcp(a, b, '10.2.0.2', seconds=1):.2f} Gbit/s")
    sent, lost = traffic.udp(a, b, "10.2.0.2", seconds=1)
    expect(sent > 500 and lost == 0, lambda: f"{lost} of {sent} datagrams lost; drops: {switch.drops()}")


@scenario(takes=4)
def af_packet_jumbo(world):
    _, a, b = two_pods(world, "af-packet", mtu=9000)
    traffic.ping(a, "10.2.0.2", size=8972, whole=True)
    world.note(f"TCP with MTU 9000: {traffic.tcp(a, b, '10.2.0.2', seconds=1):.2f} Gbit/s")


@scenario(takes=8)
def af_xdp(world):
    switch, a, b = two_pods(world, "af-xdp")
    traffic.ping(a, "10.2.0.2", count=5)
    traffic.ping(b, "fd00:2::1")
    world.note(f"TCP {traffic.tcp(a, b, '10.2.0.2', seconds=1):.2f} Gbit/s")
    sent, lost = traffic.udp(a, b, "10.2.0.2", seconds=1)
    expect(sent > 500 and lost == 0, lambda: f"{lost} of {sent} datagrams lost; drops: {switch.drops()}")


@scenario(takes=3)
def af_xdp_refuses_jumbo_and_says_its_limit(world):
    switch = world.daemon()
    said = switch.refused("port", "add", "x", "--type", "af-xdp", "--ifname", "lo", "--mtu", 9000)
    expect("mtu" in said and any(word.startswith("3") for word in said.replace(",", "").split()), f"it says: {said}")


@scenario(takes=5)
def tap_to_veth(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.2.0.1/24"])
    b = world.veth_pod(switch, "b", "af-packet", ["10.2.0.2/24"])
    switch.port_up("b")
    traffic.ping(a, "10.2.0.2")
    traffic.tcp(a, b, "10.2.0.2", seconds=1)
    traffic.tcp(b, a, "10.2.0.1", seconds=1)


@scenario(takes=6)
def a_veth_that_goes_and_comes_back(world):
    switch, a, b = two_pods(world, "af-packet")
    a.ip("link", "set", "eth0", "down")
    down = eventually("a is down", lambda: (port := switch.cli("port", "show", "a"))["state"] == "down" and port)
    expect(down["reason"], "a is down without a reason")
    a.ip("link", "set", "eth0", "up")
    switch.port_up("a")
    traffic.ping(b, "10.2.0.1")
    expect(switch.cli("port", "show", "a")["state_changes"] >= 2, "the link change was not counted")
