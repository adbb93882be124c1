# SPDX-License-Identifier: Apache-2.0
"""The command line of tests/bench/compare: two revisions of podswitch in turn."""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

from . import machine
from .cases import CASES
from .main import Options, choose, prepare, run_all
from .process import BenchError, stay_off_the_switch
from .rate import RateCase, against_itself
from .subject import Setup

DEFAULT = ["flows:1,100000", "macs:100000"]


def parser():
    text = argparse.ArgumentParser(
        prog="tests/bench/compare", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures podswitch as it was at REV and as it is in the working tree, in adjacent rounds, so that a\n"
                    "change's cost is seen before it is committed. A ratio above 1 in cycles: the working tree is slower.",
        epilog="cases: " + ", ".join(name for name, case in CASES.items() if isinstance(case, RateCase)))
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
def built(revision, keep):
    """The build folder of a revision, made from a git worktree that lasts as long as the folder."""
    commit = machine.git("rev-parse", "--verify", f"{revision}^{{commit}}")
    folder = os.path.abspath(keep) if keep else tempfile.mkdtemp(prefix="podswitch-compare-")
    source, build = os.path.join(folder, "source"), os.path.join(folder, "build")
    try:
        if os.path.exists(source):
            machine.git("checkout", "-q", "--detach", commit, root=source)
        else:
            machine.git("worktree", "add", "-q", "--detach", source, commit)
        print(f"Building {revision} in {build}", file=sys.stderr, flush=True)
        if not os.path.exists(os.path.join(build, "build.ninja")):
            _quietly("meson", "setup", build, source, "--buildtype=release")
        _quietly("ninja", "-C", build, "ctl/podswitchd", "ctl/podswitch")
        yield build
    finally:
        if not keep:
            with contextlib.suppress(BenchError):
                machine.git("worktree", "remove", "--force", source)
            shutil.rmtree(folder, ignore_errors=True)


def _quietly(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")


def main():
    args = parser().parse_args()
    chosen = choose(args.names or DEFAULT)
    if unfit := [name for name in chosen if not isinstance(CASES[name], RateCase)]:
        raise BenchError(f"{', '.join(unfit)}: only cases that compare rates can be run on two revisions")
    machine.check()
    setup = Setup(prepare(args.build), virtio=args.virtio)
    options = Options(args.rounds, args.seconds, args.warmup_ms, args.restart_every, rows=chosen)
    with built(args.revision, args.keep) as old_build:
        stay_off_the_switch()
        cases = [against_itself(CASES[name], old_build, setup.build, args.revision, "here") for name in chosen]
        failed = run_all(cases, setup, options, False, lambda case: f"sudo tests/bench/compare {args.revision} {case.name}")
    return 1 if failed else 0
