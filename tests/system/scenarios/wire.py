# SPDX-License-Identifier: Apache-2.0
"""What nodes put on the wire, in the eyes of tshark: every encapsulation, over both underlays, for both families."""

from harness import traffic
from harness.capture import inside_of
from harness.runner import scenario
from scenarios.overlay import two_nodes

IPV6_VTEPS = ("2001:db8::1/64", "2001:db8::2/64")


def expect_sound_tunnels(world, tunnel, options=None, **more):
    one, _, a, b = two_nodes(world, **more, **(options or {}))
    capture = one.underlay.capture()
    traffic.talk(a, b, "10.244.2.1", "fd00:244:2::1")
    outer = "ipv6" if "vteps" in more else "ip"
    capture.expect_sound(*inside_of(f"{outer}:udp:{tunnel}"), vxlan_port=(options or {}).get("overlay.udp-port", 4789))


@scenario(takes=7)
def vxlan(world):
    expect_sound_tunnels(world, "vxlan")


@scenario(takes=7)
def vxlan_on_flannels_port(world):
    expect_sound_tunnels(world, "vxlan", {"overlay.udp-port": 8472})


@scenario(takes=7)
def vxlan_over_ipv6(world):
    expect_sound_tunnels(world, "vxlan", vteps=IPV6_VTEPS)


@scenario(takes=7)
def geneve(world):
    expect_sound_tunnels(world, "geneve", {"overlay.encapsulation": "geneve"})


@scenario(takes=7)
def geneve_over_ipv6(world):
    expect_sound_tunnels(world, "geneve", {"overlay.encapsulation": "geneve"}, vteps=IPV6_VTEPS)
