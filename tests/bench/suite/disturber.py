# SPDX-License-Identifier: Apache-2.0
"""Something that bothers a podswitch while it is measured: commands in a loop, in a process of its own on the CPU that
does not switch. Each turn leaves a byte in a file, so that it is seen to have done something."""

import os
import subprocess

from . import machine
from .process import BenchError, Process


class Disturber:
    """`turn` is bash; `variables` are what it uses."""

    def __init__(self, name, turn, folder, variables):
        self.name = name
        self.done, self.enough = os.path.join(folder, "turns"), os.path.join(folder, "enough")
        self.turns = 0
        assignments = "".join(f'{key}="{value}"\n' for key, value in variables.items())
        self.script = (f"set -e\n{assignments}while [[ ! -e {self.enough} ]]; do\n{turn}\nprintf . >>{self.done}\ndone")
        self.folder = folder
        self.process = None

    def __enter__(self):
        open(self.done, "w").close()
        self.process = Process("disturber", ["taskset", "-c", machine.other_cpu(), "bash", "-c", self.script], self.folder,
                               stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, error, *unused):
        alive = self.process.alive()
        # A turn is finished, so that it leaves nothing behind.
        open(self.enough, "w").close()
        try:
            self.process.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.process.stop()
        os.unlink(self.enough)
        self.turns = os.path.getsize(self.done)
        if not error and (not alive or not self.turns):
            raise BenchError(f"{self.name}: failed, or not done once during the trial\n{self.process.log()[-1000:]}")
