# SPDX-License-Identifier: Apache-2.0
"""The command line of tests/bench/run."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass, field

from . import machine, report
from .cases import CASES
from .process import BenchError, stay_off_the_switch
from .subject import Setup

TARGETS = "ctl/podswitchd ctl/podswitch tests/bench/bench-generator tests/bench/bench-frame-sender tests/bench/wakeup-probe tests/bench/bench-workers tests/bench/bench-paths"

# Open vSwitch's package starts a service that the suite does not use and nobody asked for.
INSTALL = """
service=/etc/init.d/openvswitch-switch
[[ -e $service ]] && wanted=yes || wanted=no
install_packages run bench
if [[ $wanted == no && -e $service ]]; then
  $service stop || true
  update-rc.d openvswitch-switch disable || true
fi >/dev/null 2>&1
"""
QUIET_PERCENT = 3


@dataclass
class Options:
    rounds: int = 15
    seconds: float = 1.0
    warmup_ms: int = 200
    restart_every: int = 5
    noloss_ms: int = 25
    smoke: bool = False
    rows: dict = field(default_factory=dict)


def parser():
    text = argparse.ArgumentParser(
        prog="tests/bench/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures podswitch beside dpdk-testpmd's io mode and Open vSwitch with DPDK on this machine, and writes\n"
                    "tables, JSON and plots to tests/bench/results/. Needs root, 2 CPUs and nothing else that polls.",
        epilog="cases:\n" + listing() + "\n\nNAME:ROW,... runs only some rows of a case, such as flows:1,100000.")
    text.add_argument("names", nargs="*", metavar="NAME[:ROW,...]", help="cases to run (default: all)")
    text.add_argument("--list", action="store_true", help="only list the cases")
    text.add_argument("--rounds", type=int, default=15, help="adjacent trials of each row (default: %(default)s)")
    text.add_argument("--seconds", type=float, default=1.0, help="of each trial (default: %(default)s)")
    text.add_argument("--warmup-ms", type=int, default=200, help="traffic before each trial (default: %(default)s)")
    text.add_argument("--restart-every", type=int, default=5, metavar="N",
                      help="start everything anew after N rounds; 0: never (default: %(default)s)")
    text.add_argument("--noloss-ms", type=int, default=25, metavar="MS",
                      help="of each trial of noloss; more where nothing takes the CPUs away (default: %(default)s)")
    text.add_argument("--build", metavar="FOLDER", help="a build as it is; default: build/, brought up to date")
    text.add_argument("--virtio", default="", help="further virtio-user arguments, such as packed_vq=1")
    text.add_argument("--queue-size", type=int, default=0, help="of the generator's rings (default: 1024, or what the case says)")
    text.add_argument("--no-save", action="store_true", help="do not write to tests/bench/results/")
    text.add_argument("--smoke", action="store_true", help="every case with one short round; saves nothing")
    return text


def listing():
    return "\n".join(f"  {case.name:<9} {case.summary}" for case in CASES.values())


def choose(words):
    """{name: [row, ...]} of words such as flows:1,1000; no row means all."""
    chosen = {}
    for word in words or CASES:
        name, _, rows = word.partition(":")
        if name not in CASES:
            raise BenchError(f"there is no case '{name}'; there are {', '.join(CASES)}")
        chosen[name] = [row for row in rows.split(",") if row]
    return chosen


def prepare(build, builds_more=False):
    """Installs and builds what is missing; the folder with the programs. `builds_more`: the caller builds as well."""
    folder = os.path.abspath(build or machine.ROOT / "build")
    steps = 'root=$1; folder=$2; source "$root/conf/steps.sh"' + INSTALL
    if builds_more or not build:
        steps += "install_packages build test\n"
    if not build:
        steps += f'targets="{TARGETS}" build_in "$folder" --buildtype=release'
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", steps, "tests/bench/run", str(machine.ROOT), folder],
                          stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode != 0:
        raise BenchError("packages or the build are missing, see above")
    return folder


def run_case(case, setup, options, command):
    # Before the run: what is committed meanwhile is not what was measured.
    facts = machine.facts()
    meanwhile = machine.Meanwhile()
    result = case.run(setup, options)
    facts["meanwhile"] = meanwhile.percent()
    if facts["meanwhile"]["others"] > QUIET_PERCENT:
        result["notes"].append(f"Not a quiet machine: other processes had {facts['meanwhile']['others']:g} % of the CPUs.")
    return {"name": case.name, "summary": case.summary, "command": command, "machine": facts,
            "options": {"rounds": options.rounds, "seconds": options.seconds, "warmup_ms": options.warmup_ms,
                        "restart_every": options.restart_every, "noloss_ms": options.noloss_ms, "virtio": setup.virtio,
                        "queue_size": setup.queue_size or None},
            **result}


def show(result, save, partial):
    print(f"\n## {result['name']}: {result['summary']}\n\n{report.tables(result)}", flush=True)
    if save:
        from . import plot  # needs matplotlib
        plot.draw(report.save(result, partial), report.RESULTS)
        report.write_page(CASES)


def run_all(cases, setup, options, save, command_of):
    """All cases, also after one that failed; how many failed."""
    failed = 0
    for case in cases:
        try:
            show(run_case(case, setup, options, command_of(case)), save, bool(options.rows.get(case.name)))
        except BenchError as error:
            failed += 1
            print(f"\n{case.name}: failed: {error}", file=sys.stderr, flush=True)
        except Exception:  # a mistake in one case must not cost what the others measure
            failed += 1
            print(f"\n{case.name}: failed", file=sys.stderr)
            traceback.print_exc()
    return failed


def command_line(case, args, program="sudo tests/bench/run"):
    """What makes this case's result, without what is as by default."""
    defaults = vars(parser().parse_args([]))
    words = [program, next((word for word in args.names if word.partition(":")[0] == case.name), case.name)]
    for key in ("rounds", "seconds", "warmup_ms", "restart_every", "noloss_ms", "virtio", "queue_size"):
        if getattr(args, key) != defaults[key]:
            words.append(f"--{key.replace('_', '-')} {shlex.quote(str(getattr(args, key)))}")
    return " ".join(words)


def guarded(work):
    """Runs main's work; what is raised on the way out still takes everything down first."""
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    try:
        return work()
    except BenchError as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def main():
    args = parser().parse_args()
    if args.list:
        print(listing())
        return 0
    chosen = choose(args.names)
    machine.check()
    build = prepare(args.build)
    stay_off_the_switch()
    setup = Setup(build, queue_size=args.queue_size, virtio=args.virtio)
    options = Options(args.rounds, args.seconds, args.warmup_ms, args.restart_every, args.noloss_ms, args.smoke, chosen)
    if args.smoke:
        options.rounds, options.seconds, options.warmup_ms = 1, 0.2, 50
    failed = run_all([CASES[name] for name in chosen], setup, options, not (args.no_save or args.smoke),
                     lambda case: command_line(case, args))
    return 1 if failed else 0
