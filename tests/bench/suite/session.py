# SPDX-License-Identifier: Apache-2.0
"""A connection to podswitch's control socket, for who measures how long an answer takes: no process is started for it."""

import json
import socket
import time

from .process import BenchError


class Session:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")
        self.number = 0
        self.lines.readline()  # the greeting

    def request(self, command, args):
        """(when it was sent, when the answer was there), of time.monotonic()."""
        return self._ask({"command": command, "args": args})

    def apply(self, *objects):
        """The same for Kubernetes objects, in one transaction."""
        return self._ask({"command": "begin", "args": {}}, *({"object": one} for one in objects),
                         {"command": "commit", "args": {"mode": "apply"}})

    def _ask(self, *messages):
        text = b""
        for message in messages:
            self.number += 1
            text += json.dumps({"id": self.number, **message}).encode() + b"\n"
        sent = time.monotonic()
        self.socket.sendall(text)
        for message in messages:
            if "object" in message:
                continue  # has no answer of its own
            line = self.lines.readline()
            if not line or not json.loads(line).get("ok"):
                raise BenchError(f"podswitch: {message}: {line[:500] or 'it hung up'}")
        return sent, time.monotonic()

    def close(self):
        self.lines.close()
        self.socket.close()
