# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch, its datapath in user space, with a database and a run directory of its own inside a namespace, so that
the packaged service is neither needed nor disturbed."""

import os
import subprocess

from .shell import Skip, eventually, expect, run, stop_process

_PROGRAM = "/usr/lib/openvswitch-switch/ovs-vswitchd"
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class OpenVSwitch:
    def __init__(self, world, space, name):
        if not os.access(_PROGRAM, os.X_OK):
            raise Skip(f"no {_PROGRAM} (package openvswitch-switch)")
        self.world = world
        self.space = space
        self.folder = self.world.path(name)
        os.makedirs(self.folder)
        self._start()

    def _start(self):
        env = {**os.environ, **{name: self.folder for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}}
        database, socket = self._path("conf.db"), self._path("db.sock")
        run("ovsdb-tool", "create", database, _SCHEMA)
        self._spawn("ovsdb-server", env, "/usr/sbin/ovsdb-server", database, f"--remote=punix:{socket}",
                    f"--pidfile={self._path('ovsdb.pid')}", f"--unixctl={self._path('ovsdb.ctl')}")
        eventually("ovsdb-server listens", lambda: os.path.exists(socket))
        self.vsctl("--no-wait", "init")
        self._vswitchd = self._spawn(
            "ovs-vswitchd", env, "ip", "netns", "exec", self.space.name, "taskset", "-c", "0", _PROGRAM, f"unix:{socket}",
            f"--pidfile={self._path('vswitchd.pid')}", f"--unixctl={self._path('vswitchd.ctl')}")
        eventually("ovs-vswitchd answers", lambda: os.path.exists(self._path("vswitchd.ctl")), timeout=30)

    def _spawn(self, name, env, *command):
        with open(self._path(f"{name}.log"), "w") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        self.world.defer(stop_process, process)
        return process

    def _path(self, name):
        return os.path.join(self.folder, name)

    def vsctl(self, *words):
        return run("ovs-vsctl", f"--db=unix:{self._path('db.sock')}", "--timeout=50", *words).stdout

    def appctl(self, *words):
        return run("ovs-appctl", "-t", self._path("vswitchd.ctl"), *words).stdout

    def add_bridge(self, name, *settings):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", *settings)


class OpenVSwitchNode(OpenVSwitch):
    """A node: `br-phy` has its NIC and underlay addresses, `br-int` the tunnels and pods."""

    def __init__(self, underlay, name, addresses):
        super().__init__(underlay.world, underlay.plug(name), name)
        self.add_bridge("br-phy", f'other_config:hwaddr="{self.space.mac("nic")}"', "--", "add-port", "br-phy", "nic")
        self.add_bridge("br-int")
        # The kernel shall not answer, too, for what br-phy has the addresses of.
        self.space.sysctl("net.ipv6.conf.nic.disable_ipv6", 1)
        self.space.configure("br-phy", addresses, underlay.mtu)

    def tunnel(self, name, kind, remote, key, port):
        """A tunnel port of br-int: "vxlan" or "geneve"."""
        self.vsctl("add-port", "br-int", name, "--", "set", "interface", name, f"type={kind}", f"options:remote_ip={remote}",
                   f"options:key={key}", f"options:dst_port={port}")
        error = self.vsctl("get", "interface", name, "error").strip()
        expect(error == "[]", lambda: f"tunnel {name}: {error}")

    def pod(self, name, mac, addresses, mtu):
        """A namespace whose eth0 is a port of br-int."""
        pod = self.world.namespace(name)
        self.vsctl("add-port", "br-int", name, "--", "set", "interface", name, "type=internal", f'mac="{mac}"')
        self.space.ip("link", "set", "dev", name, "netns", pod.name, "name", "eth0")
        pod.configure("eth0", addresses, mtu)
        return pod
