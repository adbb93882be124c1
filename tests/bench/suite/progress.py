# SPDX-License-Identifier: Apache-2.0
"""Says on stderr what is measured and how long it will take still."""

import sys
import time


class Progress:
    def __init__(self, name, steps):
        self.name = name
        self.steps = steps
        self.done = 0
        self.start = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.said = 0.0

    def step(self, what):
        """Before each step."""
        now = time.monotonic()
        left = ""
        if self.done:
            seconds = (now - self.start) / self.done * (self.steps - self.done)
            left = f", about {int(seconds) // 60}:{int(seconds) % 60:02} left"
        self.done += 1
        # In a log one line in ten seconds is enough.
        if not self.terminal and now - self.said < 10 and self.done > 1:
            return
        self.said = now
        line = f"{self.name}: {self.done}/{self.steps}{left}  {what}"
        print(f"\r{line:<100}" if self.terminal else line, end="" if self.terminal else "\n", file=sys.stderr, flush=True)

    def end(self):
        seconds = int(time.monotonic() - self.start)
        line = f"{self.name}: done in {seconds // 60}:{seconds % 60:02}"
        print(f"\r{line:<100}" if self.terminal else line, file=sys.stderr, flush=True)
