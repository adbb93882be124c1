# SPDX-License-Identifier: Apache-2.0
"""Traffic between pods: ping, iperf3, a steady stream that notices each lost datagram, and raw frames."""

import json
import select
import socket
import struct
import subprocess
import threading
import time

from .shell import Failure, eventually, expect, stop_process

SO_RCVBUFFORCE = 33  # beyond rmem_max; Python has no name for it


def ping(pod, address, count=3, size=56, whole=False):
    """All of them must be answered. whole: IPv4 packets that may not be fragmented."""
    options = ["-M", "do"] if whole else []
    done = pod.exec("ping", "-n", "-q", "-c", count, "-i", "0.1", "-W", "5", "-s", size, *options, address, check=False)
    expect(f" {count} received" in done.stdout, f"ping {address} from {pod.name}:\n{done.stdout}{done.stderr}")


def reaches(pod, address):
    return pod.exec("ping", "-n", "-q", "-c", 1, "-W", 1, address, check=False).returncode == 0


def iperf3(client, server, address, *options, seconds=2, amount=None):
    """The client's report, as values. It runs for `seconds`, or until it has sent an `amount` such as "4M"."""
    end = ["-n", amount] if amount else ["-t", seconds]
    process = subprocess.Popen(["ip", "netns", "exec", server.name, "iperf3", "-s", "-1", "-p", "5201"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually("iperf3 listens", lambda: ":5201" in server.exec("ss", "-Hltn").stdout)
        done = client.exec("iperf3", "-J", "-c", address, "-p", 5201, *end, *options, check=False,
                           timeout=seconds + 30)
        report = json.loads(done.stdout)
        if "error" in report:
            raise Failure(f"iperf3 to {address}: {report['error']}")
        return report["end"]
    finally:
        stop_process(process, grace=1)


def tcp(client, server, address, seconds=2, amount=None):
    """Gigabits per second that arrived."""
    end = iperf3(client, server, address, seconds=seconds, amount=amount)
    expect(end["sum_received"]["bytes"] > 1_000_000, f"TCP to {address} carried {end['sum_received']['bytes']} bytes")
    return end["sum_received"]["bits_per_second"] / 1e9


def udp(client, server, address, rate="20M", seconds=2, amount=None):
    """(sent, lost) datagrams."""
    end = iperf3(client, server, address, "-u", "-b", rate, "-l", 1200, "-w", "2M", seconds=seconds, amount=amount)
    return end["sum"]["packets"], end["sum"]["lost_packets"]


def talk(a, b, *addresses):
    """Ping, TCP both ways and UDP from pod a to each of b's addresses, a few thousand packets."""
    for address in addresses:
        eventually(f"{address} is reached", lambda: reaches(a, address))
        ping(a, address)
        tcp(a, b, address, amount="4M")
        iperf3(a, b, address, "-R", amount="4M")
        sent, lost = udp(a, b, address, amount="500K")
        # That none is lost is for scenarios whose machine has nothing else to do: here packets are captured.
        expect(sent > 300 and lost * 2 <= sent, f"{lost} of {sent} datagrams to {address} were lost")


def talk_through(a, b, *vips):
    """TCP both ways and UDP from pod a to Services whose one backend is b."""
    for vip in vips:
        tcp(a, b, vip, amount="4M")
        iperf3(a, b, vip, "-R", amount="4M")
        sent, lost = udp(a, b, vip, amount="500K")
        expect(sent > 300 and lost * 2 <= sent, f"{lost} of {sent} datagrams to {vip} were lost")


class Stream:
    """A numbered datagram from one pod to another every few milliseconds, until stop(). Made by World.stream."""

    def __init__(self, sender, receiver, address, interval=0.002):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._in = receiver.socket(family, socket.SOCK_DGRAM)
        self._in.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
        self._in.bind((address, 0))
        self._in.settimeout(0.2)
        self._to = self._in.getsockname()[:2]
        self._out = sender.socket(family, socket.SOCK_DGRAM)
        self._interval = interval
        self._running = True
        self.sent = 0
        self.unsent = 0
        self.arrivals = {}
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]
        for thread in self._threads:
            thread.start()

    def wait_until_it_flows(self):
        eventually("the stream flows", lambda: self.arrivals, timeout=10)
        return self

    def _send(self):
        while self._running:
            try:
                self._out.sendto(struct.pack("!Q", self.sent), self._to)
                self.sent += 1
            except OSError:  # the link is down for a moment
                self.unsent += 1
            time.sleep(self._interval)

    def _receive(self):
        quiet_after_end = 0
        while quiet_after_end < 2:
            try:
                number = struct.unpack("!Q", self._in.recv(64)[:8])[0]
                self.arrivals[number] = time.monotonic()
            except TimeoutError:
                quiet_after_end += not self._running

    def stop(self):
        self._running = False
        for thread in self._threads:
            thread.join()
        self._in.close()
        self._out.close()
        return self

    @property
    def lost(self):
        """Datagrams that did not arrive, among those sent since the first that did."""
        first = min(self.arrivals)
        return self.sent - first - len([number for number in self.arrivals if number >= first])

    @property
    def outage(self):
        """The longest silence at the receiver, in seconds."""
        times = sorted(self.arrivals.values())
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)


class Wire:
    """Raw frames in and out of a pod's interface."""

    def __init__(self, pod, ifname="eth0"):
        # ETH_P_ALL, so that tagged frames are seen too.
        self.socket = pod.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        self.socket.bind((ifname, 3))

    def close(self):
        self.socket.close()

    def send(self, *frames):
        for frame in frames:
            self.socket.send(bytes(frame))

    def received(self, seconds=0.5):
        """The frames that came in until it was quiet for that long."""
        frames = []
        while select.select([self.socket], [], [], seconds)[0]:
            data, address = self.socket.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                frames.append(data)
        return frames
