# SPDX-License-Identifier: Apache-2.0
"""Every reason to drop that can be provoked from a pod's interface, with raw frames. The kernel lets no invalid
offload request through (offload_invalid has its unit tests), tx_full is in testpmd.py, VLANs in vlan.py."""

import time

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from harness.runner import scenario
from harness.shell import eventually, expect
from harness.traffic import Wire
from harness.world import add_port

A, B, STRANGER = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:99"


class Stage:
    """Pod a, guarded; pod b, the receiver; and what came out of b."""

    def __init__(self, world, options=None, **port_options):
        self.switch = world.daemon(options={"pods.gateway": "10.10.0.254", **(options or {})})
        self.a = world.tap_pod(self.switch, "a", ["10.10.0.1/24", "fd00:a::1/64"], **{"mac": A, **port_options})
        self.b = world.tap_pod(self.switch, "b", ["10.10.0.2/24", "fd00:a::2/64"], mac=B)
        self.out = Wire(self.a)
        self.seen = Wire(self.b)
        world.defer(self.out.close)
        world.defer(self.seen.close)

    def drops(self, reason, *frames):
        """Each of the frames is dropped for that reason and none arrives."""
        before = self.switch.dropped(reason, "a")
        self.seen.received(0.05)
        self.out.send(*frames)
        eventually(f"{len(frames)} dropped as {reason}",
                   lambda: self.switch.dropped(reason, "a") == before + len(frames), timeout=5)
        arrived = [frame for frame in self.seen.received(0.1) if any(bytes(sent)[14:34] == frame[14:34] for sent in frames)]
        expect(not arrived, f"{reason}: b received {[Ether(frame).summary() for frame in arrived]}")

    def passes(self, *frames):
        self.seen.received(0.05)
        self.out.send(*frames)
        arrived = self.seen.received(0.5)
        for frame in frames:
            expect(bytes(frame) in arrived, f"did not arrive: {frame.summary()}; drops: {self.switch.drops()}")


def udp(src="10.10.0.1", mac=A, to=B, dst="10.10.0.2", **ip):
    return Ether(src=mac, dst=to) / IP(src=src, dst=dst, **ip) / UDP(sport=9, dport=9) / Raw(b"x" * 32)


def udp6(src="fd00:a::1", mac=A):
    return Ether(src=mac, dst=B) / IPv6(src=src, dst="fd00:a::2") / UDP(sport=9, dport=9) / Raw(b"x" * 32)


@scenario(takes=5)
def the_guard(world):
    stage = Stage(world)
    arp = Ether(src=A, dst="ff:ff:ff:ff:ff:ff")
    na = Ether(src=A, dst=B) / IPv6(src="fd00:a::1", dst="fd00:a::2")
    stage.passes(udp(), udp6())
    stage.drops("guard_mac", udp(mac=STRANGER), udp6(mac=STRANGER))
    stage.drops("guard_ipv4", udp(src="10.10.0.9"), udp(src="0.0.0.1"))
    stage.drops("guard_ipv6", udp6(src="fd00:a::9"))
    stage.drops("guard_arp", arp / ARP(op=2, hwsrc=A, psrc="10.10.0.2", pdst="10.10.0.2"),
                arp / ARP(op=1, hwsrc=STRANGER, psrc="10.10.0.1", pdst="10.10.0.2"))
    stage.drops("guard_nd", na / ICMPv6ND_NA(tgt="fd00:a::2") / ICMPv6NDOptDstLLAddr(lladdr=A),
                na / ICMPv6ND_NA(tgt="fd00:a::1") / ICMPv6NDOptDstLLAddr(lladdr=STRANGER),
                Ether(src=A, dst="33:33:00:00:00:01") / IPv6(src="fd00:a::1", dst="ff02::1", hlim=255) / ICMPv6ND_RA())
    stage.drops("guard_ether_type", Ether(src=A, dst=B, type=0x88B5) / Raw(b"x" * 50))


@scenario(takes=3)
def the_guard_can_be_turned_off(world):
    stage = Stage(world, allow_spoofing=True)
    stage.passes(udp(mac=STRANGER), udp(src="10.10.0.9"), udp6(src="fd00:a::9"))


@scenario(takes=4)
def frames_that_are_wrong(world):
    stage = Stage(world)
    whole = bytes(udp())
    stage.drops("malformed", Raw(whole[:14] + b"\x45\x00\x02\x00" + whole[18:]), Raw(whole[:20]))
    stage.drops("source_mac_invalid", udp(mac="03:00:00:00:00:01"), udp(mac="00:00:00:00:00:00"))
    stage.drops("vlan_tagged", Ether(src=A, dst=B) / Dot1Q(vlan=7) / udp().payload)


@scenario(takes=4)
def frames_to_places_that_are_not(world):
    stage = Stage(world, ip=[])
    gateway = stage.switch.cli("status")["gateway_mac"]
    add_port(stage.switch, "ghost", type="vhost-user", path=world.path("ghost.sock"), mac="02:00:00:00:00:0c")
    stage.drops("port_down", udp(to="02:00:00:00:00:0c"))
    stage.drops("route_none", udp(to=gateway, dst="1.1.1.1"))
    stage.drops("route_invalid", udp(to=gateway, dst="127.0.0.1"), udp(to=gateway, dst="224.0.0.1"))
    stage.drops("ttl_expired", udp(to=gateway, ttl=1))
    stage.drops("gateway_not_routed", Ether(src=A, dst=gateway) / IP(src="10.10.0.1", dst="10.10.0.254") / TCP(dport=80))
    stage.drops("reserved_group", udp(to="01:80:c2:00:00:0e"))
    stage.drops("same_port", udp(to=A))


@scenario(takes=3)
def macs_and_who_they_belong_to(world):
    stage = Stage(world, ip=[], mac=None)
    stage.drops("mac_of_other_port", udp(mac=B))
    expect([row["port"] for row in stage.switch.cli("fdb", "list", "--mac", B)] == ["b"], "b's address has moved")


@scenario(takes=3)
def alone_in_a_network(world):
    stage = Stage(world)
    lonely = world.tap_pod(stage.switch, "lonely", ["10.10.0.1/24"], network="lonely")
    wire = Wire(lonely)
    world.defer(wire.close)
    before = stage.switch.dropped("no_other_port", "lonely")
    wire.send(Ether(src=lonely.mac(), dst="ff:ff:ff:ff:ff:ff") / IP(src="10.10.0.1", dst="10.10.0.255") / UDP() / Raw(b"x" * 32))
    eventually("dropped as no_other_port", lambda: stage.switch.dropped("no_other_port", "lonely") > before)


@scenario(takes=3)
def too_big_for_the_other_side(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.10.0.1/24"], mtu=9000, mac=A)
    world.tap_pod(switch, "b", ["10.10.0.2/24"], mac=B)
    wire = Wire(a)
    world.defer(wire.close)
    frame = Ether(src=A, dst=B) / IP(src="10.10.0.1", dst="10.10.0.2") / UDP(sport=9, dport=9) / Raw(b"x" * 4000)
    wire.send(frame)
    eventually("dropped as mtu_exceeded", lambda: switch.dropped("mtu_exceeded", "a") >= 1)


@scenario(takes=4)
def a_table_that_is_full(world):
    # The frames pass all the same: only the learning is refused.
    for limit, reason in ((64, "fdb_port_limit"), (1024, "fdb_full")):
        switch = world.daemon(reason, options={"fdb.size": 1024, "fdb.port-limit": limit})
        a = world.tap_pod(switch, f"a-{reason}", ip=[], mac=None)
        b = world.tap_pod(switch, f"b-{reason}", ip=[], mac=B)
        wire, seen = Wire(a), Wire(b)
        frames = [bytes(udp(mac=f"02:00:00:01:{n // 256:02x}:{n % 256:02x}")) for n in range(limit + 100)]
        for first in range(0, len(frames), 100):  # a tap holds 1,000 that nobody has fetched yet
            wire.send(*frames[first:first + 100])
            time.sleep(0.01)
        eventually(f"counted as {reason}", lambda: switch.dropped(reason, f"a-{reason}") > 0)
        missing = set(frames) - set(seen.received(0.3))
        expect(not missing, f"{len(missing)} of {len(frames)} frames did not arrive; drops: {switch.drops()}")
        wire.close()
        seen.close()
        switch.stop()


@scenario(takes=2)
def an_icmp_to_oneself_never_comes_back(world):
    """Flooded frames do not return to their port of origin."""
    stage = Stage(world, ip=[])
    back = Wire(stage.a)
    frame = Ether(src=A, dst="ff:ff:ff:ff:ff:ff") / IP(src="10.10.0.1", dst="10.10.0.255") / ICMP() / Raw(b"x" * 32)
    stage.passes(frame)
    expect(bytes(frame) not in back.received(0.2), "a broadcast came back")
    back.close()
