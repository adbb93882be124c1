# SPDX-License-Identifier: Apache-2.0
"""The command line as a person uses it: tables, help, exit codes, completion."""

import os
import subprocess

from harness import traffic
from harness.runner import scenario
from harness.shell import eventually, expect
from harness.world import add_port


@scenario(takes=2)
def tables(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "web-0", ["10.17.0.1/24"])
    world.tap_pod(switch, "db-0", ["10.17.0.2/24"])
    traffic.ping(a, "10.17.0.2")
    for words, shown in ((["port", "list"], ["web-0", "db-0", "tap", "up"]), (["status"], ["0.1.0"]),
                         (["port", "show", "web-0"], ["10.17.0.1"]), (["fdb", "list"], [a.mac()]),
                         (["worker", "list"], ["web-0:0"]), (["stats"], ["web-0"]), (["drops", "--all"], ["guard_mac"]),
                         (["version"], ["0.1.0"]), (["log", "level"], ["info"])):
        done = switch.cli_raw(*words)
        expect(done.returncode == 0, f"podswitch {' '.join(words)}: {done.returncode} {done.stderr}")
        for word in shown:
            expect(word in done.stdout, f"podswitch {' '.join(words)} does not show {word}:\n{done.stdout}")


@scenario(takes=2)
def exit_codes(world):
    switch = world.daemon()
    for words, code in ((["status"], 0), (["port", "show", "nobody"], 1), (["port", "del", "nobody"], 1), (["port", "ad"], 2),
                        (["port", "add", "x", "--typ", "tap"], 2), (["port", "add", "--help"], 0), (["--help"], 0), ([], 2),
                        (["port", "add", "x", "--type", "tap", "--ifname", "waytoolonganinterfacename"], 1),
                        (["port", "add", "bad name", "--type", "vhost-user", "--path", "/x"], 1)):
        done = switch.cli_raw(*words)
        expect(done.returncode == code, f"podswitch {words}: {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        expect(code == 0 or done.stderr.strip(), f"podswitch {words} says nothing")
    switch.stop()
    expect(switch.cli_raw("status").returncode == 3, "no daemon is not 3")


@scenario(takes=2)
def messages_say_what_would_be_right(world):
    switch = world.daemon()
    for options, words in ((["--type", "vhost-user", "--path", "/" + "x" * 107], ["107"]),
                           (["--type", "vhost-user", "--path", "/x", "--mtu", "9001"], ["9000"]),
                           (["--type", "vhost-user", "--path", "/x", "--mac", "01:00:00:00:00:00"], ["mac"]),
                           (["--type", "vhost-user", "--path", "/x", "--ip", "10.0.0.300"], ["10.0.0.300"]),
                           (["--type", "tap"], ["ifname"]),
                           (["--type", "tap", "--ifname", "t0", "--netns", "/run/netns/none"], ["/run/netns/none"]),
                           (["--type", "af-packet", "--ifname", "none0"], ["none0"]),
                           (["--type", "ethdev", "--device", "0000:ff:1f.7"], ["0000:ff:1f.7"])):
        said = switch.refused("port", "add", "x", *options)
        for word in words:
            expect(word in said, f"`{word}` is not in: {said}")
    expect(switch.cli("port", "list") == [], "a refused port is there")


@scenario(takes=3)
def an_ethdev_port(world):
    switch = world.daemon()
    add_port(switch, "null", type="ethdev", device="net_null_x,copy=1", allow_spoofing=True)
    switch.port_up("null")
    switch.cli("port", "del", "null")
    add_port(switch, "null", type="ethdev", device="net_null_x,copy=1", allow_spoofing=True)


@scenario(takes=3)
def rates(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.17.0.1/24"])
    world.tap_pod(switch, "b", ["10.17.0.2/24"])
    watch = subprocess.Popen([switch.client, "--socket", switch.control, "-o", "json", "stats", "a", "--watch", "--interval", "1"],
                             stdout=subprocess.PIPE, text=True)
    traffic.ping(a, "10.17.0.2", count=15)
    watch.stdout.readline()
    line = watch.stdout.readline()
    watch.terminate()
    watch.wait()
    watch.stdout.close()
    expect("rx_packets_per_second" in line, f"the second line is {line}")


@scenario(takes=2)
def the_log_level_changes(world):
    switch = world.daemon()
    switch.cli("log", "level", "debug")
    expect("debug" in switch.cli_raw("log", "level").stdout, "the level is not debug")
    expect(switch.cli_raw("log", "level", "loud").returncode in (1, 2), "a level `loud` is taken")


@scenario(takes=3)
def completion(world):
    """conf/podswitch.bash-completion, sourced by a real bash, asked as the Tab key would."""
    switch = world.daemon()
    add_port(switch, "web", type="vhost-user", path=world.path("w.sock"))
    script = os.path.join(os.path.dirname(world.build), "conf", "podswitch.bash-completion")

    def complete(*words):
        line = " ".join(words)
        program = (f'source {script}; PATH={os.path.dirname(switch.client)}:$PATH; COMP_WORDS=({" ".join(repr(w) for w in words)}); '
                   f'COMP_CWORD={len(words) - 1}; COMP_LINE={line!r}; COMP_POINT={len(line)}; '
                   'f=$(complete -p podswitch | sed -E "s/.*-F ([^ ]+).*/\\1/"); $f; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, timeout=20)
        return [word.strip() for word in done.stdout.split("\n")]

    for words, offered in ((("podswitch", "po"), "port"), (("podswitch", "port", "a"), "add"), (("podswitch", "worker", ""), "assign"),
                           (("podswitch", "port", "add", "x", "--ty"), "--type"),
                           (("podswitch", "--socket", switch.control, "port", "show", "w"), "web")):
        got = complete(*words)
        expect(offered in got, f"`{' '.join(words)}` offers {got}, not {offered}")
    eventually("the daemon is still there", lambda: switch.cli("status"))
