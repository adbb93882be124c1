# SPDX-License-Identifier: Apache-2.0
"""Pods of several nodes: tunnels between switches, and between a switch and the kernel's VXLAN."""

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.underlay import Underlay

GATEWAYS_1 = ["10.244.1.254", "fd00:244:1::fe"]
GATEWAYS_2 = ["10.244.2.254", "fd00:244:2::fe"]


def know(switch, name, vtep, *cidrs, **options):
    """`node add`"""
    words = ["--vtep", vtep]
    for cidr in cidrs:
        words += ["--pod-cidr", cidr]
    for key, value in options.items():
        words += ["--" + key.replace("_", "-"), value]
    switch.cli("node", "add", name, *words)


def two_nodes(world, vteps=("192.0.2.1/24", "192.0.2.2/24"), mtu=1500, **options):
    """Two switches that know each other; pods a on the first and b on the second."""
    underlay = Underlay(world, mtu)
    one = underlay.switch_node("one", [vteps[0]], **{"node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), **options})
    two = underlay.switch_node("two", [vteps[1]], **{"node.name": "two", "pods.gateway": ",".join(GATEWAYS_2), **options})
    know(one, "two", vteps[1].split("/")[0], "10.244.2.0/24", "fd00:244:2::/64")
    know(two, "one", vteps[0].split("/")[0], "10.244.1.0/24", "fd00:244:1::/64")
    pod_mtu = mtu - (50 if "." in vteps[0] else 70)
    a = world.tap_pod(one, "a", ["10.244.1.1/24", "fd00:244:1::1/64"], mtu=pod_mtu, gateways=GATEWAYS_1)
    b = world.tap_pod(two, "b", ["10.244.2.1/24", "fd00:244:2::1/64"], mtu=pod_mtu, gateways=GATEWAYS_2)
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"))
    return one, two, a, b


@scenario(takes=8)
def two_switches(world):
    one, two, a, b = two_nodes(world)
    traffic.ping(a, "10.244.2.1")
    traffic.ping(b, "fd00:244:1::1")
    for gateway in GATEWAYS_2:  # of the other node
        traffic.ping(a, gateway, count=2)
    world.note(f"TCP {traffic.tcp(a, b, '10.244.2.1', seconds=1):.2f} Gbit/s, "
               f"IPv6 {traffic.tcp(b, a, 'fd00:244:1::1', seconds=1):.2f}")
    sent, lost = traffic.udp(a, b, "10.244.2.1", seconds=1)
    expect(sent > 500 and lost == 0, lambda: f"{lost} of {sent} datagrams lost; drops: {one.drops()} {two.drops()}")


@scenario(takes=6)
def geneve(world):
    _, _, a, b = two_nodes(world, **{"overlay.encapsulation": "geneve"})
    traffic.ping(a, "10.244.2.1")
    traffic.tcp(b, a, "fd00:244:1::1", seconds=1)


@scenario(takes=6)
def underlay_of_ipv6(world):
    _, _, a, b = two_nodes(world, ("2001:db8::1/64", "2001:db8::2/64"))
    traffic.ping(a, "10.244.2.1")
    traffic.ping(b, "fd00:244:1::1")
    traffic.tcp(a, b, "10.244.2.1", seconds=1)


def flannel_node(underlay, name, number, vtep="192.0.2.", port=8472):
    """A node with the kernel's VXLAN, which knows node 1. `vtep`: the VTEPs' addresses without the node's number."""
    node = underlay.kernel_node(name, [f"{vtep}{number}/{64 if ':' in vtep else 24}"])
    add_flannel(node, number, vtep, port)
    return node


def add_flannel(node, number, vtep="192.0.2.", port=8472, dev="nic"):
    """The kernel's VXLAN on a node's NIC."""
    node.ip("link", "add", "flannel.1", "address", f"02:00:00:00:f1:0{number}", "type", "vxlan", "id", 1, "dstport", port,
            "local", f"{vtep}{number}", "dev", dev, "nolearning")
    node.configure("flannel.1", [f"10.244.{number}.1/32", f"fd00:244:{number}::1/128"], mtu=1430 if ":" in vtep else 1450)
    # What flanneld tells the kernel about each other node.
    node.exec("bridge", "fdb", "add", "02:00:00:00:f1:01", "dev", "flannel.1", "dst", f"{vtep}1")
    for family, first, length in (("-4", "10.244.1.0", 24), ("-6", "fd00:244:1::", 64)):
        node.ip("neighbour", "add", first, "lladdr", "02:00:00:00:f1:01", "dev", "flannel.1", "nud", "permanent")
        node.ip(family, "route", "add", f"{first}/{length}", "via", first, "dev", "flannel.1", "onlink")


@scenario(takes=6)
def the_kernels_vxlan_as_flannel_makes_it(world):
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], **{
        "node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "overlay.udp-port": 8472,
        "overlay.vtep-mac": "02:00:00:00:f1:01"})
    node = flannel_node(underlay, "two", 2)
    know(switch, "two", "192.0.2.2", "10.244.2.0/24", vtep_mac="02:00:00:00:f1:02")
    a = world.tap_pod(switch, "a", ["10.244.1.1/24"], mtu=1450, gateways=GATEWAYS_1[:1])
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"))
    traffic.ping(node, "10.244.1.1")
    world.note(f"TCP {traffic.tcp(a, node, '10.244.2.1', seconds=1):.2f} Gbit/s to the kernel, "
               f"{traffic.tcp(node, a, '10.244.1.1', seconds=1):.2f} from it")
    # A stranger's tunnel is no node's.
    stranger = flannel_node(underlay, "three", 3)
    expect(not traffic.reaches(stranger, "10.244.1.1"), "a stranger reached a pod")
    expect(switch.dropped("tunnel_vtep_unknown") > 0, lambda: f"drops: {switch.drops()}")


@scenario(takes=5)
def host_and_pods(world):
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], **{"node.name": "one", "pods.gateway": GATEWAYS_1[0]})
    outside = underlay.kernel_node("outside", ["192.0.2.9/24"])
    traffic.ping(switch.host, "192.0.2.9")
    traffic.ping(outside, "192.0.2.1")
    a = world.tap_pod(switch, "a", ["10.244.1.1/24"], mtu=1450, gateways=GATEWAYS_1[:1])
    gateway_mac = switch.cli("status")["gateway_mac"]
    switch.host.ip("neighbour", "replace", "10.244.1.254", "lladdr", gateway_mac, "dev", "host0", "nud", "permanent")
    switch.host.ip("route", "add", "10.244.1.0/24", "via", "10.244.1.254", "dev", "host0", "onlink")
    traffic.ping(switch.host, "10.244.1.1")
    traffic.ping(a, "192.0.2.1")
    world.note(f"TCP host to pod {traffic.tcp(switch.host, a, '10.244.1.1', seconds=1):.2f} Gbit/s")


@scenario(takes=4)
def errors_about_packets(world):
    one, _, a, _ = two_nodes(world)
    hops = a.exec("tracepath", "-n", "-4", "-m", 5, "10.244.2.1").stdout
    expect("10.244.1.254" in hops and "10.244.2.254" in hops and "reached" in hops, f"tracepath:\n{hops}")
    hops = a.exec("tracepath", "-n", "-6", "-m", 5, "fd00:244:2::1").stdout
    expect("fd00:244:1::fe" in hops and "fd00:244:2::fe" in hops and "reached" in hops, f"tracepath:\n{hops}")
    said = a.exec("ping", "-n", "-c", 1, "-W", 1, "10.99.0.1", check=False).stdout
    expect("Net Unreachable" in said, f"ping:\n{said}")
    expect(one.dropped("route_none") > 0 and one.dropped("ttl_expired") > 0, lambda: f"drops: {one.drops()}")


@scenario(takes=4)
def path_mtu(world):
    """A pod whose MTU is larger than what the tunnel carries hears about it."""
    _, _, a, b = two_nodes(world)
    a.ip("link", "set", "eth0", "mtu", 1500)
    for family, address in (("-4", "10.244.2.1"), ("-6", "fd00:244:2::1")):
        hops = a.exec("tracepath", "-n", family, "-m", 5, address).stdout
        expect("pmtu 1450" in hops and "reached" in hops, f"tracepath:\n{hops}")
    traffic.tcp(a, b, "10.244.2.1", seconds=1)
