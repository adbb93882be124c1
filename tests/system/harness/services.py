# SPDX-License-Identifier: Apache-2.0
"""Services as Kubernetes writes them, servers that say who they are, and what a client sees of them."""

import contextlib
import ipaddress
import json
import select
import socket
import struct
import threading

from .shell import expect

NAMESPACE = "default"


def service(name, vips, *ports):
    """A v1 Service. Ports are (protocol, port, target port)."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"clusterIP": vips[0], "clusterIPs": list(vips),
                     "ports": [{"name": f"p{port}-{protocol.lower()}", "protocol": protocol, "port": port, "targetPort": target}
                               for protocol, port, target in ports]}}


def slices(name, endpoints, *ports):
    """The Service's EndpointSlices, one of each family; endpoints are addresses, or (address, node)."""
    made = []
    for version in (4, 6):
        of_family = [one if isinstance(one, tuple) else (one, None) for one in endpoints]
        of_family = [(ip, node) for ip, node in of_family if ipaddress.ip_address(ip).version == version]
        made.append({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": f"IPv{version}",
            "metadata": {"name": f"{name}-v{version}", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [{"addresses": [ip], "conditions": {"ready": True}, **({"nodeName": node} if node else {})}
                          for ip, node in of_family],
            "ports": [{"name": f"p{port}-{protocol.lower()}", "protocol": protocol, "port": target}
                      for protocol, port, target in ports]})
    return made


def apply(switch, *objects):
    return switch.cli("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def serve(switches, name, vips, endpoints, *ports):
    """The Service and its endpoints on each of these switches."""
    for switch in switches if isinstance(switches, (list, tuple)) else [switches]:
        apply(switch, service(name, vips, *ports), *slices(name, endpoints, *ports))


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def url(address, port=80):
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def curl(pod, address, *options, port=80):
    """What the server said."""
    return pod.exec("curl", "-sS", "-m", 10, *options, url(address, port)).stdout


class Server:
    """Sockets in a pod that one thread of ours serves, until the World ends."""

    def __init__(self, world):
        self.peers = []  # addresses that were seen
        self._sockets = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        world.defer(self.close)

    def close(self):
        self._ending.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _run(self):
        while not self._ending.is_set():
            for one in select.select(self._sockets, [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self._ready(one)


class TcpServer(Server):
    """Answers each line with its own name and the line; a line of HTTP with a page that has its name. One name for each
    address."""

    def __init__(self, world, pod, name, addresses, port):
        super().__init__(world)
        self._name = name
        self._listeners = []
        for address in addresses:
            listener = pod.socket(family_of(address), socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(1000)
            listener.setblocking(False)
            self._listeners.append(listener)
        self._sockets = list(self._listeners)
        self._thread.start()

    def _ready(self, one):
        if one in self._listeners:
            connection, peer = one.accept()
            self.peers.append(peer[:2])
            self._sockets.append(connection)
            return
        data = b""
        with contextlib.suppress(ConnectionError):
            data = one.recv(65536)
        is_http = data.startswith(b"GET ")
        if data:
            name = self._name.encode()
            one.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name) if is_http else name + b" " + data)
        if is_http or not data:
            self._sockets.remove(one)
            one.close()


class UdpServer(Server):
    """Answers each datagram with `answer(datagram)`, by default its name and the datagram."""

    def __init__(self, world, pod, name, addresses, port, answer=None):
        super().__init__(world)
        self._answer = answer or (lambda data: name.encode() + b" " + data)
        for address in addresses:
            one = pod.socket(family_of(address), socket.SOCK_DGRAM)
            one.bind((address, port))
            self._sockets.append(one)
        self._thread.start()

    def _ready(self, one):
        data, peer = one.recvfrom(65536)
        self.peers.append(peer[:2])
        one.sendto(self._answer(data), peer)


def connect(pod, address, port, kind=socket.SOCK_STREAM, from_port=None):
    """A connected socket in a pod, whose own port others may have as well."""
    one = pod.socket(family_of(address), kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.settimeout(10)
    if from_port:
        one.bind(("::" if ":" in address else "0.0.0.0", from_port))
    one.connect((address, port))
    return one


def ask(one, text):
    """What the other end of a socket says to a line, or to a datagram."""
    one.sendall(text.encode())
    return one.recv(65536).decode()


def sources(frames):
    """Source addresses of IP packets to this pod, in frames that a Wire has got, without neighbour discovery."""
    found = set()
    for frame in frames:
        (kind,) = struct.unpack_from("!H", frame, 12)
        if frame[0] & 1:  # to a group
            continue
        if kind == 0x0800:
            found.add(socket.inet_ntop(socket.AF_INET, frame[26:30]))
        elif kind == 0x86dd and not (frame[20] == 58 and 133 <= frame[54] <= 137):
            found.add(socket.inet_ntop(socket.AF_INET6, frame[22:38]))
    return found


def expect_only(wire, *vips):
    """All that the pod has got comes from these addresses, and something does from each."""
    seen = sources(wire.received())
    expect(seen == set(vips), f"the client has seen {sorted(seen)}, not {sorted(vips)}")
