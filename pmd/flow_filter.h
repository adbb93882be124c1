// SPDX-License-Identifier: Apache-2.0
// Which flows a listing or a flush is about. Plain values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lb/flow_table.h"
#include "switch/net/prefix.h"

namespace podswitch {

struct FlowFilter {  // an empty field matches all
  std::optional<Prefix> original_source, original_destination;
  std::optional<Prefix> reply_source, reply_destination;
  std::optional<uint8_t> protocol;
  std::optional<uint16_t> source_port, destination_port;  // of the original; none of a ping's
  std::optional<bool> is_v4;
  std::string state;    // FlowStateInfo::name
  std::string service;  // NAMESPACE/NAME, with or without :PORT

  // Whatever the service.
  bool matches(const FlowEntry& flow) const;
  // `name`: the flow's service port, NAMESPACE/NAME:NAME-OF-PORT. A port may be said by its number.
  bool matches_service(const std::string& name, const FlowEntry& flow) const;
  friend bool operator==(const FlowFilter&, const FlowFilter&) = default;
};

}  // namespace podswitch
