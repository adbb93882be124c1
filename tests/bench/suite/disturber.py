# SPDX-License-Identifier: Apache-2.0
"""Something that bothers a podswitch while it is measured: commands in a loop, in a process of its own on the CPU that
does not switch. Each turn leaves a byte in a file, so that it is seen to have done something."""

import os
import subprocess
import time

from . import machine
from .process import BenchError, Process

# On a schedule from the start: a turn that takes longer than its time is made up for, one after the other.
_WAIT = """
due=$((due + {us})); now=${{EPOCHREALTIME//[!0-9]/}}
if ((due > now)); then printf -v pause '%d.%06d' $(((due - now) / 1000000)) $(((due - now) % 1000000)); sleep $pause; fi
"""


class Disturber:
    """`turn` is bash; `variables` are what it uses. `every`: seconds from a turn to the next, 0: no pause."""

    def __init__(self, name, turn, folder, variables, every=0.0):
        self.name = name
        self.done, self.enough = (os.path.join(folder, f"{word}-{id(self):x}") for word in ("turns", "enough"))
        self.turns = 0
        self.seconds = 0.0
        assignments = "".join(f'{key}="{value}"\n' for key, value in variables.items())
        start = "due=${EPOCHREALTIME//[!0-9]/}\n" if every else ""
        wait = _WAIT.format(us=round(every * 1e6)) if every else ""
        self.script = (f"set -e\n{assignments}{start}while [[ ! -e {self.enough} ]]; do\n{turn}\nprintf . >>{self.done}\n"
                       f"{wait}done")
        self.folder = folder
        self.process = None

    @property
    def per_second(self):
        return self.turns / self.seconds if self.seconds else 0.0

    def __enter__(self):
        open(self.done, "w").close()
        self.seconds = -time.monotonic()
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
        self.seconds += time.monotonic()
        self.turns = os.path.getsize(self.done)
        os.unlink(self.enough)
        os.unlink(self.done)
        if not error and (not alive or not self.turns):
            raise BenchError(f"{self.name}: failed, or not done once during the trial\n{self.process.log()[-1000:]}")
