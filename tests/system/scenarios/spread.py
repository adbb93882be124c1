# SPDX-License-Identifier: Apache-2.0
"""Packets out of a tunnel that the uplink brings to one worker, finished by two."""

import os

from harness import traffic
from harness.runner import scenario
from harness.shell import Skip, eventually, expect

from .overlay import two_nodes
from .workers import place


def spreading_nodes(world):
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("needs two CPUs")
    return two_nodes(world, **{"workers.cores": "0,1", "workers.spread": "always"})


def total(switch, what):
    return sum(worker[what] for worker in switch.cli("worker", "list"))


@scenario(takes=10)
def many_flows_over_two_workers(world):
    one, two, a, b = spreading_nodes(world)
    traffic.ping(a, "10.244.2.1")
    traffic.ping(b, "fd00:244:1::1")
    for address in ("10.244.2.1", "fd00:244:2::1"):
        end = traffic.iperf3(a, b, address, "-P", 8, seconds=1)
        expect(end["sum_received"]["bytes"] > 1_000_000, f"TCP to {address} carried {end['sum_received']['bytes']} bytes")
        before = total(two, "handed_over")
        end = traffic.iperf3(a, b, address, "-u", "-b", "4M", "-l", 1200, "-w", "2M", "-P", 8, seconds=1)
        disorder = sum(stream["udp"]["out_of_order"] for stream in end["streams"])
        sent, lost = end["sum"]["packets"], end["sum"]["lost_packets"]
        expect(sent > 1000 and lost == 0, lambda: f"{lost} of {sent} datagrams lost; drops: {one.drops()} {two.drops()}")
        expect(disorder == 0, f"{disorder} of {sent} datagrams overtaken")
        expect(total(two, "handed_over") > before, "no datagram was handed over")
    eventually("what was handed over is taken over", lambda: total(two, "handed_over") == total(two, "taken_over"))
    owner, = (worker for worker in two.cli("worker", "list") if worker["handed_over"] > 0)
    expect("uplink:0" in owner["queues"], f"handed over by a worker that polls {owner['queues']}")


@scenario(takes=6)
def the_uplink_moves_while_flows_are_spread(world):
    _, two, a, b = spreading_nodes(world)
    streams = [world.stream(a, b, "10.244.2.1", interval=0.001) for _ in range(6)]  # of six ports: of both workers
    for stream in streams:
        stream.wait_until_it_flows()
    for step in range(20):
        place(two, "uplink:0", step % 2)
    for stream in streams:
        stream.stop()
        expect(stream.lost == 0, lambda lost=stream: f"{lost.lost} of {lost.sent} lost over 20 moves; drops: {two.drops()}")
    expect(all(worker["handed_over"] > 0 for worker in two.cli("worker", "list")),
           lambda: f"not every worker handed over while it had the uplink: {two.cli('worker', 'list')}")
