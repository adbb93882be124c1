# SPDX-License-Identifier: Apache-2.0
"""The other nodes of the cluster: by command, and by Kubernetes' own objects."""

import json
import time

from harness.runner import scenario
from harness.shell import expect

FLANNEL = "flannel.alpha.coreos.com/"


def node(number, **spec):
    """A v1 Node as flanneld leaves it, number 0 to 65535."""
    high, low = divmod(number, 256)
    name = f"node-{number}"
    return {"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "uid": f"uid-{number}", "labels": {"kubernetes.io/hostname": name},
                         "annotations": {FLANNEL + "backend-type": "vxlan", FLANNEL + "kube-subnet-manager": "true",
                                         FLANNEL + "public-ip": f"192.168.{high}.{low}",
                                         FLANNEL + "backend-data":
                                             json.dumps({"VNI": 1, "VtepMAC": f"02:00:00:00:{high:02x}:{low:02x}"})}},
            "spec": {"podCIDR": f"10.{high}.{low}.0/24", "podCIDRs": [f"10.{high}.{low}.0/24", f"fd00:0:{number:x}::/64"],
                     **spec},
            "status": {"addresses": [{"type": "InternalIP", "address": f"192.168.{high}.{low}"}],
                       "images": [{"names": ["registry.example/image"], "sizeBytes": 12345678}] * 20}}


def node_list(nodes):
    # kubectl sorts keys: the kind comes last.
    return json.dumps({"apiVersion": "v1", "items": nodes, "kind": "List", "metadata": {"resourceVersion": ""}})


def names(switch):
    return {row["name"]: row for row in switch.cli("node", "list")}


def differs(switch, text, *words):
    """The rows of diff, and that its exit code agrees."""
    done = switch.cli_raw("-o", "json", "diff", "-f", "-", *words, input=text)
    rows = json.loads(done.stdout)
    expect(done.returncode == (1 if rows else 0), f"diff: exit {done.returncode} with {rows}\n{done.stderr}")
    return {row["name"]: row["change"] for row in rows}


@scenario(takes=1)
def nodes_by_command(world):
    switch = world.daemon()
    added = switch.cli("node", "add", "worker-1", "--vtep", "192.0.2.11", "--vtep", "fd00:2::11", "--vtep-mac",
                       "02:00:00:00:00:11", "--pod-cidr", "10.244.1.0/24,fd00:10:244:1::/64")
    expect(added["changed"] and added["revision"] > 1, f"added: {added}")
    again = switch.cli("node", "add", "worker-1", "--vtep", "fd00:2::11", "--vtep", "192.0.2.11", "--vtep-mac",
                       "02:00:00:00:00:11", "--pod-cidr", "fd00:10:244:1::/64", "--pod-cidr", "10.244.1.0/24")
    expect(not again["changed"] and again["revision"] == added["revision"], f"again: {again}")
    row = names(switch)["worker-1"]
    expect(row["vtep"] == ["192.0.2.11", "fd00:2::11"] and row["source"] == "command" and row["role"] == "remote"
           and row["pod-cidr"] == ["10.244.1.0/24", "fd00:10:244:1::/64"] and row["vtep-mac"] == "02:00:00:00:00:11",
           f"listed: {row}")
    for words, says in ((["b", "--vtep", "192.0.2.11", "--pod-cidr", "10.9.0.0/24"], "vtep: 192.0.2.11 is the VTEP of node"),
                        (["b", "--vtep", "192.0.2.12", "--pod-cidr", "10.244.0.0/16"], "overlaps 10.244.1.0/24"),
                        (["b", "--vtep", "192.0.2.12", "--pod-cidr", "10.9.0.7/24"], "the network is 10.9.0.0/24"),
                        (["b", "--vtep", "192.0.2.12", "--vtep", "192.0.2.13", "--pod-cidr", "10.9.0.0/24"], "vtep[1]:"),
                        (["B", "--vtep", "192.0.2.12", "--pod-cidr", "10.9.0.0/24"], "name: 'B' is no node's name"),
                        (["worker-1", "--vtep", "192.0.2.12", "--pod-cidr", "10.9.0.0/24"], "VTEPs are 192.0.2.11")):
        said = switch.refused("node", "add", *words)
        expect(says in said, f"node add {words} says: {said}")
    expect("did you mean 'worker-1'" in switch.refused("node", "show", "worker-2"), "no suggestion")
    switch.kill()
    switch.start()
    expect(names(switch)["worker-1"] == row, f"after a restart: {names(switch)}")
    switch.cli("delete", "node", "worker-1")
    expect(names(switch) == {} and switch.cli("status")["nodes"] == 0, "it is still there")
    switch.refused("node", "del", "worker-1")


@scenario(takes=2)
def objects_in_every_form(world):
    switch = world.daemon(options={"node.name": "node-1"})
    first, second, third = (node(n) for n in (1, 2, 3))
    expect(switch.cli("apply", "-f", "-", input=json.dumps(first))["added"] == 1, "one JSON object")
    expect(switch.cli("apply", "-f", "-", input=json.dumps(first) + "\n" + json.dumps(second))["added"] == 1, "two JSON objects")
    answer = switch.cli("apply", "-f", "-", input=node_list([first, second, third]))
    expect((answer["added"], answer["unchanged"]) == (1, 2), f"a List: {answer}")
    rows = names(switch)
    expect(rows["node-1"]["role"] == "own" and rows["node-2"]["role"] == "remote", f"roles: {rows}")
    expect(rows["node-2"]["vtep"] == ["192.168.0.2"] and rows["node-2"]["source"] == "kubernetes", f"node-2: {rows['node-2']}")
    yaml = """
apiVersion: v1
kind: Node
metadata:
  name: plain
spec:
  podCIDR: 10.200.0.0/24
status:
  addresses:
  - {type: Hostname, address: plain}
  - type: InternalIP
    address: 192.0.2.77
---
apiVersion: v1
kind: Pod
metadata: {name: web}
---
kind: Port
name: web
type: vhost-user
path: %s
""" % world.path("web.sock")
    done = switch.cli_raw("-o", "json", "apply", "-f", "-", input=yaml)
    expect(done.returncode == 0 and "1 of kind v1 Pod skipped" in done.stderr, f"YAML: {done}")
    answer = json.loads(done.stdout)
    expect(answer["added"] == 2 and answer["skipped"] == {"v1 Pod": 1}, f"YAML: {answer}")
    expect(names(switch)["plain"]["vtep"] == ["192.0.2.77"], "the InternalIP is no VTEP")
    path = world.path("nodes.yaml")
    with open(path, "w") as file:
        file.write(switch.cli_raw("-o", "yaml", "get", "nodes").stdout)
    expect(differs(switch, switch.cli_raw("-o", "json", "get", "nodes").stdout, "--prune=Node") == {}, "JSON is not the same again")
    expect(switch.cli_raw("diff", "-f", path, "--prune", "Node").returncode == 0, "YAML is not the same again")
    expect("node-1" in switch.cli_raw("get", "nodes").stdout, "no table")
    before = switch.cli("get", "nodes")
    switch.kill()
    switch.start()
    expect(switch.cli("get", "nodes") == before, "a restart changed the nodes")


@scenario(takes=2)
def what_is_absent_goes_only_when_asked(world):
    switch = world.daemon()
    switch.cli("node", "add", "by-hand", "--vtep", "192.0.2.1", "--pod-cidr", "10.250.0.0/24")
    switch.cli("apply", "-f", "-", input=node_list([node(n) for n in range(1, 6)]))
    changed = node_list([node(1), node(2, podCIDRs=["10.77.0.0/24"], podCIDR="10.77.0.0/24"), node(9)])
    expect(differs(switch, changed) == {"node-2": "changed", "node-9": "added"}, "diff without prune")
    plan = differs(switch, changed, "--prune=Node")
    expect(plan == {"node-2": "changed", "node-9": "added", "node-3": "deleted", "node-4": "deleted", "node-5": "deleted"},
           f"diff with prune: {plan}")
    before = switch.cli("status")["revision"]
    expect(set(names(switch)) == {"by-hand", *(f"node-{n}" for n in range(1, 6))}, "diff changed something")
    answer = switch.cli("apply", "-f", "-", "--prune=Node", input=changed)
    expect((answer["added"], answer["changed"], answer["deleted"], answer["unchanged"], answer["revision"])
           == (1, 1, 3, 1, before + 1), f"apply: {answer}")
    expect(set(names(switch)) == {"by-hand", "node-1", "node-2", "node-9"}, f"nodes: {set(names(switch))}")
    said = switch.refused("apply", "-f", "-", "--prune=Node", input=node_list([]))
    expect("--allow-empty" in said and "all 3" in said, f"an empty set: {said}")
    expect("did you mean 'Node'" in switch.refused("apply", "-f", "-", "--prune=node", input=changed), "no suggestion")
    switch.cli("apply", "-f", "-", "--prune=Node", "--allow-empty", input=node_list([]))
    expect(set(names(switch)) == {"by-hand"}, f"nodes: {set(names(switch))}")


@scenario(takes=2)
def a_bad_object_changes_nothing(world):
    switch = world.daemon()
    switch.cli("apply", "-f", "-", input=json.dumps(node(1)))
    before = switch.cli("get", "nodes"), switch.cli("status")["revision"]
    bad = node(4, podCIDRs=["10.4.0.1/24"], podCIDR="10.4.0.1/24")
    documents = "\n---\n".join(json.dumps(n) for n in (node(2), node(3), bad))
    clash = node(5, podCIDRs=["10.0.1.128/25"], podCIDR="10.0.1.128/25")
    for text, says in ((node_list([node(2), node(3), node(5), bad]), "items[3].spec.podCIDRs[0]: '10.4.0.1/24'"),
                       (json.dumps(bad), "podswitch: spec.podCIDRs[0]: '10.4.0.1/24'"),
                       (documents, "documents[2].spec.podCIDRs[0]: '10.4.0.1/24'"),
                       (node_list([node(2), clash]), "items[1].spec.podCIDRs[0]: 10.0.1.128/25 overlaps 10.0.1.0/24 of node node-1"),
                       (node_list([node(2), {"spec": {}}]), "items[1].kind: missing"),
                       ("kind: Node\nmetadata:\n  name: a\n   spec: b\n", "standard input, line 4: not YAML"),
                       ('{"kind":"List",\n"items":[{]}', "standard input, line 2: not JSON"),
                       ("", "standard input: there is no object in it")):
        said = switch.refused("apply", "-f", "-", input=text)
        expect(says in said, f"`{says}` is not in: {said}")
        code = switch.cli_raw("diff", "-f", "-", input=text).returncode
        expect(code == 2, f"diff of what would be refused: exit {code}")
        expect((switch.cli("get", "nodes"), switch.cli("status")["revision"]) == before, "something changed")


@scenario(takes=6)
def five_thousand_nodes(world):
    switch = world.daemon()
    text = node_list([node(n) for n in range(1, 5001)])
    began = time.monotonic()
    answer = switch.cli("apply", "-f", "-", input=text)
    world.note(f"5,000 nodes ({len(text) / 1e6:.0f} MB of JSON) applied in {time.monotonic() - began:.2f} s")
    expect(answer["added"] == 5000, f"apply: {answer}")
    began = time.monotonic()
    one = switch.cli("node", "add", "one-more", "--vtep", "192.0.2.1", "--pod-cidr", "172.16.0.0/24")
    world.note(f"one more in {(time.monotonic() - began) * 1e3:.0f} ms, with the start of the CLI")
    expect(one["revision"] == answer["revision"] + 1, f"one more: {one}")
    yaml = switch.cli_raw("-o", "yaml", "get", "nodes").stdout
    began = time.monotonic()
    expect(switch.cli_raw("diff", "-f", "-", "--prune=Node", input=yaml).returncode == 0, "what it says is not what it has")
    world.note(f"the same as YAML compared in {time.monotonic() - began:.2f} s")
    switch.kill()
    switch.start()
    expect(switch.cli("status")["nodes"] == 5001, "nodes were lost by a restart")
