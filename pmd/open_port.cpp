// SPDX-License-Identifier: Apache-2.0
#include "pmd/port.h"

namespace podswitch {

std::unique_ptr<Port> open_port(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) {
  switch (spec.kind) {
    case PortKind::VhostUser:
      return open_vhost_user(id, spec, host, policy);
    case PortKind::Tap:
      return open_tap(id, spec, host, policy);
    case PortKind::AfPacket:
      return open_af_packet(id, spec, host, policy);
    case PortKind::AfXdp:
    case PortKind::Memif:
    case PortKind::Ethdev:
      return open_ethdev(id, spec, host, policy);
    case PortKind::Bond:
      return open_bond(id, spec, host, policy);
  }
  throw Error("type", "not a port kind");
}

}  // namespace podswitch
