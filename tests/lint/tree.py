# SPDX-License-Identifier: Apache-2.0
"""The files that lint looks at: what git knows or would add."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*endings):
    listed = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], check=True, capture_output=True, text=True).stdout
    return sorted(path for path in set(listed.split("\0")) - {""}
                  if (not endings or path.endswith(endings)) and os.path.isfile(os.path.join(ROOT, path)))


def lines(path):
    with open(os.path.join(ROOT, path), errors="replace") as file:
        return file.read().splitlines()


def report(wrong):
    """Prints what is wrong; the exit code."""
    for line in wrong:
        print(line)
    return 1 if wrong else 0
