# SPDX-License-Identifier: Apache-2.0
"""What nodes put on the wire, in the eyes of tshark: every encapsulation, over both underlays, for both families."""

from harness import traffic
from harness.capture import inside_of
from harness.runner import scenario
from harness.shell import eventually
from harness.underlay import Underlay
from scenarios.overlay import GATEWAYS_1, flannel_node, know, two_nodes

IPV6_VTEPS = ("2001:db8::1/64", "2001:db8::2/64")


def expect_sound_tunnels(world, tunnel, options=None, **more):
    one, _, a, b = two_nodes(world, **more, **(options or {}))
    capture = one.underlay.capture()
    traffic.talk(a, b, "10.244.2.1", "fd00:244:2::1")
    outer = "ipv6" if "vteps" in more else "ip"
    capture.expect_sound(*inside_of(f"{outer}:udp:{tunnel}"), vxlan_port=(options or {}).get("overlay.udp-port", 4789))


@scenario(takes=7)
def vxlan(world):
    expect_sound_tunnels(world, "vxlan")


@scenario(takes=7)
def vxlan_on_flannels_port(world):
    expect_sound_tunnels(world, "vxlan", {"overlay.udp-port": 8472})


@scenario(takes=7)
def vxlan_over_ipv6(world):
    expect_sound_tunnels(world, "vxlan", vteps=IPV6_VTEPS)


@scenario(takes=7)
def geneve(world):
    expect_sound_tunnels(world, "geneve", {"overlay.encapsulation": "geneve"})


@scenario(takes=7)
def geneve_over_ipv6(world):
    expect_sound_tunnels(world, "geneve", {"overlay.encapsulation": "geneve"}, vteps=IPV6_VTEPS)


def talk_with_the_kernel(world, vtep, port):
    underlay = Underlay(world)
    is_v6 = ":" in vtep
    switch = underlay.switch_node("one", [f"{vtep}1/{64 if is_v6 else 24}"], **{
        "node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "overlay.udp-port": port,
        "overlay.vtep-mac": "02:00:00:00:f1:01"})
    node = flannel_node(underlay, "two", 2, vtep, port)
    know(switch, "two", f"{vtep}2", "10.244.2.0/24", "fd00:244:2::/64", vtep_mac="02:00:00:00:f1:02")
    a = world.tap_pod(switch, "a", ["10.244.1.1/24", "fd00:244:1::1/64"], mtu=1430 if is_v6 else 1450, gateways=GATEWAYS_1)
    capture = underlay.capture()
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"))
    traffic.ping(node, "10.244.1.1")
    traffic.talk(a, node, "10.244.2.1", "fd00:244:2::1")
    capture.expect_sound(*inside_of(f"{'ipv6' if is_v6 else 'ip'}:udp:vxlan"), vxlan_port=port)


@scenario(takes=5)
def the_kernels_vxlan(world):
    talk_with_the_kernel(world, "192.0.2.", 8472)


@scenario(takes=5)
def the_kernels_vxlan_over_ipv6(world):
    """It drops what has no outer checksum."""
    talk_with_the_kernel(world, "2001:db8::", 4789)


@scenario(takes=7)
def outside_addresses_and_the_host(world):
    """Pods reach what lies behind the underlay's gateway with their own addresses, and their node; it reaches them."""
    underlay = Underlay(world)
    outside = underlay.kernel_node("outside", ["192.0.2.9/24", "2001:db8::9/64"])
    outside.configure("lo", ["198.51.100.1/32", "2001:db8:99::1/128"])
    # Datagrams are answered from the address that they were sent to.
    outside.ip("route", "add", "10.244.1.0/24", "via", "192.0.2.1", "src", "198.51.100.1")
    outside.ip("-6", "route", "add", "fd00:244:1::/64", "via", "2001:db8::1", "src", "2001:db8:99::1")
    switch = underlay.switch_node("one", ["192.0.2.1/24", "2001:db8::1/64"], gateways=["192.0.2.9", "2001:db8::9"],
                                  **{"node.name": "one", "pods.gateway": ",".join(GATEWAYS_1)})
    a = world.tap_pod(switch, "a", ["10.244.1.1/24", "fd00:244:1::1/64"], mtu=1450, gateways=GATEWAYS_1)
    for family, gateway, subnet in (("-4", GATEWAYS_1[0], "10.244.1.0/24"), ("-6", GATEWAYS_1[1], "fd00:244:1::/64")):
        switch.host.ip("neighbour", "replace", gateway, "lladdr", switch.cli("status")["gateway_mac"], "dev", "host0",
                       "nud", "permanent")
        switch.host.ip(family, "route", "add", subnet, "via", gateway, "dev", "host0", "onlink")
    capture = underlay.capture()
    eventually("the gateway is found", lambda: traffic.reaches(a, "198.51.100.1") and traffic.reaches(a, "2001:db8:99::1"))
    traffic.talk(a, outside, "198.51.100.1", "2001:db8:99::1")
    traffic.ping(outside, "10.244.1.1")
    traffic.ping(outside, "fd00:244:1::1")
    traffic.talk(a, switch.host, "192.0.2.1", "2001:db8::1")
    traffic.talk(switch.host, a, "10.244.1.1", "fd00:244:1::1")
    traffic.talk(switch.host, outside, "192.0.2.9", "2001:db8::9")
    capture.expect_sound("ip:icmp", "ip:tcp", "ip:udp", "ipv6:icmpv6", "ipv6:tcp", "ipv6:udp")
