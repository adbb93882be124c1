# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the daemon: who talks again by himself, and after how long."""

import time

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect


def survive(world, switch, stream, what):
    # The interruption is what a supervisor would make of it: dead, and started again at once.
    switch.kill()
    switch.start()
    before = max(stream.arrivals)
    eventually(f"{what} talk again", lambda: max(stream.arrivals) > before + 200, timeout=30)
    stream.stop()
    world.note(f"{what}: silent for {stream.outage * 1000:.0f} ms, {stream.lost} of {stream.sent} datagrams lost")


@scenario(takes=5)
def taps_talk_again(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.5.0.1/24"])
    b = world.tap_pod(switch, "b", ["10.5.0.2/24"])
    survive(world, switch, world.stream(a, b, "10.5.0.2"), "taps")
    traffic.ping(b, "10.5.0.1")


@scenario(takes=5)
def veths_talk_again(world):
    switch = world.daemon()
    a = world.veth_pod(switch, "a", "af-packet", ["10.5.0.1/24"])
    b = world.veth_pod(switch, "b", "af-packet", ["10.5.0.2/24"])
    survive(world, switch, world.stream(a, b, "10.5.0.2"), "veths on af-packet")


@scenario(takes=8)
def xdp_veths_talk_again(world):
    switch = world.daemon()
    a = world.veth_pod(switch, "a", "af-xdp", ["10.5.0.1/24"])
    b = world.veth_pod(switch, "b", "af-xdp", ["10.5.0.2/24"])
    survive(world, switch, world.stream(a, b, "10.5.0.2"), "veths on af-xdp")


@scenario(takes=10)
def dpdk_pods_talk_again(world):
    """Split rings, the switch as client: the pod's side keeps the socket."""
    switch = world.daemon()
    a = world.testpmd_pod(switch, "a")
    b = world.testpmd_pod(switch, "b")
    switch.port_up("a")
    switch.port_up("b")
    b.start("macswap")
    a.send_first(b.mac)
    eventually("frames go round", lambda: a.counters()[0] > 100)
    start = time.monotonic()
    switch.kill()
    switch.start()
    switch.port_up("a")
    switch.port_up("b")
    world.note(f"dpdk pods: both up again after {(time.monotonic() - start) * 1000:.0f} ms")
    a.stop()
    before = a.counters()[0]
    a.send_first(b.mac)
    eventually("frames go round again", lambda: a.counters()[0] > before + 100)


@scenario(takes=25)
def guests_talk_again(world):
    switch = world.daemon()
    pod = world.tap_pod(switch, "n", ["10.5.0.3/24"])
    client = world.guest_pod(switch, "c", ["10.5.0.1/24"], mode="client")
    server = world.guest_pod(switch, "s", ["10.5.0.2/24"], mode="server")
    for guest, address in ((client, "10.5.0.1/24"), (server, "10.5.0.2/24")):
        guest.wait_until_booted()
        guest.configure([address])
    for address in ("10.5.0.1", "10.5.0.2"):
        traffic.ping(pod, address)
    start = time.monotonic()
    switch.kill()
    switch.start()
    for what, address in (("switch is client", "10.5.0.1"), ("switch is server", "10.5.0.2")):
        eventually(f"the guest answers again ({what})", lambda: traffic.reaches(pod, address), timeout=30)
        world.note(f"guest, {what}: answers again {(time.monotonic() - start) * 1000:.0f} ms after the death, or sooner")
    expect(switch.cli("port", "show", "c")["state"] == "up", "c is not up")
