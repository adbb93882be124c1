# SPDX-License-Identifier: Apache-2.0
"""What nodes put on the wire, judged by tshark: nothing malformed, no checksum wrong. Made by Underlay.capture.

The frames are those that a NIC would have sent: a capture has each node's interface finish what hardware would
finish (segments and checksums), so that the rest is for whoever made the packet. A switch that leaves an inner
checksum to the NIC, which it may not, is seen; so is a wrong one."""

import collections
import os
import subprocess

from .shell import eventually, expect, run, stop_process

# Of every layer of the packet, outer and inner ones.
_CHECKED = ("ip", "udp", "tcp", "icmp", "icmpv6")
_FIELDS = ["frame.number", "frame.protocols", "_ws.malformed", "_ws.short", "_ws.expert.message",
           *(f"{protocol}.checksum.status" for protocol in _CHECKED)]
_BAD, _ILLEGAL = "0", "4"
# One's complement has two zeros, equal to any receiver. Linux writes the one of UDP for TCP, too (CSUM_MANGLED_0).
_OTHER_ZERO = "Checksum 0xffff instead of 0x0000"
# All others are off: tshark would take the contents of a connection for whatever its port number stands for.
_PROTOCOLS = {"frame", "eth", "ethertype", "vlan", "arp", "ip", "ipv6", "icmp", "icmpv6", "udp", "tcp", "vxlan", "geneve",
              "data", "_ws.malformed", "_ws.short", "_ws.unreassembled"}


class Capture:
    """Runs until frames() is asked for."""

    def __init__(self, world, space, ifname):
        for program in ("dumpcap", "tshark"):
            world.need(program, "tshark")
        self._folder = world.path("tshark")
        os.makedirs(self._folder)
        self._path = world.path(f"{ifname}.pcap")
        self._log_path = world.path("dumpcap.log")
        with open(self._log_path, "w") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", space.name, "dumpcap", "-q", "-P", "-B", "64", "-i", ifname, "-w", self._path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        world.defer(stop_process, self._process)
        eventually("dumpcap listens", lambda: os.path.exists(self._path) and os.path.getsize(self._path) > 0)

    def _log(self):
        with open(self._log_path) as log:
            return log.read()

    def frames(self, vxlan_port=4789):
        """Ends the capture. The frames, each a dictionary of _FIELDS to lists of values."""
        stop_process(self._process, grace=10)
        known = [line.split("\t")[2] for line in run("tshark", "-G", "protocols").stdout.splitlines()]
        with open(os.path.join(self._folder, "disabled_protos"), "w") as file:
            file.write("".join(f"{name}\n" for name in known if name not in _PROTOCOLS))
        options = []
        for protocol in ("ip", "udp", "tcp"):
            options += ["-o", f"{protocol}.check_checksum:TRUE"]
        for field in _FIELDS:
            options += ["-e", field]
        text = run("env", f"WIRESHARK_CONFIG_DIR={self._folder}", "tshark", "-n", "-r", self._path, "-d", f"udp.port=={vxlan_port},vxlan", *options,
                   "-T", "fields", "-E", "separator=/t", "-E", "aggregator=;", timeout=120).stdout
        return [{field: value.split(";") if value else [] for field, value in zip(_FIELDS, line.split("\t"))}
                for line in text.splitlines()]

    def expect_sound(self, *inside, vxlan_port=4789):
        """Ends the capture. Nothing in it is wrong, and each of the stacks of protocols in `inside` was seen."""
        frames = self.frames(vxlan_port)
        seen = collections.Counter()
        wrong = []
        for frame in frames:
            stack = frame["frame.protocols"][0].removeprefix("eth:ethertype:")
            seen[stack] += 1
            bad = [protocol for protocol in _CHECKED
                   if {_BAD, _ILLEGAL} & set(frame[f"{protocol}.checksum.status"])]
            # An ICMP error quotes what its sender held, and that may have been about to get its checksum.
            if ":icmp:ip:" in stack or ":icmpv6:ipv6:" in stack:
                bad = [protocol for protocol in bad if protocol not in ("tcp", "udp")]
            if bad == ["tcp"] and any(_OTHER_ZERO in message for message in frame["_ws.expert.message"]):
                bad = []
            if bad or frame["_ws.malformed"] or frame["_ws.short"]:
                wrong.append(f"{frame['frame.number'][0]}: {stack}: {', '.join(bad)} {'; '.join(frame['_ws.expert.message'])}")
        expect(not wrong, lambda: f"{len(wrong)} of {len(frames)} frames are wrong:\n" + "\n".join(wrong[:20]))
        for stack in inside:
            expect(any(f"{one}:".startswith(f"{stack}:") for one in seen),
                   lambda: f"no {stack} in the capture; {dict(seen)}\n{self._log()}")


def inside_of(tunnel):
    """What traffic.talk() with both families looks like in a tunnel such as "ip:udp:vxlan"."""
    return [f"{tunnel}:eth:ethertype:{inner}" for inner in
            ("ip:icmp", "ip:tcp", "ip:udp", "ipv6:icmpv6", "ipv6:tcp", "ipv6:udp")]
