// SPDX-License-Identifier: Apache-2.0
// What Services cost the configuration thread: all of them from nothing, one endpoint's change among them, a
// table of choices; and the memory. Prints one line a figure.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "pmd/service_planner.h"

namespace podswitch::bench {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

IpAddress address(uint8_t first, uint32_t n) {
  return IpAddress(Ipv4Address{
      {first, static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)}});
}

ObjectName name_of(size_t service) {
  return {fmt::format("namespace-{}", service % 100), fmt::format("service-{:06}", service)};
}

ServiceEntry entry(size_t service, uint32_t first_pod, uint32_t pods) {
  ServiceSpec spec;
  spec.name = name_of(service);
  spec.cluster_ips = {address(11, static_cast<uint32_t>(service))};
  spec.ports = {{"http", Protocol::Tcp, 80}};
  EndpointSlice slice;
  slice.service = spec.name.name;
  slice.name = {spec.name.space, spec.name.name + "-abcde"};
  slice.ports = {{"http", Protocol::Tcp, 8080}};
  for (uint32_t i = 0; i < pods; ++i) {
    Endpoint endpoint;
    endpoint.ip = address(10, first_pod + i);
    endpoint.node = fmt::format("node-{}", (first_pod + i) % 5000);
    slice.endpoints.push_back(endpoint);
  }
  return {std::make_shared<const ServiceSpec>(spec), {std::make_shared<const EndpointSlice>(slice)}};
}

void say(const char* what, double value, const char* unit) {
  fmt::print("{:<44} {:>12.3f} {}\n", what, value, unit);
}

void measure_tables() {
  for (const size_t count : {1u, 3u, 10u, 15u, 60u, 250u, 1000u}) {
    std::vector<IpAddress> backends;
    for (uint32_t i = 0; i < count; ++i) backends.push_back(address(10, i * 7));
    const size_t repeats = 2'000'000 / maglev_size(count);
    const auto begin = Clock::now();
    size_t sum = 0;
    for (uint32_t i = 0; i < repeats; ++i) {
      backends.back() = address(12, i);
      sum += Maglev(backends).choose(i);
    }
    say(fmt::format("table of {} backends ({} entries)", count, maglev_size(count)).c_str(),
        1000 * milliseconds_since(begin) / static_cast<double>(repeats), sum > 0 ? "us" : "us (one backend)");
  }
}

void measure_plans(size_t services, uint32_t pods, size_t changes) {
  Services all;
  for (size_t i = 0; i < services; ++i) all[name_of(i)] = entry(i, static_cast<uint32_t>(i) * pods, pods);
  ServicePlanner planner;
  auto begin = Clock::now();
  planner.commit(planner.prepare(all));
  say("all services from nothing", milliseconds_since(begin), "ms");
  say("services", static_cast<double>(planner.table()->size()), "");
  say("tables of choices", static_cast<double>(planner.choice_memory().bytes) / 1e6, "MB");
  say("table of services", static_cast<double>(planner.table()->memory_bytes()) / 1e6, "MB");
  std::vector<double> times;
  for (size_t i = 0; i < changes; ++i) {
    const size_t service = i * 7919 % services;
    const auto spare = static_cast<uint32_t>(services * pods + i);
    Services next = all;
    next[name_of(service)] = entry(service, spare, pods);
    begin = Clock::now();
    planner.commit(planner.prepare(next));
    times.push_back(milliseconds_since(begin));
    all = next;
  }
  std::sort(times.begin(), times.end());
  say("one service's endpoints change, median", 1000 * times[times.size() / 2], "us");
  say("one service's endpoints change, 99th of 100", 1000 * times[times.size() * 99 / 100], "us");
  say("one service's endpoints change, worst", 1000 * times.back(), "us");
}

int run(int argc, char** argv) {
  namespace options = boost::program_options;
  size_t services = 0, changes = 0;
  uint32_t pods = 0;
  options::options_description known("bench-service-plan");
  known.add_options()("help", "this")("services", options::value(&services)->default_value(100'000),
                                      "services")("pods", options::value(&pods)->default_value(10),
                                                  "endpoints of each")(
      "changes", options::value(&changes)->default_value(1000), "changes of one service");
  options::variables_map values;
  options::store(options::parse_command_line(argc, argv, known), values);
  options::notify(values);
  if (values.contains("help") || services == 0 || pods == 0 || changes == 0) {
    std::fputs(fmt::format("{}\n", fmt::streamed(known)).c_str(), stdout);
    return values.contains("help") ? 0 : 2;
  }
  measure_tables();
  measure_plans(services, pods, changes);
  return 0;
}

}  // namespace
}  // namespace podswitch::bench

int main(int argc, char** argv) {
  try {
    return podswitch::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-service-plan: {}\n", error.what());
    return 2;
  }
}
