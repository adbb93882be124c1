# SPDX-License-Identifier: Apache-2.0
"""The config file, its flags, and how mistakes are told."""

import os
import subprocess

from harness import traffic
from harness.runner import scenario
from harness.shell import Skip, expect


def write(world, text):
    path = world.path("podswitch.conf")
    with open(path, "w") as file:
        file.write(text)
    return path


def daemon(world, *arguments):
    program = os.path.join(world.build, "ctl", "podswitchd")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)


HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB"


def free_hugepages():
    with open(f"{HUGEPAGES}/free_hugepages") as file:
        return int(file.read())


def reserve_hugepages(world, count):
    """As many more than there are, until the scenario ends."""

    def write(number):
        with open(f"{HUGEPAGES}/nr_hugepages", "w") as file:
            file.write(str(number))

    with open(f"{HUGEPAGES}/nr_hugepages") as file:
        before = int(file.read())
    world.defer(write, before)
    write(before + count)
    if free_hugepages() < count:
        raise Skip(f"the kernel has no {count} free hugepages of 2 MiB")


@scenario(takes=1)
def all_mistakes_at_once(world):
    path = write(world, "[workers]\ncores = 4000\nidle = sometimes\n\n[control]\nsockets = /tmp/x\nmode = 9999\n\n"
                        "[memory]\nhugepages = perhaps\n\n[fdb]\nsize = many\n\n[port.web]\ntype = vhost-usr\n")
    for arguments in (["--config", path], ["--config", path, "--check"]):
        done = daemon(world, *arguments)
        expect(done.returncode == 2, f"exit code {done.returncode}\n{done.stderr}")
        for word in ("4000", "sometimes", "sockets", "9999", "perhaps", "many", "vhost-usr"):
            expect(word in done.stderr, f"`{word}` is not told:\n{done.stderr}")
        for place in (f"{path}:2", f"{path}:3", f"{path}:6", f"{path}:7", f"{path}:10", f"{path}:13"):
            expect(place in done.stderr, f"no {place} in:\n{done.stderr}")


@scenario(takes=1)
def check_starts_nothing(world):
    path = write(world, f"[control]\nsocket = {world.path('c.sock')}\n[state]\ndirectory = {world.path('state')}\n")
    done = daemon(world, "--config", path, "--check")
    expect(done.returncode == 0, f"exit code {done.returncode}\n{done.stderr}")
    expect(not os.path.exists(world.path("c.sock")) and not os.path.exists(world.path("state")), "something was made")


@scenario(takes=1)
def overlapping_cores(world):
    done = daemon(world, "--check", "--workers.cores=1", "--workers.main-core=1", "--memory.hugepages=none")
    both = daemon(world, "--check", "--workers.cores=0,0")
    expect(both.returncode == 2, f"a core twice: exit code {both.returncode}\n{both.stderr}")
    expect(done.returncode == 2, f"main core among the workers': exit code {done.returncode}\n{done.stderr}")


@scenario(takes=1)
def flags_that_are_wrong(world):
    for flag in ("--fdb.size=none", "--no.such=1", "--log.level=loud", "--metrics.listen=here", "--pods.gateway=10.0.0.300"):
        done = daemon(world, flag, "--check")
        expect(done.returncode == 2 and flag.split("=")[0].strip("-") in done.stderr, f"{flag}: {done.returncode} {done.stderr}")


@scenario(takes=2)
def the_printed_default_is_the_default(world):
    text = daemon(world, "--print-config").stdout
    for key in ("socket", "cores", "hugepages", "listen", "aging-seconds"):
        expect(key in text, f"{key} is not in the printed configuration")
    done = daemon(world, "--config", write(world, text), "--check")
    expect(done.returncode == 0, f"the printed configuration is refused:\n{done.stderr}")
    shipped = os.path.join(os.path.dirname(world.build), "conf", "podswitch.conf")
    with open(shipped) as file:
        expect(file.read() == text, f"{shipped} is not what --print-config prints")


@scenario(takes=3)
def the_command_line_wins_and_static_ports_are_there(world):
    path = write(world, "[node]\nname = from-file\n[fdb]\nsize = 4096\n[port.web]\ntype = vhost-user\n"
                        f"path = {world.path('web.sock')}\nip = 10.14.0.1, fd00:e::1\nmac = 02:00:00:00:0e:01\n")
    switch = world.daemon(options={"node.name": "from-flag"}, arguments=["--config", path])
    status = switch.cli("status")
    expect(status["node"] == "from-flag", f"node is {status['node']}")
    expect(status["fdb_capacity"] == 4096, f"capacity is {status['fdb_capacity']}")
    web = switch.cli("port", "show", "web")
    expect(web["ip"] == ["10.14.0.1", "fd00:e::1"], f"web is {web}")


@scenario(takes=2)
def without_hugepages_one_warning(world):
    if free_hugepages():
        raise Skip("this machine has hugepages")
    switch = world.daemon()
    expect(switch.cli("status")["hugepages"] is False, f"status says {switch.cli('status')['hugepages']}")
    warned = [line for line in switch.log().splitlines() if "hugepages" in line and " warning " in line]
    expect(len(warned) == 1, f"warnings: {warned}")


@scenario(takes=2)
def hugepages_that_are_required_and_missing(world):
    if free_hugepages():
        raise Skip("this machine has hugepages")
    done = daemon(world, "--memory.hugepages=required", f"--control.socket={world.path('c.sock')}",
                  f"--state.directory={world.path('state')}", "--metrics.listen=")
    expect(done.returncode != 0 and "hugepages" in done.stderr, f"{done.returncode}: {done.stderr}")


@scenario(takes=2)
def hugepages_are_used_when_there(world):
    reserve_hugepages(world, 128)
    switch = world.daemon(options={"memory.hugepages": "required"})
    expect(switch.cli("status")["hugepages"] is True, "hugepages are not used")
    a = world.tap_pod(switch, "a", ["10.14.0.1/24"])
    world.tap_pod(switch, "b", ["10.14.0.2/24"])
    traffic.ping(a, "10.14.0.2")


@scenario(takes=1)
def help_and_version(world):
    text = daemon(world, "--help").stdout
    for option in ("--workers.cores", "--control.socket", "--metrics.listen", "--config", "--check"):
        expect(option in text, f"{option} is not in the help")
    expect("0.1.0" in daemon(world, "--version").stdout, "no version")
