# SPDX-License-Identifier: Apache-2.0
"""Access and trunk ports. The kernel here has no 8021q, so that tags are seen with raw frames."""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.traffic import Wire


@scenario(takes=5)
def access_and_trunk(world):
    switch = world.daemon()
    red = world.tap_pod(switch, "red", ["10.11.0.1/24"], vlan=10)
    other_red = world.tap_pod(switch, "other-red", ["10.11.0.2/24"], vlan=10)
    blue = world.tap_pod(switch, "blue", ["10.11.0.3/24"], vlan=20)
    trunk = world.tap_pod(switch, "trunk", trunk="10,30-39", ip=[], mac=None)
    wire, red_wire, blue_wire = Wire(trunk), Wire(red), Wire(blue)
    for one in (wire, red_wire, blue_wire):
        world.defer(one.close)

    # Access ports of one VLAN talk, of two do not.
    traffic.ping(red, "10.11.0.2")
    expect(not traffic.reaches(red, "10.11.0.3"), "red reaches blue")

    # What floods from red arrives at the trunk with red's tag, and not at blue.
    wire.received(0.1), blue_wire.received(0.1)
    call = Ether(src=red.mac(), dst="ff:ff:ff:ff:ff:ff") / IP(src="10.11.0.1", dst="10.11.0.255") / UDP(sport=9, dport=9) / Raw(b"r" * 40)
    red_wire.send(call)
    at_trunk = [Ether(frame) for frame in wire.received(0.5)]
    tagged = [frame for frame in at_trunk if Dot1Q in frame and bytes(frame[IP]) == bytes(call[IP])]
    # The kernel takes a tag off for packet sockets; then the contents are what shows it.
    expect(tagged or any(bytes(call[IP]) in bytes(frame) for frame in at_trunk), f"the trunk saw {[f.summary() for f in at_trunk]}")
    expect(not any(bytes(call[IP]) in frame for frame in blue_wire.received(0.2)), "blue saw red's broadcast")

    # A tagged frame from the trunk reaches red untagged.
    inner = IP(src="10.11.0.77", dst="10.11.0.1") / UDP(sport=9, dport=9) / Raw(b"t" * 40)
    head = Ether(src="02:00:00:00:00:77", dst=red.mac())
    red_wire.received(0.1)
    wire.send(head / Dot1Q(vlan=10) / inner)
    frames = red_wire.received(0.5)
    expect(bytes(head / inner) in frames, f"red saw {[Ether(f).summary() for f in frames]}; drops: {switch.drops()}")

    # Tags that are not its own, and none at all.
    for vlan, reason in ((20, "vlan_not_allowed"), (None, "vlan_untagged")):
        before = switch.dropped(reason, "trunk")
        wire.send(head / Dot1Q(vlan=vlan) / inner if vlan else head / inner)
        eventually(f"dropped as {reason}", lambda: switch.dropped(reason, "trunk") > before)
    before = switch.dropped("vlan_tagged", "red")
    red_wire.send(Ether(src=red.mac(), dst=other_red.mac()) / Dot1Q(vlan=10) / inner)
    eventually("dropped as vlan_tagged", lambda: switch.dropped("vlan_tagged", "red") > before)


@scenario(takes=3)
def the_guard_looks_inside_tags(world):
    switch = world.daemon()
    trunk = world.tap_pod(switch, "trunk", ["10.11.0.1/24"], trunk="10")
    wire = Wire(trunk)
    world.defer(wire.close)
    before = switch.dropped("guard_ipv4", "trunk")
    wire.send(Ether(src=trunk.mac(), dst="02:00:00:00:00:99") / Dot1Q(vlan=10) / IP(src="10.11.0.9", dst="10.11.0.2") / UDP() / Raw(b"x" * 40))
    eventually("dropped as guard_ipv4", lambda: switch.dropped("guard_ipv4", "trunk") == before + 1)
