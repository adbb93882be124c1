# SPDX-License-Identifier: Apache-2.0
"""Daemons: one after another, side by side, and how they end."""

import contextlib
import ctypes
import grp
import os
import signal
import socket
import subprocess
import time

from harness import traffic
from harness.runner import scenario
from harness.shell import Failure, Skip, eventually, expect
from harness.world import add_port


@scenario(takes=2)
def sigterm_ends_it_cleanly(world):
    switch = world.daemon()
    add_port(switch, "web", type="vhost-user", path=world.path("web.sock"), mode="server")
    expect(os.path.exists(world.path("web.sock")), "the server port made no socket")
    expect(switch.stop() == 0, f"exit code {switch.process.returncode}")
    expect(not os.path.exists(switch.control), "the control socket is left")
    expect(not os.path.exists(world.path("web.sock")), "a port's socket is left")
    done = switch.cli_raw("status")
    expect(done.returncode == 3 and "podswitchd" in done.stderr, f"{done.returncode}: {done.stderr}")


@scenario(takes=2)
def a_second_daemon_is_refused(world):
    switch = world.daemon()
    second = subprocess.run(switch.command(), capture_output=True, text=True, timeout=20)
    expect(second.returncode not in (0, -signal.SIGSEGV), "a second daemon was let in")
    expect(switch.control in second.stderr + second.stdout, f"it says: {second.stderr}")
    expect(switch.cli("status")["ports"] == 0, "the first one does not answer any more")


@scenario(takes=2)
def a_stale_socket_is_taken_over(world):
    switch = world.daemon()
    switch.kill()
    expect(os.path.exists(switch.control), "kill -9 left no socket; this shows nothing")
    switch.start()
    switch.cli("status")


@scenario(takes=5)
def two_side_by_side(world):
    for number, name in enumerate(("one", "two"), start=1):
        switch = world.daemon(name)
        a = world.tap_pod(switch, f"a{number}", ["10.12.0.1/24"])
        world.tap_pod(switch, f"b{number}", ["10.12.0.2/24"])
        traffic.ping(a, "10.12.0.2")
    one, two = world.daemons
    one.stop()
    expect(two.cli("status")["ports"] == 2, "the second lost something by the first one's end")


@scenario(takes=2)
def the_control_socket_has_its_mode_and_group(world):
    switch = world.daemon(options={"control.group": "daemon", "control.mode": "0660"})
    status = os.stat(switch.control)
    expect(status.st_mode & 0o777 == 0o660, f"mode is {status.st_mode & 0o777:o}")
    expect(grp.getgrgid(status.st_gid).gr_name == "daemon", f"group is {status.st_gid}")


@scenario(takes=2)
def a_vhost_socket_has_its_mode_and_group(world):
    switch = world.daemon()
    path = world.path("web.sock")
    add_port(switch, "web", type="vhost-user", path=path, mode="server", socket_mode="0666", socket_group="daemon")
    status = os.stat(path)
    expect(status.st_mode & 0o777 == 0o666, f"mode is {status.st_mode & 0o777:o}")
    expect(grp.getgrgid(status.st_gid).gr_name == "daemon", f"group is {status.st_gid}")


@scenario(takes=3)
def systemd_hears_of_it(world):
    """READY=1, and then the watchdog at least twice in its time."""
    path = world.path("notify.sock")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    world.defer(manager.close)
    manager.bind(path)
    manager.settimeout(5)
    switch = world.daemon(start=False)
    switch.start({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"}, wait=False)
    heard = []

    def hear(word):
        while not any(word in text for text in heard):
            heard.append(manager.recv(4096).decode())

    hear("READY=1")
    switch.cli("status")  # ready means ready
    hear("WATCHDOG=1")
    heard.clear()
    hear("WATCHDOG=1")
    switch.process.terminate()
    hear("STOPPING=1")


@scenario(takes=10)
def the_watchdog_demands_the_workers_progress(world):
    path = world.path("notify.sock")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    world.defer(manager.close)
    manager.bind(path)
    # A worker that polls always has to make progress; one that sleeps is excused.
    switch = world.daemon(options={"workers.idle": "poll"}, environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"})
    manager.settimeout(5)

    def pings(seconds):
        """How many come in that time."""
        count, end = 0, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            manager.settimeout(left)
            try:
                count += b"WATCHDOG=1" in manager.recv(4096)
            except TimeoutError:
                pass
        return count

    expect(pings(1.5) > 0, "no pings while the worker runs")
    with halted(worker_thread(switch)):
        pings(4)  # it takes two seconds to notice
        expect(pings(2) == 0, "pings go on although the worker does not")
        switch.cli("status")  # the other threads are alive
    expect(pings(2) > 0, "no pings after the worker runs again")


def worker_thread(switch):
    for task in os.listdir(f"/proc/{switch.pid}/task"):
        with open(f"/proc/{switch.pid}/task/{task}/comm") as file:
            if file.read().startswith("worker-"):
                return int(task)
    raise Failure("no thread is called worker-")


@contextlib.contextmanager
def halted(thread):
    """Stops one thread of a process, which a signal cannot: as its debugger."""
    seize, interrupt, detach = 0x4206, 0x4207, 17
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long] * 4
    if ptrace(seize, thread, 0, 0) != 0:
        raise Skip(f"no ptrace here: {os.strerror(ctypes.get_errno())}")
    ptrace(interrupt, thread, 0, 0)
    os.waitpid(thread, 0x40000000)  # __WALL: threads too
    try:
        yield
    finally:
        ptrace(detach, thread, 0, 0)


@scenario(takes=3)
def down_says_why(world):
    switch = world.daemon()
    add_port(switch, "nobody", type="vhost-user", path=world.path("nobody.sock"))
    reason = eventually("there is a reason", lambda: switch.cli("port", "show", "nobody")["reason"])
    expect(world.path("nobody.sock") in reason or "socket" in reason, f"the reason is: {reason}")
    # A file that is no socket.
    open(world.path("file"), "w").close()
    add_port(switch, "file", type="vhost-user", path=world.path("file"))
    time.sleep(1.2)
    expect(switch.cli("port", "show", "file")["reason"] != "", "no reason")
