# SPDX-License-Identifier: Apache-2.0
"""What an idle switch costs. CPU time is asserted, which a busy machine does not change."""

import os
import time

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.world import add_port

SECONDS = 4


def share(switch):
    before, start = switch.cpu_seconds(), time.monotonic()
    time.sleep(SECONDS)
    return (switch.cpu_seconds() - before) / (time.monotonic() - start)


@scenario(takes=8)
def two_idle_ports(world):
    switch = world.daemon()
    for name in ("a", "b"):
        world.testpmd_pod(switch, name)
        switch.port_up(name)
    time.sleep(1)
    used = share(switch)
    world.note(f"2 idle vhost-user ports: {used * 100:.2f} % of a core")
    expect(used < 0.05, f"{used * 100:.1f} % of a core")


@scenario(takes=10)
def sixty_four_idle_ports(world):
    """All with a peer: four applications of 16 devices."""
    switch = world.daemon()
    for first in range(0, 64, 16):
        devices = [(world.path(f"{number}.sock"), world.new_mac()) for number in range(first, first + 16)]
        for number, (path, mac) in enumerate(devices, start=first):
            add_port(switch, f"p{number}", type="vhost-user", path=path, mac=mac, mode="server")
        world.testpmd_devices(devices, buffers=16 * 512)
    for number in range(64):
        switch.port_up(f"p{number}")
    time.sleep(1)
    used = share(switch)
    world.note(f"64 idle vhost-user ports: {used * 100:.2f} % of a core")
    expect(used < 0.05, f"{used * 100:.1f} % of a core")


@scenario(takes=4)
def an_idle_switch_wakes_up(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.15.0.1/24"])
    world.tap_pod(switch, "b", ["10.15.0.2/24"])
    traffic.ping(a, "10.15.0.2")
    eventually("the worker sleeps", lambda: switch.cli("worker", "list")[0]["sleeps"] > 0)
    for _ in range(3):
        time.sleep(0.5)
        traffic.ping(a, "10.15.0.2", count=1)


@scenario(takes=4)
def poll_never_sleeps(world):
    switch = world.daemon(options={"workers.idle": "poll"})
    time.sleep(1)
    worker = switch.cli("worker", "list")[0]
    expect(worker["sleeps"] == 0 and worker["polls"] > 0, f"worker says {worker}")
    expect(os.path.exists(f"/proc/{switch.pid}"), "it ended")
