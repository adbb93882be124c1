// SPDX-License-Identifier: Apache-2.0
#include "ctl/flow_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>
#include <vector>

#include "ctl/text.h"
#include "lb/flow_state.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

constexpr uint32_t kMaxTimeoutSeconds = 7 * 86400;

void set_capacity(Config& config, std::string_view text) {
  config.flows.capacity = static_cast<uint32_t>(parse_number(text, kMinFlows, kMaxFlows));
}

void set_file(Config& config, std::string_view text) {
  const bool is_path = !text.empty() && text.front() == '/';
  if (text != "auto" && text != "none" && !is_path)
    throw Error("", fmt::format("'{}' is neither auto nor none nor an absolute path", text));
  config.flows.chooses_file = text == "auto";
  config.flows.file = is_path ? text : "";
}

// Of all states that share the key of this one.
template <size_t State>
void set_timeout(Config& config, std::string_view text) {
  const auto seconds = static_cast<uint32_t>(parse_number(text, 1, kMaxTimeoutSeconds));
  for (size_t i = 0; i < kFlowStateCount; ++i)
    if (kFlowStates[i].timeout_key == kFlowStates[State].timeout_key) config.flows.timeouts[i] = seconds;
}

using Setter = decltype(Option::set);
template <size_t... States>
constexpr std::array<Setter, sizeof...(States)> timeout_setters(std::index_sequence<States...>) {
  return {set_timeout<States>...};
}
constexpr auto kTimeoutSetters = timeout_setters(std::make_index_sequence<kFlowStateCount>());

// The first state with its key; that of free records has none.
bool is_first_of_key(size_t state) {
  const auto* const at = &kFlowStates[state];
  return at->default_seconds != 0 && std::none_of(kFlowStates.begin(), at, [&](const FlowStateInfo& other) {
           return other.timeout_key == at->timeout_key;
         });
}

std::string states_of(std::string_view key) {
  std::vector<std::string_view> names;
  for (const FlowStateInfo& state : kFlowStates)
    if (state.timeout_key == key && std::find(names.begin(), names.end(), state.name) == names.end())
      names.push_back(state.name);
  return fmt::format("{}", fmt::join(names, " or "));
}

struct TimeoutText {
  std::string key, value, help;
};

// "tcp-syn-sent": its protocol is TCP.
TimeoutText timeout_text(const FlowStateInfo& state) {
  std::string protocol(state.timeout_key.substr(0, state.timeout_key.find('-')));
  for (char& c : protocol) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return {fmt::format("flows.timeout-{}", state.timeout_key), std::to_string(state.default_seconds),
          fmt::format("{}: silent seconds after which a connection in {} is forgotten, 1 to {}.{}", protocol,
                      states_of(state.timeout_key), kMaxTimeoutSeconds,
                      state.timeout_key == "icmp" ? " Of pings that are masqueraded: none are as yet." : "")};
}

std::vector<Option> make_options() {
  std::vector<Option> rows{
      {.key = "flows.capacity",
       .value_name = "N",
       .default_text = "1000000",
       .default_note = "",
       .help =
           "Connections the switch can know at a time, 1024 to 64000000; each takes about 150 bytes. A full "
           "table gives up one that nobody answered or that is over, the oldest of 64 neighbours, and "
           "refuses "
           "the new one when there is none among 256.",
       .set = set_capacity},
      {.key = "flows.file",
       .value_name = "auto|none|PATH",
       .default_text = "auto",
       .default_note = "",
       .help =
           "Where connections are kept, so that a daemon that starts again on the same boot goes on with "
           "them: a file on a hugetlbfs or a tmpfs. It stays when the daemon stops; who wants the memory "
           "back "
           "removes it. auto takes a mounted hugetlbfs of 2 MiB pages when the switch has hugepages and "
           "enough are free, else SOCKET.flows beside the control socket if that is on a tmpfs with room, "
           "else none: then connections end with the process.",
       .set = set_file}};
  static std::deque<TimeoutText> texts;  // which the rows point to
  for (size_t i = 0; i < kFlowStateCount; ++i) {
    if (!is_first_of_key(i)) continue;
    const TimeoutText& text = texts.emplace_back(timeout_text(kFlowStates[i]));
    rows.push_back({.key = text.key,
                    .value_name = "S",
                    .default_text = text.value,
                    .default_note = "",
                    .help = text.help,
                    .set = kTimeoutSetters[i]});
  }
  return rows;
}

}  // namespace

std::span<const Option> flow_options() {
  static const std::vector<Option> rows = make_options();
  return rows;
}

}  // namespace podswitch
