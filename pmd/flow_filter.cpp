// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_filter.h"

#include <netinet/in.h>

namespace podswitch {
namespace {

bool holds(const std::optional<Prefix>& prefix, const IpAddress& ip) {
  return !prefix || prefix->contains(ip);
}

}  // namespace

bool FlowFilter::matches(const FlowEntry& flow) const {
  const FlowKey& key = flow.original;
  if (protocol && *protocol != key.protocol()) return false;
  if (is_v4 && *is_v4 == key.is_v6()) return false;
  if (!state.empty() && state != info(flow.state).name) return false;
  const bool has_ports = key.protocol() != IPPROTO_ICMP && key.protocol() != IPPROTO_ICMPV6;
  if (source_port && (!has_ports || *source_port != key.source_port())) return false;
  if (destination_port && (!has_ports || *destination_port != key.destination_port())) return false;
  return holds(original_source, key.source()) && holds(original_destination, key.destination()) &&
         holds(reply_source, flow.reply.source()) && holds(reply_destination, flow.reply.destination());
}

bool FlowFilter::matches_service(const std::string& name, const FlowEntry& flow) const {
  if (service.empty() || name == service || name.starts_with(service + ":")) return true;
  if (name.empty()) return false;
  return service == name.substr(0, name.find(':')) + ":" + std::to_string(flow.original.destination_port());
}

}  // namespace podswitch
