# SPDX-License-Identifier: Apache-2.0
"""Trials in rounds: each subject once, one right after the other, in an order that alternates, so that a drift of
the machine favours nobody and the two trials of a ratio are adjacent."""

import contextlib

from .subject import Subject


@contextlib.contextmanager
def attached(specs, setup):
    """All subjects, started and stopped (SIGSTOP); killed at the end, whatever happens."""
    subjects = [Subject(spec, setup) for spec in specs]
    try:
        for subject in subjects:
            subject.launch()
        for subject in subjects:
            subject.wait_attached()
        yield subjects
    finally:
        # One that cannot be ended must not keep the others alive.
        with contextlib.ExitStack() as stack:
            for subject in subjects:
                stack.callback(subject.stop)


def blocks(rounds, restart_every):
    """Numbers of the rounds, in groups between which everything is started anew: one placement in memory must not
    decide."""
    step = restart_every or rounds
    return [range(first, min(first + step, rounds)) for first in range(0, rounds, step)]


def in_turn(participants, number):
    """The one that others are compared with stands in the middle, so that it has two neighbours."""
    return participants if number % 2 == 0 else participants[::-1]


def one_round(participants, number, trial):
    """{name: result}"""
    return {one.name: trial(one) for one in in_turn(participants, number)}
