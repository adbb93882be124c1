# SPDX-License-Identifier: Apache-2.0
"""Packets that are too large, in fragments, and what pods hear about it."""

import socket
import struct
import threading

from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from harness import traffic
from harness.daemon import parse_metrics
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.traffic import Wire
from harness.underlay import Underlay
from harness.world import add_port
from scenarios.overlay import GATEWAYS_1, know, two_nodes

IP_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_WANT = 10, 0, 1
A = "10.244.1.1"


class Echo:
    """A UDP echo server in a pod."""

    def __init__(self, world, pod, address):
        self._socket = pod.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
        self._socket.bind((address, 0))
        self.address = self._socket.getsockname()[:2]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        world.defer(self._stop)

    def _serve(self):
        while True:
            data, sender = self._socket.recvfrom(65536)
            if data == b"stop":
                return
            self._socket.sendto(data, sender)

    def _stop(self):
        self._socket.sendto(b"stop", self.address)
        self._thread.join()
        self._socket.close()


def asks(pod, server, size, discover):
    """One request; True when just that came back."""
    family = socket.AF_INET6 if ":" in server.address[0] else socket.AF_INET
    with pod.socket(family, socket.SOCK_DGRAM) as client:
        if family == socket.AF_INET:
            client.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, discover)
        client.settimeout(0.5)
        request = bytes(n % 251 for n in range(size))
        try:
            client.sendto(request, server.address)
            return client.recv(65536) == request
        except (TimeoutError, OSError):
            return False


@scenario(takes=5)
def requests_of_2000_bytes(world):
    """Between pods whose own MTU is larger than what the tunnel takes."""
    one, _, a, b = two_nodes(world)
    for pod in (a, b):
        pod.ip("link", "set", "eth0", "mtu", 1500)
    at_b, at_a = Echo(world, b, "10.244.2.1"), Echo(world, a, A)
    # Cut by the sender to 1,500 bytes, and once more by the switch.
    expect(asks(a, at_b, 2000, PMTUDISC_DONT), lambda: f"no answer from b; drops: {one.drops()}")
    expect(asks(b, at_a, 2000, PMTUDISC_DONT), lambda: f"no answer from a; drops: {one.drops()}")
    # 1,470 bytes with DF are too many by the headers: the sender hears so and cuts itself.
    expect(not asks(a, at_b, 1470, PMTUDISC_WANT), "1,498 bytes with DF went through")
    eventually("1,470 bytes pass", lambda: asks(a, at_b, 1470, PMTUDISC_WANT))
    expect(one.dropped("mtu_exceeded", "a") > 0, lambda: f"drops: {one.drops()}")
    six = Echo(world, b, "fd00:244:2::1")
    eventually("2,000 bytes of IPv6 pass", lambda: asks(a, six, 2000, PMTUDISC_WANT))


def received(switch):
    """{core: packets}"""
    return {worker["core"]: worker["packets"] for worker in switch.cli("worker", "list")}


def last_first(datagram, size):
    """IPv4 fragments of up to `size` bytes of payload, in reverse order."""
    return list(reversed(fragment(datagram, size)))


@scenario(takes=5)
def a_datagram_of_60_kilobytes(world):
    """From another node, last fragment first, over two queues of the uplink."""
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], uplink={"queues": 2}, **{
        "node.name": "one", "pods.gateway": GATEWAYS_1[0], "workers.cores": "0,1"})
    node = underlay.kernel_node("two", ["192.0.2.2/24"])
    know(switch, "two", "192.0.2.2", "10.244.2.0/24")
    pod = world.tap_pod(switch, "a", [A + "/24"], mtu=1450, gateways=GATEWAYS_1[:1], queues=2)
    server = pod.socket(socket.AF_INET, socket.SOCK_DGRAM)
    world.defer(server.close)
    server.setsockopt(socket.SOL_SOCKET, traffic.SO_RCVBUFFORCE, 1 << 20)
    server.bind((A, 5000))
    server.settimeout(5)

    payload = bytes(n * 7 % 256 for n in range(60000))
    datagram = IP(src="10.244.2.1", dst=A, id=77) / UDP(sport=4000, dport=5000) / payload
    outer = Ether(src=node.mac("nic"), dst=switch.host.mac("host0")) / IP(src="192.0.2.2", dst="192.0.2.1", flags="DF")
    vtep_mac = "02:70:" + ":".join(f"{n:02x}" for n in socket.inet_aton("192.0.2.1"))
    wire = Wire(node, "nic")
    world.defer(wire.close)
    frames = [outer / UDP(sport=49152 + n % 64, dport=4789, chksum=0) / VXLAN(flags=8, vni=1) /
              Ether(src="02:70:c0:00:02:02", dst=vtep_mac) / piece
              for n, piece in enumerate(last_first(datagram, 1424))]
    before = received(switch)
    wire.send(*frames)
    expect(server.recv(65536) == payload, lambda: f"another datagram arrived; drops: {switch.drops()}")
    after = received(switch)
    expect(all(after[core] - before[core] > 5 for core in (0, 1)), f"not over both queues: {before}, {after}")


@scenario(takes=4)
def fragments_take_the_path_of_their_flow(world):
    """Into a tunnel: the outer source port of fragments is that of whole packets."""
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], metrics=True, **{
        "node.name": "one", "pods.gateway": GATEWAYS_1[0]})
    node = underlay.kernel_node("two", ["192.0.2.2/24"])
    know(switch, "two", "192.0.2.2", "10.244.2.0/24")
    pod = world.tap_pod(switch, "a", [A + "/24"], mtu=1450, gateways=GATEWAYS_1[:1])
    seen, wire = Wire(node, "nic"), Wire(pod)
    world.defer(seen.close)
    world.defer(wire.close)
    to_gateway = Ether(src=pod.mac(), dst=switch.cli("status")["gateway_mac"])

    def source_ports(frames):
        seen.received(0.05)
        wire.send(*frames)
        tunnels = [frame for frame in seen.received(0.2) if frame[12:14] == b"\x08\x00" and frame[36:38] == b"\x12\xb5"]
        return [struct.unpack("!H", frame[34:36])[0] for frame in tunnels]

    whole = to_gateway / IP(src=A, dst="10.244.2.1") / UDP(sport=4000, dport=5000) / bytes(100)
    port = eventually("the node is found", lambda: source_ports([whole]))[0]
    datagram = IP(src=A, dst="10.244.2.1", id=7) / UDP(sport=4000, dport=5000) / bytes(20000)
    in_order = [to_gateway / piece for piece in fragment(datagram, 1424)]
    ports = source_ports(in_order)
    expect(ports == [port] * len(in_order), f"{len(in_order)} fragments of a flow on {port} have {ports}")
    values = parse_metrics(switch.metrics())
    expect(values["podswitch_fragmented_datagrams", ()] == 1, f"metrics: {values}")


@scenario(takes=5)
def a_smaller_link_beyond_the_gateway(world):
    """pod - switch - router - link of 1,300 bytes - server"""
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], gateways=["192.0.2.9"], **{
        "node.name": "one", "pods.gateway": GATEWAYS_1[0]})
    router, server = underlay.kernel_node("router", ["192.0.2.9/24"]), world.namespace("server")
    router.ip("link", "add", "far", "mtu", 1300, "type", "veth", "peer", "name", "eth0", "netns", server.name)
    router.configure("far", ["198.51.100.1/24"], mtu=1300)
    router.sysctl("net.ipv4.ip_forward", 1)
    router.ip("route", "add", "10.244.1.0/24", "via", "192.0.2.1")
    # The server's own MTU does not say what the way takes.
    server.configure("eth0", ["198.51.100.2/24"], mtu=1500, gateways=["198.51.100.1"])
    a = world.tap_pod(switch, "a", [A + "/24"], mtu=1450, gateways=GATEWAYS_1[:1])
    eventually("the pod reaches the server", lambda: traffic.reaches(a, "198.51.100.2"))
    traffic.tcp(a, server, "198.51.100.2", seconds=1)
    learned = a.ip("route", "get", "198.51.100.2").stdout
    expect("mtu 1300" in learned, f"the pod has learned no path MTU:\n{learned}")


@scenario(takes=5)
def pods_hear_their_mtu(world):
    """By router advertisements, asked for and unasked; `port show` hints at whose MTU is larger."""
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], **{
        "node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "pods.router-advertisements": "default-router"})
    expect(switch.cli("status")["pod_mtu"] == 1450, f"status: {switch.cli('status')}")
    pod = world.namespace("a")
    pod.sysctl("net.ipv6.conf.default.router_solicitations", 3)
    add_port(switch, "a", type="tap", ifname="eth0", netns=pod.path, mac=world.new_mac(), ip=[A, "fd00:244:1::1"])
    pod.configure("eth0", [A + "/24", "fd00:244:1::1/64"])
    mtu = "/proc/sys/net/ipv6/conf/eth0/mtu"
    eventually("the kernel has taken the MTU", lambda: pod.exec("cat", mtu).stdout.strip() == "1450")
    routes = pod.ip("-6", "route").stdout
    expect("default via fe80::" in routes and "proto ra" in routes, f"routes:\n{routes}")
    # Its router is there.
    traffic.ping(pod, "fd00:244:1::fe", count=1)
    router = routes.split("default via ")[1].split()[0]
    expect(pod.exec("ping", "-n", "-c", 1, "-W", 2, f"{router}%eth0", check=False).returncode == 0, f"no answer from {router}")
    expect("1450" in switch.cli("port", "show", "a")["hint"], f"port show: {switch.cli('port', 'show', 'a')}")
    expect("larger than the pod MTU" in switch.log(), "nothing in the log about the pod's MTU")
    world.tap_pod(switch, "b", ["10.244.1.2/24"], mtu=1450)
    expect(switch.cli("port", "show", "b")["hint"] == "", f"port show: {switch.cli('port', 'show', 'b')}")


@scenario(takes=3)
def advertisements_leave_routes_alone(world):
    """As long as nobody says otherwise: the MTU, and no default route."""
    switch = world.daemon(options={"pods.gateway": GATEWAYS_1[1]})
    pod = world.namespace("a")
    pod.sysctl("net.ipv6.conf.default.router_solicitations", 3)
    add_port(switch, "a", type="tap", ifname="eth0", netns=pod.path, mac=world.new_mac(), ip="fd00:244:1::1", mtu=1400)
    pod.configure("eth0", ["fd00:244:1::1/64"], mtu=1500)
    eventually("the kernel has taken the MTU",
               lambda: pod.exec("cat", "/proc/sys/net/ipv6/conf/eth0/mtu").stdout.strip() == "1400")
    expect("default" not in pod.ip("-6", "route").stdout, pod.ip("-6", "route").stdout)
