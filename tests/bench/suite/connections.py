# SPDX-License-Identifier: Apache-2.0
"""What a switch is to know of connections before a trial, and sees to it: the trial's option `connections`, which the generator
does not have."""

from .process import BenchError

ESTABLISHED = "established"  # each flow has been answered, as UDP is established for conntrack
NEW = "new"  # every packet is a new connection's first, the table is empty
FULL = "full"  # the same, while the table is full

_LESSON_RATE = 150000  # frames a second: who is slow with new connections must not lose any
_LESSONS = 10
_LONGEST_LESSON = 120  # seconds, as the generator's trials
_FILL_SECONDS = 2
_FILLINGS = 60


def prepare(subject, options):
    """Takes the option away; `subject` runs."""
    wanted = options.pop("connections", None)
    if wanted == ESTABLISHED:
        _establish(subject, options)
    elif wanted:
        if wanted == NEW:
            subject.switch.forget_connections()
        elif not subject.is_full:
            _fill(subject, options)
        _take_new_clients(subject, options)


def _take_new_clients(subject, options):
    options["first_client"] = subject.next_client
    subject.next_client += options["flows"]


def _establish(subject, options):
    flows = options["flows"]
    if subject.switch.connections() is None or subject.answered >= flows:
        return
    # Two passes, and longer each time: a machine that stands still loses frames, or makes too few.
    seconds = max(0.1, 2 * flows / _LESSON_RATE)
    for _ in range(_LESSONS):
        result = subject.generator.trial({**options, "pattern": "echo", "rate": _LESSON_RATE, "warmup_ms": 0,
                                          "seconds": min(seconds, _LONGEST_LESSON)})
        if subject.switch.connections() >= flows:
            break
        seconds *= 1.5
    else:
        raise BenchError(f"{subject.name} has {subject.switch.connections()} connections, not {flows}; {result}")
    subject.settle(options)
    subject.answered = flows


def _fill(subject, options):
    before = -1
    for _ in range(_FILLINGS):
        now = subject.switch.connections()
        if now <= before:
            break
        before = now
        _take_new_clients(subject, options)
        subject.generator.trial({**options, "seconds": _FILL_SECONDS, "warmup_ms": 0})
    else:
        raise BenchError(f"{subject.name}: the table is still growing, with {now} connections")
    subject.is_full = True
