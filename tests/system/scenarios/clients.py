# SPDX-License-Identifier: Apache-2.0
"""Clients of the control socket that are slow, silent, or send garbage."""

import json
import os
import socket
import threading

from harness import traffic
from harness.daemon import Client
from harness.runner import scenario
from harness.shell import eventually, expect


def raw(switch):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect(switch.control)
    return client


@scenario(takes=2)
def the_first_message_names_the_protocol(world):
    switch = world.daemon()
    greeting = switch.greeting()
    expect(greeting["protocol"] == 1 and "podswitch" in greeting, f"greeting is {greeting}")


@scenario(takes=6)
def nobody_is_harmed_by_bad_clients(world):
    switch = world.daemon()
    a = world.tap_pod(switch, "a", ["10.13.0.1/24"])
    b = world.tap_pod(switch, "b", ["10.13.0.2/24"])
    stream = world.stream(a, b, "10.13.0.2")
    silent = [raw(switch) for _ in range(20)]
    slow = raw(switch)
    slow.sendall(b'{"id": 1, "comm')
    for garbage in (os.urandom(100_000), b"\n" * 10_000, b"{" * 100_000 + b"\n", b'{"id":1}\n', b"[1,2]\n", b"null\n",
                    b'{"id":1,"command":"port add","args":[]}\n', b'{"id":1,"command":7}\n', b'"' + b"\\" * 999 + b"\n",
                    b'{"id":1,"command":"port add","args":{"name":{"a":1},"type":3,"ip":7}}\n', b"\0\n",
                    b'{"id":1,"command":"\xff\xfe"}\n'):
        client = raw(switch)
        try:
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except OSError:
            pass  # it may hang up on us
        client.close()
        expect(switch.cli("status")["ports"] == 2, f"no answer after {garbage[:40]!r}")
    # Someone who asks and never reads.
    deaf = raw(switch)
    deaf.setblocking(False)
    try:
        for _ in range(100_000):
            deaf.send(b'{"id":1,"command":"port list"}\n')
    except OSError:
        pass
    expect(switch.cli("status")["ports"] == 2, "no answer beside a client that never reads")
    slow.sendall(b'and": "status"}\n')
    lines = slow.makefile("rb")
    lines.readline()
    expect(json.loads(lines.readline())["ok"], "the slow client got no answer")
    for client in (*silent, slow, deaf):
        client.close()
    stream.stop()
    expect(stream.lost == 0, f"{stream.lost} of {stream.sent} datagrams lost meanwhile")


@scenario(takes=2)
def an_object_that_is_too_big_is_refused(world):
    switch = world.daemon()
    with switch.connect() as client:
        try:
            client.socket.sendall(b'{"id":1,"object":{"kind":"Port","name":"' + b"x" * (5 << 20) + b'"}}\n')
            answer = client.read()
            expect(not answer["ok"], f"it was taken: {answer}")
        except Exception as error:
            expect(isinstance(error, (OSError,)) or "closed" in str(error), f"{error}")
    switch.cli("status")


@scenario(takes=2)
def several_at_once(world):
    switch = world.daemon()
    wrong = []

    def add(number):
        try:
            with switch.connect() as client:
                for step in range(5):
                    answer = client.ask("port add", name=f"p{number}-{step}", type="vhost-user",
                                        path=world.path(f"{number}-{step}.sock"))
                    if not answer["ok"]:
                        wrong.append(answer)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not wrong, f"{wrong}")
    expect(switch.cli("status")["ports"] == 40, "not all were added")


@scenario(takes=3)
def a_streamed_transaction(world):
    switch = world.daemon()
    with switch.connect() as client:
        client.send({"id": 1, "command": "begin"})
        expect(client.read()["ok"], "begin is refused")
        for number in range(100):
            client.send({"id": 2 + number, "object": {"kind": "Port", "name": f"p{number}", "type": "vhost-user",
                                                      "path": world.path(f"{number}.sock")}})
        with Client(switch.control) as other:
            expect(other.ask("status")["result"]["ports"] == 0, "ports are there before the commit")
        client.send({"id": 200, "command": "commit"})
        answer = client.read()
        expect(answer["id"] == 200 and answer["ok"], f"commit says {answer}")
    expect(switch.cli("status")["ports"] == 100, "not all are there")
    with switch.connect() as client:
        client.send({"id": 1, "command": "begin"})
        client.read()
        client.send({"id": 2, "object": {"kind": "Port", "name": "late", "type": "vhost-user", "path": world.path("l.sock")}})
    # Its client went away without a commit.
    eventually("the daemon answers", lambda: switch.cli("status")["ports"] == 100)


@scenario(takes=2)
def the_callers_uid_is_logged(world):
    switch = world.daemon()
    switch.cli("port", "add", "web", "--type", "vhost-user", "--path", world.path("web.sock"))
    line = [line for line in switch.log().splitlines() if "web" in line and "uid" in line]
    expect(line, "no line of the log names the port and a uid")
