# SPDX-License-Identifier: Apache-2.0
"""A network namespace that plays a pod."""

import ctypes
import os
import socket
import threading

from .shell import run

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class Namespace:
    """Owned by the World that made it, which also deletes it."""

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")
        # Duplicate address detection would delay each test by a second.
        for scope in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{scope}.accept_dad", 0)
            self.sysctl(f"net.ipv6.conf.{scope}.router_solicitations", 0)

    def close(self):
        run("ip", "netns", "del", self.name, check=False)

    def exec(self, *command, **options):
        return run("ip", "netns", "exec", self.name, *command, **options)

    def ip(self, *arguments, **options):
        return run("ip", "-n", self.name, *arguments, **options)

    def sysctl(self, key, value):
        self._inside(lambda: _write("/proc/sys/" + key.replace(".", "/"), value))

    def configure(self, ifname, addresses, mtu=None, gateways=()):
        """Addresses are written with their prefix length: 10.1.0.1/24."""
        if mtu:
            self.ip("link", "set", ifname, "mtu", mtu)
        self.ip("link", "set", ifname, "up")
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            self.ip("address", "add", address, "dev", ifname, *nodad)
        for gateway in gateways:
            self.ip("-6" if ":" in gateway else "-4", "route", "add", "default", "via", gateway)

    def mac(self, ifname="eth0"):
        text = self.ip("-o", "link", "show", ifname).stdout
        return text.split("link/ether ")[1].split()[0]

    def socket(self, *arguments):
        """A socket of this process that lives in the namespace."""
        return self._inside(lambda: socket.socket(*arguments))

    def _inside(self, action):
        # setns() holds for one thread, and threads end: nothing to put back.
        result = []

        def enter():
            try:
                with open(self.path) as file:
                    if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), f"setns {self.path}: {os.strerror(ctypes.get_errno())}")
                result.append(action())
            except Exception as error:  # handed to the caller below
                result.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]


def _write(path, value):
    with open(path, "w") as file:
        file.write(str(value))
