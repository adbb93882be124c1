# SPDX-License-Identifier: Apache-2.0
"""Pods on tap ports."""

from harness import traffic
from harness.runner import scenario
from harness.shell import expect

GATEWAY = {"pods.gateway": "10.1.0.254,fd00:1::fe"}


def two_pods(world, mtu=None, **daemon_options):
    switch = world.daemon(options={**GATEWAY, **daemon_options})
    a = world.tap_pod(switch, "a", ["10.1.0.1/24", "fd00:1::1/64"], mtu)
    b = world.tap_pod(switch, "b", ["10.1.0.2/24", "fd00:1::2/64"], mtu)
    return switch, a, b


@scenario(takes=2)
def pods_ping_each_other_and_the_gateway(world):
    switch, a, b = two_pods(world)
    for address in ("10.1.0.2", "fd00:1::2", "10.1.0.254", "fd00:1::fe"):
        traffic.ping(a, address)
    traffic.ping(b, "10.1.0.1")
    traffic.ping(b, "fd00:1::1", size=1400)
    expect(switch.cli("port", "show", "a")["state"] == "up", "a is not up")


@scenario(takes=2)
def the_interface_is_the_pods(world):
    switch, a, _ = two_pods(world)
    port = switch.cli("port", "show", "a")
    expect(a.mac() == port["mac"], f"eth0 has {a.mac()}, the port {port['mac']}")
    expect(port["ip"] == ["10.1.0.1", "fd00:1::1"], f"addresses are {port['ip']}")
    switch.cli("port", "del", "a")
    expect("eth0" not in a.ip("-o", "link").stdout, "eth0 outlives its port")


@scenario(takes=6)
def tcp_over_ipv4_and_ipv6(world):
    _, a, b = two_pods(world)
    world.note(f"TCP {traffic.tcp(a, b, '10.1.0.2'):.2f} Gbit/s, over IPv6 {traffic.tcp(b, a, 'fd00:1::1'):.2f}")


@scenario(takes=4)
def udp_at_a_modest_rate_loses_nothing(world):
    switch, a, b = two_pods(world)
    sent, lost = traffic.udp(a, b, "10.1.0.2")
    expect(sent > 1000 and lost == 0, lambda: f"{lost} of {sent} datagrams lost; drops: {switch.drops()}")


@scenario(takes=4)
def jumbo_frames(world):
    _, a, b = two_pods(world, mtu=9000)
    traffic.ping(a, "10.1.0.2", size=8972, whole=True)
    traffic.ping(a, "fd00:1::2", size=8952)
    world.note(f"TCP with MTU 9000: {traffic.tcp(a, b, '10.1.0.2', seconds=1):.2f} Gbit/s")


@scenario(takes=3)
def two_queues(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.1.0.1/24"], queues=2)
    b = world.tap_pod(switch, "b", ["10.1.0.2/24"])
    traffic.ping(a, "10.1.0.2", count=10)
    traffic.tcp(a, b, "10.1.0.2", seconds=1)


@scenario(takes=2)
def networks_do_not_meet(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.1.0.1/24"], network="red")
    world.tap_pod(switch, "b", ["10.1.0.2/24"], network="blue")
    # The same address again, in the other network.
    c = world.tap_pod(switch, "c", ["10.1.0.2/24"], network="red")
    expect(traffic.reaches(a, "10.1.0.2"), "a does not reach c")
    c.ip("link", "set", "eth0", "down")
    expect(not traffic.reaches(a, "10.1.0.2"), "a reaches a pod of another network")
