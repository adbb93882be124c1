# SPDX-License-Identifier: Apache-2.0
"""Two workers: queues move between them, and both send to one ring."""

import os
import subprocess

from harness import traffic
from harness.runner import scenario
from harness.shell import Skip, eventually, expect

from .testpmd import bring_home

TWO = {"workers.cores": "0,1"}


def two_workers(world):
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("needs two CPUs")
    return world.daemon(options=TWO)


def place(switch, queue, core):
    switch.cli("worker", "assign", queue, core)
    queues = {worker["core"]: worker["queues"] for worker in switch.cli("worker", "list")}
    expect(queue in queues[core], f"{queue} is not on {core}: {queues}")


@scenario(takes=5)
def a_queue_moves_under_a_stream(world):
    switch = two_workers(world)
    a = world.tap_pod(switch, "a", ["10.8.0.1/24"])
    b = world.tap_pod(switch, "b", ["10.8.0.2/24"])
    stream = world.stream(a, b, "10.8.0.2", interval=0.001)
    for step in range(40):
        place(switch, "a:0", step % 2)
        place(switch, "b:0", (step // 2) % 2)
    stream.stop()
    expect(stream.lost == 0, lambda: f"{stream.lost} of {stream.sent} lost over 80 moves; drops: {switch.drops()}")


@scenario(takes=10)
def a_queue_moves_under_a_dpdk_pod(world):
    switch = two_workers(world)
    a = world.testpmd_pod(switch, "a")
    b = world.testpmd_pod(switch, "b")
    switch.port_up("a")
    switch.port_up("b")
    b.start("macswap")
    a.send_first(b.mac)
    eventually("frames go round", lambda: a.counters()[0] > 100)
    for step in range(20):
        place(switch, "a:0", step % 2)
        place(switch, "b:0", (step // 2) % 2)
    home = bring_home(a, b)
    expect(home == 32, lambda: f"{home} of 32 frames are left after 40 moves; drops: {switch.drops()}")


@scenario(takes=20)
def two_workers_send_to_a_guest_with_one_queue(world):
    switch = two_workers(world)
    guest = world.guest_pod(switch, "g", ["10.8.0.9/24"])
    pods = [world.tap_pod(switch, f"n{core}", [f"10.8.0.{core + 1}/24"]) for core in (0, 1)]
    for core in (0, 1):
        place(switch, f"n{core}:0", core)
    guest.wait_until_booted()
    guest.configure(["10.8.0.9/24"])
    before = guest.run("cat /sys/class/net/eth0/statistics/rx_packets")
    floods = [subprocess.Popen(["ip", "netns", "exec", pod.name, "ping", "-q", "-f", "-c", "3000", "-w", "15", "10.8.0.9"],
                               stdout=subprocess.PIPE, text=True) for pod in pods]
    answers = [flood.communicate()[0] for flood in floods]
    for text in answers:
        expect("3000 received" in text, f"a flood of pings was not answered whole:\n{text}")
    after = guest.run("cat /sys/class/net/eth0/statistics/rx_packets")
    expect(int(after) - int(before) >= 6000, f"the guest saw {int(after) - int(before)} frames")


@scenario(takes=2)
def worker_list_tells_what_they_do(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.8.0.1/24"])
    world.tap_pod(switch, "b", ["10.8.0.2/24"])
    before = switch.cli("worker", "list")[0]["packets"]
    traffic.ping(a, "10.8.0.2", count=20)
    eventually("the packets are counted", lambda: switch.cli("worker", "list")[0]["packets"] >= before + 40)
    worker = switch.cli("worker", "list")[0]
    expect(worker["queues"] == ["a:0", "b:0"], f"queues are {worker['queues']}")
    expect(worker["average_burst"] >= 1 and worker["cycles_per_packet"] > 0, f"worker says {worker}")


@scenario(takes=2)
def moves_that_cannot_be(world):
    switch = world.daemon()
    world.tap_pod(switch, "a", ["10.8.0.1/24"])
    for queue, core in (("a:0", 4000), ("a:9", 1), ("nobody:0", 1), ("a", 1)):
        done = switch.cli_raw("worker", "assign", queue, core)
        expect(done.returncode in (1, 2) and done.stderr.strip(), f"{queue} to {core}: {done.returncode} {done.stderr}")


@scenario(takes=3)
def a_pinned_queue(world):
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("needs two CPUs")
    config = world.path("podswitch.conf")
    with open(config, "w") as file:
        file.write("[workers]\ncores = 0,1\n[queues]\na:0 = 1\nb:0 = 1\n")
        for name in ("a", "b"):
            file.write(f"[port.{name}]\ntype = vhost-user\npath = {world.path(name)}.sock\n")
    switch = world.daemon(arguments=["--config", config])
    queues = {worker["core"]: worker["queues"] for worker in switch.cli("worker", "list")}
    expect(sorted(queues[1]) == ["a:0", "b:0"], f"queues are {queues}")
