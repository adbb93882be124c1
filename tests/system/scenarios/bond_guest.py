# SPDX-License-Identifier: Apache-2.0
"""An uplink of two NICs whose other end is the kernel's bond: in a guest, since a test machine's own kernel need not have
bonding. The cables are vhost-user sockets, unplugged by the guest's qemu, so that both ends see it."""

import re
import subprocess
import time

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.world import add_port
from scenarios.guest_tunnels import accept, listen
from scenarios.overlay import GATEWAYS_1, know

OUR_MAC = "02:00:00:00:0b:01"
THEIR_MACS = ["02:00:00:00:0c:01", "02:00:00:00:0c:02"]
# A bond needs to know the speed of its members; nobody else finishes the guest's checksums.
DEVICE = "speed=10000,duplex=full,csum=off,guest_csum=off"
INTERVAL = 0.02
# Addresses of the guest, so many that some are reached by each member.
PODS = [f"10.244.2.{number}" for number in range(1, 9)]


class Pings:
    """To each address one every 20 ms until stop()."""

    def __init__(self, pod, addresses):
        self._processes = [subprocess.Popen(["ip", "netns", "exec", pod.name, "ping", "-n", "-i", str(INTERVAL), address],
                                            stdout=subprocess.PIPE, text=True) for address in addresses]

    def stop(self):
        """The longest time without an answer, in seconds."""
        longest = 0
        for process in self._processes:
            process.terminate()
            numbers = [int(number) for number in re.findall(r"icmp_seq=(\d+)", process.communicate()[0])]
            expect(len(numbers) > 20, f"{len(numbers)} pings were answered")
            longest = max(longest, *(b - a - 1 for a, b in zip(numbers, numbers[1:])))
        return longest * INTERVAL


class ToAGuest:
    def __init__(self, world, *parameters):
        self.world = world
        self.switch = world.daemon("one", {"node.name": "one", "pods.gateway": ",".join(GATEWAYS_1), "overlay.mode": "direct"})
        paths = [world.path(f"{number}.sock") for number in range(2)]
        add_port(self.switch, "uplink", type="bond", mode="802.3ad", members=[f"net_vhost{n},iface={paths[n]}" for n in range(2)],
                 role="uplink", network="underlay", mac=OUR_MAC, underlay="192.0.2.1/24")
        know(self.switch, "two", "192.0.2.2", "10.244.2.0/24")
        self.pod = world.tap_pod(self.switch, "a", ["10.244.1.1/24"], gateways=GATEWAYS_1[:1])
        self.guest = world.guest(paths[0], THEIR_MACS[0], "two", listens=False, device=DEVICE, more=[(paths[1], THEIR_MACS[1])])
        self.guest.wait_until_booted()
        self.guest.run("insmod /modules/tls.ko && insmod /modules/bonding.ko miimon=50 " + " ".join(("mode=802.3ad", *parameters)))
        self.guest.run("for n in 0 1; do echo +eth$n >/sys/class/net/bond0/bonding/slaves; done; ip link set bond0 up")
        self.guest.run("ip address add 192.0.2.2/24 dev bond0; ip route add 10.244.1.0/24 via 192.0.2.1")
        for address in PODS:
            self.guest.run(f"ip address add {address}/32 dev lo")
        eventually("the nodes have found each other", lambda: traffic.reaches(self.pod, "10.244.2.1"), timeout=30)

    def wait_until(self, *states):
        """Of the members, in their order."""
        def as_said():
            return [row["state"] for row in self.switch.cli("port", "show", "uplink")["member_states"]] == list(states)

        eventually(f"the members are {states}", as_said, timeout=20)

    def bond(self):
        return self.guest.run("cat /proc/net/bonding/bond0")

    def wait_for_ports(self, count):
        """In the guest's aggregate."""
        eventually(f"{count} ports are aggregated", lambda: f"Number of ports: {count}" in self.bond(), timeout=30)

    def download(self, megabytes=4):
        """From the guest to the pod, by TCP."""
        listener = listen(self.pod, "10.244.1.1", 5001)
        self.guest.begin(f"dd if=/dev/zero bs=1M count={megabytes} 2>/dev/null | nc 10.244.1.1 5001")
        connection = accept(listener)
        length = 0
        while data := connection.recv(1 << 20):
            length += len(data)
        connection.close()
        listener.close()
        self.guest.finish()
        expect(length == megabytes << 20, f"{length} bytes of {megabytes} MiB")

    def outage(self, number, state, *states):
        """Seconds without an answer when a cable is pulled or plugged in."""
        pings = Pings(self.pod, PODS)
        time.sleep(0.5)
        self.guest.set_link(number, state)
        self.wait_until(*states)
        time.sleep(1)
        return pings.stop()

    def frames(self):
        """That the guest has received by each member."""
        return [int(line) for line in self.guest.run("cat /sys/class/net/eth[01]/statistics/rx_packets").split()]


@scenario(takes=40)
def lacp_with_the_kernel(world):
    ends = ToAGuest(world, "lacp_rate=fast", "xmit_hash_policy=layer3+4")
    ends.wait_until("active", "active")
    ends.wait_for_ports(2)
    said = ends.bond()
    expect(set(re.findall(r"Partner Mac Address: (\S+)", said)) == {OUR_MAC}, said)
    expect(len(set(re.findall(r"\n\s*Aggregator ID: (\d+)", said))) == 1, said)
    ends.download()
    before = ends.frames()
    ends.pod.exec("python3", "-c", "import socket\nfor n in range(400):\n  s = socket.socket(type=socket.SOCK_DGRAM); "
                  "s.sendto(b'x', ('10.244.2.1', 9)); s.close()")
    grown = [after - old for after, old in zip(ends.frames(), before)]
    world.note(f"400 flows: {grown} frames by the members")
    expect(min(grown) > 100, grown)

    seconds = ends.outage(0, "off", "no link", "active")
    world.note(f"the first cable is pulled: {seconds * 1e3:.0f} ms of silence")
    ends.wait_for_ports(1)
    ends.download()
    seconds = ends.outage(0, "on", "active", "active")
    world.note(f"plugged in again: {seconds * 1e3:.0f} ms")
    ends.wait_for_ports(2)
    seconds = ends.outage(1, "off", "active", "no link")
    world.note(f"the second one: {seconds * 1e3:.0f} ms")
    ends.wait_for_ports(1)
    ends.download()
