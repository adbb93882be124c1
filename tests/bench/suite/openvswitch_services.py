# SPDX-License-Identifier: Apache-2.0
"""A Service in Open vSwitch as OVN would write it: conntrack and NAT first, a new connection by a group to one of the backends,
and a router's work (MACs, TTL) behind it. Port 1 has the clients, port 2 the backends."""

import ipaddress

from .cluster import BACKEND, BACKENDS, PORT, TARGET_PORT, VIP
from .overlay import GATEWAY_MAC, port_mac
from .podswitch import AGING_SECONDS

MOST_CONNECTIONS = 10000000
CLIENTS, SERVERS = 1, 2
_TRANSLATED = 2  # tables


def _deliver(port):
    return f"mod_dl_src:{GATEWAY_MAC},mod_dl_dst:{port_mac(port - 1)},dec_ttl,output:{port}"


def flows():
    return [f"table=0,priority=10,udp,in_port={CLIENTS},nw_dst={VIP},tp_dst={PORT},actions=ct(table=1,nat)",
            f"table=0,priority=10,udp,in_port={SERVERS},actions=ct(table=1,nat)",
            "table=0,priority=0,actions=drop",
            f"table=1,priority=20,udp,in_port={CLIENTS},ct_state=+trk+new,actions=group:1",
            f"table=1,priority=10,udp,in_port={CLIENTS},ct_state=+trk+est,actions={_deliver(SERVERS)}",
            f"table=1,priority=10,udp,in_port={SERVERS},ct_state=+trk+est,actions={_deliver(CLIENTS)}",
            f"table={_TRANSLATED},udp,actions={_deliver(SERVERS)}"]


def group():
    first = ipaddress.ip_address(BACKEND)
    buckets = (f"bucket=bucket_id:{i},weight:1,actions=ct(commit,nat(dst={first + i}:{TARGET_PORT}),table={_TRANSLATED})"
               for i in range(BACKENDS))
    return "group_id=1,type=select," + ",".join(buckets)


def set_up(ovs, bridge):
    ovs.ofctl("del-flows", bridge)
    ovs.ofctl("add-group", bridge, group())
    for flow in flows():
        ovs.ofctl("add-flow", bridge, flow)
    ovs.appctl("dpctl/ct-set-maxconns", MOST_CONNECTIONS)
    # Nothing may age while the others have their turn.
    # As add-zone-tp would, which wants a datapath in the database.
    times = ",".join(f"{state}={AGING_SECONDS}" for state in ("udp_first", "udp_single", "udp_multiple"))
    ovs.vsctl("--id=@tp", "create", "CT_Timeout_Policy", f"timeouts={{{times}}}", "--", "--id=@zone", "create", "CT_Zone",
              "timeout_policy=@tp", "--", "--id=@dp", "create", "Datapath", "datapath_version=none", "ct_zones={0=@zone}", "--",
              "set", "Open_vSwitch", ".", "datapaths:netdev=@dp")
