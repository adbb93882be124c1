# SPDX-License-Identifier: Apache-2.0
"""Static routes: what lies behind a pod, behind a router of the underlay, and behind nobody."""

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.underlay import Underlay

GATEWAYS = ["10.244.1.254", "fd00:244:1::fe"]


def listed(switch):
    return {row["prefix"]: row for row in switch.cli("route", "list", "--network", "default")}


@scenario(takes=4)
def static_routes(world):
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], **{"node.name": "one", "pods.gateway": ",".join(GATEWAYS)})
    a = world.tap_pod(switch, "a", ["10.244.1.1/24", "fd00:244:1::1/64"], mtu=1450, gateways=GATEWAYS)
    # A pod that routes for others must be let send what is not its own.
    vpn = world.tap_pod(switch, "vpn", ["10.244.1.2/24", "fd00:244:1::2/64"], mtu=1450, gateways=GATEWAYS,
                        allow_spoofing=True)
    vpn.ip("address", "add", "172.16.0.1/32", "dev", "lo")
    vpn.ip("address", "add", "fd00:99::1/128", "dev", "lo")
    router = underlay.kernel_node("router", ["192.0.2.7/24"])
    router.ip("address", "add", "198.51.100.1/32", "dev", "lo")
    router.ip("route", "add", "10.244.1.0/24", "via", "192.0.2.1")

    expect(not traffic.reaches(a, "172.16.0.1"), "there is a way already")
    switch.cli("route", "add", "172.16.0.0/12", "--via", "10.244.1.2")
    switch.cli("route", "add", "fd00:99::/32", "--via", "fd00:244:1::2")
    switch.cli("route", "add", "198.51.100.0/24", "--via", "192.0.2.7")
    switch.cli("route", "add", "203.0.113.0/24")
    switch.cli("route", "add", "10.77.0.0/16", "--via", "10.244.1.99")
    again = switch.cli("route", "add", "203.0.113.0/24")
    expect(not again["changed"], f"again: {again}")
    traffic.ping(a, "172.16.0.1")
    traffic.ping(a, "fd00:99::1")
    eventually("the router answers", lambda: traffic.reaches(a, "198.51.100.1"))
    said = a.exec("ping", "-n", "-c", 1, "-W", 1, "203.0.113.5", check=False).stdout
    expect("Host Unreachable" in said, f"ping:\n{said}")
    rows = listed(switch)
    expect(rows["172.16.0.0/12"]["static"] and rows["172.16.0.0/12"]["next_hop"].startswith("pod vpn"), f"listed: {rows}")
    expect("not used" in rows["10.77.0.0/16"]["next_hop"], f"listed: {rows}")
    expect(not rows["10.244.1.1/32"]["static"], f"listed: {rows}")

    refused = switch.cli_raw("route", "add", "172.16.0.0/12", "--via", "10.244.1.1")
    expect(refused.returncode == 1 and "via: the route to 172.16.0.0/12" in refused.stderr, f"refused: {refused}")
    refused = switch.cli_raw("route", "add", "172.16.0.1/12", "--via", "fd00::1")
    expect(refused.returncode == 1 and "prefix: " in refused.stderr, f"refused: {refused}")

    switch.kill()
    switch.start()
    eventually("the routes are back", lambda: traffic.reaches(a, "172.16.0.1"))
    switch.cli("route", "del", "172.16.0.0/12", "203.0.113.0/24")
    expect(not traffic.reaches(a, "172.16.0.1"), "deleted, and still there")
    expect("172.16.0.0/12" not in listed(switch), "deleted, and still listed")
