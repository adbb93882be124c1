# SPDX-License-Identifier: Apache-2.0
"""Running commands, waiting for things, and the two ways in which a scenario ends early."""

import shlex
import subprocess
import time


class Failure(Exception):
    """Something was not as the scenario says."""


class Skip(Exception):
    """This machine cannot show it; the reason is printed."""


def run(*command, check=True, timeout=60, input=None):
    """Runs to the end; the result has returncode, stdout and stderr as text."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, input=input,
                              stdin=subprocess.DEVNULL if input is None else None)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"`{shlex.join(words)}` took longer than {timeout} s\n{error.stdout or ''}") from None
    if check and done.returncode != 0:
        raise Failure(f"`{shlex.join(words)}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def expect(condition, message):
    if not condition:
        raise Failure(message() if callable(message) else message)


def eventually(what, question, timeout=10, pause=0.05):
    """Asks until the answer is true, and returns it. Failures of the question count as "not yet"."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            answer = question()
            if answer:
                return answer
            last = answer
        except (Failure, OSError, KeyError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise Failure(f"not within {timeout} s: {what} (last: {last})")
        time.sleep(pause)


def stop_process(process, grace=5):
    """Ends a process that we started, politely first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
