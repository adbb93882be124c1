# SPDX-License-Identifier: Apache-2.0
"""Connections to Services outlive what changes around them: endpoints, and the switch itself."""

import collections
import itertools
import os
import socket
import threading
import time

from harness.runner import scenario
from harness.services import TcpServer, UdpServer, apply, ask, connect, curl, serve, slices
from harness.shell import eventually, expect
from scenarios.services import VIPS, VIP4, WEB, addresses, all_addresses, node, web

CONNECTIONS = 10000
CLIENTS = 4
LONG_LIVED = 8


class ShortConnections:
    """HTTP requests of one connection each, by several threads, until there were so many."""

    def __init__(self, client, count):
        self._client = client
        self._count = itertools.count()
        self._wanted = count
        self.answers = collections.Counter()
        self.failures = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def are_done(self):
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self):
        while (number := next(self._count)) < self._wanted and len(self.failures) < 10:
            vip = VIPS[number % 2]
            try:
                with connect(self._client, vip, 80) as one:
                    one.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    page = b""
                    while piece := one.recv(4096):
                        page += piece
                self.answers[page.rpartition(b"\n")[2].decode()] += 1
            except OSError as error:
                self.failures.append(f"number {number} to {vip}: {error!r}")


@scenario(takes=40)
def ten_thousand_connections_while_endpoints_change(world):
    switch, client, backends = node(world, 4)
    web(world, switch, backends)
    everybody = all_addresses(backends)
    old = [connect(client, VIPS[i % 2], 80) for i in range(LONG_LIVED)]
    owners = [ask(one, "who?").split()[0] for one in old]
    short = ShortConnections(client, CONNECTIONS)
    changes = 0
    for gone in itertools.cycle(range(4)):
        left = [address for address in everybody if address not in addresses(11 + gone)]
        for endpoints in (left, everybody):
            apply(switch, *slices("web", endpoints, WEB))
            changes += 1
            for one, owner in zip(old, owners):
                said = ask(one, "still?")
                expect(said.startswith(f"{owner} "), f"after {changes} changes {owner}'s connection says {said!r}")
        if short.are_done():
            break
    expect(not short.failures, lambda: f"{len(short.failures)} of {sum(short.answers.values())} failed: {short.failures}")
    expect(sum(short.answers.values()) == CONNECTIONS and set(short.answers) == {"b1", "b2", "b3", "b4"}, f"answers: {short.answers}")
    world.note(f"{CONNECTIONS} connections during {changes} changes of the endpoints")
    for one in old:
        one.close()


@scenario(takes=3)
def who_is_removed_keeps_its_connections(world):
    switch, client, backends = node(world, 2)
    web(world, switch, backends)
    old = [connect(client, VIP4, 80) for _ in range(20)]
    owners = {ask(one, "who?").split()[0] for one in old}
    expect(owners == {"b1", "b2"}, f"owners: {owners}")
    apply(switch, *slices("web", addresses(11), WEB))
    expect({curl(client, vip) for vip in VIPS * 20} == {"b1"}, "a new connection went to b2")
    expect({ask(one, "still?").split()[0] for one in old} == owners, "b2's connections are gone")


@scenario(takes=3)
def conntrack_lists_and_flushes(world):
    switch, client, (backend,) = node(world, 1)
    web(world, switch, [backend])
    with connect(client, VIP4, 80, from_port=4001) as one, connect(client, VIP4, 80, from_port=4002) as other:
        for conversation in (one, other):
            ask(conversation, "hello")
        rows = switch.cli("conntrack", "list", "--sport", 4001)
        expect(len(rows) == 1, f"listed: {rows}")
        row = rows[0]
        expect((row["protocol"], row["state"]) == ("tcp", "ESTABLISHED") and row["service"].startswith("default/web"), f"listed: {row}")
        expect(row["original"] == {"src": addresses(1)[0], "dst": VIP4, "sport": 4001, "dport": 80}, f"listed: {row}")
        expect(row["reply"] == {"src": addresses(11)[0], "dst": addresses(1)[0], "sport": 8080, "dport": 4001}, f"listed: {row}")
        before = switch.cli("conntrack", "stats")["connections"]
        flushed = switch.cli("conntrack", "flush", "--sport", 4001)
        expect(flushed["flushed"] == 1 and switch.cli("conntrack", "stats")["connections"] == before - 1, f"flushed: {flushed}")
        expect(ask(other, "still?") == "b1 still?", "another flow went as well")
        one.sendall(b"anybody?")
        eventually("its segments are dropped", lambda: switch.dropped("service_no_connection", "client") > 0)


@scenario(takes=3)
def connections_are_counted_by_service(world):
    switch, client, backends = node(world, 2)
    web(world, switch, backends)
    apply(switch, *slices("web", all_addresses(backends), WEB))
    for _ in range(5):
        curl(client, VIP4)
    row = eventually("the service is listed", lambda: next(
        row for row in switch.cli("service", "list") if (row["namespace"], row["name"]) == ("default", "web")))
    expect(row["vips"] == VIPS and row["ready_endpoints"] == row["endpoints"] == 4, f"listed: {row}")
    expect(row["packets"] >= 5 * 5, f"listed: {row}")
    shown = switch.cli("service", "show", "default/web")
    wanted = {f"[{ip}]:8080" if ":" in ip else f"{ip}:8080" for ip in all_addresses(backends)}
    expect({one["endpoint"] for one in shown} == wanted, f"shown: {shown}")


def flow_file(world):
    """Where memory outlives a process."""
    path = f"/dev/shm/{world.prefix}-flows"
    world.defer(lambda: os.path.exists(path) and os.unlink(path))
    return path


def expect_to_go_on(world, interrupt):
    """TCP and UDP conversations with several backends go on where they were, and new ones are made."""
    switch, client, backends = node(world, 3, **{"flows.file": flow_file(world)})
    web(world, switch, backends)
    for i, one in enumerate(backends):
        UdpServer(world, one, f"b{i + 1}", addresses(11 + i), 8080)
    serve(switch, "web", VIPS, all_addresses(backends), WEB, ("UDP", 80, 8080))
    conversations = [connect(client, VIPS[i % 2], 80, kind) for i in range(10) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    owners = [ask(one, "who?").split()[0] for one in conversations]
    interrupt(switch)
    # Without the state the services' changes would have moved some.
    apply(switch, *slices("web", all_addresses(backends)[:2], WEB, ("UDP", 80, 8080)))
    for one, owner in zip(conversations, owners):
        expect(ask(one, "still?").startswith(f"{owner} "), f"{owner}'s conversation went elsewhere")
    expect(curl(client, VIP4) == "b1", "no new connection")
    for one in conversations:
        one.close()


@scenario(takes=5)
def connections_survive_a_restart(world):
    expect_to_go_on(world, lambda switch: switch.restart())


@scenario(takes=5)
def connections_survive_a_crash(world):
    def crash(switch):
        switch.kill()
        time.sleep(0.2)
        switch.start()

    expect_to_go_on(world, crash)
