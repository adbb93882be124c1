# SPDX-License-Identifier: Apache-2.0
"""Services by the kernel, as kube-proxy's nftables mode writes them, between pods on veths: what a node without podswitch does."""

import contextlib
import ipaddress
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass

from .. import cluster, machine, stats
from ..cluster import ALL_BACKENDS, BACKEND, BACKENDS, PORT, TARGET_PORT, VIP, Cluster
from ..namespace import namespace
from ..overlay import GATEWAY_IP, GATEWAY_MAC, port_mac
from ..podswitch import Podswitch
from ..process import BenchError, eventually, run
from ..progress import Progress
from ..rounds import blocks, one_round
from ..subject import PODSWITCH, Spec, Subject

KERNEL, TAPS = "nftables", f"{PODSWITCH}, taps"
SERVICES = (1, 10000)
FLOWS = 10000
ROOM = 2000000
_MOSTLY_BUSY = 0.9  # what keeps a CPU from doing more is itself
NODE = ("64.255.255.254", "10.255.255.254")  # of the kernel's node, on each pod's wire


def rules(services):
    """As kube-proxy's: a map to a chain of each service, which picks one of its endpoints' chains at random."""
    lines = ["table ip kube-proxy {"]
    first_vip, first_backend = ipaddress.ip_address(VIP), ipaddress.ip_address(BACKEND)
    for service in range(services):
        for i in range(BACKENDS):
            lines.append(f"chain endpoint-{service}-{i} {{ meta l4proto udp dnat to {first_backend + service * BACKENDS + i}:{TARGET_PORT}; }}")
        choice = ", ".join(f"{i} : goto endpoint-{service}-{i}" for i in range(BACKENDS))
        lines.append(f"chain service-{service} {{ numgen random mod {BACKENDS} vmap {{ {choice} }}; }}")
    elements = ", ".join(f"{first_vip + service} . udp . {PORT} : goto service-{service}" for service in range(services))
    lines.append("map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = { " + elements + " }; }")
    lines.append("chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }")
    lines.append("chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }")
    return "\n".join([*lines, "}"]) + "\n"


COUNTER = f"""table ip counted {{
  counter translated {{ }}
  chain arriving {{
    type filter hook prerouting priority raw
    ip daddr {ALL_BACKENDS} udp dport {TARGET_PORT} counter name translated
    udp dport {{ {PORT}, {TARGET_PORT} }} drop
  }}
}}
"""


def load(space, text, folder):
    path = os.path.join(folder, "rules.nft")
    with open(path, "w") as file:
        file.write(text)
    run("ip", "netns", "exec", space, "nft", "-f", path, timeout=300)
    os.unlink(path)


def busy_seconds(cpu):
    """(busy, all) of a CPU since the machine's start."""
    with open("/proc/stat") as file:
        words = next(line for line in file if line.startswith(f"cpu{cpu} ")).split()[1:9]
    ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in words]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # idle, iowait


class Node:
    """Two pods, one that sends frames to services and one that counts what is translated, on a node that derived classes make."""

    is_kernel = False

    def __init__(self, name, setup, build, services, stack):
        self.name = name
        self.setup = setup
        self.build = build or setup.build
        self.services = services
        self.stack = stack
        self.folder = tempfile.mkdtemp(prefix="podswitch-bench-")
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.pods = [stack.enter_context(namespace()) for _ in range(2)]

    def start(self):
        self.connect()
        for i, pod in enumerate(self.pods):
            run("ip", "-n", pod, "link", "set", "eth0", "up")
            # Frames that nobody answers need no neighbours.
            run("ip", "netns", "exec", pod, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        load(self.pods[1], COUNTER, self.folder)
        eventually(f"{self.name}: frames arrive", lambda: self.send(0.05)["mpps"] > 0, 20, 0.2)

    def trial(self, seconds, warmup_ms):
        self.resume()
        try:
            self.send(warmup_ms / 1000)
            return {"subject": self.name, **self.send(seconds)}
        finally:
            self.pause()

    def send(self, seconds):
        trial = {"flows": FLOWS, "seconds": max(0.01, seconds), "service": f"{VIP}:{PORT}", "services": self.services,
                 "to_mac": GATEWAY_MAC}
        before, cpu_before = self.translated(), busy_seconds(machine.switch_cpu())
        result = json.loads(run("ip", "netns", "exec", self.pods[0], "taskset", "-c", machine.other_cpu(),
                                self.setup.program("bench-frame-sender"), "eth0", json.dumps(trial), timeout=seconds + 60))
        busy, whole = (now - then for now, then in zip(busy_seconds(machine.switch_cpu()), cpu_before))
        arrived = self.settled() - before
        figures = {"mpps": arrived / result["seconds"] / 1e6, "sent": result["sent"], "arrived": arrived, "limit": "switch"}
        if self.is_kernel:
            figures["cpu_ns"] = busy / arrived * 1e9 if arrived else None
            if busy < _MOSTLY_BUSY * whole:
                figures["limit"] = "generator"
        return figures

    def settled(self):
        """The counter, once what was on its way has arrived."""
        last, now = -1, self.translated()
        while now != last:
            time.sleep(0.02)
            last, now = now, self.translated()
        return now

    def translated(self):
        printed = run("ip", "netns", "exec", self.pods[1], "nft", "-j", "list", "counter", "ip", "counted", "translated")
        return next(one["counter"]["packets"] for one in json.loads(printed)["nftables"] if "counter" in one)

    def pause(self):
        pass

    def resume(self):
        pass


class KernelNode(Node):
    """It forwards on the CPU that would be the switch's: RPS takes what a pod has sent over there."""

    is_kernel = True

    def connect(self):
        self.space = self.stack.enter_context(namespace())
        for i, pod in enumerate(self.pods):
            run("ip", "-n", self.space, "link", "add", f"v{i}", "up", "address", GATEWAY_MAC, "type", "veth", "peer", "name", "eth0",
                "address", port_mac(i), "netns", pod)
            run("ip", "-n", self.space, "address", "add", f"{NODE[i]}/8", "dev", f"v{i}")
            self._inside("sysctl", "-qw", f"net.ipv4.conf.v{i}.rp_filter=0")
        self._inside("sh", "-c", f"echo {1 << machine.switch_cpu():x} >/sys/class/net/v0/queues/rx-0/rps_cpus")
        self._inside("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")
        run("ip", "-n", self.space, "route", "add", ALL_BACKENDS, "via", "10.255.255.253", "dev", "v1")
        run("ip", "-n", self.space, "neighbour", "add", "10.255.255.253", "lladdr", port_mac(1), "dev", "v1", "nud", "permanent")
        load(self.space, rules(self.services), self.folder)

    def _inside(self, *words):
        run("ip", "netns", "exec", self.space, *words)


class TapNode(Node):
    """podswitch, with the sender that the kernel has."""

    def connect(self):
        network = Cluster(services=self.services, flows=FLOWS, room=ROOM)
        self.switch = Podswitch(self.folder, build=self.build, network=network)
        self.stack.callback(self.switch.stop)
        self.switch.network = None  # its ports are not the generator's
        self.switch.start()
        self.switch.add_ports([{"name": f"p{i}", "type": "tap", "ifname": "eth0", "netns": f"/run/netns/{pod}", **network.port(i)}
                               for i, pod in enumerate(self.pods)])
        network.set_up(self.switch)

    def pause(self):
        self.switch.pause()

    def resume(self):
        self.switch.resume()


class VhostNode:
    """podswitch between vhost-user pods, as the other cases measure it."""

    is_kernel = False

    def __init__(self, name, setup, build, services, stack):
        self.name = name
        translated, _ = cluster.trial(services)
        network = Cluster(services=services, flows=FLOWS, room=ROOM)
        self.subject = Subject(Spec(PODSWITCH, name, build=build, network=network, pages=400, trial=tuple(translated.items())), setup)
        stack.callback(self.subject.stop)

    def start(self):
        self.subject.launch()
        self.subject.wait_attached()

    def trial(self, seconds, warmup_ms):
        options = {"pattern": "one-way", "flows": FLOWS, "seconds": seconds, "warmup_ms": warmup_ms}
        return self.subject.trial(options)

    def pause(self):
        pass


# (name, kind, podswitch's build), with the kernel in the middle: its trials are adjacent to those of both others.
NODES = ((PODSWITCH, VhostNode, ""), (KERNEL, KernelNode, ""), (TAPS, TapNode, ""))


@dataclass(frozen=True)
class Nftables:
    nodes: tuple = NODES
    to: str = KERNEL  # with what the others are compared
    name = "nftables"
    summary = ("Services of 10 endpoints by the kernel (nftables, as kube-proxy writes it) between pods on veths, and by podswitch: "
               "packets per second of 10,000 UDP flows, 64-byte frames.")

    def against(self, old, new):
        return Nftables(tuple((name, VhostNode, build) for name, build in (old, new)), old[0])

    def run(self, setup, options):
        chosen = [int(row) for row in options.rows.get(self.name) or SERVICES]
        if unknown := set(chosen) - set(SERVICES):
            raise BenchError(f"{self.name} has no {sorted(unknown)}; it has {SERVICES}")
        chosen = chosen[:1] if options.smoke else chosen
        progress = Progress(self.name, options.rounds * len(chosen))
        rounds = {services: [] for services in chosen}
        with machine.hugepages(1600):
            for services in chosen:
                with contextlib.ExitStack() as whole:
                    kept = {}  # the kernel takes minutes for its rules
                    for block in blocks(options.rounds, options.restart_every):
                        with contextlib.ExitStack() as stack:
                            nodes = [self._node(one, setup, services, whole, stack, kept) for one in self.nodes]
                            for number in block:
                                progress.step(f"{services:,} services, round {number + 1} of {options.rounds}")
                                rounds[services].append(one_round(
                                    nodes, number, lambda node: node.trial(options.seconds, options.warmup_ms)))
        progress.end()
        return {"rows": [self._row(services, rounds[services]) for services in chosen], "x_label": "services",
                "columns": [["mpps", "Mpps", ".2f"], ["cpu_ns", "ns", ".0f"]],
                "notes": ["What is compared is a CPU that does nothing but move packets: podswitch's worker between vhost-user pods, "
                          "and the CPU on which the kernel forwards between veths (RPS), while the other CPU makes the frames. ns: what the kernel's "
                          "had to do for each packet, by its own account.",
                          f"{TAPS}: podswitch has a system call for each frame there. Frames are sent by the same program as for the "
                          "kernel, past the queueing discipline.",
                          "Counted is what arrives translated at the second pod, which drops it at once. The flows are unanswered UDP "
                          "that conntrack has seen."]}

    @staticmethod
    def _node(wanted, setup, services, whole, stack, kept):
        name, kind, build = wanted
        if name in kept:
            return kept[name]
        node = kind(name, setup, build, services, whole if kind.is_kernel else stack)
        node.start()
        node.pause()
        if kind.is_kernel:
            kept[name] = node
        return node

    def _row(self, services, rounds):
        names = list(rounds[0])
        ratios = [stats.ratio(f"rate: {of} / {self.to}", [one[of]["mpps"] / one[self.to]["mpps"] for one in rounds])
                  for of in names if of != self.to and all(one[self.to]["mpps"] for one in rounds)]
        subjects = {name: {"mpps": stats.summary([one[name]["mpps"] for one in rounds]),
                           "cpu_ns": stats.summary([one[name]["cpu_ns"] for one in rounds]) if one_has(rounds, name, "cpu_ns") else None,
                           "generator_limit": sum(one[name]["limit"] == "generator" for one in rounds)} for name in names}
        return {"label": f"{services:,}", "x": services, "rounds": len(rounds), "subjects": subjects,
                "ratios": ratios, "trials": [list(one.values()) for one in rounds]}


def one_has(rounds, name, key):
    return all(one[name].get(key) is not None for one in rounds)


CASE = Nftables()
