# SPDX-License-Identifier: Apache-2.0
"""Pods of other nodes: into the tunnel and out of it, at full load."""

from .. import overlay
from ..rate import Group, Pair, RateCase, Row
from ..stats import at_least
from ..subject import OVS, PODSWITCH, TESTPMD, Spec

TO_IO = at_least(0.75)
TO_OVS = {1: at_least(1.4), 1000: at_least(1.4), 100000: at_least(2)}


def _specs(network, trials):
    """podswitch in the middle: its trials are adjacent to those of both others."""
    return tuple(Spec(kind, network=None if kind == TESTPMD else network, trial=tuple(trials[kind].items()))
                 for kind in (TESTPMD, PODSWITCH, OVS))


def _row(flows):
    return Row(f"{flows:,}", flows, {**overlay.COMMON, "flows": flows},
               (Pair(PODSWITCH, TESTPMD, "mpps", TO_IO), Pair(PODSWITCH, OVS, "mpps", TO_OVS[flows])))


def _case(name, summary, network, trials, *notes):
    specs = _specs(network, trials)
    return RateCase(name, summary, (Group(specs, tuple(_row(flows) for flows in TO_OVS)),), "flows",
                    notes=(*notes,
                           "The work is not the same: podswitch routes (longest prefix, TTL, guard of the pod's addresses) and "
                           "gives the inner frame other MACs, Open vSwitch bridges it into and out of the tunnel as it is.",
                           "Open vSwitch: NORMAL, all MACs and the gateway's given (fdb/add, tnl/neigh/set), one VXLAN port."),
                    smoke_groups=(Group(specs, (_row(1),)),))


ENCAP = _case(
    "encap", "From a pod to another node's: routed and put into VXLAN, 64-byte frames that leave with 114; vhost-user both sides.",
    overlay.ENCAPSULATE, overlay.INTO, "testpmd io moves the 64-byte frames as they come.")
DECAP = _case(
    "decap", "From another node's pod to a pod: taken out of VXLAN and routed, 114-byte frames that leave with 64; vhost-user both "
    "sides.",
    overlay.DECAPSULATE, overlay.OUT_OF, "testpmd io moves the 114-byte frames as they come.")

CASES = (ENCAP, DECAP)
