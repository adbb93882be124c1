# SPDX-License-Identifier: Apache-2.0
"""One pod network over several nodes, as the generator plays all but the switch: its port 0 or 1 is the pod, the other one the
underlay with the other nodes behind a gateway. Addresses are those of the generator's streams (generator/stream.h, outer.h)."""

import json
from dataclasses import dataclass

POD, UPLINK = "pod", "uplink"

POD_IP = "64.0.0.1"
GATEWAY_IP, GATEWAY_MAC = "64.255.255.254", "02:fe:00:00:00:01"
UPLINK_IP, UPLINK_MAC = "192.0.2.1", "02:fe:00:00:00:02"
UNDERLAY_LENGTH = 24
UNDERLAY_GATEWAY = "192.0.2.254"
VTEP_MAC = "02:fe:00:00:00:03"  # podswitch's, to which others send what is to be routed


def port_mac(port):
    """Of the generator's port."""
    return f"02:{port:02x}:00:00:00:00"


@dataclass(frozen=True)
class Overlay:
    roles: tuple  # of the generator's ports
    nodes: int = 1
    has_uplink = True

    def options(self):
        """podswitch's."""
        return {"pods.gateway": GATEWAY_IP, "pods.gateway-mac": GATEWAY_MAC, "overlay.vtep-mac": VTEP_MAC}

    def port(self, number):
        """podswitch's options of the generator's port, or of one that is idle."""
        if number >= len(self.roles):
            mac, addresses = self.local_pod(number)
            return {"mac": mac, "ip": addresses}
        if self.roles[number] == POD:
            return {"mac": port_mac(number), "ip": [POD_IP]}
        return {"role": "uplink", "network": "underlay", "mac": UPLINK_MAC, "underlay": [f"{UPLINK_IP}/{UNDERLAY_LENGTH}"],
                "underlay-gateway": [UNDERLAY_GATEWAY]}

    def set_up(self, switch):
        """Of a podswitch that runs and has its ports."""
        switch.apply(node_list(range(self.nodes)))

    def port_of(self, role):
        return self.roles.index(role)

    def local_pod(self, index):
        """(MAC, addresses) of an idle pod of this node."""
        return f"02:fd:00:00:{index >> 8:02x}:{index & 255:02x}", [f"64.1.{index >> 8}.{index & 255}", f"fd00:64::{index:x}"]


def vtep(number):
    value = (172 << 24) + (16 << 16) + 1 + number
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def pod_cidrs(number):
    high, low = divmod(number, 256)
    return [f"32.{high}.{low}.0/24", f"fd00:32:0:{number:x}::/64"]


def node(number):
    """A v1 Node, as podswitch apply takes it."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{number}", "uid": f"uid-{number}"},
            "spec": {"podCIDRs": pod_cidrs(number)},
            "status": {"addresses": [{"type": "InternalIP", "address": vtep(number)}]}}


def node_list(numbers):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [node(number) for number in numbers]})


ENCAPSULATE = Overlay((POD, UPLINK))
DECAPSULATE = Overlay((UPLINK, POD))

# What a trial is besides its flows, by whom it goes through.
COMMON = {"pattern": "one-way", "nodes": 1, "sources": 1}
_TO_US = {"outer_mac": UPLINK_MAC, "outer_ip": UPLINK_IP}
INTO = {"podswitch": {"tunnel": "arriving", "hops": 1, "to_mac": GATEWAY_MAC, "announce": UNDERLAY_GATEWAY},
        "Open vSwitch": {"tunnel": "arriving", "announce": "none"},
        "testpmd io": {}}
OUT_OF = {"podswitch": {"tunnel": "sent", "hops": 1, "to_mac": VTEP_MAC, "announce": "none", **_TO_US},
          "Open vSwitch": {"tunnel": "sent", "announce": "none", **_TO_US},
          "testpmd io": {"tunnel": "through", "announce": "macs", **_TO_US}}
