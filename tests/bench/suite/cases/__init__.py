# SPDX-License-Identifier: Apache-2.0
"""The cases by name, in the order in which they run."""

from . import bridge, control, nftables, noloss, paths, scale, services, tcp, tunnels, wakeup, workers

CASES = {case.name: case for case in (*bridge.CASES, *tunnels.CASES, noloss.CASE, wakeup.CASE, tcp.CASE, control.CASE, workers.CASE,
                                   paths.CASE, scale.CASE, services.CASE, nftables.CASE)}
