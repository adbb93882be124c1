# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch as the other end of tunnels: as a node of a Flannel-style network, where behind its VTEP's MAC is a pod
that routes by itself, and of a layer-2 network."""

from harness import traffic
from harness.capture import inside_of
from harness.openvswitch import OpenVSwitchNode
from harness.runner import scenario
from harness.shell import eventually
from harness.underlay import Underlay
from scenarios.overlay import GATEWAYS_1, know

OWN_VTEP_MAC, OVS_VTEP_MAC = "02:00:00:00:0f:01", "02:00:00:00:0f:02"
VNI = 77


def talk_with_openvswitch(world, kind, port, vteps=("192.0.2.1/24", "192.0.2.2/24")):
    underlay = Underlay(world)
    remote = [vtep.split("/")[0] for vtep in vteps]
    node = OpenVSwitchNode(underlay, "two", [vteps[1]])
    switch = underlay.switch_node("one", [vteps[0]], **{
        "node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "overlay.encapsulation": kind, "overlay.udp-port": port,
        "overlay.vni": VNI, "overlay.vtep-mac": OWN_VTEP_MAC})
    know(switch, "two", remote[1], "10.244.2.0/24", "fd00:244:2::/64", vtep_mac=OVS_VTEP_MAC)
    mtu = underlay.mtu - (50 if "." in remote[0] else 70)
    a = world.tap_pod(switch, "a", ["10.244.1.1/24", "fd00:244:1::1/64"], mtu=mtu, gateways=GATEWAYS_1)
    node.tunnel("tunnel", kind, remote[0], VNI, port)
    b = node.pod("b", OVS_VTEP_MAC, ["10.244.2.1/32", "fd00:244:2::1/128"], mtu)
    for family, gateway, subnet in (("-4", "10.244.1.0", "10.244.1.0/24"), ("-6", "fd00:244:1::", "fd00:244:1::/64")):
        b.ip("neighbour", "add", gateway, "lladdr", OWN_VTEP_MAC, "dev", "eth0", "nud", "permanent")
        b.ip(family, "route", "add", subnet, "via", gateway, "dev", "eth0", "onlink")
    capture = underlay.capture()
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"), timeout=20)
    traffic.ping(b, "10.244.1.1")
    traffic.talk(a, b, "10.244.2.1", "fd00:244:2::1")
    outer = "ip" if "." in remote[0] else "ipv6"
    capture.expect_sound(*inside_of(f"{outer}:udp:{kind}"), **({"vxlan_port": port} if kind == "vxlan" else {}))


@scenario(takes=10)
def vxlan(world):
    talk_with_openvswitch(world, "vxlan", 4789)


@scenario(takes=10)
def vxlan_over_ipv6(world):
    talk_with_openvswitch(world, "vxlan", 8472, ("2001:db8::1/64", "2001:db8::2/64"))


@scenario(takes=10)
def geneve(world):
    talk_with_openvswitch(world, "geneve", 6081)


@scenario(takes=10)
def geneve_over_ipv6(world):
    talk_with_openvswitch(world, "geneve", 6081, ("2001:db8::1/64", "2001:db8::2/64"))


def share_a_network_with_openvswitch(world, kind, port):
    underlay = Underlay(world)
    node = OpenVSwitchNode(underlay, "two", ["192.0.2.2/24"])
    switch = underlay.switch_node("one", ["192.0.2.1/24"], **{"node.name": "one", "overlay.encapsulation": kind})
    know(switch, "two", "192.0.2.2", "10.244.2.0/24")
    switch.cli("network", "add", "blue", "--vni", VNI)
    a = world.tap_pod(switch, "a", ["10.0.0.1/24", "fd00::1/64"], mtu=1450, network="blue")
    node.tunnel("tunnel", kind, "192.0.2.1", VNI, port)
    b = node.pod("b", world.new_mac(), ["10.0.0.2/24", "fd00::2/64"], 1450)
    capture = underlay.capture()
    eventually("blue spans the nodes", lambda: traffic.reaches(a, "10.0.0.2"), timeout=20)
    traffic.ping(b, "10.0.0.1")
    traffic.talk(a, b, "10.0.0.2", "fd00::2")
    capture.expect_sound(*inside_of(f"ip:udp:{kind}"))


@scenario(takes=6)
def bridged_vxlan(world):
    share_a_network_with_openvswitch(world, "vxlan", 4789)


@scenario(takes=6)
def bridged_geneve(world):
    share_a_network_with_openvswitch(world, "geneve", 6081)
