# SPDX-License-Identifier: Apache-2.0
"""dpdk-testpmd as a subject: it moves each packet to the other port of its pair and does not look at it."""

import os
import pty
import re
import select
import time

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
        self.text = ""

    def start(self):
        prefix = f"bench-testpmd-{os.getpid()}-{os.path.basename(self.folder)}"
        command = ["dpdk-testpmd", f"--lcores=0@{machine.other_cpu()},1@{machine.switch_cpu()}", "--in-memory", "--no-pci",
                   "--no-telemetry", f"--file-prefix={prefix}"]
        command += [f"--vdev=net_vhost{i},iface={path},client=1" for i, path in enumerate(self.sockets)]
        command += ["--", "-i", f"--forward-mode={self.mode}", "--port-topology=paired", "--nb-cores=1", "--no-mlockall",
                    "--disable-link-check", "--record-core-cycles"]
        # It prints line by line only to a terminal.
        self.master, slave = pty.openpty()
        try:
            self.process = Process("testpmd", command, self.folder, stdin=slave, stdout=slave, stderr=slave)
        finally:
            os.close(slave)
        self._read(60)
        self._command("start")

    def wait_connected(self):
        """The generator says so for both."""

    def _command(self, line):
        os.write(self.master, line.encode() + b"\n")
        return self._read(20)

    def _read(self, timeout):
        """What it prints up to the next prompt."""
        end = time.monotonic() + timeout
        while _PROMPT not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise BenchError(f"testpmd did not answer within {timeout} s:\n{self.text[-2000:]}")
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # it ended
                raise BenchError(f"testpmd ended:\n{self.text[-2000:]}") from None
        answer, self.text = self.text.split(_PROMPT, 1)
        return answer

    def knows(self, macs):
        """It does not look at them."""
        return True

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
            os.close(self.master)
            self.master = None
