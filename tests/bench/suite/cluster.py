# SPDX-License-Identifier: Apache-2.0
"""Services on one node, as the generator plays their clients behind its port 0 and all of their backends behind its port 1.
Addresses are those of generator/stream.h and of tests/support/make_cluster."""

import ipaddress
from dataclasses import dataclass

from . import machine
from .overlay import GATEWAY_IP, GATEWAY_MAC, port_mac
from .podswitch import AGING_SECONDS
from .process import run

VIP, PORT = "10.96.0.1", 80
BACKEND, TARGET_PORT = "10.128.0.1", 8080
BACKENDS = 10  # of each service
ALL_CLIENTS, ALL_BACKENDS = "64.0.0.0/8", "10.128.0.0/9"
_PORTS_OF_A_CLIENT = 60000
LATE = "late"  # the service that changes


@dataclass(frozen=True)
class Cluster:
    """`flows`: of how many the clients' addresses are the pod's own; more than 1,000,000 are behind it, with nobody who
    checks them. `room`: connections. 0 services: they come later."""
    services: int = 1
    flows: int = 1000000
    room: int = 0

    has_uplink = False  # nor other nodes

    def options(self):
        """podswitch's."""
        # Nothing may age while the others have their turn.
        options = {"pods.gateway": GATEWAY_IP, "pods.gateway-mac": GATEWAY_MAC,
                   "flows.timeout-udp": AGING_SECONDS, "flows.timeout-udp-stream": AGING_SECONDS, "flows.file": "none"}
        return {**options, **({"flows.capacity": self.room} if self.room else {})}

    def port(self, number):
        """podswitch's options of the generator's port."""
        place = {"mac": port_mac(number), "ip": [BACKEND if number else "64.0.0.1"]}
        is_open = self.is_routed if number else self.has_strangers
        if is_open:
            return {**place, "allow-spoofing": True}
        first, count = (BACKEND, BACKENDS) if number else ("64.0.0.1", -(-self.flows // _PORTS_OF_A_CLIENT))
        return {**place, "ip": _count_up(first, count)}

    @property
    def has_strangers(self):
        return self.flows > 1000000

    @property
    def is_routed(self):
        """A million backends are no pod's addresses."""
        return self.services != 1

    def set_up(self, switch):
        """Of a podswitch that runs and has its ports."""
        if self.has_strangers:
            switch.cli("route", "add", ALL_CLIENTS, "--via", "64.0.0.1")
        if self.is_routed:
            switch.cli("route", "add", ALL_BACKENDS, "--via", BACKEND)
        if self.services:
            switch.apply(objects(self.services))


def _count_up(first, count):
    first = ipaddress.ip_address(first)
    return [str(first + i) for i in range(count)]


def objects(services):
    """Services with their EndpointSlices, as JSON text. The generator speaks UDP."""
    made = run(machine.ROOT / "tests/support/make_cluster", "--services", services, "--endpoints-per-service", BACKENDS,
               "--compact", timeout=300)
    return made.replace('"protocol":"TCP"', '"protocol":"UDP"')


def late_service(ip):
    """(v1 Service, its EndpointSlice without endpoints, and with one)"""
    name = {"name": LATE, "namespace": "bench"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": name,
               "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": PORT, "protocol": "UDP"}]}}
    slices = [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "metadata": {**name, "labels": {"kubernetes.io/service-name": LATE}},
               "ports": [{"port": TARGET_PORT, "protocol": "UDP"}],
               "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]}
              for addresses in ([], [BACKEND])]
    return service, *slices


def trial(services=1):
    """What goes to Services is the same for all; (for who translates and routes, for who does neither)."""
    frames = {"service": f"{VIP}:{PORT}", "services": services}
    return {**frames, "to_mac": GATEWAY_MAC, "hops": 1, "announce": "none", "backend": f"{BACKEND}:{TARGET_PORT}",
            "backends": BACKENDS}, frames
