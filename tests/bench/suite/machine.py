# SPDX-License-Identifier: Apache-2.0
"""The machine: which CPUs do what, hugepages, and what a result must say about where it comes from."""

import contextlib
import datetime
import os
import pathlib
import platform
import re
import resource
import subprocess

from .process import CPUS, BenchError

ROOT = pathlib.Path(__file__).resolve().parents[3]
_HUGEPAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")


def switch_cpu():
    return max(CPUS)


def other_cpu():
    """Of the generators and of everything that is no worker."""
    return min(CPUS)


def check():
    if os.geteuid() != 0:
        raise BenchError("needs root (sudo)")
    if len(CPUS) < 2:
        raise BenchError("needs 2 CPUs")
    if not _HUGEPAGES.is_dir():
        raise BenchError("needs hugepages of 2 MiB")


@contextlib.contextmanager
def hugepages(count):
    """At least `count` free ones of 2 MiB inside; as before outside."""
    control = _HUGEPAGES / "nr_hugepages"
    before = int(control.read_text())
    missing = count - int((_HUGEPAGES / "free_hugepages").read_text())
    try:
        if missing > 0:
            control.write_text(str(before + missing))
            free = int((_HUGEPAGES / "free_hugepages").read_text())
            if free < count:
                raise BenchError(f"needs {count} free hugepages of 2 MiB, the kernel could make {free}")
        yield
    finally:
        if int(control.read_text()) != before:
            control.write_text(str(before))


class Meanwhile:
    """What else ran on the CPUs, and what the host took from them, in percent of all CPU time since it was made. Right
    once the children have ended."""

    def __init__(self):
        self.start = self._now()

    def percent(self):
        wall, busy, steal, own = (now - then for now, then in zip(self._now(), self.start))
        return {"others": round(100 * max(0.0, busy - own) / wall, 1), "steal": round(100 * steal / wall, 1)}

    @staticmethod
    def _now():
        fields = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, *_, steal = fields
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(fields) / ticks, (user + nice + system) / ticks, steal / ticks, own


def git(*words, root=ROOT):
    """Only reads: what root wrote into another user's repository would stay root's."""
    command = ["git", "--no-optional-locks", "-c", f"safe.directory={root}", "-C", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _package(name):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    return done.stdout.strip() or None


def _cpu():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    fields = dict(re.findall(r"^([^\t:]+)\s*: (.*)$", text, re.M))
    return {"model": fields.get("model name"), "family": int(fields.get("cpu family", 0)),
            "model_number": int(fields.get("model", 0)), "mhz": float(fields.get("cpu MHz", 0)),
            "hypervisor": "hypervisor" in fields.get("flags", "").split(),
            "avx512": "avx512f" in fields.get("flags", "").split(), "count": os.cpu_count()}


def commit(root=ROOT):
    """(hash, whether files that matter differ from it); results and documents do not."""
    changed = git("status", "--porcelain", "--", ".", ":!tests/bench/results", ":!*.md", root=root)
    return git("rev-parse", "HEAD", root=root), bool(changed)


def facts():
    revision, dirty = commit()
    return {"cpu": _cpu(), "kernel": platform.release(), "dpdk": _package("libdpdk-dev") or _package("dpdk"),
            "openvswitch": _package("openvswitch-switch-dpdk"), "commit": revision, "dirty": dirty,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}
