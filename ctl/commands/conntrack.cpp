// SPDX-License-Identifier: Apache-2.0
// conntrack list, stats, flush.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ctl/commands/conntrack.h"
#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/text.h"
#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxRows = 10000;  // of one answer: about 4 MB

constexpr std::array<std::pair<std::string_view, uint8_t>, 5> kProtocols{{{"tcp", IPPROTO_TCP},
                                                                          {"udp", IPPROTO_UDP},
                                                                          {"sctp", IPPROTO_SCTP},
                                                                          {"icmp", IPPROTO_ICMP},
                                                                          {"icmpv6", IPPROTO_ICMPV6}}};

std::string protocol_name(uint8_t number) {
  for (const auto& [name, known] : kProtocols)
    if (known == number) return std::string(name);
  return "unknown";
}

uint8_t parse_protocol(std::string_view text) {
  for (const auto& [name, number] : kProtocols)
    if (name == text) return number;
  try {
    return static_cast<uint8_t>(parse_number(text, 0, 255));
  } catch (const Error&) {
    throw Error("",
                fmt::format("'{}' is none of tcp, udp, sctp, icmp, icmpv6, and no number up to 255", text));
  }
}

Prefix parse_addresses(std::string_view text) {
  if (const auto ip = IpAddress::parse(text)) return Prefix::of(*ip);
  return parse_prefix(text);
}

std::string parse_state(std::string_view text) {
  std::string wanted(text);
  for (char& c : wanted) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::vector<std::string_view> names;
  for (const FlowStateInfo& state : kFlowStates) {
    if (&state == kFlowStates.data()) continue;  // of a free record
    if (state.name == wanted) return wanted;
    if (std::find(names.begin(), names.end(), state.name) == names.end()) names.push_back(state.name);
  }
  throw Error("", fmt::format("'{}' is none of {}", text, fmt::join(names, ", ")));
}

bool parse_is_v4(std::string_view text) {
  if (text != "ipv4" && text != "ipv6") throw Error("", fmt::format("'{}' is neither ipv4 nor ipv6", text));
  return text == "ipv4";
}

std::string parse_service(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size())
    throw Error("", fmt::format("'{}' is not NAMESPACE/NAME or NAMESPACE/NAME:PORT", text));
  return std::string(text);
}

// Reads the arguments that are there, and collects what is wrong with them.
class FilterReader {
 public:
  explicit FilterReader(const json& arguments) : arguments_(arguments) {}

  template <typename Field, typename Value>
  void text(const char* name, Field& field, Value (*parse)(std::string_view)) {
    const auto found = arguments_.find(name);
    if (found == arguments_.end()) return;
    try {
      field = parse(found->get_ref<const std::string&>());
    } catch (const Error& error) {
      problems_.push_back({name, error.problems().front().message});
    }
  }
  void port(const char* name, std::optional<uint16_t>& field) {
    const auto found = arguments_.find(name);
    if (found == arguments_.end()) return;
    const auto port = found->get<uint64_t>();
    if (port > 65535)
      problems_.push_back({name, fmt::format("{} is no port: 0 to 65535", port)});
    else
      field = static_cast<uint16_t>(port);
  }
  void finish() {
    if (!problems_.empty()) throw Error(std::move(problems_));
  }

 private:
  const json& arguments_;
  std::vector<Problem> problems_;
};

FlowSlot place_of(const json& arguments) {
  const uint64_t from = arguments.value("from", uint64_t{0});
  if (from > kMaxFlows) throw Error("from", fmt::format("{} is no place: 0 to {}", from, kMaxFlows));
  return static_cast<FlowSlot>(from);
}

json place(FlowSlot next) {
  return next == kNoFlow ? json(nullptr) : json(next);
}

json tuple(const FlowKey& key) {
  json sides{{"src", key.source().to_string()}, {"dst", key.destination().to_string()}};
  if (key.protocol() == IPPROTO_ICMP || key.protocol() == IPPROTO_ICMPV6) {
    sides["id"] = key.source_port();
  } else {
    sides["sport"] = key.source_port();
    sides["dport"] = key.destination_port();
  }
  return sides;
}

}  // namespace

FlowFilter flow_filter(const json& arguments) {
  FlowFilter filter;
  FilterReader reader(arguments);
  reader.text("orig-src", filter.original_source, parse_addresses);
  reader.text("orig-dst", filter.original_destination, parse_addresses);
  reader.text("reply-src", filter.reply_source, parse_addresses);
  reader.text("reply-dst", filter.reply_destination, parse_addresses);
  reader.text("proto", filter.protocol, parse_protocol);
  reader.port("sport", filter.source_port);
  reader.port("dport", filter.destination_port);
  reader.text("state", filter.state, parse_state);
  reader.text("service", filter.service, parse_service);
  reader.text("family", filter.is_v4, parse_is_v4);
  reader.finish();
  return filter;
}

json flow_row(const FlowStatus& flow) {
  const FlowEntry& entry = flow.entry;
  const uint32_t left = entry.timeout_seconds - std::min(entry.timeout_seconds, entry.idle_seconds);
  const uint8_t protocol = entry.original.protocol();
  return {{"protocol", protocol_name(protocol)},
          {"protocol_number", protocol},
          {"timeout_seconds", left},
          {"state", info(entry.state).name},
          {"replied", is_replied(entry.state)},
          {"original", tuple(entry.original)},
          {"reply", tuple(entry.reply)},
          {"service", flow.service.empty() ? json(nullptr) : json(flow.service)}};
}

Answer DaemonCommands::conntrack_list(const Call& call) {
  const uint64_t limit = call.arguments.value("limit", kMaxRows);
  if (limit == 0) throw Error("limit", "0 is out of range: at least 1");
  const FlowPage page = controller_.engine().flows(flow_filter(call.arguments), place_of(call.arguments),
                                                   std::min(limit, kMaxRows));
  json rows = json::array();
  for (const FlowStatus& flow : page.flows) rows.push_back(flow_row(flow));
  return answer({{"flows", std::move(rows)}, {"next", place(page.next)}});
}

Answer DaemonCommands::conntrack_stats(const Call&) {
  const FlowTableStatus status = controller_.engine().status().flows;
  return answer({{"connections", status.in_use},
                 {"capacity", status.capacity},
                 {"begun", status.begun},
                 {"refused", status.refused},
                 {"evicted", status.evicted},
                 {"expired", status.expired},
                 {"ports_changed", status.ports_changed},
                 {"bytes", status.bytes},
                 {"hugepages", status.hugepages},
                 {"file", status.file.empty() ? json(nullptr) : json(status.file)}});
}

Answer DaemonCommands::conntrack_flush(const Call& call) {
  const FlowFilter filter = flow_filter(call.arguments);
  const bool is_all = call.arguments.value("all", false);
  if (filter == FlowFilter{} && !is_all)
    throw Error("all", "missing: without a filter every connection would go");
  if (filter != FlowFilter{} && is_all) throw Error("all", "does not go with a filter");
  const FlowFlush flush = controller_.engine().flush_flows(filter, place_of(call.arguments));
  log::info("uid {} pid {}: conntrack flush, {} connections", call.caller.uid, call.caller.pid,
            flush.removed);
  return answer({{"flushed", flush.removed}, {"next", place(flush.next)}});
}

}  // namespace podswitch
