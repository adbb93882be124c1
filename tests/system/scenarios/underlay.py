# SPDX-License-Identifier: Apache-2.0
"""Nodes without tunnels, hosts of the underlay that are no nodes, an underlay in a VLAN, and one with a smaller link."""

import json
import time

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect, run
from harness.underlay import Underlay

from scenarios.nodes import node, node_list
from scenarios.overlay import GATEWAYS_1, GATEWAYS_2, know, two_nodes


@scenario(takes=6)
def direct_between_switches(world):
    one, two, a, b = two_nodes(world, **{"overlay.mode": "direct"})
    traffic.ping(a, "10.244.2.1")
    traffic.ping(b, "fd00:244:1::1")
    traffic.tcp(a, b, "10.244.2.1", seconds=1)
    way = one.cli("node", "show", "two")
    expect(way["way"] == "direct" and way["mtu"] == 1500 and way["via"] == "192.0.2.2" and not way["unreachable"], way)


@scenario(takes=5)
def direct_to_a_kernel_node(world):
    """On the link directly, so that pods have the underlay's MTU; beyond it through a tunnel; what has no way says why."""
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], **{
        "node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "overlay.mode": "auto"})
    node = underlay.kernel_node("two", ["192.0.2.2/24"])
    node.ip("address", "add", "10.244.2.1/32", "dev", "lo")
    node.ip("route", "add", "10.244.1.0/24", "via", "192.0.2.1")
    know(switch, "two", "192.0.2.2", "10.244.2.0/24")
    know(switch, "far", "203.0.113.9", "10.244.9.0/24")
    know(switch, "six", "2001:db8::6", "10.244.6.0/24")
    a = world.tap_pod(switch, "a", ["10.244.1.1/24"], gateways=GATEWAYS_1[:1])
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"))
    traffic.ping(node, "10.244.1.1", size=1472, whole=True)
    traffic.tcp(a, node, "10.244.2.1", seconds=1)
    ways = {row["name"]: row for row in switch.cli("node", "list")}
    expect(ways["two"]["way"] == "direct" and ways["two"]["unreachable"] is None, ways)
    expect(ways["far"]["way"] == "tunnel" and "does not answer" in ways["far"]["unreachable"], ways)
    expect(ways["six"]["way"] == "none" and "no IPv6 address" in ways["six"]["unreachable"], ways)


@scenario(takes=4)
def hosts_on_the_link(world):
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24", "2001:db8::1/64"],
                                  **{"node.name": "one", "pods.gateway": ",".join(GATEWAYS_1)})
    outside = underlay.kernel_node("outside", ["192.0.2.9/24", "2001:db8::9/64"])
    outside.ip("route", "add", "10.244.1.0/24", "via", "192.0.2.1")
    outside.ip("route", "add", "fd00:244:1::/64", "via", "2001:db8::1")
    a = world.tap_pod(switch, "a", ["10.244.1.1/24", "fd00:244:1::1/64"], gateways=GATEWAYS_1)
    for address in ("192.0.2.9", "2001:db8::9"):
        eventually(f"{address} is found", lambda: traffic.reaches(a, address))
        traffic.ping(a, address)
    traffic.ping(outside, "fd00:244:1::1")
    traffic.tcp(outside, a, "10.244.1.1", seconds=1)
    known = {row["ip"]: row for row in switch.cli("neighbour", "list")}
    expect(known["192.0.2.9"]["mac"] == outside.mac("nic") and known["192.0.2.9"]["next_hops"] == 0, known)
    expect(not traffic.reaches(a, "192.0.2.77"), "nobody answered")
    said = a.exec("sh", "-c", "for ip in 192.0.2.78 2001:db8::78; do ping -n -c 6 -i 0.9 -W 1 $ip & done; wait",
                  check=False).stdout
    for words in ("Destination Host Unreachable", "Address unreachable"):
        expect(words in said, f"pings of who does not answer:\n{said}")
    eventually("who does not answer is forgotten",
               lambda: "192.0.2.77" not in [row["ip"] for row in switch.cli("neighbour", "list")])
    expect(switch.dropped("next_hop_unresolved") > 0, lambda: f"drops: {switch.drops()}")


@scenario(takes=6)
def underlay_in_a_vlan(world):
    """The kernel here has no 8021q, so that both ends are switches; a host without the tag hears nobody."""
    underlay = Underlay(world)
    nodes = []
    for number, gateways in ((1, GATEWAYS_1), (2, GATEWAYS_2)):
        nodes.append(underlay.switch_node(f"node{number}", [f"192.0.2.{number}/24"], vlan=100, **{
            "node.name": f"node{number}", "pods.gateway": ",".join(gateways)}))
    one, two = nodes
    know(one, "node2", "192.0.2.2", "10.244.2.0/24")
    know(two, "node1", "192.0.2.1", "10.244.1.0/24")
    a = world.tap_pod(one, "a", ["10.244.1.1/24"], mtu=1450, gateways=GATEWAYS_1[:1])
    b = world.tap_pod(two, "b", ["10.244.2.1/24"], mtu=1450, gateways=GATEWAYS_2[:1])
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"))
    traffic.ping(a, "10.244.2.1", size=1422, whole=True)
    traffic.tcp(a, b, "10.244.2.1", seconds=1)
    traffic.ping(one.host, "192.0.2.2")
    untagged = underlay.kernel_node("outside", ["192.0.2.9/24"])
    expect(not traffic.reaches(untagged, "192.0.2.1"), "an untagged host reached the node")
    expect(one.dropped("vlan_untagged", "uplink") > 0, lambda: f"drops: {one.drops()}")


@scenario(takes=8)
def smaller_link_in_the_underlay(world):
    """The routers' errors are about tunnel packets; pods hear what that means for theirs."""
    underlay = Underlay(world)
    routers = []
    for number, address in ((1, "192.0.2.254/24"), (2, "203.0.113.254/24")):
        router = underlay.kernel_node(f"router{number}", [address])
        router.sysctl("net.ipv4.ip_forward", 1)
        routers.append(router)
    run("ip", "-n", routers[0].name, "link", "add", "middle", "mtu", 1400, "type", "veth", "peer", "name", "middle",
        "mtu", 1400, "netns", routers[1].name)
    routers[0].configure("middle", ["198.51.100.1/30"], mtu=1400, gateways=["198.51.100.2"])
    routers[1].configure("middle", ["198.51.100.2/30"], mtu=1400, gateways=["198.51.100.1"])
    one = underlay.switch_node("one", ["192.0.2.1/24"], ["192.0.2.254"],
                               **{"node.name": "one", "pods.gateway": ",".join(GATEWAYS_1)})
    two = underlay.switch_node("two", ["203.0.113.2/24"], ["203.0.113.254"],
                               **{"node.name": "two", "pods.gateway": ",".join(GATEWAYS_2)})
    know(one, "two", "203.0.113.2", "10.244.2.0/24", "fd00:244:2::/64")
    know(two, "one", "192.0.2.1", "10.244.1.0/24", "fd00:244:1::/64")
    a = world.tap_pod(one, "a", ["10.244.1.1/24", "fd00:244:1::1/64"], mtu=1450, gateways=GATEWAYS_1)
    b = world.tap_pod(two, "b", ["10.244.2.1/24", "fd00:244:2::1/64"], mtu=1450, gateways=GATEWAYS_2)
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"))
    traffic.tcp(a, b, "10.244.2.1", seconds=1)
    for family, address in (("-4", "10.244.2.1"), ("-6", "fd00:244:2::1")):
        hops = a.exec("tracepath", "-n", family, "-m", 5, address).stdout
        expect("pmtu 1350" in hops and "reached" in hops, f"tracepath:\n{hops}")
    traffic.tcp(b, a, "fd00:244:1::1", seconds=1)
    way = one.cli("node", "show", "two")
    expect(way["path-mtu"] == 1400 and way["mtu"] == 1450, way)


@scenario(takes=15)
def one_node_among_five_thousand(world):
    """A change among many nodes and pods, under traffic. The time is the machine's; the loss is ours."""
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.168.250.1/16"], **{"node.name": "one", "pods.gateway": "10.250.0.254"})
    a = world.tap_pod(switch, "a", ["10.250.0.1/24"])
    b = world.tap_pod(switch, "b", ["10.250.0.2/24"])
    crowd = [{"name": f"p{n}", "type": "vhost-user", "path": world.path(f"{n}.sock"), "ip": [f"10.250.1.{n}"],
              "mac": f"02:00:00:07:00:{n:02x}"} for n in range(1, 253)]
    switch.cli("port", "add", "--file", "-", input=json.dumps(crowd), timeout=120)
    switch.cli("apply", "-f", "-", input=node_list([node(n) for n in range(1, 5001)]))
    stream = world.stream(a, b, "10.250.0.2")
    times = []
    with switch.connect() as client:
        for n in range(20):
            began = time.monotonic()
            answer = client.ask("node add", name=f"more-{n}", vtep=[f"192.168.251.{n}"], **{"pod-cidr": [f"172.16.{n}.0/24"]})
            times.append((time.monotonic() - began) * 1e3)
            expect("error" not in answer, answer)
    stream.stop()
    world.note(f"one more node in {sorted(times)[len(times) // 2]:.1f} ms, at most {max(times):.1f}")
    expect(stream.lost == 0, lambda: f"{stream.lost} of {stream.sent} lost; drops: {switch.drops()}")
    routes = [row["prefix"] for row in switch.cli("route", "list")]
    expect(len(routes) > 10000 and "172.16.19.0/24" in routes, f"{len(routes)} routes")
