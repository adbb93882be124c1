# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with DPDK as a subject: its own database, run directory and network namespace, so that the
packaged service is neither needed nor disturbed. One bridge, action NORMAL; with an overlay a second one for the underlay,
whose own address is where the tunnel ends."""

import os
import re

from . import machine, openvswitch_services, overlay
from .process import Process, eventually, run

PROGRAM = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def installed():
    return os.access(PROGRAM, os.X_OK) and os.path.exists("/usr/sbin/ovsdb-server")


class OpenVSwitch:
    name = "Open vSwitch"

    def __init__(self, folder, sockets=(), idle_sockets=(), macs=None, mtu=1500, memory_mib=512,
                 network=None):
        self.folder = folder
        self.sockets = [*sockets, *idle_sockets]
        self.macs = macs or 0
        self.flow_limit = max(200000, 4 * self.macs)
        self.mtu = mtu
        self.memory_mib = memory_mib
        self.network = network
        self.database = self.process = None
        self.env = {name: folder for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}

    def _path(self, name):
        return os.path.join(self.folder, name)

    def vsctl(self, *words):
        return run("ovs-vsctl", f"--db=unix:{self._path('db.sock')}", "--timeout=90", *words, timeout=100, env=self.env)

    def appctl(self, *words):
        return run("ovs-appctl", "-t", self._path("vswitchd.ctl"), *words, env=self.env)

    @property
    def _has_uplink(self):
        return bool(self.network) and self.network.has_uplink

    def ofctl(self, *words):
        return run("ovs-ofctl", "-O", "OpenFlow15", *words, env=self.env)

    def start(self):
        run("ovsdb-tool", "create", self._path("conf.db"), _SCHEMA, env=self.env)
        self.database = Process("ovsdb-server", [
            "/usr/sbin/ovsdb-server", self._path("conf.db"), f"--remote=punix:{self._path('db.sock')}",
            f"--pidfile={self._path('ovsdb.pid')}", f"--unixctl={self._path('ovsdb.ctl')}"], self.folder, self.env)
        eventually("ovsdb-server listens", lambda: os.path.exists(self._path("db.sock")))
        prefix = f"bench-ovs-{os.getpid()}-{os.path.basename(self.folder)}"
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:pmd-cpu-mask={1 << machine.switch_cpu():#x}",
                   f"other_config:dpdk-lcore-mask={1 << machine.other_cpu():#x}",
                   f"other_config:dpdk-socket-mem={self.memory_mib}",
                   # Nothing may age while the other switches have their turn.
                   "other_config:max-idle=3600000", f"other_config:flow-limit={self.flow_limit}",
                   f'other_config:dpdk-extra="--in-memory --no-pci --no-telemetry --file-prefix={prefix}"')
        # The taps that it makes for itself stay inside a namespace.
        self.process = Process("ovs-vswitchd", [
            "unshare", "--net", "taskset", "-c", machine.other_cpu(), PROGRAM, f"unix:{self._path('db.sock')}",
            f"--pidfile={self._path('vswitchd.pid')}", f"--unixctl={self._path('vswitchd.ctl')}"], self.folder, self.env)
        eventually("ovs-vswitchd answers", self._answers, 60)
        self._add_bridge("br0")
        if self._has_uplink:
            self._add_bridge("br-phy", f'other_config:hwaddr="{overlay.UPLINK_MAC}"')
        words = []
        for i, path in enumerate(self.sockets):
            words += ["--", "add-port", self._bridge_of(i), f"v{i}", "--", "set", "interface", f"v{i}", "type=dpdkvhostuserclient",
                      f"options:vhost-server-path={path}", f"ofport_request={i + 1}", *([f"mtu_request={self.mtu}"] if self.mtu != 1500 else [])]
        if words:
            # At once: each change has it set up all of its ports anew.
            self.vsctl(*words[1:])
        if self._has_uplink:
            self._add_tunnel()
        elif self.network:
            openvswitch_services.set_up(self, "br0")

    def _add_bridge(self, name, *settings):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "other_config:mac-aging-time=3600",
                   f"other_config:mac-table-size={min(1048576, 4 * self.macs + 8192)}", *settings)

    def _bridge_of(self, port):
        return "br-phy" if self._has_uplink and self.network.roles[port] == overlay.UPLINK else "br0"

    def _add_tunnel(self):
        """To the first other node: a port of br0, whose packets find their way by the addresses of br-phy."""
        self.vsctl("add-port", "br0", "vx0", "--", "set", "interface", "vx0", "type=vxlan",
                   f"options:remote_ip={overlay.vtep(0)}", "options:key=1")
        for words in (("address", "add", f"{overlay.UPLINK_IP}/{overlay.UNDERLAY_LENGTH}", "dev", "br-phy"),
                      ("link", "set", "br-phy", "up"),
                      ("route", "add", "default", "via", overlay.UNDERLAY_GATEWAY)):
            run("nsenter", f"--net=/proc/{self.process.popen.pid}/ns/net", "ip", *words)
        pod, uplink = (self.network.port_of(role) for role in (overlay.POD, overlay.UPLINK))
        eventually("Open vSwitch knows the way to the gateway", lambda: overlay.UNDERLAY_GATEWAY in self.appctl("ovs/route/show"))
        self.appctl("tnl/neigh/aging", 3600)
        self.appctl("tnl/neigh/set", "br-phy", overlay.UNDERLAY_GATEWAY, overlay.port_mac(uplink))
        # Nobody needs to announce himself.
        self.appctl("fdb/add", "br-phy", f"v{uplink}", 0, overlay.port_mac(uplink))
        here, there = ("vx0", f"v{pod}") if self.network.roles[0] == overlay.POD else (f"v{pod}", "vx0")
        self.appctl("fdb/add", "br0", here, 0, overlay.port_mac(1))
        self.appctl("fdb/add", "br0", there, 0, overlay.port_mac(0))

    def into_namespace(self, interface, namespace, name):
        """One of its interfaces, under another name."""
        run("nsenter", f"--net=/proc/{self.process.popen.pid}/ns/net", "ip", "link", "set", interface, "netns", namespace, "name", name)

    def _answers(self):
        self.process.expect_alive()
        return os.path.exists(self._path("vswitchd.ctl"))

    def wait_connected(self):
        """The generator says so for both."""

    def knows(self, macs):
        """It learns where it forwards: what passed is known."""
        return True

    def connections(self):
        return int(self.appctl("dpctl/ct-get-nconns"))

    def forget_connections(self):
        self.appctl("dpctl/flush-conntrack")

    def reset_counters(self):
        self.appctl("dpif-netdev/pmd-stats-clear")

    def cycles_per_packet(self):
        found = re.search(r"avg processing cycles per packet: ([0-9.]+)", self.appctl("dpif-netdev/pmd-stats-show"))
        return float(found[1]) if found else None

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()
        # It takes a pause for slowness of its own and would keep fewer flows.
        self.appctl("upcall/set-flow-limit", self.flow_limit)

    def stop(self):
        for process in (self.process, self.database):
            if process:
                process.stop()
