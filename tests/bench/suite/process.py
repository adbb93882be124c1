# SPDX-License-Identifier: Apache-2.0
"""Processes that must never outlive the suite, and waiting for them."""

import ctypes
import os
import signal
import subprocess
import time

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
CPUS = frozenset(os.sched_getaffinity(0))


class BenchError(Exception):
    """Something that the suite needs did not work; the message is for the user."""


def stay_off_the_switch():
    """The suite and what it calls keep to the first CPU; a Process may go where it says."""
    os.sched_setaffinity(0, {min(CPUS)})


def _prepare_child():
    # A suite that is killed must not leave a switch that polls.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.sched_setaffinity(0, CPUS)


class Process:
    """A child in a session of its own, so that Ctrl-C reaches only the suite; its output goes to a log."""

    def __init__(self, name, command, folder, env=None, **streams):
        self.name = name
        self.log_path = os.path.join(folder, f"{name}.log")
        with open(self.log_path, "ab") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams}
            self.popen = subprocess.Popen([str(word) for word in command], env={**os.environ, **(env or {})},
                                          start_new_session=True, preexec_fn=_prepare_child, **streams)

    def alive(self):
        return self.popen.poll() is None

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def expect_alive(self):
        if not self.alive():
            raise BenchError(f"{self.name} ended with {self.popen.returncode}:\n{self.log()[-2000:]}")

    def pause(self):
        """Returns when none of its threads runs any more."""
        self.popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self):
        self.popen.send_signal(signal.SIGCONT)

    def stop(self, grace=10):
        if not self.alive():
            return
        self.resume()
        self.popen.terminate()
        try:
            self.popen.wait(grace)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def run(*command, timeout=60, check=True, env=None):
    """Runs to the end; returns what it printed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(env or {})})
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(words)} took longer than {timeout} s") from None
    if check and done.returncode != 0:
        raise BenchError(f"{' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}".strip())
    return done.stdout


def eventually(what, question, timeout=20, pause=0.05):
    end = time.monotonic() + timeout
    while not question():
        if time.monotonic() > end:
            raise BenchError(f"not within {timeout} s: {what}")
        time.sleep(pause)
