# SPDX-License-Identifier: Apache-2.0
"""One bench-generator process: it serves the sockets of one switch and runs one trial for each line that it reads.
It sleeps while it waits for the next line."""

import json
import os
import selectors
import subprocess
import time

from . import machine
from .process import BenchError, Process


class Generator:
    def __init__(self, program, folder, sockets, idle_sockets=(), queue_size=1024, virtio=""):
        command = [program, "--serve", "--core", machine.other_cpu(), "--queue-size", queue_size]
        command += [word for path in sockets for word in ("--socket", path)]
        command += [word for path in idle_sockets for word in ("--idle-socket", path)]
        command += ["--virtio", virtio] if virtio else []
        for path in [*sockets, *idle_sockets]:
            if os.path.exists(path):
                os.unlink(path)  # a stale one makes virtio-user fail
        self.process = Process("generator", command, folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buffer = b""

    def wait_ready(self, timeout=60):
        if not self._line(timeout).get("ready"):
            raise BenchError(f"the generator did not become ready:\n{self.process.log()[-2000:]}")

    def trial(self, options):
        """Runs one trial; its result, see tests/bench/README.md."""
        self.process.popen.stdin.write(json.dumps(options).encode() + b"\n")
        self.process.popen.stdin.flush()
        result = self._line(options.get("seconds", 1) + 60)
        if "error" in result:
            raise BenchError(f"generator: {result['error']} ({json.dumps(options)})")
        return result

    def _line(self, timeout):
        end = time.monotonic() + timeout
        stdout = self.process.popen.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                left = end - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise BenchError(f"the generator did not answer within {timeout:.0f} s:\n{self.process.log()[-2000:]}")
                piece = os.read(stdout.fileno(), 65536)
                if not piece:
                    self.process.popen.wait(10)
                    raise BenchError(f"the generator ended with {self.process.popen.returncode}:\n{self.process.log()[-2000:]}")
                self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        try:
            return json.loads(line)
        except ValueError:
            raise BenchError(f"the generator said {line[:200]!r}") from None

    def stop(self):
        self.process.stop()
