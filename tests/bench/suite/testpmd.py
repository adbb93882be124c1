# SPDX-License-Identifier: Apache-2.0
"""dpdk-testpmd as a subject: it moves each packet to the other port of its pair and does not look at it."""

import os
import pty
import re
import threading

from . import machine
from .process import BenchError, Process

_PROMPT = "testpmd> "


class Testpmd:
    name = "testpmd io"

    def __init__(self, folder, sockets=(), mode="io"):
        self.folder = folder
        self.sockets = list(sockets)
        self.mode = mode
        self.process = None
        self.master = None
        self.reader = None
        self.arrived = threading.Condition()
        self.text = ""  # not yet read
        self.ended = False

    def start(self):
        prefix = f"bench-testpmd-{os.getpid()}-{os.path.basename(self.folder)}"
        command = ["dpdk-testpmd", f"--lcores=0@{machine.other_cpu()},1@{machine.switch_cpu()}", "--in-memory", "--no-pci",
                   "--no-telemetry", f"--file-prefix={prefix}", "--log-level=error"]
        command += [f"--vdev=net_vhost{i},iface={path},client=1" for i, path in enumerate(self.sockets)]
        command += ["--", "-i", f"--forward-mode={self.mode}", "--port-topology=paired", "--nb-cores=1", "--no-mlockall",
                    "--disable-link-check", "--record-core-cycles"]
        # It prints line by line only to a terminal.
        self.master, slave = pty.openpty()
        try:
            self.process = Process("testpmd", command, self.folder, stdin=slave, stdout=slave, stderr=slave)
        finally:
            os.close(slave)
        self.reader = threading.Thread(target=self._collect, args=(self.master,), daemon=True)
        self.reader.start()
        self._read(60)
        self._command("start")

    def wait_connected(self):
        """The generator says so for both."""

    def _command(self, line):
        os.write(self.master, line.encode() + b"\n")
        return self._read(20)

    def _collect(self, master):
        """Always reads: a terminal that nobody empties would stop testpmd in the middle of what it reports."""
        try:
            while piece := os.read(master, 65536):
                with self.arrived:
                    self.text += piece.decode(errors="replace")
                    self.arrived.notify()
        except OSError:  # it ended
            with self.arrived:
                self.ended = True
                self.arrived.notify()

    def _read(self, timeout):
        """What it prints up to the next prompt."""
        with self.arrived:
            self.arrived.wait_for(lambda: _PROMPT in self.text or self.ended, timeout)
            if _PROMPT not in self.text:
                how = "ended" if self.ended else f"did not answer within {timeout} s"
                raise BenchError(f"testpmd {how}:\n{self.text[-2000:]}")
            answer, self.text = self.text.split(_PROMPT, 1)
            return answer

    def knows(self, macs):
        """It does not look at them."""
        return True

    def connections(self):
        """It has none to know."""
        return None

    def forget_connections(self):
        pass

    def reset_counters(self):
        self._command("clear fwd stats all")

    def cycles_per_packet(self):
        found = re.findall(r"CPU cycles/packet=([0-9.]+)", self._command("show fwd stats all"))
        return float(found[-1]) if found else None

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()

    def stop(self):
        if self.process:
            self.process.stop()
        if self.master is not None:
            self.reader.join(5)
            os.close(self.master)
            self.master = None
