# SPDX-License-Identifier: Apache-2.0
"""Services whose backends are on another node, or behind a narrow path."""

import socket

from harness import traffic
from harness.capture import inside_of
from harness.runner import scenario
from harness.services import TcpServer, UdpServer, ask, connect, curl, expect_only, serve
from harness.shell import expect
from scenarios.overlay import two_nodes
from scenarios.services import VIPS, WEB, addresses, dns_answer, node, pod

REMOTE = ["10.244.2.1", "fd00:244:2::1"]
LOCAL = ["10.244.1.1", "fd00:244:1::1"]
PORTS = (WEB, ("TCP", 5201, 5201), ("UDP", 5201, 5201), ("UDP", 53, 5353))


@scenario(takes=10)
def through_the_tunnel(world):
    """Both nodes have the service; the client sees it alone, the nodes' tunnel sees only pods."""
    one, two, a, b = two_nodes(world)
    serve([one, two], "web", VIPS, REMOTE, *PORTS)
    server = TcpServer(world, b, "b", REMOTE, 8080)
    UdpServer(world, b, "dns", REMOTE, 5353, dns_answer)
    world.need("busybox", "busybox-static")
    capture = one.underlay.capture()
    for vip in VIPS:
        wire = traffic.Wire(a)
        expect(curl(a, vip) == "b", f"{vip} does not answer")
        expect("192.0.2.53" in a.exec("busybox", "nslookup", "pod.example.", vip).stdout, f"no names from {vip}")
        traffic.talk_through(a, b, vip)
        expect_only(wire, vip)
        wire.close()
    expect({peer[0] for peer in server.peers} == set(LOCAL), f"the backend has seen {server.peers}")
    inside = [stack for stack in inside_of("ip:udp:vxlan") if "icmp" not in stack]
    capture.expect_sound(*inside)


@scenario(takes=5)
def both_nodes_choose_the_same_endpoint(world):
    one, two, _, _ = two_nodes(world)
    serve([one, two], "web", VIPS, [f"10.244.{n}.{i}" for n in (1, 2) for i in range(1, 9)], WEB)
    for port in range(30000, 30020):
        told = [switch.cli("service", "where", "default/web:80", "--from", f"10.244.1.1:{port}")[0] for switch in (one, two)]
        expect(told[0]["endpoint"] == told[1]["endpoint"] and told[0]["endpoint"], f"from port {port}: {told}")


@scenario(takes=5)
def path_mtu_through_the_tunnel(world):
    """The client's MTU is larger than what the tunnel carries, which it hears of its Service."""
    one, two, a, b = two_nodes(world)
    serve([one, two], "web", VIPS, REMOTE, WEB, ("TCP", 5201, 5201))
    b.ip("link", "set", "eth0", "mtu", 1500)
    a.ip("link", "set", "eth0", "mtu", 1500)
    for vip in VIPS:
        traffic.tcp(a, b, vip, amount="4M")
        known = a.ip("route", "get", vip).stdout
        expect("mtu 1450" in known, f"the kernel's route:\n{known}")


@scenario(takes=5)
def an_error_from_the_path_is_about_the_service(world):
    """The backend is behind a pod that routes, and the way on takes 1,300 bytes: the router's error names the backend.
    The server does not know, or its MSS would say so."""
    switch, client, _ = node(world, 0)
    router = pod(world, switch, "router", 2, allow_spoofing=True)
    server = world.namespace("server")
    router.ip("link", "add", "far", "mtu", 1300, "type", "veth", "peer", "name", "eth0", "mtu", 1450, "netns", server.name)
    router.configure("far", ["172.16.0.254/24", "fd00:99::fe/64"])
    server.configure("eth0", ["172.16.0.1/24", "fd00:99::1/64"], gateways=["172.16.0.254", "fd00:99::fe"])
    router.sysctl("net.ipv4.ip_forward", 1)
    router.sysctl("net.ipv6.conf.all.forwarding", 1)
    switch.cli("route", "add", "172.16.0.0/24", "--via", addresses(2)[0])
    switch.cli("route", "add", "fd00:99::/64", "--via", addresses(2)[1])
    serve(switch, "far", VIPS, ["172.16.0.1", "fd00:99::1"], ("TCP", 5201, 5201), ("UDP", 80, 8080))
    UdpServer(world, server, "far", ["172.16.0.1", "fd00:99::1"], 8080)
    for vip in VIPS:
        traffic.tcp(client, server, vip, amount="4M")
        known = client.ip("route", "get", vip).stdout
        expect("mtu 1300" in known, f"the kernel's route:\n{known}")
        with connect(client, vip, 80, socket.SOCK_DGRAM) as one:
            expect(ask(one, "hello") == "far hello", f"{vip} does not answer")


@scenario(takes=3)
def fragments_follow_their_first(world):
    """Datagrams of several fragments, there and back, on one node."""
    switch, client, backends = node(world, 2)
    for i, one in enumerate(backends):
        UdpServer(world, one, f"b{i + 1}", addresses(11 + i), 8080)
    serve(switch, "udp", VIPS, [address for i in range(2) for address in addresses(11 + i)], ("UDP", 80, 8080))
    expect_large_answers(client)


@scenario(takes=5)
def fragments_through_the_tunnel(world):
    one, two, a, b = two_nodes(world)
    UdpServer(world, b, "b1", REMOTE, 8080)
    serve([one, two], "udp", VIPS, REMOTE, ("UDP", 80, 8080))
    expect_large_answers(a)


def expect_large_answers(client):
    wire = traffic.Wire(client)
    for vip in VIPS:
        for size in (1400, 1500, 4000, 20000):
            with connect(client, vip, 80, socket.SOCK_DGRAM) as one:
                text = "x" * size
                said = ask(one, text)
                expect(said.split()[1] == text, f"{size} bytes to {vip}: {len(said)} came back")
    expect_only(wire, *VIPS)
    wire.close()
