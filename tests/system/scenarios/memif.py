# SPDX-License-Identifier: Apache-2.0
"""Two switches joined by a memif port each."""

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually
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


@scenario(takes=6)
def tunnels_over_a_cable(world):
    """Both uplinks are memif ports: nothing of the kernel is between the nodes."""
    path = world.path("memif.sock")
    pods = []
    for number, mode in ((1, "server"), (2, "client")):
        other = 3 - number
        gateways = [f"10.244.{number}.254", f"fd00:244:{number}::fe"]
        switch = world.daemon(f"n{number}", {"node.name": f"n{number}", "pods.gateway": ",".join(gateways)})
        add_port(switch, "uplink", type="memif", path=path, mode=mode, memif_id=3, role="uplink", network="underlay",
                 mac=f"02:00:00:00:ee:0{number}", underlay=[f"192.0.2.{number}/24"])
        switch.cli("node", "add", f"n{other}", "--vtep", f"192.0.2.{other}", "--pod-cidr", f"10.244.{other}.0/24",
                   "--pod-cidr", f"fd00:244:{other}::/64")
        pods.append(world.tap_pod(switch, f"pod{number}", [f"10.244.{number}.1/24", f"fd00:244:{number}::1/64"], mtu=1450,
                                  gateways=gateways))
    a, b = pods
    eventually("the nodes have found each other", lambda: traffic.reaches(a, "10.244.2.1"))
    traffic.ping(b, "fd00:244:1::1")
    # Without a host port the switch answers for its own addresses.
    for address in ("192.0.2.1", "192.0.2.2"):
        eventually(f"{address} is found", lambda: traffic.reaches(a, address))
    world.note(f"TCP {traffic.tcp(a, b, '10.244.2.1', seconds=1):.2f} Gbit/s")
