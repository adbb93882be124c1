# SPDX-License-Identifier: Apache-2.0
"""256 ports on one switch, and others' traffic while ports come and go."""

import json

from harness import traffic
from harness.runner import scenario
from harness.shell import expect


def batch(world, pod, first, count):
    """Half vhost-user, half tap."""
    ports = []
    for number in range(first, first + count):
        port = {"name": f"p{number}", "ip": [f"10.7.{1 + number // 250}.{1 + number % 250}"],
                "mac": f"02:00:00:07:{number // 256:02x}:{number % 256:02x}"}
        if number % 2:
            port |= {"type": "tap", "ifname": f"t{number}", "netns": pod.path}
        else:
            port |= {"type": "vhost-user", "path": world.path(f"{number}.sock"), "mode": "server" if number % 4 else "client"}
        ports.append(port)
    return json.dumps(ports)


@scenario(takes=25)
def two_hundred_and_fifty_six(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.7.0.1/24"])
    b = world.tap_pod(switch, "b", ["10.7.0.2/24"])
    crowd = world.namespace("crowd")
    switch.cli("port", "add", "--file", "-", input=batch(world, crowd, 0, 190), timeout=120)
    stream = world.stream(a, b, "10.7.0.2")
    # 64 of them one at a time, while others talk.
    for port in json.loads(batch(world, crowd, 190, 64)):
        switch.cli("port", "add", "--file", "-", input=json.dumps([port]))
    expect(len(switch.cli("port", "list")) == 256, lambda: f"{len(switch.cli('port', 'list'))} ports")
    expect(switch.cli("status")["ports"] == 256, "status counts otherwise")
    for number in range(190, 254):
        switch.cli("port", "del", f"p{number}")
    stream.stop()
    world.note(f"{stream.sent} datagrams during 128 changes, longest silence {stream.outage * 1000:.0f} ms")
    expect(stream.lost == 0, lambda: f"{stream.lost} of {stream.sent} lost while ports came and went; drops: {switch.drops()}")
    switch.cli("port", "del", *(f"p{number}" for number in range(190)), timeout=120)
    expect([port["name"] for port in switch.cli("port", "list")] == ["a", "b"], "ports are left")
    expect("t1" not in crowd.ip("-o", "link").stdout, "a deleted tap is still there")
    traffic.ping(a, "10.7.0.2")
