# SPDX-License-Identifier: Apache-2.0
"""Services between pods of one node: who gets a connection, what the client sees, and what is refused."""

import collections
import socket
import struct

from harness import traffic
from harness.runner import scenario
from harness.services import TcpServer, UdpServer, apply, ask, connect, curl, expect_only, serve, service, slices
from harness.shell import eventually, expect

GATEWAYS = ["10.244.1.254", "fd00:244:1::fe"]
VIP4, VIP6 = "10.96.0.10", "fd00:96::10"
VIPS = [VIP4, VIP6]
WEB = ("TCP", 80, 8080)


def addresses(number):
    """Of a pod of the first node."""
    return [f"10.244.1.{number}", f"fd00:244:1::{number}"]


def pod(world, switch, name, number, **options):
    v4, v6 = addresses(number)
    return world.tap_pod(switch, name, [f"{v4}/24", f"{v6}/64"], mtu=1450, gateways=GATEWAYS, **options)


def node(world, backends=2, **options):
    """(switch, client, backends) with pod client and pods b1, b2..."""
    switch = world.daemon(options={"node.name": "one", "pods.gateway": ",".join(GATEWAYS), **options})
    client = pod(world, switch, "client", 1)
    return switch, client, [pod(world, switch, f"b{i + 1}", 11 + i) for i in range(backends)]


def all_addresses(backends):
    return [address for i in range(len(backends)) for address in addresses(11 + i)]


def web(world, switch, backends):
    """Service web, each backend of which says its name."""
    servers = [TcpServer(world, one, f"b{i + 1}", addresses(11 + i), 8080) for i, one in enumerate(backends)]
    serve(switch, "web", VIPS, all_addresses(backends), WEB)
    return servers


@scenario(takes=4)
def the_client_sees_only_the_service(world):
    switch, client, backends = node(world, 3)
    servers = web(world, switch, backends)
    wire = traffic.Wire(client)
    said = collections.Counter(curl(client, VIPS[i % 2]) for i in range(60))
    expect(set(said) == {"b1", "b2", "b3"}, f"answers: {said}")
    expect_only(wire, *VIPS)
    wire.close()
    seen = {peer[0] for server in servers for peer in server.peers}
    expect(seen == set(addresses(1)), f"the backends have seen {seen}: a pod's own address stays")


@scenario(takes=3)
def iperf_through_a_service(world):
    switch, client, (server,) = node(world, 1)
    serve(switch, "iperf", VIPS, addresses(11), ("TCP", 5201, 5201), ("UDP", 5201, 5201))
    for vip in VIPS:
        wire = traffic.Wire(client)  # one each: its buffer is soon full
        traffic.talk_through(client, server, vip)
        expect_only(wire, vip)
        wire.close()


@scenario(takes=2)
def names_are_resolved_over_udp(world):
    """busybox' nslookup asks for A and AAAA."""
    world.need("busybox", "busybox-static")
    switch, client, backends = node(world)
    for i, one in enumerate(backends):
        UdpServer(world, one, "dns", addresses(11 + i), 5353, dns_answer)
    serve(switch, "dns", VIPS, all_addresses(backends), ("UDP", 53, 5353))
    for vip in VIPS:
        said = client.exec("busybox", "nslookup", "pod.example.", vip).stdout
        expect("192.0.2.53" in said and "2001:db8::53" in said, f"nslookup says:\n{said}")


def dns_answer(query):
    """One record for the question that it has (RFC 1035 section 4.1), of type A or AAAA."""
    end = query.index(b"\0", 12) + 5
    (kind,) = struct.unpack_from("!H", query, end - 4)
    data = socket.inet_aton("192.0.2.53") if kind == 1 else socket.inet_pton(socket.AF_INET6, "2001:db8::53")
    return query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + query[12:end] + struct.pack(
        "!HHHIH", 0xc00c, kind, 1, 60, len(data)) + data


@scenario(takes=2)
def a_pod_reaches_itself_through_its_service(world):
    switch, _, (own,) = node(world, 1)
    (server,) = web(world, switch, [own])
    wire = traffic.Wire(own)
    for vip in VIPS:
        expect(curl(own, vip) == "b1", f"{vip} led elsewhere")
    expect(not {peer[0] for peer in server.peers} & set(addresses(11)), f"it has seen itself as the client: {server.peers}")
    wire.close()


def refusal(pod, address, port, kind):
    """The name of the error by which a connection, or a datagram, is refused."""
    try:
        with connect(pod, address, port, kind) as one:
            if kind == socket.SOCK_DGRAM:
                ask(one, "anybody?")
        return "none"
    except OSError as error:
        return type(error).__name__


def expect_refused(pod, vips, port):
    for vip in vips:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            said = refusal(pod, vip, port, kind)
            expect(said == "ConnectionRefusedError", f"{vip} port {port}, {kind.name}: {said}")


@scenario(takes=2)
def who_has_no_endpoints_refuses_at_once(world):
    switch, client, backends = node(world, 1)
    ports = (WEB, ("UDP", 80, 8080))
    apply(switch, service("web", VIPS, *ports))
    expect_refused(client, VIPS, 80)
    apply(switch, *slices("web", [], *ports))
    expect_refused(client, VIPS, 80)
    TcpServer(world, backends[0], "b1", addresses(11), 8080)
    apply(switch, *slices("web", addresses(11), *ports))
    for vip in VIPS:
        expect(curl(client, vip) == "b1", f"{vip} does not answer")
    switch.cli("delete", "service", "default/web")
    said = client.exec("curl", "-sS", "-m", 2, "http://10.96.0.10/", check=False)
    expect(said.returncode != 0, f"the deleted service says {said.stdout}")


@scenario(takes=2)
def another_port_is_refused_and_so_is_a_ping(world):
    switch, client, backends = node(world, 1)
    web(world, switch, backends)
    expect_refused(client, VIPS, 81)
    expect(refusal(client, VIP4, 80, socket.SOCK_DGRAM) == "ConnectionRefusedError", "UDP has no port 80 here")
    for vip in VIPS:
        said = client.exec("ping", "-n", "-c", 1, "-W", 2, vip, check=False).stdout
        expect("ort unreachable" in said or "Port Unreachable" in said, f"ping {vip}:\n{said}")


@scenario(takes=2)
def three_conversations_on_one_source_port(world):
    """Two services with one backend, and that backend itself: three ways to one address and port, each with its own replies."""
    switch, client, (backend,) = node(world, 1)
    v4, v6 = addresses(11)
    TcpServer(world, backend, "tcp", [v4, v6], 8080)
    UdpServer(world, backend, "udp", [v4, v6], 8080)
    others = ["10.96.0.11", "fd00:96::11"]
    ports = (WEB, ("UDP", 80, 8080))
    serve(switch, "one", VIPS, [v4, v6], *ports)
    serve(switch, "two", others, [v4, v6], *ports)
    for direct, vip, other in zip((v4, v6), VIPS, others):
        for kind, name in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
            # Each order: who comes first has the port.
            for from_port, order in enumerate(((vip, other, direct), (direct, vip, other), (other, direct, vip)), 5000):
                ways = [(to, connect(client, to, 8080 if to == direct else 80, kind, from_port)) for to in order]
                for turn in range(3):
                    for to, one in ways:
                        said = ask(one, f"{to} {turn}")
                        expect(said == f"{name} {to} {turn}", f"asked {to} over {name}, and got {said!r}")
                for _, one in ways:
                    one.close()


@scenario(takes=2)
def where_says_which_endpoint_a_flow_gets(world):
    switch, client, backends = node(world, 4)
    web(world, switch, backends)
    names = {}
    for i in range(4):
        v4, v6 = addresses(11 + i)
        names |= {f"{v4}:8080": f"b{i + 1}", f"[{v6}]:8080": f"b{i + 1}"}
    for i in range(20):
        source, vip, port = addresses(1)[i % 2], VIPS[i % 2], 20000 + i
        shown = f"[{source}]:{port}" if ":" in source else f"{source}:{port}"
        (told,) = switch.cli("service", "where", "default/web:80", "--from", shown)
        with connect(client, vip, 80, from_port=port) as one:
            said = ask(one, "who?").split()[0]
        expect(names[told["endpoint"]] == said, f"from {shown}: {said} answers; told: {told}")


def bare_segment(pod, to_mac, flags):
    """A TCP segment of no connection, from a pod to VIP4's port 80."""
    v4 = addresses(1)[0]
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1000, 2000, 0x50, flags, 1000, 0, 0)
    pseudo = socket.inet_aton(v4) + socket.inet_aton(VIP4) + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, socket.inet_aton(v4), socket.inet_aton(VIP4))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return bytes.fromhex((to_mac + pod.mac()).replace(":", "")) + b"\x08\x00" + ip + tcp


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


@scenario(takes=2)
def a_segment_without_a_connection_is_dropped(world):
    switch, client, (backend,) = node(world, 1)
    web(world, switch, [backend])
    gateway = switch.cli("status")["gateway_mac"]
    at_backend, at_client = traffic.Wire(backend), traffic.Wire(client)
    for flags in (0x10, 0x11, 0x18, 0x04):  # ACK, FIN, PSH, RST
        at_client.send(bare_segment(client, gateway, flags))
    eventually("all four are counted", lambda: switch.dropped("service_no_connection", "client") == 4)
    for wire in (at_backend, at_client):
        tcp = [frame for frame in wire.received() if frame[12:14] == b"\x08\x00" and frame[23] == 6]
        expect(not tcp, f"came through: {tcp}")
        wire.close()
