# SPDX-License-Identifier: Apache-2.0
"""Services of Linux guests: SCTP, which the host's kernel may not have, and TCP whose checksums and segments are left to the
device."""

import hashlib

from harness import traffic
from harness.runner import scenario
from harness.services import serve
from harness.shell import expect
from harness.underlay import Underlay
from scenarios.guest_tunnels import accept, listen
from scenarios.overlay import GATEWAYS_1, GATEWAYS_2, know
from scenarios.services import GATEWAYS, VIP4, VIPS, WEB, node

SCTP = ("SCTP", 7, 7007)
CLIENT, SERVER = ["10.244.1.21", "fd00:244:1::21"], ["10.244.1.22", "fd00:244:1::22"]
MESSAGES, BYTES = 200, 1300
MEGABYTES = 20


def boot(guest, addresses, gateways):
    guest.wait_until_booted()
    guest.configure([f"{addresses[0]}/24", f"{addresses[1]}/64"], mtu=1450)
    guest.run(f"ip route add default via {gateways[0]}; ip -6 route add default via {gateways[1]}")


def load_sctp(guest):
    for module in ("udp_tunnel", "ip6_udp_tunnel", "libcrc32c", "sctp"):
        guest.run(f"insmod /modules/{module}.ko")


def talk_sctp(client, server, addresses):
    for guest in (client, server):
        load_sctp(guest)
    for address in addresses:
        server.run(f"(sctp_talk serve {address} {SCTP[2]} server- >/tmp/served 2>&1 &)")
    for own, address, vip in zip(CLIENT, addresses, VIPS):
        # Without the service first: the guests themselves must be able to.
        expect(client.run(f"sctp_talk ask {own} {address} {SCTP[2]} 2 100") == "server-", f"no SCTP to {address} itself")
        said = client.run(f"sctp_talk ask {own} {vip} {SCTP[1]} {MESSAGES} {BYTES}")
        expect(said == "server-", f"over {vip}: {said!r}")
    expect("none answers" in client.run(f"sctp_talk ask {CLIENT[0]} {VIP4} 9 1 1 || echo none answers", check=False), "a port that is not the service's")


@scenario(takes=40)
def sctp_between_guests(world):
    switch, _, _ = node(world, 0)
    client, server = world.guest_pod(switch, "gc", CLIENT), world.guest_pod(switch, "gs", SERVER)
    serve(switch, "sctp", VIPS, SERVER, SCTP)
    boot(client, CLIENT, GATEWAYS)
    boot(server, SERVER, GATEWAYS)
    talk_sctp(client, server, SERVER)


@scenario(takes=45)
def sctp_between_guests_of_two_nodes(world):
    """two_nodes() has taps as pods, which the host's kernel serves."""
    underlay = Underlay(world)
    one = underlay.switch_node("one", ["192.0.2.1/24"], **{"node.name": "one", "pods.gateway": ",".join(GATEWAYS_1)})
    two = underlay.switch_node("two", ["192.0.2.2/24"], **{"node.name": "two", "pods.gateway": ",".join(GATEWAYS_2)})
    know(one, "two", "192.0.2.2", "10.244.2.0/24", "fd00:244:2::/64")
    know(two, "one", "192.0.2.1", "10.244.1.0/24", "fd00:244:1::/64")
    remote = ["10.244.2.22", "fd00:244:2::22"]
    client, server = world.guest_pod(one, "gc", CLIENT), world.guest_pod(two, "gs", remote)
    serve([one, two], "sctp", VIPS, remote, SCTP)
    boot(client, CLIENT, GATEWAYS_1)
    boot(server, remote, GATEWAYS_2)
    talk_sctp(client, server, remote)


@scenario(takes=30)
def a_guest_sends_and_fetches_through_a_service(world):
    """Its frames have unfinished checksums and are super-frames; the other end is the host's kernel, which checks all."""
    switch, _, (backend,) = node(world, 1)
    guest = world.guest_pod(switch, "g", CLIENT)
    serve(switch, "web", VIPS, ["10.244.1.11"], WEB)
    boot(guest, CLIENT, GATEWAYS)
    guest.run("dd if=/dev/urandom of=/tmp/block bs=1M count=1 2>/dev/null")
    digest = guest.run("md5sum </tmp/block").split()[0]
    guest.run("printf 'for i in $(seq %d); do dd if=/tmp/block bs=128k 2>/dev/null; done' >/tmp/send" % MEGABYTES)
    wire = traffic.Wire(backend)
    listener = listen(backend, "10.244.1.11", 8080)
    guest.begin(f"nc {VIP4} 80 -e sh /tmp/send")
    connection = accept(listener)
    received = b""
    while piece := connection.recv(1 << 20):
        received += piece
    connection.close()
    guest.finish()
    expect(len(received) == MEGABYTES << 20, f"{len(received)} bytes have come")
    expect({hashlib.md5(received[i << 20:(i + 1) << 20]).hexdigest() for i in range(MEGABYTES)} == {digest}, "other contents")
    sizes = [len(frame) for frame in wire.received(0.1)]
    wire.close()
    expect(max(sizes) > 3000, f"no frame has more than {max(sizes)} bytes: no TSO")
    guest.begin(f"nc {VIP4} 80 </dev/null | md5sum")
    connection = accept(listener)
    connection.sendall(received)
    connection.close()
    listener.close()
    expect(guest.finish().split()[0] == hashlib.md5(received).hexdigest(), "the guest got other contents")
