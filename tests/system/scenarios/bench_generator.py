# SPDX-License-Identifier: Apache-2.0
"""The bench suite's traffic generator with a real switch: it must find what it sent, all of it."""

import time

from harness.runner import scenario
from harness.shell import eventually, expect
from harness.world import add_port

QUIET = {"seconds": 0.3, "warmup_ms": 50, "rate": 10_000, "verify": "all"}


def generator(world, switch, ports, idle=0):
    names = [f"p{number}" for number in range(ports)] + [f"idle{number}" for number in range(idle)]
    paths = [world.path(f"{name}.sock") for name in names]
    for name, path in zip(names, paths):
        add_port(switch, name, type="vhost-user", path=path)
    return world.generator(paths[:ports], paths[ports:])


def expect_all_came(result, of_what):
    expect("error" not in result, f"{of_what}: {result}")
    wrong = {key: result[key] for key in ("lost", "corrupt", "unexpected", "reordered", "announcements_lost") if result[key]}
    expect(not wrong, f"{of_what}: {wrong} of {result['sent']}")
    expect(result["received"] == result["sent"] > 0, f"{of_what}: {result['sent']} sent, {result['received']} received")
    expect(result["verified"] >= result["received"], f"{of_what}: only {result['verified']} were looked at")


@scenario(takes=4)
def every_frame_comes_back_as_it_was(world):
    gen = generator(world, world.daemon(), ports=2)
    for more in ({"flows": 1000, "latency": True}, {"frame": "imix", "flows": 7}, {"frame": 1518, "protocol": "tcp6"},
                 {"frame": 77, "protocol": "tcp4"}, {"frame": 84, "protocol": "udp6", "flows": 100, "macs": 10}):
        result = gen.trial(pattern="echo", **QUIET, **more)
        expect_all_came(result, more)
        if latency := result["latency_ns"]:
            expect(0 < latency["p50"] <= latency["p99"] <= latency["max"] < 1e9, latency)
            # The warm-up's last ones are looked at, but no samples.
            expect(latency["samples"] == result["received"], f"{latency} of {result['received']}")
    expect(gen.end() == 0, "it failed in the end")


@scenario(takes=3)
def as_fast_as_it_can(world):
    gen = generator(world, world.daemon(), ports=2)
    for pattern in ("one-way", "echo", "two-way"):
        result = gen.trial(pattern=pattern, seconds=0.3, warmup_ms=100, flows=1000)
        wrong = {key: result[key] for key in ("corrupt", "unexpected", "reordered") if result[key]}
        expect(not wrong and result["verified"] > 0, f"{pattern}: {wrong}, {result['verified']} looked at")
        expect(result["received"] > 0, f"{pattern}: nothing arrived")
        world.note(f"{pattern}: {result['rate_received'] / 1e6:.1f} Mpps, limit {result['limit']}")


@scenario(takes=3)
def the_switch_knows_every_mac(world):
    switch = world.daemon()
    gen = generator(world, switch, ports=4)
    result = gen.trial(pattern="two-way", macs=50, flows=120, **QUIET)
    # What is flooded arrives at others as well, and they did not expect it.
    expect_all_came(result, "50 MACs behind each of 4 ports")
    known = {entry["mac"] for entry in switch.cli("fdb", "list")}
    missing = {f"02:{port:02x}:00:00:00:{number:02x}" for port in range(4) for number in range(50)} - known
    expect(not missing, f"the switch has not learned {sorted(missing)}")


@scenario(takes=6)
def idle_ports_and_mistakes(world):
    switch = world.daemon()
    gen = generator(world, switch, ports=2, idle=3)
    for number in range(3):
        switch.port_up(f"idle{number}")
    before = gen.cpu_seconds()
    time.sleep(1)
    used = gen.cpu_seconds() - before
    expect(used < 0.05, f"waiting for a trial took {used:.2f} s of CPU time in one second")
    answer = gen.trial(protocol="tcp6")
    expect("at least 96" in answer.get("error", ""), answer)
    expect_all_came(gen.trial(pattern="echo", **QUIET), "after a mistake")
    switch.cli("port", "del", "p1")
    answer = eventually("a port that is gone is noticed", lambda: (a := gen.trial(pattern="echo", **QUIET)).get("error") and a)
    expect("socket 1" in answer["error"], answer)
