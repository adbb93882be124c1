// SPDX-License-Identifier: Apache-2.0
#include "pmd/offload_status.h"

#include <fmt/format.h>

#include "pmd/flow_offload.h"
#include "pmd/port.h"

namespace podswitch {
namespace {

OffloadStatus row(std::string_view offload, bool in_nic, std::string reason) {
  return {.port = {},
          .offload = std::string(offload),
          .in_nic = in_nic,
          .rules = 0,
          .packets = {},
          .reason = in_nic ? std::string() : std::move(reason)};
}

}  // namespace

std::vector<OffloadStatus> offloads_of(Port& port, net::Encapsulation encapsulation) {
  std::vector<OffloadStatus> rows;
  const std::string_view kind = to_string(port.spec().kind);
  if (const FlowOffload* flows = port.flows()) {
    rows = flows->status();
  } else {
    const std::string reason = fmt::format("ports of kind {} have no rte_flow", kind);
    rows = {row("inner-rss", false, reason), row("unknown-vtep-drop", false, reason)};
  }
  const TxCaps caps = port.tx_caps();
  const std::string reason = port.flows() != nullptr ? "the device does not offer it"
                                                     : fmt::format("ports of kind {} cannot take it", kind);
  rows.push_back(row("tunnel-checksum", caps.tunnel_checksum, reason));
  const bool has_tso = encapsulation == net::Encapsulation::Vxlan ? caps.vxlan_tso : caps.geneve_tso;
  rows.push_back(row("tunnel-tso", has_tso, reason));
  for (OffloadStatus& one : rows) one.port = port.spec().name;
  return rows;
}

}  // namespace podswitch
