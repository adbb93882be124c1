# SPDX-License-Identifier: Apache-2.0
"""What the uplink's NIC does for the switch, and what it says when it does not."""

from harness.runner import scenario
from harness.shell import expect
from harness.underlay import Underlay
from harness.world import add_port


def offloads(switch):
    return {row["offload"]: row for row in switch.cli("offload", "list")}


@scenario(takes=2)
def a_nic_of_the_kernel_has_no_flow_engine(world):
    switch = Underlay(world).switch_node("one", ["192.0.2.1/24"])
    rows = offloads(switch)
    expect(set(rows) == {"inner-rss", "unknown-vtep-drop", "tunnel-checksum", "tunnel-tso"}, rows)
    for row in rows.values():
        expect(row["where"] == "software" and "af-packet" in row["reason"] and row["packets"] is None, rows)


@scenario(takes=2)
def a_driver_says_why_not(world):
    """DPDK's null device as uplink: it runs, with two queues, and its driver has no flow engine."""
    switch = world.daemon("one")
    expect(switch.cli("offload", "list") == [], "there is no uplink")
    add_port(switch, "up", type="ethdev", device="net_null0,no-rx=1", role="uplink", queues=2, network="underlay",
             mac="02:00:00:00:11:01", underlay="192.0.2.1/24", allow_spoofing=True)
    switch.port_up("up")
    switch.cli("node", "add", "two", "--vtep", "192.0.2.2", "--pod-cidr", "10.244.2.0/24")
    rows = offloads(switch)
    expect(all(row["where"] == "software" and row["port"] == "up" for row in rows.values()), rows)
    expect(rows["unknown-vtep-drop"]["reason"].startswith("drop tunnels to 192.0.2.1: "), rows)
    expect(rows["inner-rss"]["reason"].startswith("spread tunnels over IPv4: "), rows)
    world.note(rows["unknown-vtep-drop"]["reason"])
    expect("the device does not offer it" == rows["tunnel-tso"]["reason"], rows)
