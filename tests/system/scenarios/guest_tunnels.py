# SPDX-License-Identifier: Apache-2.0
"""A Linux guest whose TSO frames and unfinished checksums go through the tunnel to another node."""

import hashlib
import os
import socket

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.underlay import Underlay
from scenarios.overlay import GATEWAYS_1, flannel_node, know

MEGABYTES = 100
BLOCK = 4 << 20
# virtio's numbers for: checksums may be left to the device, and so may TCP segmentation.
CSUM, HOST_TSO4 = 0, 11


def accept(listener):
    listener.settimeout(30)
    connection, _ = listener.accept()
    connection.settimeout(60)
    return connection


def listen(space, address, port):
    listener = space.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((address, port))
    listener.listen()
    return listener


def give_block(node, guest, address, block):
    """The guest fetches what it will send."""
    listener = listen(node, address, 5000)
    guest.begin(f"nc {address} 5000 >/tmp/block </dev/null; md5sum </tmp/block")
    connection = accept(listener)
    connection.sendall(block)
    connection.close()
    listener.close()
    expect(guest.finish().split()[0] == hashlib.md5(block).hexdigest(), "the guest got other contents than the node sent")


def take_all(node, guest, address, blocks):
    """(SHA-256, length) of what arrives of `blocks` blocks, each behind a line with its number."""
    listener = listen(node, address, 5001)
    # The script writes to the socket itself: nc would cut it into 1 KiB.
    guest.run("printf 'for i in $(seq %s); do echo $i; dd if=/tmp/block bs=128k 2>/dev/null; done' " + str(blocks) +
              " >/tmp/send")
    guest.begin(f"nc {address} 5001 -e sh /tmp/send")
    connection = accept(listener)
    digest, length = hashlib.sha256(), 0
    while data := connection.recv(1 << 20):
        digest.update(data)
        length += len(data)
    connection.close()
    listener.close()
    guest.finish()
    return digest.hexdigest(), length


def negotiated(guest):
    """The guest's driver and the switch have agreed on these features of virtio."""
    bits = guest.run("cat /sys/class/net/eth0/device/features")
    return {number for number, bit in enumerate(bits) if bit == "1"}


@scenario(takes=35)
def a_hundred_megabytes_from_a_guest_through_vxlan(world):
    """The other end is the kernel's VXLAN, which takes nothing on trust that the switch has not finished."""
    underlay = Underlay(world)
    switch = underlay.switch_node("one", ["192.0.2.1/24"], **{
        "node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "overlay.udp-port": 8472,
        "overlay.vtep-mac": "02:00:00:00:f1:01"})
    guest = world.guest_pod(switch, "g", ["10.244.1.1/24"])
    node = flannel_node(underlay, "two", 2)
    know(switch, "two", "192.0.2.2", "10.244.2.0/24", vtep_mac="02:00:00:00:f1:02")
    guest.wait_until_booted()
    guest.configure(["10.244.1.1/24"], mtu=1450)
    guest.run(f"ip route add default via {GATEWAYS_1[0]}")
    eventually("the nodes have found each other", lambda: traffic.reaches(node, "10.244.1.1"))
    expect({CSUM, HOST_TSO4} <= negotiated(guest), lambda: f"features of the guest: {negotiated(guest)}")

    block, blocks = os.urandom(BLOCK), MEGABYTES * 1_000_000 // BLOCK + 1
    give_block(node, guest, "10.244.2.1", block)
    before = {port: switch.cli("port", "show", port) for port in ("g", "uplink")}
    digest, length = take_all(node, guest, "10.244.2.1", blocks)
    after = {port: switch.cli("port", "show", port) for port in ("g", "uplink")}
    sent = b"".join(b"%d\n" % (i + 1) + block for i in range(blocks))
    expect(length == len(sent) and digest == hashlib.sha256(sent).hexdigest(),
           f"{length} bytes of {len(sent)} arrived, or others")

    def grown(port, counter):
        return after[port][counter] - before[port][counter]

    average = grown("g", "rx_bytes") / grown("g", "rx_packets")
    world.note(f"{length / 1e6:.0f} MB in frames of {average:.0f} bytes on average, {grown('uplink', 'tx_packets')} packets on the uplink")
    expect(average > 3000, f"the guest's frames have {average:.0f} bytes on average: no TSO")
    # Cut for the MTU before they went out, and none lost for being larger.
    expect(grown("uplink", "tx_packets") > length / 1450, lambda: f"uplink: {after['uplink']}; drops: {switch.drops()}")
