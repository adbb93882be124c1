# SPDX-License-Identifier: Apache-2.0
"""The table of connections as an operator has it: where it lies, what outlives the daemon, and what is refused. Scenarios of
Services have connections in it."""

import os
import stat

from harness.runner import scenario
from harness.shell import Skip, expect, run


def tmpfs_path(world, name):
    """In /dev/shm, gone with the scenario."""
    if not os.access("/dev/shm", os.W_OK):
        raise Skip("no /dev/shm")
    path = f"/dev/shm/{world.prefix}-{name}"
    world.defer(lambda: os.path.exists(path) and os.unlink(path))
    return path


@scenario(takes=3)
def a_table_without_connections(world):
    switch = world.daemon(options={"flows.capacity": 2048}, metrics=True)
    expect(switch.cli("conntrack", "list") == [], "a connection is listed")
    expect(switch.cli_raw("conntrack", "list").stdout == "", "a line is printed")
    table = switch.cli("conntrack", "stats")
    expect(table["connections"] == 0 and table["capacity"] == 2048 and table["file"] is None, f"stats: {table}")
    expect(switch.cli("conntrack", "flush", "--all") == {"flushed": 0}, "something was flushed")
    expect("podswitch_flows_capacity 2048\n" in switch.metrics(), "the capacity is no metric")
    expect(switch.cli("status")["flows_capacity"] == 2048, "status does not say the capacity")


@scenario(takes=2)
def mistakes_are_told(world):
    switch = world.daemon()
    said = switch.refused("conntrack", "flush")
    expect("all: missing" in said, f"flush without a filter: {said}")
    said = switch.refused("conntrack", "flush", "--all", "-p", "tcp")
    expect("all: does not go with a filter" in said, f"flush of all with a filter: {said}")
    said = switch.refused("conntrack", "list", "-s", "10.1.0.1/8", "-p", "tpc", "--dport", 65536, "--state", "OPEN",
                          "--service", "web", "-f", "ipv5")
    for word in ("orig-src: ", "10.0.0.0/8", "proto: ", "dport: ", "state: ", "ESTABLISHED", "service: ", "family: "):
        expect(word in said, f"`{word}` is not in: {said}")
    expect("limit: " in switch.refused("conntrack", "list", "--limit", 0), "limit 0 is taken")


@scenario(takes=6)
def the_table_outlives_the_daemon(world):
    path = tmpfs_path(world, "flows")
    switch = world.daemon(options={"flows.file": path, "flows.capacity": 2048})
    expect(switch.cli("conntrack", "stats")["file"] == path, "another file")
    expect("former daemon" not in switch.log(), "there was no former daemon")
    second = world.daemon("second", options={"flows.file": path, "flows.capacity": 2048}, start=False)
    done = run(*second.command(), check=False)
    expect(done.returncode == 2 and "flows.file: " in done.stderr and "another daemon" in done.stderr,
           f"a second daemon on the same file: {done.returncode}\n{done.stderr}")
    switch.restart()
    expect(switch.log().count("flows of a former daemon go on") == 1, switch.log())
    switch.kill()
    switch.start()
    expect(switch.log().count("flows of a former daemon go on") == 2, switch.log())
    switch.stop()
    expect(stat.S_IMODE(os.stat(path).st_mode) == 0o600, f"mode {os.stat(path).st_mode:o}")
    os.chmod(path, 0o666)
    done = run(*switch.command(), check=False)
    expect(done.returncode == 2 and "not this user's alone" in done.stderr, f"others may write to it: {done.stderr}")


@scenario(takes=4)
def a_place_of_its_own_choice(world):
    """Beside the control socket when that is on a tmpfs; else there is none, which is no reason not to start."""
    # With small pages, so that a hugetlbfs is out of the question.
    options = {"flows.file": "auto", "flows.capacity": 2048, "memory.hugepages": "none"}
    control = tmpfs_path(world, "control.sock")
    file = tmpfs_path(world, "control.sock.flows")
    switch = world.daemon("tmpfs", options={**options, "control.socket": control}, start=False)
    switch.control = control
    switch.start()
    expect(switch.cli("conntrack", "stats")["file"] == file, f"stats: {switch.cli('conntrack', 'stats')}")
    switch.stop()
    expect(os.path.exists(file), "a clean stop has removed it")
    os.chmod(file, 0o666)
    switch.start()
    expect(switch.cli("conntrack", "stats")["file"] is None, "a file that others may write to is in use")
    expect("connections will not outlive this process" in switch.log(), switch.log())
