# SPDX-License-Identifier: Apache-2.0
"""/metrics, read by Prometheus' own tools, and the same numbers as the CLI's."""

import json
import subprocess
import urllib.parse
import urllib.request

from harness import traffic
from harness.daemon import free_port, parse_metrics
from harness.runner import scenario
from harness.shell import eventually, expect, run, stop_process


def busy_switch(world):
    switch = world.daemon(options={"pods.gateway": "10.16.0.254"}, metrics=True)
    a = world.tap_pod(switch, "a", ["10.16.0.1/24"])
    world.tap_pod(switch, "b", ["10.16.0.2/24"])
    traffic.ping(a, "10.16.0.2", count=5)
    wire = traffic.Wire(a)
    wire.send(b"\xff" * 12 + b"\x08\x00" + b"x" * 50)  # a group address as source: dropped
    wire.close()
    eventually("the drop is counted", lambda: switch.dropped("source_mac_invalid", "a") == 1)
    return switch


@scenario(takes=3)
def promtool_finds_nothing_wrong(world):
    promtool = world.need("promtool", "prometheus")
    switch = busy_switch(world)
    done = run(promtool, "check", "metrics", input=switch.metrics(), check=False)
    expect(done.returncode == 0 and not done.stderr.strip(), f"promtool: {done.stdout}{done.stderr}")


@scenario(takes=3)
def curl_reads_it(world):
    curl = world.need("curl", "curl")
    switch = busy_switch(world)
    done = run(curl, "-sSf", "-D", "-", f"http://127.0.0.1:{switch.metrics_port}/metrics")
    expect("text/plain" in done.stdout and "podswitch_build_info{" in done.stdout, done.stdout[:2000])


@scenario(takes=3)
def the_numbers_are_the_clis(world):
    switch = busy_switch(world)
    # Nothing moves any more: link-local chatter of the pods is over when two readings agree.
    ports, values = eventually("two readings agree", lambda: _stable(switch), timeout=20)
    for port in ports:
        labels = (("network", "default"), ("port", port["name"]))
        for key, metric in (("rx_packets", "port_receive_packets_total"), ("rx_bytes", "port_receive_bytes_total"),
                            ("tx_packets", "port_transmit_packets_total"), ("tx_bytes", "port_transmit_bytes_total"),
                            ("rx_errors", "port_receive_errors_total"), ("tx_errors", "port_transmit_errors_total")):
            got = values.get((f"podswitch_{metric}", labels))
            expect(got == port[key], f"{metric} of {port['name']}: {got}, the CLI says {port[key]}")
    for (reason, port), count in switch.drops().items():
        found = [v for (name, labels), v in values.items()
                 if name in ("podswitch_drops_total", "podswitch_notes_total") and ("reason", reason) in labels and ("port", port) in labels]
        expect(found == [count], f"{reason} on {port}: metrics say {found}, the CLI {count}")
    status = switch.cli("status")
    for metric, key in (("fdb_entries", "fdb_size"), ("fdb_capacity", "fdb_capacity"), ("revision", "revision"),
                        ("buffers", "buffers")):
        expect(values[f"podswitch_{metric}", ()] == status[key], f"{metric}: {values[f'podswitch_{metric}', ()]} and {status[key]}")
    names = {name for name, _ in values}
    for name in ("worker_busy_seconds_total", "worker_idle_seconds_total", "worker_packets_total", "worker_bursts_total",
                 "port_up", "port_state_changes_total", "build_info", "start_time_seconds", "buffers_in_use"):
        expect(f"podswitch_{name}" in names, f"podswitch_{name} is missing")


def _stable(switch):
    before = switch.cli("port", "list")
    values = parse_metrics(switch.metrics())
    return (before, values) if switch.cli("port", "list") == before else None


@scenario(takes=2)
def metrics_can_be_off(world):
    switch = world.daemon()
    switch.cli("status")
    listening = [line for line in run("ss", "-Hltnp").stdout.splitlines() if f"pid={switch.pid}," in line]
    expect(not listening, f"it listens: {listening}")


@scenario(takes=8)
def prometheus_scrapes_it(world):
    prometheus = world.need("prometheus", "prometheus")
    switch = busy_switch(world)
    port = free_port()
    config = world.path("prometheus.yml")
    with open(config, "w") as file:
        file.write("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: podswitch\n  static_configs:\n"
                   f"  - targets: ['127.0.0.1:{switch.metrics_port}']\n")
    with open(world.path("prometheus.log"), "w") as log:
        process = subprocess.Popen([prometheus, f"--config.file={config}", f"--storage.tsdb.path={world.path('tsdb')}",
                                    f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    world.defer(stop_process, process)

    def asked(query):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["data"]["result"]

    result = eventually("Prometheus knows the port",
                        lambda: asked('podswitch_port_receive_packets_total{port="a"}'), timeout=30, pause=0.3)
    expect(float(result[0]["value"][1]) > 0, f"it has {result}")
    expect(asked("up")[0]["value"][1] == "1", "the target is not up")
