# SPDX-License-Identifier: Apache-2.0
"""A subject: one switch with a generator of its own attached. It is stopped (SIGSTOP) except while it is measured."""

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass

from . import connections, machine, openvswitch
from .generator import Generator
from .openvswitch import OpenVSwitch
from .podswitch import Podswitch
from .process import BenchError
from .testpmd import Testpmd


@dataclass(frozen=True)
class Spec:
    """What a case wants. `macs` sizes the tables; `build` is podswitch's, default: the suite's."""
    kind: str
    label: str = ""
    ports: int = 2
    idle: int = 0
    macs: int = 0
    mtu: int = 1500
    build: str = ""
    options: tuple = ()  # pairs, podswitch only
    network: object = None  # an Overlay, for what knows of one
    trial: tuple = ()  # pairs: how this one's traffic differs
    queue_size: int = 1024  # of the generator's rings
    pages: int = 0  # further hugepages

    @property
    def name(self):
        return self.label or self.kind

    @property
    def hugepages(self):
        """Of 2 MiB, for the switch and its generator: measured, with a third on top."""
        return _PAGES[self.kind] + 300 + 20 * self.ports + 4 * self.idle + self.pages


PODSWITCH, TESTPMD, OVS = "podswitch", "testpmd io", "Open vSwitch"

_LESSON_RATE = 1000000  # frames a second
_LESSONS = 20
_PAGES = {PODSWITCH: 120, TESTPMD: 250, OVS: 850}


def fdb_size(macs):
    """For so many on each side, and a quarter more so that the table is never the limit; at least podswitch's default."""
    return max(131072, 5 * macs // 2)


def available(kind):
    return kind != OVS or openvswitch.installed()


@dataclass
class Setup:
    """What is the same for all subjects of a run."""
    build: str
    generator: str = ""
    queue_size: int = 0  # what the user wants instead of the case's; 0: nothing
    virtio: str = ""

    def __post_init__(self):
        self.generator = self.generator or self.program("bench-generator")

    def program(self, name):
        return os.path.join(self.build, "tests/bench", name)


class Subject:
    def __init__(self, spec, setup):
        self.spec = spec
        self.name = spec.name
        self.setup = setup
        self.queue_size = setup.queue_size or spec.queue_size
        self.switch = self.generator = self.folder = None
        self._forget()

    def launch(self):
        """The processes; the switch tries again once a second to reach each of the generator's sockets."""
        self._forget()
        self.folder = tempfile.mkdtemp(prefix="podswitch-bench-")
        sockets = [f"{self.folder}/s{i}" for i in range(self.spec.ports)]
        idle = [f"{self.folder}/i{i}" for i in range(self.spec.idle)]
        self.switch = self._switch(sockets, idle)
        self.switch.start()
        self.generator = Generator(self.setup.generator, self.folder, sockets, idle, self.queue_size, self.setup.virtio)

    def _forget(self):
        self.primed = 1  # MACs
        self.answered = 0  # flows, each of which is a connection
        self.next_client = 0
        self.is_full = False

    def wait_attached(self):
        self.generator.wait_ready(60 + 2 * (self.spec.ports + self.spec.idle))
        self.switch.wait_connected()
        self.switch.pause()

    def _switch(self, sockets, idle):
        spec = self.spec
        if spec.kind == PODSWITCH:
            return Podswitch(self.folder, sockets, idle, spec.build or self.setup.build, fdb_size=fdb_size(spec.macs),
                             mtu=spec.mtu, options=spec.options, network=spec.network)
        if spec.kind == TESTPMD:
            return Testpmd(self.folder, sockets)
        return OpenVSwitch(self.folder, sockets, idle, spec.macs, mtu=spec.mtu, network=spec.network)

    @contextlib.contextmanager
    def running(self):
        """Its turn: it runs inside, and is stopped outside."""
        self.switch.resume()
        try:
            yield self
        finally:
            self.switch.pause()

    def trial(self, options, disturber=contextlib.nullcontext()):
        """One trial while nobody else runs; the generator's result with the switch's own cycles per packet."""
        options = {**options, **dict(self.spec.trial)}
        with self.running():
            self._prime(options)
            connections.prepare(self, options)
            with disturber:
                self.switch.reset_counters()
                result = self.generator.trial(options)
                own = self.switch.cycles_per_packet()
        figures = derived(result)
        del result["trial"]  # the row has it
        return {"subject": self.name, **result, "own_cycles": own, **figures}

    def _prime(self, options):
        """Before the first trial with many MACs: both sides send until the switch has learned all of them, as one that
        knows the receiver only by name would flood; then the trial's own traffic, until it gets no faster."""
        macs = options.get("macs", 1)
        if macs in (1, self.primed):
            return
        lesson = {"pattern": "two-way", "flows": macs, "macs": macs, "rate": _LESSON_RATE, "warmup_ms": 0,
                  "seconds": max(0.05, 2 * macs / _LESSON_RATE)}
        for _ in range(_LESSONS):
            self.generator.trial(lesson)
            if self.switch.knows(2 * macs):
                break
        else:
            raise BenchError(f"{self.name} has not learned {2 * macs} addresses")
        self.settle(options)
        self.primed = macs

    def settle(self, options):
        """The trial's traffic until it gets no faster."""
        rates = []
        while len(rates) < 3 or rates[-1] > 1.2 * rates[-2]:
            rates.append(self.generator.trial({**options, "seconds": 1})["rate_received"])

    def stop(self):
        for part in (self.generator, self.switch):
            if part:
                part.stop()
        self.generator = self.switch = None
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None


def derived(result):
    """What a trial's result means for a switch that works all the time."""
    arrived = result["rate_received"]
    switched = arrived
    if result["trial"]["pattern"] == "echo":
        # There and back; a frame that found no room for the way back was switched once.
        switched = 2 * arrived + result["echo_refused"] / result["seconds"]
    return {"mpps": arrived / 1e6, "gbps": result["bits_received"] / 1e9,
            "cycles": result["tsc_hz"] / switched if switched else None}
