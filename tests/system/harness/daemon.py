# SPDX-License-Identifier: Apache-2.0
"""A podswitchd with its own folder, and the CLI that talks to it."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import urllib.request

from .shell import Failure, eventually, expect, run, stop_process


class Daemon:
    """Options are written as on the command line, without the dashes: {"fdb.size": 64}."""

    def __init__(self, build, folder, options=None, arguments=(), metrics=False, namespace=None):
        # Of the daemon and of its CLI; none: ours.
        self.inside = ["ip", "netns", "exec", namespace.name] if namespace else []
        self.program = os.path.join(build, "ctl", "podswitchd")
        self.client = os.path.join(build, "ctl", "podswitch")
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.control = os.path.join(folder, "control.sock")
        # Off by default: ending the HTTP server takes up to two seconds.
        self.metrics_port = free_port() if metrics else None
        self.options = {
            "control.socket": self.control,
            "state.directory": os.path.join(folder, "state"),
            # A file on a hugetlbfs would stay behind.
            "flows.file": "none",
            "metrics.listen": f"127.0.0.1:{self.metrics_port}" if metrics else "",
            **(options or {}),
        }
        self.arguments = list(arguments)
        self.log_path = os.path.join(folder, "log")
        self.process = None

    def command(self):
        return [*self.inside, self.program, *(f"--{key}={value}" for key, value in self.options.items()), *self.arguments]

    def start(self, environment=None, wait=True):
        # The daemon and its log outlive a kill -9: the log is appended to.
        with open(self.log_path, "a") as log:
            log.write(f"$ {shlex.join(self.command())}\n")
            log.flush()
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})})
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout=30):
        def ready():
            if self.process.poll() is not None:
                raise Gone(f"podswitchd ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            return self.greeting()

        eventually("podswitchd answers on its socket", ready, timeout)

    def greeting(self):
        with self.connect() as client:
            return client.greeting

    def connect(self):
        return Client(self.control)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            raise Failure("podswitchd did not end within 20 s of SIGTERM") from None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self):
        if self.process.poll() is None:
            self.stop()
        return self.start()

    def close(self):
        if self.process:
            stop_process(self.process, grace=20)

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def cli_raw(self, *words, input=None, timeout=60):
        return run(*self.inside, self.client, "--socket", self.control, *words, check=False, input=input, timeout=timeout)

    def cli(self, *words, input=None, timeout=60):
        """Runs `podswitch -o json WORDS`; the answer as values (None when there is none)."""
        done = self.cli_raw("-o", "json", *words, input=input, timeout=timeout)
        if done.returncode != 0:
            raise Failure(f"podswitch {shlex.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *words, input=None):
        """The same for a command that must be refused: what it says."""
        done = self.cli_raw(*words, input=input)
        expect(done.returncode == 1,
               f"podswitch {shlex.join(map(str, words))}: exit {done.returncode}, not 1\n{done.stdout}{done.stderr}")
        return done.stderr

    def port_up(self, name, timeout=20):
        eventually(f"port {name} is up", lambda: self.cli("port", "show", name)["state"] == "up", timeout)

    def drops(self):
        """{(reason, port): packets}"""
        return {(row["reason"], row["port"]): row["packets"] for row in self.cli("drops")}

    def dropped(self, reason, port=None):
        return sum(count for (name, on), count in self.drops().items() if name == reason and port in (None, on))

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def cpu_seconds(self):
        """CPU time of all threads so far, as the scheduler counts it and not the clock's ticks."""
        nanoseconds = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat") as file:
                nanoseconds += int(file.read().split()[0])
        return nanoseconds / 1e9


class Gone(BaseException):
    """The daemon died while we waited for it; BaseException, so that nobody waits on."""


class Client:
    """The socket itself, for what the CLI would never do."""

    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.greeting = self.read()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def read(self):
        line = self.file.readline()
        if not line:
            raise Failure("the daemon closed the connection")
        return json.loads(line)

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def ask(self, command, **args):
        self.send({"id": 1, "command": command, "args": args})
        return self.read()


def parse_metrics(text):
    """{(name, ((label, value), ...)): number} of a page in the Prometheus text format."""
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, number = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)(?: \d+)?", line).groups()
            pairs = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")))
            values[name, pairs] = float(number)
    return values


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
