# SPDX-License-Identifier: Apache-2.0
"""Two switches joined by a memif port each."""

from harness import traffic
from harness.runner import scenario
from harness.world import add_port


@scenario(takes=8)
def a_cable_between_two_switches(world):
    path = world.path("memif.sock")
    pods = []
    for number, (name, mode) in enumerate((("left", "server"), ("right", "client")), start=1):
        switch = world.daemon(name)
        add_port(switch, "cable", type="memif", path=path, mode=mode, memif_id=7, allow_spoofing=True)
        pods.append(world.tap_pod(switch, f"pod{number}", [f"10.3.0.{number}/24", f"fd00:3::{number}/64"]))
    for switch in world.daemons:
        switch.port_up("cable", timeout=30)
    traffic.ping(pods[0], "10.3.0.2", count=5)
    traffic.ping(pods[1], "fd00:3::1")
    world.note(f"TCP {traffic.tcp(pods[0], pods[1], '10.3.0.2', seconds=1):.2f} Gbit/s")
