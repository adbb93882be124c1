# SPDX-License-Identifier: Apache-2.0
"""An uplink of two NICs that are one. The NICs are DPDK's taps, up0 and up1, in a namespace that plays the network and
the node at its other end: in active-backup two ports of a bridge of the kernel's, in 802.3ad a bond of Open vSwitch's."""

import re

from harness import traffic
from harness.openvswitch import OpenVSwitch
from harness.runner import scenario
from harness.shell import eventually, expect, run
from harness.world import add_port
from scenarios.overlay import GATEWAYS_1, add_flannel, know

OUR_MAC, THEIR_MAC = "02:00:00:00:0b:01", "02:00:00:00:0b:02"
LINKS = ["up0", "up1"]
TAPS = [f"net_tap{number},iface={link}" for number, link in enumerate(LINKS)]

BROADCASTS = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for n in range(3000):
    s.sendto(b"x", ("192.0.2.255", 9))
    time.sleep(0.0001)
"""


def is_gratuitous_arp(frame):
    """Of ours, about our own address."""
    ours = bytes.fromhex(OUR_MAC.replace(":", ""))
    return frame[6:14] == ours + b"\x08\x06" and frame[28:32] == frame[38:42]


class Bonded:
    """A switch whose uplink is a bond. `node` has the bond's other end, and pods behind the kernel's VXLAN; the daemon runs
    in `near`, which for taps is the same."""

    def __init__(self, world, mode, members=TAPS, near=None):
        self.world = world
        self.node = world.namespace("two")
        self.near = near or self.node
        self.switch = world.daemon("one", {
            "node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "overlay.udp-port": 8472,
            "overlay.vtep-mac": "02:00:00:00:f1:01"}, namespace=self.near)
        self.options = {"type": "bond", "mode": mode, "members": members, "role": "uplink", "network": "underlay",
                        "mac": OUR_MAC, "underlay": "192.0.2.1/24"}

    def attach(self):
        add_port(self.switch, "uplink", **self.options)
        host = self.world.namespace("one")
        add_port(self.switch, "host", type="tap", ifname="host0", netns=host.path, role="host", network="underlay", mac=OUR_MAC)
        host.configure("host0", ["192.0.2.1/24"])
        return self

    def to_a_bridge(self):
        self.node.ip("link", "add", "far", "address", THEIR_MAC, "type", "bridge")
        for number, link in enumerate(LINKS):
            # The two ends of a tap have one MAC, and a bridge does not send to its own ports' MACs.
            self.node.ip("link", "set", link, "address", f"02:00:00:00:0b:1{number}")
            self.node.ip("link", "set", link, "master", "far", "up")
        return self._with_pods()

    def to_openvswitch(self, **bond):
        self.peer = OpenVSwitch(self.world, self.node, "peer")
        self.peer.add_bridge("far", f'other_config:hwaddr="{THEIR_MAC}"')
        # What the kernel is to hear comes over the bridge.
        for link in LINKS:
            self.node.exec("nft", f"add table netdev {link}; add chain netdev {link} block "
                                  f"{{ type filter hook ingress device {link} priority 0; policy drop; }}")
        self.peer.vsctl("add-bond", "far", "bond0", *LINKS, *(f"{key}={value}" for key, value in bond.items()))
        return self._with_pods()

    def _with_pods(self):
        self.node.configure("far", ["192.0.2.2/24"])
        add_flannel(self.node, 2, dev="far")
        know(self.switch, "two", "192.0.2.2", "10.244.2.0/24", vtep_mac="02:00:00:00:f1:02")
        self.pod = self.world.tap_pod(self.switch, "a", ["10.244.1.1/24"], mtu=1450, gateways=GATEWAYS_1[:1])
        eventually("the nodes have found each other", lambda: traffic.reaches(self.pod, "10.244.2.1"), timeout=20)
        return self

    def show(self):
        return self.switch.cli("port", "show", "uplink")

    def wait_until(self, *states):
        """Of the members, in their order."""
        eventually(f"the members are {states}", lambda: [row["state"] for row in self.show()["member_states"]] == list(states),
                   timeout=20)

    def wait_for_log(self, text):
        eventually(f"the log says: {text}", lambda: text in self.switch.log())

    def talk(self):
        traffic.ping(self.pod, "10.244.2.1")
        traffic.ping(self.node, "10.244.1.1")
        return traffic.tcp(self.pod, self.node, "10.244.2.1", seconds=1)

    def outage(self, cause, *states):
        """The longest silence at the node, in seconds, from before the cause until the members are as said and it flows."""
        stream = self.world.stream(self.pod, self.node, "10.244.2.1")
        cause()
        self.wait_until(*states)
        known = len(stream.arrivals)
        eventually("the stream flows again", lambda: len(stream.arrivals) > known + 100)
        stream.stop()
        return stream.outage

    def frames(self, link, direction="rx"):
        """That came from the switch."""
        return int(self.node.exec("cat", f"/sys/class/net/{link}/statistics/{direction}_packets").stdout)

    def frames_to(self, link):
        """That the switch has taken."""
        return self.frames(link, "tx")


def set_link(space, link, state):
    return lambda: space.ip("link", "set", link, state)


@scenario(takes=12)
def active_backup(world):
    """Whichever has a link carries; the other's return changes nothing."""
    bonded = Bonded(world, "active-backup").attach().to_a_bridge()
    bonded.wait_until("active", "standby")
    bonded.talk()
    standby = bonded.frames("up1")
    bonded.talk()
    expect(bonded.frames("up1") == standby, "the standby member sent frames")
    # More than the member's queue holds: what comes there is taken, and not kept until it takes over.
    taken = bonded.frames_to("up1")
    bonded.node.exec("python3", "-c", BROADCASTS)
    eventually("the standby member takes frames", lambda: bonded.frames_to("up1") >= taken + 3000)

    heard = traffic.Wire(bonded.node, "far")
    seconds = bonded.outage(set_link(bonded.node, "up0", "down"), "no link", "active")
    expect(any(is_gratuitous_arp(frame) for frame in heard.received(1.5)), "nobody was told of the other way")
    heard.close()
    world.note(f"up0 fails: {seconds * 1e3:.0f} ms of silence, TCP {bonded.talk():.2f} Gbit/s over up1")
    bonded.wait_for_log(f"warning port uplink: member {TAPS[0]} has lost its link")
    expect(bonded.show()["hint"] == f"member {TAPS[0]}: no link", lambda: bonded.show())

    seconds = bonded.outage(set_link(bonded.node, "up0", "up"), "standby", "active")
    world.note(f"it returns: {seconds * 1e3:.0f} ms")
    bonded.wait_for_log(f"info port uplink: member {TAPS[0]} has a link")
    seconds = bonded.outage(set_link(bonded.node, "up1", "down"), "active", "no link")
    world.note(f"up1 fails: {seconds * 1e3:.0f} ms")
    bonded.talk()

    set_link(bonded.node, "up0", "down")()
    bonded.wait_until("no link", "no link")
    shown = bonded.show()
    expect(shown["state"] == "down" and shown["reason"] == "no member has a link", shown)
    set_link(bonded.node, "up0", "up")()
    bonded.switch.port_up("uplink")
    eventually("it carries again", lambda: traffic.reaches(bonded.pod, "10.244.2.1"))
    bonded.switch.cli("port", "del", "uplink")
    expect("up0" not in bonded.node.ip("link").stdout, "the members outlived their port")


@scenario(takes=12)
def interfaces_in_active_backup(world):
    """The kernel's interfaces, whose link DPDK does not see."""
    near = world.namespace("near")
    bonded = Bonded(world, "active-backup", ["nic0", "nic1"], near)
    for number, link in enumerate(LINKS):
        run("ip", "-n", near.name, "link", "add", f"nic{number}", "type", "veth", "peer", "name", link,
            "netns", bonded.node.name)
        near.sysctl(f"net.ipv6.conf.nic{number}.disable_ipv6", 1)
        # Otherwise the bridge's interfaces would leave checksums to a device that is none.
        bonded.node.exec("ethtool", "-K", link, "tx", "off")
    bonded.attach().to_a_bridge()
    bonded.wait_until("active", "standby")
    bonded.talk()
    heard = traffic.Wire(bonded.node, "far")
    seconds = bonded.outage(set_link(bonded.node, "up0", "down"), "no link", "active")
    expect(any(is_gratuitous_arp(frame) for frame in heard.received(1.5)), "nobody was told of the other way")
    heard.close()
    world.note(f"up0 fails: {seconds * 1e3:.0f} ms of silence, TCP {bonded.talk():.2f} Gbit/s over up1")
    set_link(bonded.node, "up0", "up")()
    bonded.wait_until("standby", "active")
    bonded.talk()
    # Another interface of the name is not the one whose sockets are open.
    near.ip("link", "del", "nic0")
    near.ip("link", "add", "nic0", "up", "type", "veth", "peer", "name", "other")
    near.ip("link", "set", "other", "up")
    bonded.wait_until("no link", "active")
    bonded.talk()


@scenario(takes=20)
def lacp_with_openvswitch(world):
    """One aggregate of both members; flows take either, and the one that is left when the other fails."""
    bonded = Bonded(world, "802.3ad").attach()
    expect(bonded.show()["reason"] == "no LACP partner on any member", lambda: bonded.show())
    bonded.to_openvswitch(bond_mode="balance-tcp", lacp="active", **{"other_config:lacp-time": "fast"})
    bonded.wait_until("active", "active")
    partners = {row["partner"] for row in bonded.show()["member_states"]}
    expect(partners == {THEIR_MAC}, partners)

    said = bonded.peer.appctl("lacp/show", "bond0")
    expect(said.count("current attached") == 2 and said.count(f"partner sys_id: {OUR_MAC}") == 2, said)
    for state in re.findall("(?:actor|partner) state: (.*)", said):
        expect("synchronized collecting distributing" in state, said)
    keys = set(re.findall("partner key: (.*)", said))
    expect(len(keys) == 1, said)

    before = {link: bonded.frames(link) for link in LINKS}
    traffic.iperf3(bonded.pod, bonded.node, "10.244.2.1", "-P", 32, seconds=1)
    traffic.iperf3(bonded.pod, bonded.node, "10.244.2.1", "-P", 32, "-R", seconds=1)
    sent = {link: bonded.frames(link) - before[link] for link in LINKS}
    world.note(f"32 flows: {sent} frames")
    expect(min(sent.values()) * 8 > sum(sent.values()), sent)

    heard = traffic.Wire(bonded.node, "far")
    seconds = bonded.outage(set_link(bonded.node, "up0", "down"), "no link", "active")
    expect(any(is_gratuitous_arp(frame) for frame in heard.received(1.5)), "nobody was told of the other way")
    heard.close()
    world.note(f"up0 fails: {seconds * 1e3:.0f} ms of silence, TCP {bonded.talk():.2f} Gbit/s over up1")
    seconds = bonded.outage(set_link(bonded.node, "up0", "up"), "active", "active")
    world.note(f"it returns: {seconds * 1e3:.0f} ms")
    seconds = bonded.outage(set_link(bonded.node, "up1", "down"), "active", "no link")
    world.note(f"up1 fails: {seconds * 1e3:.0f} ms")
    bonded.talk()


@scenario(takes=3)
def what_is_refused(world):
    space = world.namespace("space")
    switch = world.daemon(namespace=space)
    space.ip("link", "add", "nic0", "type", "veth", "peer", "name", "nic1")

    def refused(mode, *members):
        flags = [word for member in members for word in ("--members", member)]
        return switch.refused("port", "add", "up", "--type", "bond", "--mode", mode, *flags)

    for text, mode, members in (
            ("members: there is no interface eth7", "active-backup", ["nic0", "eth7"]),
            ("members: there is no PCI device 0000:ff:1f.7", "802.3ad", ["ff:1f.7", "net_tap0"]),
            ("members: nic0 is an interface", "802.3ad", ["nic0", "nic1"]),
            ("members: DPDK cannot open 'net_nosuch0'", "active-backup", [TAPS[0], "net_nosuch0"]),
            ("members: nic0 is given twice", "active-backup", ["nic0", "nic0"]),
            ("mode: 'balance-rr' is none of", "balance-rr", TAPS)):
        said = refused(mode, *members)
        expect(text in said, f"{members}: {said}")
        expect(switch.cli("port", "list") == [] and "up0" not in space.ip("link").stdout, "something is left")
    said = switch.refused("port", "add", "up", "--type", "bond", "--mode", "802.3ad", "--members", ",".join(TAPS), "--mtu", 9000)
    expect("mtu: 9000 is too large" in said and switch.cli("port", "list") == [], said)
    switch.cli("port", "add", "up", "--type", "bond", "--mode", "802.3ad", "--members", ",".join(TAPS))
    said = switch.refused("port", "add", "nic", "--type", "ethdev", "--device", "net_tap0")
    expect("net_tap0 is port up's" in said, said)
    switch.restart()
    again = switch.cli("port", "show", "up")
    expect(again["members"] == TAPS and again["mode"] == "802.3ad", again)
