# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of the suite's own."""

import contextlib
import itertools
import os
import subprocess

from .process import run

_numbers = itertools.count()


@contextlib.contextmanager
def namespace():
    """The name of a new one, gone afterwards with what is in it."""
    name = f"psw-{os.getpid()}-bench{next(_numbers)}"
    run("ip", "netns", "add", name)
    try:
        # Nothing but what a case sends.
        run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
            "net.ipv6.conf.default.disable_ipv6=1")
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
