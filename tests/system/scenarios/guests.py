# SPDX-License-Identifier: Apache-2.0
"""Real Linux guests in qemu on vhost-user ports."""

import hashlib
import os
import socket
import threading

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect

# What a guest that cannot take anything unusual negotiates.
PLAIN = "csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ufo=off,guest_ecn=off,mrg_rxbuf=off"
MEGABYTES = 4


def prepare(guest, mtu=None, addresses=()):
    guest.wait_until_booted()
    guest.configure(addresses, mtu)
    guest.run(f"dd if=/dev/urandom of=/tmp/file bs=1M count={MEGABYTES}; sync")
    return guest.run("md5sum </tmp/file").split()[0]


def guest_ping(guest, address, size=56):
    text = guest.run(f"ping -c 3 -w 20 -s {size} {address}", check=False)
    expect(" 0% packet loss" in text, f"ping {address} from guest {guest.name}:\n{text}")


# Copies answer with the MD5 sum of what arrived: TCP would hide a lost frame, and this shows a wrong byte.


def copy_between_guests(sender, receiver, address, digest):
    receiver.begin("nc -l -p 5000 -e md5sum")
    answer = eventually("the receiver answers", lambda: sender.run(
        f"nc -w 5 {address} 5000 </tmp/file", timeout=90), timeout=20, pause=0.5)
    receiver.finish()
    expect(answer.split()[0] == digest, f"{receiver.name} got other contents than {sender.name} sent")


def copy_to_namespace(guest, pod, address, digest):
    listener = pod.socket(family_of(address), socket.SOCK_STREAM)
    listener.bind((address, 5000))
    listener.listen()
    listener.settimeout(60)

    def serve():
        connection, _ = listener.accept()
        connection.settimeout(60)
        sum = hashlib.md5()
        while data := connection.recv(65536):
            sum.update(data)
        connection.sendall(sum.hexdigest().encode() + b"\n")
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    answer = guest.run(f"nc -w 10 {address} 5000 </tmp/file", timeout=90)
    thread.join()
    listener.close()
    expect(answer == digest, f"{pod.name} got other contents than {guest.name} sent")


def copy_from_namespace(pod, guest, address):
    data = os.urandom(MEGABYTES << 20)
    guest.begin("nc -l -p 5001 -e md5sum")
    out = eventually("the guest listens", lambda: connect(pod, address), timeout=20, pause=0.3)
    out.settimeout(60)
    out.sendall(data)
    out.shutdown(socket.SHUT_WR)
    answer = out.recv(32).decode()
    out.close()
    guest.finish()
    expect(answer == hashlib.md5(data).hexdigest(), f"{guest.name} got other contents than {pod.name} sent")


def connect(pod, address):
    out = pod.socket(family_of(address), socket.SOCK_STREAM)
    out.settimeout(3)
    try:
        out.connect((address, 5001))
    except OSError:
        out.close()
        raise
    return out


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@scenario(takes=20)
def two_guests(world):
    switch = world.daemon(options={"pods.gateway": "10.4.0.254,fd00:4::fe"})
    a = world.guest_pod(switch, "a", ["10.4.0.1/24", "fd00:4::1/64"])
    # One of each mode.
    b = world.guest_pod(switch, "b", ["10.4.0.2/24", "fd00:4::2/64"], mode="server")
    digest = prepare(a, addresses=["10.4.0.1/24", "fd00:4::1/64"])
    prepare(b, addresses=["10.4.0.2/24", "fd00:4::2/64"])
    for address in ("10.4.0.2", "fd00:4::2", "10.4.0.254", "fd00:4::fe"):
        guest_ping(a, address)
    copy_between_guests(a, b, "10.4.0.2", digest)

    before = switch.cli("port", "show", "a")
    b.begin("nc -l -p 5002 -e wc -c")
    # nc itself writes 1 KiB at a time, of which the kernel may make small frames.
    eventually("b listens", lambda: a.run("nc 10.4.0.2 5002 -e dd if=/tmp/file bs=64k") is not None, pause=0.5)
    b.finish()
    after = switch.cli("port", "show", "a")
    # More than a frame of the MTU on average: TSO frames have passed whole.
    average = (after["rx_bytes"] - before["rx_bytes"]) / (after["rx_packets"] - before["rx_packets"])
    world.note(f"TCP between guests: {average:.0f} bytes a frame on average")
    expect(average > 1514, f"frames of a are {average:.0f} bytes on average: TSO frames do not pass whole")
    expect(switch.dropped("malformed") == 0, lambda: f"drops: {switch.drops()}")


@scenario(takes=20)
def guest_and_namespace(world):
    switch = world.daemon()
    pod = world.tap_pod(switch, "n", ["10.4.0.3/24", "fd00:4::3/64"])
    guest = world.guest_pod(switch, "g", ["10.4.0.1/24", "fd00:4::1/64"], device="packed=on")
    digest = prepare(guest, addresses=["10.4.0.1/24", "fd00:4::1/64"])
    guest_ping(guest, "10.4.0.3")
    traffic.ping(pod, "fd00:4::1")
    copy_to_namespace(guest, pod, "10.4.0.3", digest)
    copy_from_namespace(pod, guest, "fd00:4::1")


@scenario(takes=30)
def a_guest_without_offloads(world):
    """A tap pod and another guest send it TSO frames with partial checksums; it gets whole small ones."""
    switch = world.daemon()
    pod = world.tap_pod(switch, "n", ["10.4.0.3/24", "fd00:4::3/64"])
    plain = world.guest_pod(switch, "p", ["10.4.0.1/24", "fd00:4::1/64"], device=PLAIN)
    full = world.guest_pod(switch, "f", ["10.4.0.2/24", "fd00:4::2/64"])
    digest = prepare(plain, addresses=["10.4.0.1/24", "fd00:4::1/64"])
    full_digest = prepare(full, addresses=["10.4.0.2/24", "fd00:4::2/64"])
    copy_from_namespace(pod, plain, "10.4.0.1")
    copy_from_namespace(pod, plain, "fd00:4::1")
    copy_between_guests(full, plain, "10.4.0.1", full_digest)
    copy_to_namespace(plain, pod, "fd00:4::3", digest)
    bad = plain.run("cat /proc/net/snmp | grep -E '^(Tcp|Udp):'")
    expect(_counter(bad, "Tcp", "InCsumErrors") == 0, f"checksum errors in the guest:\n{bad}")


def _counter(table, protocol, name):
    head, values = [line.split() for line in table.splitlines() if line.startswith(protocol + ":")]
    return int(values[head.index(name)])


@scenario(takes=20)
def jumbo_guest(world):
    switch = world.daemon()
    pod = world.tap_pod(switch, "n", ["10.4.0.3/24"], mtu=9000)
    guest = world.guest_pod(switch, "g", ["10.4.0.1/24"], device="host_mtu=9000", port_options={"mtu": 9000})
    digest = prepare(guest, mtu=9000, addresses=["10.4.0.1/24"])
    guest_ping(guest, "10.4.0.3", size=8972)
    traffic.ping(pod, "10.4.0.1", size=8972, whole=True)
    copy_to_namespace(guest, pod, "10.4.0.3", digest)


@scenario(takes=25)
def a_killed_guest_comes_back(world):
    switch = world.daemon()
    pod = world.tap_pod(switch, "n", ["10.4.0.3/24"])
    guest = world.guest_pod(switch, "g", ["10.4.0.1/24"])
    prepare(guest, addresses=["10.4.0.1/24"])
    traffic.ping(pod, "10.4.0.1")
    guest.kill()
    eventually("the port is down", lambda: switch.cli("port", "show", "g")["state"] == "down")
    again = world.guest(world.path("g.sock"), guest.mac, "g")
    prepare(again, addresses=["10.4.0.1/24"])
    traffic.ping(pod, "10.4.0.1")
