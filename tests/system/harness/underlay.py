# SPDX-License-Identifier: Apache-2.0
"""Nodes in an underlay: namespaces that play nodes, on one Ethernet segment, and switches whose uplink is a
node's veth. The node's own stack is behind the host port, as on a real node."""

from .capture import Capture
from .shell import run
from .world import add_port


class Underlay:
    """One segment: a bridge in a namespace of its own."""

    def __init__(self, world, mtu=1500):
        self.world = world
        self.mtu = mtu
        self.space = world.namespace("underlay")
        self.space.ip("link", "add", "br0", "type", "bridge")
        self.space.ip("link", "set", "br0", "mtu", mtu, "up")
        self._next = 0
        self._plugged = []

    def plug(self, name, ifname="nic"):
        """A namespace whose `ifname` is on the segment, without addresses."""
        space = self.world.namespace(name)
        self._next += 1
        outer = f"p{self._next}"
        run("ip", "-n", self.space.name, "link", "add", outer, "mtu", self.mtu, "type", "veth", "peer", "name", ifname,
            "mtu", self.mtu, "netns", space.name)
        self.space.ip("link", "set", outer, "master", "br0", "up")
        space.ip("link", "set", ifname, "up")
        # Frames that a NIC would have finished are finished by who sends them: nothing between two nodes of
        # this segment knows about tunnels.
        space.exec("ethtool", "-K", ifname, "tx-udp_tnl-segmentation", "off", "tx-udp_tnl-csum-segmentation", "off")
        self._plugged.append((space, ifname))
        return space

    def capture(self):
        """What the nodes that are plugged in send from now on, as complete as hardware would send it."""
        for space, ifname in self._plugged:
            space.exec("ethtool", "-K", ifname, "tx", "off", "tso", "off", "gso", "off")
        return Capture(self.world, self.space, "br0")

    def switch_node(self, name, addresses, gateways=(), network="underlay", uplink=None, metrics=False, vlan=None, **options):
        """A daemon whose node has these addresses: an af-packet uplink on its veth, with more options in `uplink`, a host
        port beside it. vlan: the tag that the node's frames have on the segment."""
        space = self.plug(name)
        mac = space.mac("nic")
        # The kernel must not hear everything twice: it has its addresses on the host port.
        space.exec("nft", "add table netdev uplink; add chain netdev uplink block "
                          "{ type filter hook ingress device nic priority 0; policy drop; }")
        space.sysctl("net.ipv6.conf.nic.disable_ipv6", 1)
        switch = self.world.daemon(name, options, metrics=metrics)
        add_port(switch, "uplink", type="af-packet", ifname="nic", netns=space.path, role="uplink", network=network,
                 mac=mac, mtu=self.mtu, underlay=list(addresses), underlay_gateway=list(gateways),
                 **({"trunk": vlan} if vlan else {}), **(uplink or {}))
        add_port(switch, "host", type="tap", ifname="host0", netns=space.path, role="host", network=network, mac=mac,
                 mtu=self.mtu, **({"vlan": vlan} if vlan else {}))
        space.configure("host0", addresses, self.mtu, gateways)
        switch.port_up("uplink")
        switch.host = space
        switch.underlay = self
        return switch

    def kernel_node(self, name, addresses):
        """A node without podswitch."""
        space = self.plug(name)
        space.configure("nic", addresses)
        return space
