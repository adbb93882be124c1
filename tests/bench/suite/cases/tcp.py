# SPDX-License-Identifier: Apache-2.0
"""TCP between two pods with tap interfaces: iperf3, one stream."""

import contextlib
import json
import shutil
import tempfile
from dataclasses import dataclass

from .. import machine, stats
from ..namespace import namespace
from ..openvswitch import OpenVSwitch
from ..podswitch import Podswitch
from ..process import BenchError, Process, eventually, run
from ..progress import Progress
from ..rounds import blocks, one_round
from ..subject import OVS, PODSWITCH, available

KERNEL = "kernel bridge"
ADDRESSES = ("10.9.0.1", "10.9.0.2")


class KernelBridge:
    """Two veths on a bridge in a namespace of its own."""

    name = KERNEL
    polls = False

    def __init__(self, folder, build):
        self.stack = contextlib.ExitStack()

    def start(self, pods):
        self.place = self.stack.enter_context(namespace())
        run("ip", "-n", self.place, "link", "add", "br0", "up", "type", "bridge")
        for i, pod in enumerate(pods):
            run("ip", "-n", self.place, "link", "add", f"v{i}", "up", "master", "br0", "type", "veth", "peer", "name", "eth0",
                "netns", pod)

    def pause(self):
        pass

    def resume(self):
        pass

    def stop(self):
        self.stack.close()


class PodswitchTaps(Podswitch):
    polls = True

    def __init__(self, folder, build):
        super().__init__(folder, build=build)

    def start(self, pods):
        super().start()
        self.add_ports([{"name": f"t{i}", "type": "tap", "ifname": "eth0", "netns": f"/run/netns/{pod}"}
                        for i, pod in enumerate(pods)])


class OpenVSwitchTaps(OpenVSwitch):
    polls = True

    def __init__(self, folder, build):
        super().__init__(folder)

    def start(self, pods):
        super().start()
        for i, pod in enumerate(pods):
            # It makes the tap in its own namespace.
            self.vsctl("add-port", "br0", f"t{i}", "--", "set", "interface", f"t{i}", "type=tap")
            self.into_namespace(f"t{i}", pod, "eth0")


KINDS = {PODSWITCH: PodswitchTaps, KERNEL: KernelBridge, OVS: OpenVSwitchTaps}


class Subject:
    def __init__(self, name, kind, build, stack):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="podswitch-bench-")
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.pods = [stack.enter_context(namespace()) for _ in ADDRESSES]
        self.switch = KINDS[kind](self.folder, build)
        stack.callback(self.switch.stop)
        self.switch.start(self.pods)
        for pod, address in zip(self.pods, ADDRESSES):
            run("ip", "-n", pod, "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", pod, "link", "set", "eth0", "up")
        self.server = Process("iperf3-server", self._inside(self.pods[1], "iperf3", "--server"), self.folder)
        stack.callback(self.server.stop)
        eventually(f"{self.name}: the pods reach each other", self._reached, 20, 0.5)
        self.switch.pause()

    def _inside(self, pod, *words):
        # Beside a switch that polls, the pods have the other CPU; the kernel's bridge works on both of theirs.
        cpus = [machine.other_cpu()] if self.switch.polls else sorted(machine.CPUS)
        return ["ip", "netns", "exec", pod, "taskset", "-c", ",".join(map(str, cpus)), *words]

    def _reached(self):
        with contextlib.suppress(BenchError):
            return run(*self._inside(self.pods[0], "ping", "-c", "1", "-W", "1", ADDRESSES[1]))

    def trial(self, seconds):
        self.switch.resume()
        try:
            printed = run(*self._inside(self.pods[0], "iperf3", "--client", ADDRESSES[1], "--json", "--time", max(1, seconds),
                                        "--omit", 0 if seconds < 1 else 1), check=False, timeout=seconds + 30)
        finally:
            self.switch.pause()
        result = json.loads(printed)
        if "error" in result:
            raise BenchError(f"{self.name}: iperf3: {result['error']}")
        end = result["end"]
        return {"subject": self.name, "gbps": end["sum_received"]["bits_per_second"] / 1e9,
                "retransmits": end["sum_sent"]["retransmits"]}


@dataclass(frozen=True)
class Tcp:
    builds: tuple = ()  # ((name, build folder), ...), podswitch before and after a change; none: the suite's, and others
    name = "tcp"
    summary = "TCP between two pods with tap interfaces, one stream, iperf3; the kernel's bridge has veths."

    def against(self, old, new):
        return Tcp((old, new))

    def run(self, setup, options):
        # (name, kind, build)
        wanted = [(name, PODSWITCH, build) for name, build in self.builds] or [
            (kind, kind, setup.build) for kind in (KERNEL, PODSWITCH, OVS) if available(kind)]
        progress = Progress(self.name, options.rounds)
        rounds = []
        seconds = 1 if options.smoke else max(1, round(3 * options.seconds))
        with machine.hugepages(1200):
            for block in blocks(options.rounds, options.restart_every):
                with contextlib.ExitStack() as stack:
                    subjects = [Subject(*one, stack) for one in wanted]
                    for number in block:
                        progress.step(f"round {number + 1} of {options.rounds}")
                        rounds.append(one_round(subjects, number, lambda subject: subject.trial(seconds)))
        progress.end()
        notes = ["A switch that polls has one CPU and both pods have the other; the kernel's bridge and its pods have both."]
        if not available(OVS):
            notes.append(f"{OVS}: not installed, left out.")
        notes.append("testpmd is left out: its tap driver loses link state and MTU of an interface that is moved into a pod's "
                     "namespace.")
        return {"rows": [self._row([name for name, *_ in wanted], rounds)], "notes": notes, "x_label": "",
                "columns": [["gbps", "Gbit/s", ".1f"], ["retransmits", "retransmits", ".0f"]]}

    def _row(self, names, rounds):
        subjects = {name: {key: stats.summary([one[name][key] for one in rounds]) for key in ("gbps", "retransmits")}
                    for name in names}
        of = self.builds[1][0] if self.builds else PODSWITCH
        ratios = [stats.ratio(f"Gbit/s: {of} / {other}", [one[of]["gbps"] / one[other]["gbps"] for one in rounds])
                  for other in names if other != of and all(one[other]["gbps"] for one in rounds)]
        return {"label": "one stream", "x": 1, "rounds": len(rounds), "subjects": subjects, "ratios": ratios,
                "trials": [list(one.values()) for one in rounds]}


CASE = Tcp()
