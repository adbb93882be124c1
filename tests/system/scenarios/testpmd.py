# SPDX-License-Identifier: Apache-2.0
"""DPDK applications as pods: dpdk-testpmd on virtio-user devices."""

import time

from harness.runner import scenario
from harness.shell import eventually, expect


def ping_pong(world, switch, a, b, frames=32, seconds=1.5):
    """A burst of frames goes round between the two for a while: none may be lost."""
    b.start("macswap")
    a.send_first(b.mac)
    eventually("frames go round", lambda: a.counters()[0] > 1000, timeout=20)
    time.sleep(seconds)
    home = bring_home(a, b)
    received, _ = a.counters()
    expect(home == frames, lambda: f"{home} of {frames} frames came home; drops: {switch.drops()}")
    world.note(f"{received / seconds:,.0f} round trips per second")


def bring_home(a, b):
    """Ends a ping-pong so that every frame rests at `a`; how many there are."""
    a.stop()  # what b still sends waits in a's ring
    time.sleep(0.3)
    b.stop()
    (a_received, a_sent), (b_received, b_sent) = a.counters(), b.counters()
    a.start("rxonly")
    time.sleep(0.3)
    a.stop()
    home = a.counters()[0] - a_received
    # b sends back all it received, so that what a sent and b has not received was lost on the way there.
    expect(b_received == a_sent and b_sent == b_received,
           f"a sent {a_sent}, b received {b_received} and sent {b_sent}")
    return home


def two_pods(world, mode, packed, queue_pairs=1):
    switch = world.daemon()
    a = world.testpmd_pod(switch, "a", mode=mode, packed=packed, queue_pairs=queue_pairs)
    b = world.testpmd_pod(switch, "b", mode=mode, packed=packed, queue_pairs=queue_pairs)
    switch.port_up("a")
    switch.port_up("b")
    return switch, a, b


@scenario(takes=8)
def client_split(world):
    ping_pong(world, *two_pods(world, "client", packed=False))


@scenario(takes=8)
def client_packed(world):
    ping_pong(world, *two_pods(world, "client", packed=True))


@scenario(takes=8)
def server_split(world):
    ping_pong(world, *two_pods(world, "server", packed=False))


@scenario(takes=8)
def server_packed(world):
    ping_pong(world, *two_pods(world, "server", packed=True))


@scenario(takes=8)
def two_queue_pairs(world):
    ping_pong(world, *two_pods(world, "client", packed=False, queue_pairs=2), frames=64)


@scenario(takes=8)
def two_packed_queue_pairs_that_we_serve(world):
    ping_pong(world, *two_pods(world, "server", packed=True, queue_pairs=2), frames=64)


@scenario(takes=6)
def one_merged_buffer_in_order(world):
    """Without mergeable buffers a frame has to fit one."""
    switch = world.daemon()
    a = world.testpmd_pod(switch, "a", device=",mrg_rxbuf=0,in_order=1")
    b = world.testpmd_pod(switch, "b", device=",mrg_rxbuf=0,in_order=1")
    switch.port_up("a")
    switch.port_up("b")
    ping_pong(world, switch, a, b)


@scenario(takes=6)
def a_pod_that_does_not_read_costs_only_its_own_frames(world):
    switch, a, b = two_pods(world, "client", packed=False)
    a.command(f"set eth-peer 0 {b.mac}")
    a.start("txonly")
    eventually("b's ring is full", lambda: switch.dropped("tx_full", "a") > 0)
    a.stop()


@scenario(takes=10)
def killed_and_started_again(world):
    for mode in ("client", "server"):
        switch = world.daemon(f"switch-{mode}")
        a = world.testpmd_pod(switch, f"a-{mode}", mode=mode)
        b = world.testpmd_pod(switch, f"b-{mode}", mode=mode)
        switch.port_up(f"b-{mode}")
        b.start("macswap")
        a.send_first(b.mac)
        eventually("frames go round", lambda: a.counters()[0] > 100)
        b.kill()
        port = eventually("the port is down", lambda: (p := switch.cli("port", "show", f"b-{mode}"))["state"] == "down" and p)
        expect(port["reason"], "down without a reason")
        a.stop()
        again = world.testpmd(b.path, b.mac, listens=mode == "client")
        switch.port_up(f"b-{mode}")
        again.start("macswap")
        before = a.counters()[0]
        a.send_first(again.mac)
        eventually("frames go round again", lambda: a.counters()[0] > before + 100)
        a.close()
        again.close()
        switch.stop()
