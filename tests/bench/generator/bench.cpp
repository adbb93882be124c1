// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/bench.h"

#include <rte_cycles.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tests/bench/generator/run.h"

namespace podswitch::bench {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kKnownSeconds = 30;  // switches forget after minutes
constexpr double kTolerance = 0.01;

// Who kept the rate from being higher.
const char* limit(const Trial& trial, const Outcome& o) {
  const auto sent = static_cast<double>(o.sent), refused = static_cast<double>(o.refused);
  if (o.starved) return "generator";
  if (trial.rate == 0) return refused > kTolerance * (sent + refused) ? "switch" : "generator";
  const double wanted = trial.rate * o.seconds;
  if (sent >= (1 - kTolerance) * wanted) return "rate";
  return sent + refused >= (1 - kTolerance) * wanted ? "switch" : "generator";
}

Json latency_json(const Histogram& latencies) {
  const auto ns = [](uint64_t cycles) {
    return std::llround(static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()));
  };
  return {{"p50", ns(latencies.quantile(0.5))},
          {"p99", ns(latencies.quantile(0.99))},
          {"p999", ns(latencies.quantile(0.999))},
          {"max", ns(latencies.max())},
          {"samples", latencies.samples()}};
}

Json result(const Trial& trial, const Outcome& o, const Histogram& latencies) {
  const Received& r = o.received;
  Json json{{"sent", o.sent},
            {"received", r.frames},
            {"refused", o.refused},
            {"echo_refused", o.echo_refused},
            {"lost", static_cast<int64_t>(o.sent) - static_cast<int64_t>(r.frames)},
            {"corrupt", r.corrupt},
            {"unexpected", r.unexpected},
            {"reordered", r.reordered},
            {"verified", r.verified},
            {"seconds", o.seconds},
            {"busy", o.busy},
            {"longest_turn_ns", std::llround(o.longest_turn_seconds * 1e9)},
            {"tsc_hz", rte_get_tsc_hz()},
            {"rate_sent", static_cast<double>(o.sent) / o.seconds},
            {"rate_received", static_cast<double>(r.arrived) / o.seconds},
            {"bits_received", static_cast<double>(r.bytes) * 8 / o.seconds},
            {"first_arrival_ns", o.first_arrival},
            {"limit", limit(trial, o)},
            {"latency_ns", nullptr},
            {"trial", to_json(trial)}};
  if (trial.latency) json["latency_ns"] = latency_json(latencies);
  return json;
}

}  // namespace

Bench::Bench(const Ports& ports) : ports_(ports), announcer_(ports.buffers_for(0)) {}

Json Bench::run(const Trial& trial) {
  check(trial);
  // A longer head than this protocol's may have been written over payload.
  if (std::exchange(protocol_, trial.protocol) != trial.protocol) ports_.restore_payload();
  const uint32_t unheard = make_known(trial);
  Run run(ports_, announcer_, latencies_, trial, ++trials_);
  Json json = result(trial, run.measure(), latencies_);
  json["announcements_lost"] = unheard;
  return json;
}

void Bench::check(const Trial& trial) const {
  if (trial.pattern == Pattern::TwoWay && ports_.count() % 2 != 0)
    throw std::invalid_argument("two-way needs an even number of sockets");
  for (const uint16_t port : ports_of(trial, ports_.count()))
    if (!ports_.is_connected(port))
      throw std::runtime_error("the switch is not connected to socket " + std::to_string(port));
}

// Announces what the switch may not know, or no longer.
uint32_t Bench::make_known(const Trial& trial) {
  const auto ports = ports_of(trial, ports_.count());
  if (!trial.announces) {
    known_ports_.clear();
    announcer_.announce_first(1, trial);  // it is heard by the time that counts
    return 0;
  }
  const uint64_t now = rte_rdtsc();
  const bool fresh = now - known_since_ < kKnownSeconds * rte_get_tsc_hz();
  if (trial.macs > 1 && fresh && trial.macs == known_macs_ && ports == known_ports_) return 0;
  const uint32_t unheard = announcer_.announce_all(ports, trial);
  known_ports_ = ports;
  known_macs_ = unheard == 0 ? trial.macs : 0;
  known_since_ = now;
  return unheard;
}

}  // namespace podswitch::bench
