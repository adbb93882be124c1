# SPDX-License-Identifier: Apache-2.0
"""Finds scenarios, runs them one after another (the quick ones first) and counts."""

import fnmatch
import importlib
import json
import os
import re
import shutil
import signal
import tempfile
import time
import traceback

from .daemon import Gone
from .shell import Failure, Skip, run
from .world import World

_scenarios = []


class _Scenario:
    def __init__(self, function, takes, timeout):
        self.function = function
        self.name = f"{function.__module__.split('.')[-1]}.{function.__name__}"
        self.takes = takes
        self.timeout = timeout


def scenario(takes, timeout=None):
    """Marks a function of one World. `takes`: about how many seconds, which decides the order."""

    def mark(function):
        _scenarios.append(_Scenario(function, takes, timeout or 30 + 5 * takes))
        return function

    return mark


def discover(patterns):
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenarios")
    for file in sorted(os.listdir(folder)):
        if file.endswith(".py") and not file.startswith("_"):
            importlib.import_module(f"scenarios.{file[:-3]}")
    chosen = [one for one in _scenarios if not patterns or any(fnmatch.fnmatch(one.name, f"*{p}*") for p in patterns)]
    return sorted(chosen, key=lambda one: one.takes)


class _TimedOut(BaseException):
    pass


def run_all(build, scenarios, keep=False, summary=None):
    results = {"passed": [], "failed": [], "skipped": []}
    _sweep()
    folder = tempfile.mkdtemp(prefix=f"psw-{os.getpid()}-", dir="/tmp")
    os.chmod(folder, 0o755)  # socket groups are tried
    try:
        for one in scenarios:
            verdict, text = _run_one(build, one, os.path.join(folder, one.name), keep)
            results[verdict].append([one.name, text])
            if verdict == "failed" and keep:
                break
    finally:
        if not (keep and results["failed"]):
            shutil.rmtree(folder, ignore_errors=True)
        if summary:
            with open(summary, "w") as file:
                json.dump(results, file)
    return results


def _sweep():
    """Namespaces of earlier runs that were killed: psw-PID-..., when there is no such process."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        owner = re.match(r"psw-(\d+)-", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            run("ip", "netns", "del", name, check=False)


def _run_one(build, one, folder, keep):
    world = World(build, folder)
    start = time.monotonic()
    try:
        _with_timeout(one.timeout, lambda: one.function(world))
        verdict, text = "passed", ""
    except Skip as reason:
        verdict, text = "skipped", str(reason)
    except (Failure, Gone) as error:
        verdict, text = "failed", f"{error}\n{_where(error)}"
    except _TimedOut:
        verdict, text = "failed", f"not done within {one.timeout} s\n{traceback.format_exc()}"
    except Exception:
        verdict, text = "failed", traceback.format_exc()
    except BaseException:  # we are asked to end
        world.close()
        raise
    seconds = time.monotonic() - start
    word = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[verdict]
    print(f"{word} {one.name} ({seconds:.1f} s){': ' + text if verdict == 'skipped' else ''}", flush=True)
    for note in world.notes:
        print(f"       {note}", flush=True)
    if verdict == "failed":
        _explain(world, text)
        if keep:
            print(f"\nleft as it is: {folder}, namespaces {world.prefix}-*; Enter takes it down", flush=True)
            input()
    try:
        _with_timeout(60, world.close)
    except (Exception, _TimedOut):
        print(f"FAIL {one.name}: taking it down\n{traceback.format_exc()}", flush=True)
        verdict, text = "failed", (text or "taking it down failed")
    return verdict, text


def _with_timeout(seconds, action):
    def expire(*unused):
        raise _TimedOut()

    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(int(seconds))
    try:
        action()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _where(error):
    """The line of the scenario that failed, not the harness's inside."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if f"{os.sep}scenarios{os.sep}" in frame.filename]
    return "\n".join(f"  {frame.filename}:{frame.lineno}: {frame.line}" for frame in inside)


def _explain(world, text):
    print("  " + text.replace("\n", "\n  "), flush=True)
    for daemon in world.daemons:
        if os.path.exists(daemon.log_path):
            print(f"  --- the end of {daemon.log_path}")
            print("  " + "\n  ".join(daemon.log().splitlines()[-40:]), flush=True)
