// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_stats.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <cstdio>

#include "ctl/cli_output.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

volatile sig_atomic_t g_interrupted = 0;

const std::vector<Column> kRateColumns{{"PORT", "port"},
                                       {"RX PACKETS/S", "rx_packets_per_second", Format::Count},
                                       {"RX RATE", "rx_bytes_per_second", Format::BitRate},
                                       {"TX PACKETS/S", "tx_packets_per_second", Format::Count},
                                       {"TX RATE", "tx_bytes_per_second", Format::BitRate},
                                       {"RX ERRORS/S", "rx_errors_per_second", Format::Count},
                                       {"TX ERRORS/S", "tx_errors_per_second", Format::Count},
                                       {"DROPPED/S", "dropped_per_second", Format::Count}};

const Json* row_of(const Json& rows, const Json& port) {
  for (const Json& row : rows)
    if (row.at("port") == port) return &row;
  return nullptr;
}

void catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void print(const Json& rows, bool as_json) {
  if (as_json)
    fmt::print("{}\n", rows.dump());
  else
    // On a terminal each look takes the place of the last one.
    fmt::print("{}{}{}", isatty(STDOUT_FILENO) ? "\x1b[H\x1b[J" : "", format_table(rows, kRateColumns),
               isatty(STDOUT_FILENO) ? "" : "\n");
  std::fflush(stdout);
}

}  // namespace

Json with_rates(const Json& before, Json now, double seconds) {
  for (Json& row : now) {
    const Json* old = row_of(before, row.at("port"));
    Json rates = Json::object();
    for (const auto& [key, value] : row.items()) {
      if (!value.is_number()) continue;
      const double present = value.get<double>();
      const double past = old != nullptr ? old->value(key, present) : present;
      rates[key + "_per_second"] = present < past ? 0.0 : (present - past) / seconds;
    }
    row.update(rates);
  }
  return now;
}

void watch_stats(Client& client, const CommandLine& line) {
  using Clock = std::chrono::steady_clock;
  const auto interval =
      std::chrono::seconds(std::max<uint64_t>(1, line.local.value("interval", uint64_t{1})));
  catch_interrupt();
  auto taken = Clock::now();
  Json before = client.call("stats", line.arguments).result;
  while (true) {
    const auto due = taken + interval;
    while (g_interrupted == 0 && Clock::now() < due) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count();
      poll(nullptr, 0, static_cast<int>(std::clamp<int64_t>(left, 0, 1000)));
    }
    if (g_interrupted != 0) return;
    const auto now = Clock::now();
    Json rows = client.call("stats", line.arguments).result;
    print(with_rates(before, rows, std::chrono::duration<double>(now - taken).count()), line.wants_json);
    before = std::move(rows);
    taken = now;
  }
}

}  // namespace podswitch
