# SPDX-License-Identifier: Apache-2.0
"""What one scenario builds, and its end: everything made here is taken down again, last first, by its own
name or process id."""

import contextlib
import itertools
import os
import shutil

from .daemon import Daemon
from .generator import Generator
from .guest import Guest
from .namespace import Namespace
from .shell import Skip, run
from .testpmd import Testpmd
from .traffic import Stream

_numbers = itertools.count(1)


class World:
    def __init__(self, build, folder):
        self.build = build
        self.folder = folder
        os.makedirs(folder, mode=0o755)
        self.prefix = f"psw-{os.getpid()}-{next(_numbers)}"
        self.daemons = []
        self.notes = []
        self._stack = contextlib.ExitStack()
        self._next_mac = itertools.count(1)

    def close(self):
        self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def defer(self, action, *arguments):
        self._stack.callback(action, *arguments)

    def note(self, text):
        """A measured figure, printed with the result."""
        self.notes.append(text)

    def need(self, program, package):
        found = shutil.which(program)
        if not found:
            raise Skip(f"no {program} (package {package})")
        return found

    def path(self, name):
        return os.path.join(self.folder, name)

    def new_mac(self):
        return f"02:00:00:00:01:{next(self._next_mac):02x}"

    def daemon(self, name="switch", options=None, arguments=(), start=True, environment=None, metrics=False,
               namespace=None):
        daemon = Daemon(self.build, self.path(name), options, arguments, metrics, namespace)
        self.daemons.append(daemon)
        # A tap survives its daemon, but not its namespace, which goes later.
        self.defer(daemon.close)
        if start:
            daemon.start(environment)
        return daemon

    def stream(self, sender, receiver, address, **options):
        """traffic.Stream, which has begun to arrive."""
        stream = Stream(sender, receiver, address, **options)
        self.defer(stream.stop)
        return stream.wait_until_it_flows()

    def namespace(self, name):
        namespace = Namespace(f"{self.prefix}-{name}")
        self.defer(namespace.close)
        return namespace

    def tap_pod(self, daemon, name, addresses=(), mtu=None, gateways=(), **options):
        """A namespace whose eth0 is a tap port called `name`; the port is given the same addresses."""
        pod = self.namespace(name)
        options.setdefault("mac", self.new_mac())
        options.setdefault("ip", plain(addresses))
        add_port(daemon, name, type="tap", ifname="eth0", netns=pod.path, mtu=mtu, **options)
        pod.configure("eth0", addresses, mtu, gateways)
        return pod

    def veth_pod(self, daemon, name, kind, addresses=(), mtu=None, **options):
        """A namespace whose eth0 is one end of a veth; the switch has the other by af-packet or af-xdp."""
        pod = self.namespace(name)
        outer = f"pw{os.getpid() % 100000}x{next(_numbers)}"
        mac = options.setdefault("mac", self.new_mac())
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", pod.name)
        self.defer(lambda: run("ip", "link", "del", outer, check=False))
        if mtu:
            run("ip", "link", "set", outer, "mtu", mtu)
        # The node's own stack should not speak on the pod's wire.
        with open(f"/proc/sys/net/ipv6/conf/{outer}/disable_ipv6", "w") as file:
            file.write("1")
        run("ip", "link", "set", outer, "up")
        pod.configure("eth0", addresses, mtu)
        if kind == "af-xdp":
            # An XDP program sees frames whose checksum is not there yet, and nothing tells it.
            pod.exec("ethtool", "-K", "eth0", "tx", "off")
        options.setdefault("ip", plain(addresses))
        add_port(daemon, name, type=kind, ifname=outer, mtu=mtu, **options)
        pod.outer = outer
        return pod

    def testpmd_pod(self, daemon, name, mode="client", queue_pairs=1, port_options=None, **options):
        """dpdk-testpmd on a vhost-user port. `mode` is the switch's side, as in `port add`."""
        path = self.path(f"{name}.sock")
        mac = self.new_mac()
        add_port(daemon, name, type="vhost-user", path=path, mode=mode, mac=mac, queues=queue_pairs,
                 **(port_options or {}))
        return self.testpmd(path, mac, listens=mode == "client", queue_pairs=queue_pairs, **options)

    def testpmd(self, path, mac, **options):
        return self.testpmd_devices([(path, mac)], **options)

    def testpmd_devices(self, devices, **options):
        pmd = Testpmd(devices, self.folder, **options)
        self.defer(pmd.close)
        pmd.wait_until_ready()
        return pmd

    def generator(self, sockets, idle_sockets=()):
        """The bench suite's traffic generator as the peer of these vhost-user ports."""
        generator = Generator(self.build, self.folder, sockets, idle_sockets)
        self.defer(generator.close)
        generator.wait_until_ready()
        return generator

    def guest_pod(self, daemon, name, addresses=(), mode="client", device="", port_options=None):
        """A Linux guest on a vhost-user port; it boots meanwhile: boot() before using it."""
        path = self.path(f"{name}.sock")
        mac = self.new_mac()
        add_port(daemon, name, type="vhost-user", path=path, mode=mode, mac=mac, ip=plain(addresses),
                 **(port_options or {}))
        return self.guest(path, mac, name, listens=mode == "client", device=device)

    def guest(self, path, mac, name, **options):
        guest = Guest(os.path.join(self.build, "guest"), path, mac, self.folder, name, **options)
        self.defer(guest.close)
        return guest


def add_port(daemon, name, **options):
    """`port add`, with its options as keywords: allow_spoofing=True, ip=["10.0.0.1", "fd00::1"]."""
    return daemon.cli("port", "add", name, *port_flags(options))


def port_flags(options):
    words = []
    for key, value in options.items():
        flag = "--" + key.replace("_", "-")
        if value is True:
            words.append(flag)
        elif isinstance(value, (list, tuple)):
            for one in value:
                words += [flag, one]
        elif value not in (None, False):
            words += [flag, value]
    return words


def plain(addresses):
    """10.1.0.1/24 -> 10.1.0.1"""
    return [address.split("/")[0] for address in addresses]
