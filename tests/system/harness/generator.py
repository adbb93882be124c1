# SPDX-License-Identifier: Apache-2.0
"""The bench suite's traffic generator, on a CPU that the switch does not poll. tests/bench/README.md has its trials."""

import json
import os
import select
import subprocess

from .shell import Failure, stop_process


class Generator:
    def __init__(self, build, folder, sockets, idle_sockets=()):
        program = os.path.join(build, "tests/bench/bench-generator")
        command = [program, "--serve", "--core", "0"]
        command += [word for path in sockets for word in ("--socket", path)]
        command += [word for path in idle_sockets for word in ("--idle-socket", path)]
        self._log = open(os.path.join(folder, "generator.log"), "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)

    def wait_until_ready(self):
        self._answer(60)

    def trial(self, **options):
        self.process.stdin.write(json.dumps(options).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer(30 + options.get("seconds", 1))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """Closes its input; the exit code."""
        self.process.stdin.close()
        return self.process.wait(20)

    def close(self):
        stop_process(self.process)
        self._log.close()

    def _answer(self, timeout):
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise Failure(f"the generator did not answer within {timeout} s")
        line = self.process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise Failure(f"the generator ended with {self.process.wait()}: {self._log.read()[-2000:]}")
        return json.loads(line)
