# SPDX-License-Identifier: Apache-2.0
"""What was accepted is still there after kill -9."""

import glob
import json
import os

from harness.runner import scenario
from harness.shell import expect
from harness.world import add_port

STABLE = ("name", "type", "network", "pod", "uid", "mac", "ip", "mtu", "queues", "vlan", "trunk")


def described(switch):
    return {port["name"]: {key: port.get(key) for key in STABLE} for port in switch.cli("port", "list")}


def add_some(world, switch):
    add_port(switch, "web", type="vhost-user", path=world.path("web.sock"), mac="02:00:00:00:02:01",
             ip=["10.6.0.1", "fd00:6::1"], pod="shop/web-0", uid="5e7d", mtu=9000, queues=2)
    add_port(switch, "db", type="vhost-user", path=world.path("db.sock"), mode="server", vlan=7, network="blue")
    add_port(switch, "uplink", type="vhost-user", path=world.path("uplink.sock"), trunk="10,20,100-199", allow_spoofing=True)


@scenario(takes=2)
def every_port_comes_back(world):
    switch = world.daemon()
    add_some(world, switch)
    switch.cli("port", "del", "db")
    before = described(switch)
    switch.kill()
    switch.start()
    expect(described(switch) == before, lambda: f"before {before}\nafter {described(switch)}")
    expect(set(before) == {"web", "uplink"}, f"ports are {sorted(before)}")


@scenario(takes=2)
def a_torn_tail_is_cut_with_a_warning(world):
    switch = world.daemon()
    add_some(world, switch)
    switch.kill()
    newest = max(glob.glob(os.path.join(switch.options["state.directory"], "*journal*")), key=os.path.getmtime)
    with open(newest, "ab") as journal:
        journal.write(b'{"half an entr')
    switch.start()
    expect(set(described(switch)) == {"web", "db", "uplink"}, f"ports are {sorted(described(switch))}")
    expect("journal" in switch.log().lower() and "warn" in switch.log().lower(), "no warning about the torn tail")
    # And it can be written to again.
    switch.cli("port", "del", "db")
    switch.kill()
    switch.start()
    expect(set(described(switch)) == {"web", "uplink"}, f"ports are {sorted(described(switch))}")


@scenario(takes=2)
def the_same_again_succeeds_and_other_options_are_refused(world):
    switch = world.daemon()
    add_some(world, switch)
    add_some(world, switch)
    said = switch.refused("port", "add", "web", "--type", "vhost-user", "--path", world.path("other.sock"))
    expect("web" in said, f"it says: {said}")


@scenario(takes=2)
def a_file_of_ports_is_all_or_nothing(world):
    switch = world.daemon()
    ports = [{"name": f"p{n}", "type": "vhost-user", "path": world.path(f"{n}.sock")} for n in range(3)]
    bad = [*ports, {"name": "p3", "type": "vhost-user", "path": "/" + "x" * 200}]
    said = switch.refused("port", "add", "--file", "-", input=json.dumps(bad))
    expect("107" in said, f"it says: {said}")
    expect(switch.cli("port", "list") == [], "something of a refused transaction stayed")
    before = switch.cli("status")["revision"]
    switch.cli("port", "add", "--file", "-", input=json.dumps(ports))
    expect(len(switch.cli("port", "list")) == 3, "not all were added")
    expect(switch.cli("status")["revision"] == before + 1, "a transaction is one revision")
