# SPDX-License-Identifier: Apache-2.0
"""The node's own NIC as the uplink: the host's addresses and routes move to the host port and back, and its
connections go on. A namespace is the node, a veth its NIC; another is all that is outside."""

import contextlib
import json
import os
import re
import socket
import stat
import subprocess
import threading
import time

from harness import traffic
from harness.runner import scenario
from harness.shell import Failure, Skip, eventually, expect, run

UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "conf", "podswitch.service.in")
HOST = "podswitch0"
BEYOND = "198.51.100.1"


class Node:
    """A node with its NIC, and what it can reach over it. The daemon runs inside."""

    def __init__(self, world, start=True, **options):
        self.world = world
        self.outside = world.namespace("out")
        self.inside = world.namespace("node")
        self.outside.ip("link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", self.inside.name)
        self.outside.configure("wire", ["10.80.0.1/24", "fd00:80::1/64"])
        self.outside.ip("address", "add", f"{BEYOND}/32", "dev", "lo")
        self.inside.configure("eth0", ["10.80.0.2/24", "10.80.0.3/24", "fd00:80::2/64"],
                              gateways=["10.80.0.1", "fd00:80::1"])
        self.inside.ip("route", "add", "192.0.2.0/24", "via", "10.80.0.1", "src", "10.80.0.3", "metric", "7")
        for namespace, ifname in ((self.outside, "wire"), (self.inside, "eth0")):
            eventually("link-local address", lambda: "fe80" in namespace.ip("-6", "address", "show", "dev", ifname).stdout)
        self.before = self.routes()
        self.switch = world.daemon(options=options, namespace=self.inside, start=start)

    def uplink(self, *words):
        return self.switch.cli("uplink", *words)

    def attach(self, *words):
        return self.uplink("attach", "eth0", *words)

    def routes(self):
        lines = []
        for family in ("-4", "-6"):
            text = self.inside.ip(family, "route", "show", "table", "all").stdout
            # A dead daemon's tap has no link; each interface has a multicast route of its own.
            lines += [line.replace(" linkdown", "").strip() for line in text.splitlines()
                      if " lo " not in line and not line.startswith(("anycast", "multicast"))]
        return sorted(lines)

    def addresses(self, ifname):
        done = self.inside.ip("-o", "address", "show", "dev", ifname, check=False)
        return sorted(re.findall(r"inet6? (\S+)", done.stdout))

    def default_routes(self):
        return [self.inside.ip(family, "route", "show", "default").stdout.strip() for family in ("-4", "-6")]

    def expect_host_has_the_nic(self):
        left = [one for one in self.addresses(HOST) if not one.startswith("fe80")]
        expect(not left, f"{HOST} still has {left}")
        expect(self.is_back(), lambda: f"eth0 has {self.addresses('eth0')}, routes {self.default_routes()}")
        after = [line for line in self.routes() if HOST not in line]
        expect(after == self.before, lambda: "routes were\n" + "\n".join(self.before) + "\nand are\n" + "\n".join(after))

    def is_back(self):
        wanted = {"10.80.0.2/24", "10.80.0.3/24", "fd00:80::2/64"}
        return wanted <= set(self.addresses("eth0")) and all("dev eth0" in route for route in self.default_routes())

    def expect_switch_has_the_nic(self):
        expect(self.addresses("eth0") == [], lambda: f"eth0 still has {self.addresses('eth0')}")
        expect({"10.80.0.2/24", "10.80.0.3/24", "fd00:80::2/64"} <= set(self.addresses(HOST)),
               lambda: f"{HOST} has {self.addresses(HOST)}")
        moved = sorted(line.replace(HOST, "eth0") for line in self.routes())
        expect(moved == self.before, lambda: "routes were\n" + "\n".join(self.before) + "\nand are\n" + "\n".join(moved))

    def hears_each_datagram_once(self, count=200):
        with self.inside.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, \
                self.outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            ear.bind(("10.80.0.2", 0))
            ear.settimeout(0.5)
            for number in range(count):
                mouth.sendto(b"%d" % number, ear.getsockname())
                time.sleep(0.001)
            heard = []
            try:
                while True:
                    heard.append(int(ear.recv(100)))
            except TimeoutError:
                pass
        expect(sorted(heard) == list(range(count)), f"of {count} datagrams {len(set(heard))} came, {len(heard)} times")

    def systemd(self, key, **environment):
        """Runs what the unit file has for systemd; returns how long it took."""
        with open(UNIT) as file:
            line = next(line for line in file if line.startswith(f"{key}="))
        command = line.split("=", 1)[1].strip().lstrip("-+")
        command = command.replace("@bindir@", os.path.dirname(self.switch.client))
        command = command.replace("${STATE_DIRECTORY}", self.switch.options["state.directory"])
        start = time.monotonic()
        run(*self.switch.inside, "env", *(f"{k}={v}" for k, v in environment.items()), *command.split())
        return time.monotonic() - start

    def session(self, family, address):
        session = Session(self, family, address)
        self.world.defer(session.close)
        return session


class Session:
    """A TCP connection of the host's to the outside: a number goes there and comes back every few milliseconds."""

    def __init__(self, node, family, address):
        listener = node.outside.socket(family, socket.SOCK_STREAM)
        listener.bind((address, 0))
        listener.listen()
        self.client = node.inside.socket(family, socket.SOCK_STREAM)
        self.client.settimeout(30)
        self.client.connect(listener.getsockname()[:2])
        self.server, _ = listener.accept()
        listener.close()
        for one in (self.client, self.server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.times = [time.monotonic()]
        self.error = None
        self.closing = False
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.echo, self.talk)]
        for thread in self.threads:
            thread.start()
        self.goes_on("at first")

    def echo(self):
        try:
            while data := self.server.recv(4096):
                self.server.sendall(data)
        except OSError as error:
            self.error = self.error or (None if self.closing else error)

    def talk(self):
        try:
            while not self.closing:
                number = b"%08d" % len(self.times)
                self.client.sendall(number)
                back = b""
                while len(back) < 8:
                    part = self.client.recv(8 - len(back))
                    if not part:
                        raise OSError("the other side closed")
                    back += part
                if back != number:
                    raise OSError(f"sent {number}, got {back}")
                self.times.append(time.monotonic())
                time.sleep(0.002)
        except OSError as error:
            self.error = self.error or (None if self.closing else error)

    def goes_on(self, when):
        before = len(self.times)
        eventually(f"the TCP session goes on {when} (error: {self.error})", lambda: len(self.times) > before + 20, timeout=20)
        expect(not self.error, f"the TCP session broke {when}: {self.error}")

    def silence_ms(self, since):
        times = [since, *(one for one in self.times if one > since)]
        return 1000 * max(b - a for a, b in zip(times, times[1:]))

    def close(self):
        self.closing = True
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self.threads:
            thread.join(5)


@scenario(takes=6)
def attach_confirm_detach(world):
    node = Node(world)
    sessions = [node.session(socket.AF_INET, BEYOND), node.session(socket.AF_INET6, "fd00:80::1")]
    node.inside.ip("neigh", "add", "10.80.0.77", "lladdr", "02:00:00:00:00:77", "dev", "eth0", "nud", "permanent")

    plan = node.attach("--dry-run")["message"]
    expect(any("10.80.0.2/24" in line for line in plan) and any("fd00:80::1" in line for line in plan), f"the plan is {plan}")
    expect(node.routes() == node.before and node.switch.cli("status")["ports"] == 0, "a dry run changed something")

    start = time.monotonic()
    node.attach()
    node.expect_switch_has_the_nic()
    for session in sessions:
        session.goes_on("after attach")
    world.note(f"attach took {1000 * (time.monotonic() - start):.0f} ms with what was checked; TCP was silent for "
               f"{max(session.silence_ms(start) for session in sessions):.0f} ms")
    expect("02:00:00:00:00:77" in node.inside.ip("neigh", "show", "dev", HOST).stdout, "the neighbour did not move")
    node.hears_each_datagram_once()
    for address in ("10.80.0.2", "10.80.0.3", "fd00:80::2"):
        traffic.ping(node.outside, address)
    status = node.uplink("status")
    expect(status["phase"] == "unconfirmed" and status["rollback_in_seconds"] > 30 and status["kernel_blocked"], f"{status}")
    file = os.path.join(node.switch.options["state.directory"], "uplink.json")
    expect(stat.S_IMODE(os.stat(file).st_mode) == 0o600, "the state file is readable by others")
    node.uplink("confirm")
    expect(node.uplink("status")["phase"] == "confirmed", "it is not confirmed")
    expect("already" in node.switch.refused("uplink", "attach", "eth0"), "it was attached twice")

    start = time.monotonic()
    node.uplink("detach")
    took = time.monotonic() - start
    node.expect_host_has_the_nic()
    for session in sessions:
        session.goes_on("after detach")
    world.note(f"detach took {1000 * took:.0f} ms; TCP was silent for "
               f"{max(session.silence_ms(start) for session in sessions):.0f} ms")
    node.hears_each_datagram_once()
    expect("02:00:00:00:00:77" in node.inside.ip("neigh", "show", "dev", "eth0").stdout, "the neighbour did not come back")
    expect(node.uplink("status")["phase"] == "detached", "the state is still there")
    expect(node.switch.cli("status")["ports"] == 0, "a port is left")
    expect(HOST not in node.inside.ip("-o", "link").stdout, f"{HOST} is left")


@scenario(takes=5)
def rolled_back_unless_confirmed(world):
    node = Node(world)
    session = node.session(socket.AF_INET, BEYOND)
    start = time.monotonic()
    node.attach("--timeout", 2)
    node.expect_switch_has_the_nic()
    eventually("the node's addresses are back", node.is_back)
    world.note(f"rolled back {time.monotonic() - start:.1f} s after an attach with a timeout of 2 s")
    eventually("the state is gone", lambda: node.uplink("status")["phase"] == "detached")
    node.expect_host_has_the_nic()
    session.goes_on("after the rollback")
    expect("rolled back" in node.switch.refused("uplink", "confirm"), "a confirmation that is too late was taken")
    expect(node.switch.cli("status")["ports"] == 0, "a port is left")


@scenario(takes=6)
def rolled_back_although_the_daemon_is_dead(world):
    node = Node(world)
    session = node.session(socket.AF_INET, BEYOND)
    node.attach("--timeout", 2)
    node.switch.kill()
    eventually("the node's addresses are back", node.is_back)
    node.expect_host_has_the_nic()
    session.goes_on("after the rollback")
    node.switch.start()
    node.systemd("ExecStartPost")
    expect(node.switch.cli("status")["ports"] == 0, "the ports came back with the daemon")
    node.expect_host_has_the_nic()
    node.hears_each_datagram_once()
    session.goes_on("after the daemon's return")


@scenario(takes=20)
def an_attach_that_is_killed_is_undone(world):
    """kill -9 of the client at any moment: what the lost session of an operator can do at worst."""
    node = Node(world)
    session = node.session(socket.AF_INET, BEYOND)
    file = os.path.join(node.switch.options["state.directory"], "uplink.json")
    words = [*node.switch.inside, node.switch.client, "--socket", node.switch.control, "uplink", "attach", "eth0",
             "--timeout", "1"]
    caught = moved = 0
    for milliseconds in range(0, 48, 3):
        client = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually("the attach has begun", lambda: os.path.exists(file), pause=0)
        time.sleep(milliseconds / 1000)
        client.kill()
        caught += client.wait() != 0
        moved += "10.80.0.2/24" in node.addresses(HOST)
        if not rollback_runs(node):
            # Killed before the timer was started: nothing has changed but the file.
            node.expect_host_has_the_nic()
            node.uplink("detach")
        eventually("all is undone", lambda: node.is_back() and not os.path.exists(file))
        node.expect_host_has_the_nic()
        expect(node.switch.cli("status")["ports"] == 0, "a port is left")
        session.goes_on(f"after an attach that was killed after {milliseconds} ms")
    world.note(f"{caught} of 16 attaches were killed while they were at work, {moved} when addresses had moved")


def rollback_runs(node):
    done = run("ip", "netns", "pids", node.inside.name)
    for pid in done.stdout.split():
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline") as file:
                if "rollback" in file.read().split("\0"):
                    return True
    return False


@scenario(takes=6)
def tcp_survives_the_daemons_death(world):
    node = Node(world)
    sessions = [node.session(socket.AF_INET, BEYOND), node.session(socket.AF_INET6, "fd00:80::1")]
    node.attach("--yes")
    for session in sessions:
        session.goes_on("after attach")
    start = time.monotonic()
    node.switch.kill()
    node.systemd("ExecStopPost", SERVICE_RESULT="signal")
    node.expect_switch_has_the_nic()
    node.switch.start()
    node.systemd("ExecStartPost")
    for session in sessions:
        session.goes_on("after kill -9 and a restart")
    node.expect_switch_has_the_nic()
    world.note(f"kill -9 and restart: TCP was silent for {max(session.silence_ms(start) for session in sessions):.0f} ms")
    node.hears_each_datagram_once()


@scenario(takes=6)
def the_host_reaches_pods_and_services_by_its_port(world):
    """The daemon makes the kernel's routes, and takes them away with the uplink."""
    node = Node(world, **{"node.name": "one", "pods.gateway": "10.244.1.254,fd00:244:1::fe",
                          "pods.service-cidrs": "10.96.0.0/12,fd00:96::/108"})
    node.attach("--yes")
    pod = world.tap_pod(node.switch, "pod", ["10.244.1.1/24", "fd00:244:1::1/64"], mtu=1450,
                        gateways=["10.244.1.254", "fd00:244:1::fe"])
    node.switch.cli("node", "add", "one", "--vtep", "10.80.0.2", "--pod-cidr", "10.244.1.0/24", "--pod-cidr", "fd00:244:1::/64")
    eventually("the host reaches the pod", lambda: traffic.reaches(node.inside, "10.244.1.1"))
    traffic.ping(node.inside, "fd00:244:1::1")
    for address in ("10.80.0.2", "fd00:80::2"):
        traffic.ping(pod, address)
    traffic.tcp(node.inside, pod, "10.244.1.1", seconds=1)
    for address in ("10.244.1.1", "fd00:244:1::1", "10.96.0.10", "fd00:96::a"):
        way = node.inside.ip("route", "get", address).stdout
        expect(f"dev {HOST}" in way, f"{address} is reached by {way}")
    node.uplink("detach")
    left = [line for line in node.routes() if "10.244." in line or "10.96." in line or "fd00:244" in line or "fd00:96" in line]
    expect(not left, f"routes that were left: {left}")
    node.expect_host_has_the_nic()


@scenario(takes=8)
def a_stop_gives_the_nic_back_and_a_start_takes_it_again(world):
    node = Node(world)
    session = node.session(socket.AF_INET, BEYOND)
    node.attach("--yes")
    start = time.monotonic()
    node.switch.stop()
    stopped = time.monotonic()
    took = node.systemd("ExecStopPost", SERVICE_RESULT="success")
    expect(node.is_back(), lambda: f"eth0 has {node.addresses('eth0')}, routes {node.default_routes()}")
    whole = time.monotonic() - start
    world.note(f"stop: addresses and default routes are back after {whole:.2f} s, of which the daemon's end took "
               f"{stopped - start:.2f} s and the release {1000 * took:.0f} ms")
    expect(whole < 5, f"they were back after {whole:.1f} s only")
    node.expect_host_has_the_nic()
    session.goes_on("after the stop")
    node.hears_each_datagram_once()
    expect(node.uplink("status", "--state-directory", node.switch.options["state.directory"])["phase"] == "released", "")

    # What changed meanwhile counts.
    node.inside.ip("address", "add", "10.80.0.4/24", "dev", "eth0")
    node.before = node.routes()
    node.before = [line for line in node.before if HOST not in line]
    node.switch.start()
    node.systemd("ExecStartPost")
    node.expect_switch_has_the_nic()
    expect("10.80.0.4/24" in node.addresses(HOST), "an address of the meantime was left behind")
    session.goes_on("after the start")
    node.hears_each_datagram_once()
    node.uplink("detach")
    node.expect_host_has_the_nic()


@scenario(takes=4)
def two_queues(world):
    node = Node(world)
    sessions = [node.session(socket.AF_INET, BEYOND), node.session(socket.AF_INET6, "fd00:80::1")]
    node.attach("--queues", 2, "--yes")
    node.expect_switch_has_the_nic()
    for session in sessions:
        session.goes_on("after attach")
    node.hears_each_datagram_once()
    world.note(f"TCP from the host {traffic.tcp(node.inside, node.outside, '10.80.0.1', seconds=1):.2f} Gbit/s")


@scenario(takes=5)
def af_xdp(world):
    node = Node(world)
    # An XDP program sees frames whose checksum is not there yet, and nothing tells it.
    node.outside.exec("ethtool", "-K", "wire", "tx", "off")
    session = node.session(socket.AF_INET, BEYOND)
    expect("--queues" in node.switch.refused("uplink", "attach", "eth0", "--type", "af-xdp", "--queues", 2), "a queue too many")
    try:
        node.attach("--type", "af-xdp")
    except Failure as error:
        if "built without" in str(error):
            raise Skip(f"no AF_XDP here: {error}") from None
        raise
    node.expect_switch_has_the_nic()
    session.goes_on("after attach")
    node.hears_each_datagram_once()
    traffic.ping(node.outside, "fd00:80::2")
    node.uplink("detach")
    node.expect_host_has_the_nic()
    session.goes_on("after detach")


@scenario(takes=5)
def after_a_boot_the_nic_is_taken_when_it_is_configured(world):
    node = Node(world)
    node.attach("--yes")
    node.switch.stop()
    node.systemd("ExecStopPost", SERVICE_RESULT="success")
    # The boot: the kernel has forgotten the tap, and the state is of before.
    node.inside.ip("link", "del", HOST)
    file = os.path.join(node.switch.options["state.directory"], "uplink.json")
    with open(file) as stream:
        state = json.load(stream)
    with open(file, "w") as stream:
        json.dump({**state, "boot_id": "another"}, stream)
    node.switch.start()
    node.systemd("ExecStartPost")
    node.expect_host_has_the_nic()
    node.hears_each_datagram_once()
    node.uplink("resume")
    node.expect_switch_has_the_nic()
    traffic.ping(node.inside, BEYOND)
    node.hears_each_datagram_once()


@scenario(takes=4)
def ports_of_the_config_file_stay(world):
    node = Node(world, start=False)
    config = world.path("podswitch.conf")
    with open(config, "w") as file:
        mac = node.inside.mac("eth0")
        file.write("[port.uplink]\ntype=af-packet\nifname=eth0\nnetwork=underlay\nallow-spoofing=true\nrole=uplink\n"
                   "underlay=10.80.0.2/24,fd00:80::2/64\nunderlay-gateway=10.80.0.1,fd00:80::1\n"
                   f"mac={mac}\n"
                   f"[port.host]\ntype=tap\nifname={HOST}\nnetwork=underlay\nallow-spoofing=true\nrole=host\n"
                   f"mac={mac}\n")
    node.switch.arguments += ["--config", config]
    node.switch.start()
    session = node.session(socket.AF_INET, BEYOND)
    for _ in range(2):
        node.attach("--yes")
        node.expect_switch_has_the_nic()
        session.goes_on("after attach")
        node.hears_each_datagram_once()
        node.uplink("detach")
        node.expect_host_has_the_nic()
        expect(node.switch.cli("status")["ports"] == 2, "a port of the config file is gone")
        session.goes_on("after detach")
        node.hears_each_datagram_once()


@scenario(takes=4)
def what_cannot_be_done_changes_nothing(world):
    node = Node(world)
    session = node.session(socket.AF_INET, BEYOND)
    for words, why in ((("lo",), "Ethernet"), (("nosuch",), "no interface"), (("eth0", "--type", "memif"), "af-packet"),
                       (("eth0", "--vlan", 7), "VLAN"), (("eth0", "--type", "ethdev"), "PCI")):
        said = node.switch.refused("uplink", "attach", *words)
        expect(why in said, f"attach {words} says: {said}")
    expect("no uplink" in node.switch.refused("uplink", "detach"), "detached what was not attached")
    node.inside.ip("link", "add", HOST, "type", "veth", "peer", "name", "other")
    expect("no tap" in node.switch.refused("uplink", "attach", "eth0"), "it would use another's interface")
    node.inside.ip("link", "del", HOST)
    # The daemon refuses the second port after it has made the first.
    node.switch.cli("port", "add", "host", "--type", "vhost-user", "--path", world.path("host.sock"))
    said = node.switch.refused("uplink", "attach", "eth0")
    expect("undone" in said, f"it says: {said}")
    ports = [port["name"] for port in node.switch.cli("port", "list")]
    expect(ports == ["host"], f"the ports are {ports}")
    expect(node.uplink("status")["phase"] == "detached", "a state is left")
    node.expect_host_has_the_nic()
    node.inside.ip("link", "set", "eth0", "down")
    expect("is down" in node.switch.refused("uplink", "attach", "eth0"), "attached a NIC that is down")
    node.inside.ip("link", "set", "eth0", "up")
    session.close()
