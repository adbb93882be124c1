# SPDX-License-Identifier: Apache-2.0
"""dpdk-testpmd as a pod: a DPDK application on a virtio-user device. Its two threads share one CPU with the
test, so that the switch keeps the other. It prints to a terminal only line by line, hence the pty."""

import itertools
import os
import pty
import re
import select
import subprocess
import time

from .shell import Failure, Skip, stop_process

PROGRAM = "/usr/bin/dpdk-testpmd"
PROMPT = "testpmd> "
_numbers = itertools.count()


class Testpmd:
    """`devices`: (socket, MAC) of each; the first is the one that it talks about."""

    def __init__(self, devices, folder, listens=False, packed=False, queue_pairs=1, ring=256, mode="macswap",
                 device="", memory_mib=128, buffers=4096):
        if not os.access(PROGRAM, os.X_OK):
            raise Skip(f"{PROGRAM} is not there (package dpdk-dev)")
        self.path, self.mac = devices[0]
        name = f"psw{os.getpid()}t{next(_numbers)}"
        vdevs = []
        for number, (path, mac) in enumerate(devices):
            if listens and os.path.exists(path):
                os.unlink(path)  # a stale one makes testpmd refuse
            vdev = f"net_virtio_user{number},path={path},mac={mac},queues={queue_pairs},queue_size={ring}"
            vdevs += ["--vdev", vdev + (",server=1" if listens else "") + (",packed_vq=1" if packed else "") + device]
        self.log_path = os.path.join(folder, f"{name}.log")
        self._log = open(self.log_path, "w")
        self._master, slave = pty.openpty()
        command = [PROGRAM, "--lcores", "0@0,1@0", "--no-huge", "--no-shconf", "-m", memory_mib, "--file-prefix", name, "--no-pci",
                   "--no-telemetry", "--single-file-segments", *vdevs, "--", "-i", "--nb-cores=1",
                   f"--rxq={queue_pairs}", f"--txq={queue_pairs}", f"--forward-mode={mode}",
                   f"--total-num-mbufs={buffers}", "--no-mlockall", "--stats-period=0"]
        self.process = subprocess.Popen([str(word) for word in command], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._text = ""

    def wait_until_ready(self):
        """As a listener it blocks until the switch has connected."""
        self._read_until_prompt(60)

    def command(self, line, timeout=20):
        os.write(self._master, line.encode() + b"\n")
        return self._read_until_prompt(timeout)

    def send_first(self, to, bursts=1):
        """Sends 32 frames a burst to `to`, then forwards."""
        self.command(f"set eth-peer 0 {to}")
        self.command("set fwd macswap")
        self.command(f"start tx_first {bursts}")

    def start(self, mode):
        self.command(f"set fwd {mode}")
        self.command("start")

    def stop(self):
        self.command("stop")

    def counters(self):
        """(received, sent) frames since the start."""
        text = self.command("show port stats 0")
        return (int(re.search(r"RX-packets: (\d+)", text)[1]), int(re.search(r"TX-packets: (\d+)", text)[1]))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        stop_process(self.process, grace=3)
        if self._master is not None:
            os.close(self._master)
            self._master = None
            self._log.close()

    def _read_until_prompt(self, timeout):
        end = time.monotonic() + timeout
        while True:
            at = self._text.find(PROMPT)
            # What we typed is echoed behind the prompt, so that a prompt counts when output ends with it.
            if at >= 0 and self._text.endswith(PROMPT):
                text, self._text = self._text, ""
                return text
            if not select.select([self._master], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f"testpmd does not answer within {timeout} s:\n{self._text[-2000:]}")
            try:
                chunk = os.read(self._master, 65536).decode(errors="replace")
            except OSError:  # its end of the pty is closed
                raise Failure(f"testpmd ended with {self.process.wait()}:\n{self._text[-2000:]}") from None
            self._log.write(chunk)
            self._log.flush()
            self._text += chunk
