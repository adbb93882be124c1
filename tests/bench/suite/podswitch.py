# SPDX-License-Identifier: Apache-2.0
"""podswitch as a subject: a daemon of its own, driven by the CLI of the same build."""

import collections
import json
import os

from . import machine
from .process import BenchError, Process, eventually, run


AGING_SECONDS = 100000  # nothing may age while the other switches have their turn


class Podswitch:
    name = "podswitch"

    def __init__(self, folder, sockets=(), idle_sockets=(), build=None, fdb_size=None, mtu=1500, options=(),
                 network=None):
        self.folder = folder
        self.build = build or os.path.join(machine.ROOT, "build")
        self.sockets = list(sockets)
        self.idle_sockets = list(idle_sockets)
        self.mtu = mtu
        self.network = network
        self.control = os.path.join(folder, "control.sock")
        self.options = {
            "control.socket": self.control, "state.directory": os.path.join(folder, "state"),
            "workers.cores": machine.switch_cpu(), "workers.main-core": machine.other_cpu(),
            "metrics.listen": "", "memory.hugepages": "required",
            "fdb.aging-seconds": AGING_SECONDS, **dict(options)}
        if network:
            self.options.update(network.options())
        if fdb_size:
            self.options.update({"fdb.size": fdb_size, "fdb.port-limit": fdb_size // 2})
        self.process = None

    def start(self):
        command = [f"{self.build}/ctl/podswitchd", *(f"--{key}={value}" for key, value in self.options.items() if value is not None)]
        self.process = Process("podswitchd", command, self.folder)

        def answers():
            self.process.expect_alive()
            try:
                return self.cli("status")
            except BenchError:
                return None

        eventually("podswitchd answers", answers, 30)
        paths = self.sockets + self.idle_sockets
        if paths:
            self.add_ports([{"name": f"p{i}", "type": "vhost-user", "path": path, "mtu": self.mtu,
                             **(self.network.port(i) if self.network else {})}
                            for i, path in enumerate(paths)])
        if self.network:
            self.network.set_up(self)

    def apply(self, objects, *words):
        """Kubernetes objects, as JSON text."""
        path = os.path.join(self.folder, "objects.json")
        with open(path, "w") as file:
            file.write(objects)
        return self.cli("apply", "-f", path, *words)

    def add_ports(self, ports):
        path = os.path.join(self.folder, "ports.json")
        with open(path, "w") as file:
            json.dump(ports, file)
        self.cli("port", "add", "--file", path)

    def cli(self, *words, timeout=300):
        printed = run(f"{self.build}/ctl/podswitch", "--socket", self.control, "-o", "json", *words, timeout=timeout)
        return json.loads(printed) if printed.strip() else None

    def wait_connected(self):
        ports = len(self.sockets) + len(self.idle_sockets)
        eventually(f"{ports} ports of podswitch are up",
                   lambda: sum(port["state"] == "up" for port in self.cli("port", "list")) == ports, 60, 0.1)

    def knows(self, macs):
        """Whether so many addresses are learned. A thread of its own writes them, which may lag behind."""
        return self.cli("status")["fdb_size"] >= macs

    def connections(self):
        return self.cli("conntrack", "stats")["connections"]

    def forget_connections(self):
        self.cli("conntrack", "flush", "--all")

    def reset_counters(self):
        self.before = self._figures()

    def cycles_per_packet(self):
        """Busy cycles per packet since reset_counters(), of all workers; `by_core` has (cycles, packets) of each."""
        now = self._figures()
        self.by_core = {core: [after - then for after, then in zip(now[core], self.before[core])] for core in now}
        cycles, packets = map(sum, zip(*self.by_core.values()))
        return cycles / packets if packets else None

    def _figures(self):
        return {worker["core"]: (worker["busy_cycles"], worker["packets"]) for worker in self.cli("worker", "list")}

    def drops(self):
        """{reason: packets} that it dropped since it runs."""
        reasons = collections.Counter()
        for row in self.cli("drops"):
            if row["disposition"] == "dropped":
                reasons[row["reason"]] += row["packets"]
        return reasons

    def prefer_control(self):
        """Every thread but the workers before whatever else wants their CPU, as if they need not share it with the
        generator."""
        for task in os.listdir(f"/proc/{self.process.popen.pid}/task"):
            if machine.switch_cpu() not in os.sched_getaffinity(int(task)):
                os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(1))

    def keep_threads_off_the_switch(self):
        """With a worker on each CPU the others may run anywhere; here they leave the one that is measured."""
        for task in os.listdir(f"/proc/{self.process.popen.pid}/task"):
            if len(os.sched_getaffinity(int(task))) > 1:
                os.sched_setaffinity(int(task), {machine.other_cpu()})

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()

    def stop(self):
        if self.process:
            self.process.stop()
