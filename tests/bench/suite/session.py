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
        self.number += 1
        line = json.dumps({"id": self.number, "command": command, "args": args}).encode() + b"\n"
        sent = time.monotonic()
        self.socket.sendall(line)
        line = self.lines.readline()
        answered = time.monotonic()
        if not line or not json.loads(line).get("ok"):
            raise BenchError(f"podswitch: {command} {args}: {line[:500] or 'it hung up'}")
        return sent, answered

    def close(self):
        self.lines.close()
        self.socket.close()
