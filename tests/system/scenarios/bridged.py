# SPDX-License-Identifier: Apache-2.0
"""Layer-2 networks stretched over nodes, each by its VNI: between switches, and with the kernel's VXLAN."""

from harness import traffic
from harness.capture import inside_of
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.underlay import Underlay

POD_MTU = 1450


def switch_nodes(world, networks, count=2, vtep="192.0.2.", **options):
    """Switches that know each other and stretch `networks` (name: VNI). `vtep`: their addresses without the node's number;
    192.0.2.1 is the first one's."""
    underlay = Underlay(world)
    names = ["one", "two", "three"][:count]
    length = 64 if ":" in vtep else 24
    switches = [underlay.switch_node(name, [f"{vtep}{i + 1}/{length}"], **{"node.name": name, **options})
                for i, name in enumerate(names)]
    for switch in switches:
        for i, name in enumerate(names):
            switch.cli("node", "add", name, "--vtep", f"{vtep}{i + 1}", "--pod-cidr", f"10.244.{i + 1}.0/24")
        for network, vni in networks.items():
            switch.cli("network", "add", network, "--vni", vni)
    return underlay, switches


def pod(world, switch, name, network, number, mtu=POD_MTU, **options):
    """10.0.0.NUMBER and fd00::NUMBER in `network`."""
    return world.tap_pod(switch, name, [f"10.0.0.{number}/24", f"fd00::{number}/64"], mtu=mtu, network=network, **options)


def ask_again(pod):
    for address in ("10.0.0.2", "fd00::2"):
        pod.ip("neighbour", "flush", "dev", "eth0")
        traffic.ping(pod, address, count=1)


def behind(switch, mac):
    """The VTEP that the switch knows `mac` behind."""
    return next((row["vtep"] for row in switch.cli("fdb", "list", "--mac", mac) if row["vtep"]), None)


@scenario(takes=8)
def two_networks_with_the_same_addresses(world):
    _, (one, two) = switch_nodes(world, {"blue": 100, "red": 200})
    pods = {}
    for network in ("blue", "red"):
        for switch, number in ((one, 1), (two, 2)):
            pods[network, number] = pod(world, switch, f"{network}{number}", network, number)
    pod(world, two, "only-red", "red", 3)
    for network in ("blue", "red"):
        a, b = pods[network, 1], pods[network, 2]
        eventually(f"{network} spans the nodes", lambda: traffic.reaches(a, "10.0.0.2"))
        traffic.ping(b, "fd00::1")
        # It was its own namesake that answered.
        seen = a.ip("neighbour", "show", "10.0.0.2").stdout
        expect(b.mac() in seen, f"10.0.0.2 in {network} is {seen}, not {b.mac()}")
    traffic.ping(pods["red", 1], "10.0.0.3")
    expect(not traffic.reaches(pods["blue", 1], "10.0.0.3"), "blue reached a pod of red")
    a, b = pods["blue", 1], pods["blue", 2]
    ask_again(a)
    # Known by now: no other node hears of it.
    answers = one.cli("status")["neighbour_answers"]
    heard = traffic.Wire(b)
    ask_again(a)
    asked = [frame for frame in heard.received(0.2) if frame[:6] == b"\xff" * 6]
    heard.close()
    expect(not asked, f"b was asked: {asked}")
    expect(one.cli("status")["neighbour_answers"] >= answers + 2, lambda: f"status: {one.cli('status')}")
    world.note(f"TCP {traffic.tcp(a, b, '10.0.0.2', seconds=1):.2f} Gbit/s, "
               f"IPv6 {traffic.tcp(b, a, 'fd00::1', seconds=1):.2f}")
    expect(behind(one, b.mac()) == "192.0.2.2", lambda: f"fdb: {one.cli('fdb', 'list')}")
    one.cli("network", "del", "blue")
    expect(behind(one, b.mac()) is None, lambda: f"fdb: {one.cli('fdb', 'list')}")
    expect(not traffic.reaches(b, "10.0.0.1"), "blue still spans the nodes")
    expect(one.dropped("tunnel_vni_unknown") > 0, lambda: f"drops: {one.drops()}")
    traffic.ping(pods["red", 1], "10.0.0.2")


def expect_sound(world, tunnel, vtep, **options):
    """What two nodes send each other about a network between them, to tshark."""
    _, (one, two) = switch_nodes(world, {"blue": 100}, vtep=vtep, **options)
    mtu = 1430 if ":" in vtep else POD_MTU
    a, b = pod(world, one, "a", "blue", 1, mtu), pod(world, two, "b", "blue", 2, mtu)
    eventually("blue spans the nodes", lambda: traffic.reaches(a, "10.0.0.2"))
    capture = one.underlay.capture()
    traffic.talk(a, b, "10.0.0.2", "fd00::2")
    capture.expect_sound(*inside_of(f"{'ipv6' if ':' in vtep else 'ip'}:udp:{tunnel}"))


@scenario(takes=7)
def what_is_on_the_wire(world):
    expect_sound(world, "vxlan", "192.0.2.")


@scenario(takes=7)
def what_is_on_a_wire_of_ipv6(world):
    expect_sound(world, "geneve", "2001:db8::", **{"overlay.encapsulation": "geneve"})


@scenario(takes=6)
def the_kernels_vxlan_in_bridged_mode(world):
    underlay, (one,) = switch_nodes(world, {"blue": 100}, count=1)
    one.cli("node", "add", "kernel", "--vtep", "192.0.2.9", "--pod-cidr", "10.244.9.0/24")
    kernel = underlay.kernel_node("kernel", ["192.0.2.9/24"])
    kernel.ip("link", "add", "vx0", "mtu", POD_MTU, "type", "vxlan", "id", 100, "dstport", 4789, "local", "192.0.2.9", "dev",
              "nic")
    kernel.ip("link", "add", "br0", "type", "bridge")
    kernel.ip("link", "set", "vx0", "master", "br0", "up")
    kernel.exec("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx0", "dst", "192.0.2.1")
    kernel.configure("br0", ["10.0.0.9/24", "fd00::9/64"])
    a = pod(world, one, "a", "blue", 1)
    eventually("blue spans the nodes", lambda: traffic.reaches(a, "10.0.0.9"))
    traffic.ping(kernel, "10.0.0.1")
    traffic.ping(kernel, "fd00::1")
    traffic.talk(a, kernel, "10.0.0.9", "fd00::9")
    world.note(f"TCP {traffic.tcp(a, kernel, '10.0.0.9', seconds=1):.2f} Gbit/s to the kernel, "
               f"{traffic.tcp(kernel, a, '10.0.0.1', seconds=1):.2f} from it")
    # A pod with a larger MTU hears about the tunnel's, as from the kernel.
    a.ip("link", "set", "eth0", "mtu", 1500)
    for family, address in (("-4", "10.0.0.9"), ("-6", "fd00::9")):
        path = a.exec("tracepath", "-n", family, "-m", 3, address).stdout
        expect("pmtu 1450" in path and "reached" in path, f"tracepath:\n{path}")
    traffic.tcp(a, kernel, "10.0.0.9", seconds=1)


@scenario(takes=6)
def a_mac_moves_and_a_mac_that_may_not(world):
    _, (one, two, three) = switch_nodes(world, {"blue": 100}, count=3)
    a = pod(world, one, "a", "blue", 1)
    mac = "02:00:00:00:77:01"
    # As a virtual machine does: the same one, first there, then here.
    b = pod(world, two, "b", "blue", 2, mac=mac)
    eventually("blue spans the nodes", lambda: traffic.reaches(a, "10.0.0.2"))
    expect(behind(one, mac) == "192.0.2.2", lambda: f"fdb: {one.cli('fdb', 'list')}")
    two.cli("port", "del", "b")
    moved = pod(world, three, "b3", "blue", 2, mac=mac)
    moved.exec("ping", "-n", "-c", 1, "-W", 1, "10.0.0.1", check=False)  # whoever moves says so
    eventually("it is found where it went", lambda: traffic.reaches(a, "10.0.0.2"))
    expect(behind(one, mac) == "192.0.2.3", lambda: f"fdb: {one.cli('fdb', 'list')}")

    # What the operator says stays, over a restart, whoever claims to have it.
    one.cli("fdb", "add", mac, "--network", "blue", "--vtep", "192.0.2.2")
    expect(not traffic.reaches(moved, "10.0.0.1"), "a claimed address was taken")
    expect(one.dropped("tunnel_source") > 0, lambda: f"drops: {one.drops()}")
    one.restart()
    row = one.cli("fdb", "list", "--mac", mac)[0]
    expect(row["vtep"] == "192.0.2.2" and row["static"], f"fdb: {row}")
    expect("is no node's VTEP" in one.refused("fdb", "add", mac, "--network", "blue", "--vtep", "192.0.2.7"), "vtep")
    expect(f"{a.mac()} is port a's" in one.refused("fdb", "add", a.mac(), "--network", "blue", "--vtep", "192.0.2.2"),
           "a pod's own address was put elsewhere")
    one.cli("fdb", "del", mac, "--network", "blue")
    eventually("it is learned again", lambda: traffic.reaches(moved, "10.0.0.1"))
    flushed = one.cli("fdb", "flush", "--network", "blue", "--mac", mac)
    expect(flushed["flushed"] == 1, f"flushed: {flushed}")


@scenario(takes=2)
def networks_by_command_and_config(world):
    switch = world.daemon(options={"overlay.network": "pods", "overlay.vni": 7})
    added = switch.cli("network", "add", "blue", "--vni", 100)
    expect(added["changed"], f"added: {added}")
    expect(not switch.cli("network", "add", "blue", "--vni", 100)["changed"], "the same again was a change")
    for words, says in ((("blue", "--vni", 101), "network blue has VNI 100"), (("red", "--vni", 100), "100 is network blue's"),
                        (("red", "--vni", 7), "7 is overlay.vni"), (("red", "--vni", 0), "out of range: 1 to 16777215"),
                        (("red", "--vni", 1 << 24), "out of range: 1 to 16777215"), (("pods", "--vni", 9), "overlay.network"),
                        ((".red", "--vni", 9), "no network name")):
        said = switch.refused("network", "add", *words)
        expect(says in said, f"network add {words}: {said}")
    said = switch.refused("port", "add", "up", "--type", "tap", "--ifname", "none0", "--role", "uplink", "--network", "blue",
                          "--mac", "02:00:00:00:00:01")
    expect("stretched over nodes by VNI 100" in said, f"an uplink in a stretched network: {said}")
    switch.restart()
    rows = {row["name"]: row for row in switch.cli("network", "list")}
    expect(rows["blue"]["vni"] == 100 and rows["blue"]["mode"] == "bridged" and rows["pods"]["mode"] == "routed",
           f"listed: {rows}")
    switch.cli("network", "del", "blue")
    expect("no such network" in switch.refused("network", "del", "blue"), "deleted twice")
    switch.restart()
    expect([row["name"] for row in switch.cli("network", "list")] == ["pods"], "it came back")
