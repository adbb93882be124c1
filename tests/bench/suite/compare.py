# SPDX-License-Identifier: Apache-2.0
"""The command line of tests/bench/compare: two revisions of podswitch in turn."""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

from . import machine
from .cases import CASES
from .main import Options, choose, prepare, run_all
from .process import BenchError, stay_off_the_switch
from .subject import Setup

DEFAULT = ["flows:1,100000", "macs:100000"]
TARGETS = ("ctl/podswitchd", "ctl/podswitch")


def parser():
    text = argparse.ArgumentParser(
        prog="tests/bench/compare", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures podswitch as it was at REV and as it is in the working tree, in adjacent rounds, so that a\n"
                    "change's cost is seen before it is committed. A ratio above 1 in cycles or microseconds: the working tree is\n"
                    "slower.",
        epilog="cases: " + ", ".join(CASES))
    text.add_argument("revision", metavar="REV", help="anything that git knows, such as HEAD or main")
    text.add_argument("names", nargs="*", metavar="CASE[:ROW,...]", help=f"default: {' '.join(DEFAULT)}")
    text.add_argument("--rounds", type=int, default=15, help="adjacent trials of each row (default: %(default)s)")
    text.add_argument("--seconds", type=float, default=0.5, help="of each trial (default: %(default)s)")
    text.add_argument("--warmup-ms", type=int, default=200, help="traffic before each trial (default: %(default)s)")
    text.add_argument("--restart-every", type=int, default=5, metavar="N",
                      help="start both anew after N rounds; 0: never (default: %(default)s)")
    text.add_argument("--build", metavar="FOLDER", help="the working tree's build as it is; default: build/, brought up to date")
    text.add_argument("--virtio", default="", help="further virtio-user arguments, such as packed_vq=1")
    text.add_argument("--keep", metavar="FOLDER", help="build REV there, and leave the build for the next time")
    return text


@contextlib.contextmanager
def built(revision, keep, targets):
    """The build folder of a revision. Its source is unpacked beside it: the repository, which may be another user's, is only
    read."""
    commit = machine.git("rev-parse", "--verify", f"{revision}^{{commit}}")
    folder = os.path.abspath(keep) if keep else tempfile.mkdtemp(prefix="podswitch-compare-")
    source, build = os.path.join(folder, "source"), os.path.join(folder, "build")
    try:
        _unpack(commit, source, os.path.join(folder, "commit"))
        print(f"Building {revision} in {build}", file=sys.stderr, flush=True)
        if not os.path.exists(os.path.join(build, "build.ninja")):
            _quietly("meson", "setup", build, source, "--buildtype=release")
        known = set(re.findall("^(.*): ", _quietly("ninja", "-C", build, "-t", "targets", "all"), re.M))
        if missing := [target for target in targets if target not in known]:
            raise BenchError(f"{revision} has no {', '.join(missing)}, which a case needs")
        _quietly("ninja", "-C", build, *targets)
        yield build
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _unpack(commit, source, marker):
    """`marker` says which commit `source` is."""
    if os.path.exists(marker) and open(marker).read() == commit:
        return
    shutil.rmtree(source, ignore_errors=True)
    os.makedirs(source)
    archive = f"{source}.tar"
    machine.git("archive", f"--output={archive}", commit)
    # Files are as new as their unpacking, or ninja would take what another commit's build left for theirs.
    _quietly("tar", "-xmf", archive, "-C", source)
    os.unlink(archive)
    with open(marker, "w") as file:
        file.write(commit)


def _quietly(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def main():
    args = parser().parse_args()
    chosen = choose(args.names or DEFAULT)
    machine.check()
    setup = Setup(prepare(args.build, builds_more=True), virtio=args.virtio)
    options = Options(args.rounds, args.seconds, args.warmup_ms, args.restart_every, rows=chosen)
    targets = dict.fromkeys([*TARGETS, *(target for name in chosen for target in getattr(CASES[name], "needs", ()))])
    with built(args.revision, args.keep, list(targets)) as old_build:
        stay_off_the_switch()
        old, new = (f"podswitch {args.revision}", old_build), ("podswitch here", setup.build)
        cases = [CASES[name].against(old, new) for name in chosen]
        failed = run_all(cases, setup, options, False, lambda case: f"sudo tests/bench/compare {args.revision} {case.name}")
    return 1 if failed else 0
