// SPDX-License-Identifier: Apache-2.0
// bench-paths: cycles per packet of routing into and out of tunnels beside bridging, without rings. Cycles
// are the worker's CPU time, as it always has packets: so time that somebody else had its core is not among
// them.
#include <fmt/format.h>
#include <rte_cycles.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "pmd/eal.h"
#include "pmd/log.h"
#include "tests/bench/inprocess/path_switch.h"
#include "tests/bench/inprocess/statistics.h"

namespace podswitch::bench {
namespace {

namespace po = boost::program_options;

constexpr uint32_t kBuffers = 16383;
constexpr double kWarmUpSeconds = 0.02;
constexpr std::array<const char*, kPaths.size()> kNames{
    "bridge", "encapsulate", "bridge_outer", "decapsulate", "route", "route_beside", "serve"};
// Which of them each is compared with; itself: none.
constexpr std::array<size_t, kPaths.size()> kBeside{0, 0, 2, 2, 4, 4, 4};
using Cycles = std::array<double, kPaths.size()>;  // per packet, by path

struct PathOptions {
  PathTraffic traffic;
  uint32_t nodes = 2, pods = 256;
  unsigned rounds = 15;
  double seconds = 0.1;  // of each measurement
  unsigned core = 0;
  bool hugepages = true;
  std::string json;
  std::vector<std::string> paths;  // empty: all
  bool has(size_t path) const {
    return paths.empty() || std::find(paths.begin(), paths.end(), kNames[path]) != paths.end();
  }
};

unsigned last_core() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) throw std::runtime_error("no CPU set");
  unsigned last = 0;
  for (unsigned core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed)) last = core;
  return last;
}

// False: help was asked for.
bool parse(int argc, char** argv, PathOptions& options) {
  po::options_description all(
      "bench-paths: cycles per packet of one worker without rings: bridging between pods, routing into\n"
      "tunnels, bridging what comes in tunnels, taking it out; routing between pods, and to Services of "
      "them.\n"
      "No root; polls one core for rounds * seconds * 7");
  auto add = all.add_options();
  add("help,h", "this text");
  add("flows", po::value(&options.traffic.flows)->default_value(options.traffic.flows), "1 to 1000000");
  add("services", po::value(&options.traffic.services)->default_value(options.traffic.services),
      "1 to 1000000; at least a 60,000th of the flows");
  add("nodes", po::value(&options.nodes)->default_value(options.nodes), "other nodes, 1 to 50000");
  add("pods", po::value(&options.pods)->default_value(options.pods), "of this node, 2 to 1000");
  add("rounds", po::value(&options.rounds)->default_value(options.rounds), "each measures all paths");
  add("seconds", po::value(&options.seconds)->default_value(0.1, "0.1"), "of each measurement");
  add("core", po::value(&options.core)->default_value(last_core()), "the worker's");
  add("path", po::value(&options.paths)->composing(),
      "this one only, and others so named: bridge, encapsulate, bridge_outer, decapsulate, route, "
      "route_beside, serve");
  add("no-huge", "small pages even when there are hugepages");
  add("json", po::value(&options.json), "a file for the figures of every round");
  po::variables_map values;
  po::store(po::command_line_parser(argc, argv).options(all).positional({}).run(), values);
  po::notify(values);
  if (values.count("help") != 0) {
    std::cout << all;
    return false;
  }
  if (options.traffic.flows < 1 || options.traffic.flows > 1'000'000 || options.traffic.services < 1 ||
      options.traffic.services > 1'000'000 || options.traffic.flows / options.traffic.services >= 60000 ||
      options.nodes < 1 || options.nodes > 50'000 || options.pods < 2 || options.pods > 1000 ||
      options.rounds < 1 || !(options.seconds > 0))
    throw po::error("a number is out of its range");
  for (const std::string& name : options.paths)
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
      throw po::error("there is no path '" + name + "'");
  options.hugepages = values.count("no-huge") == 0;
  return true;
}

EngineOptions engine_options(const PathOptions& options) {
  EngineOptions engine;
  engine.instance = "bench-paths-" + std::to_string(getpid());
  engine.worker_cores = {options.core};
  engine.other_cores = {options.core};
  engine.memory.hugepages = options.hugepages ? HugepagePolicy::Auto : HugepagePolicy::None;
  engine.memory.buffers = kBuffers;
  return engine;
}

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// Cycles per packet; `off_core` is raised to the share of the time that the worker was kept off its core.
double measure(PathSwitch& one, double seconds, double& off_core) {
  one.run(true);
  sleep_for(kWarmUpSeconds);
  one.next_second();
  const Reading before = one.read();
  const auto start = std::chrono::steady_clock::now();
  sleep_for(seconds);
  const Reading after = one.read();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  one.run(false);
  if (after.packets == before.packets) throw std::runtime_error("the worker moved no packets");
  const double on_core = after.cpu_seconds - before.cpu_seconds;
  off_core = std::max(off_core, 1 - on_core / passed.count());
  return on_core * static_cast<double>(rte_get_tsc_hz()) /
         static_cast<double>(after.packets - before.packets);
}

struct PathResult {
  std::vector<Cycles> rounds;
  std::vector<double> off_core;
  size_t route_bytes = 0;
  uint64_t lost = 0;
  bool hugepages = false;
};

PathResult run_all(const PathOptions& options) {
  const Eal eal(engine_options(options));
  const Cluster cluster(options.nodes, options.pods);
  std::deque<PathSwitch> switches;
  std::vector<std::pair<size_t, PathSwitch*>> measured;
  for (size_t i = 0; i < kPaths.size(); ++i)
    if (options.has(i))
      measured.emplace_back(
          i, &switches.emplace_back(kPaths[i], options.core, options.traffic, cluster, eal.pool()));
  PathResult result;
  result.hugepages = eal.hugepages();
  result.route_bytes = cluster.route_bytes();
  for (unsigned round = 0; round < options.rounds; ++round) {
    Cycles& cycles = result.rounds.emplace_back();
    double& off_core = result.off_core.emplace_back(0);
    for (const auto& [path, one] : measured) cycles[path] = measure(*one, options.seconds, off_core);
    std::reverse(measured.begin(), measured.end());
  }
  for (const PathSwitch& one : switches) result.lost += one.lost();
  return result;
}

// Of what `figure` says of each round.
template <typename Figure>
Estimate over_rounds(const PathResult& result, Figure&& figure) {
  std::vector<double> values;
  for (const Cycles& round : result.rounds) values.push_back(figure(round));
  return estimate(values);
}

void print_table(const PathOptions& options, const PathResult& result) {
  fmt::print(
      "cycles per packet; {} flows, {} nodes, {} pods, routes {} bytes, core {}, {};\n"
      "medians of {} rounds of {} s with their 95 % bootstrap intervals\n\n",
      options.traffic.flows, options.nodes, options.pods, result.route_bytes, options.core,
      result.hugepages ? "hugepages" : "no hugepages", options.rounds, options.seconds);
  fmt::print("{:<13} {:>7}   {:<26} {}\n", "", "cycles", "more than bridging, routing", "ratio");
  for (size_t i = 0; i < kPaths.size(); ++i) {
    if (!options.has(i)) continue;
    fmt::print("{:<13} {:>7.1f}", kNames[i],
               over_rounds(result, [&](const Cycles& c) { return c[i]; }).median);
    if (const size_t other = kBeside[i]; other != i && options.has(other)) {
      const Estimate more = over_rounds(result, [&](const Cycles& c) { return c[i] - c[other]; });
      const Estimate ratio = over_rounds(result, [&](const Cycles& c) { return c[i] / c[other]; });
      fmt::print("   {:<26} {:.3f} ({:.3f} to {:.3f})",
                 fmt::format("{:.1f} ({:.1f} to {:.1f})", more.median, more.low, more.high), ratio.median,
                 ratio.low, ratio.high);
    }
    fmt::print("\n");
  }
  fmt::print("\nkept off its core: {:.2f} % of the time\n", median(result.off_core) * 100);
}

void write_json(const PathOptions& options, const PathResult& result) {
  nlohmann::json all{{"flows", options.traffic.flows},
                     {"services", options.traffic.services},
                     {"nodes", options.nodes},
                     {"pods", options.pods},
                     {"seconds", options.seconds},
                     {"hugepages", result.hugepages},
                     {"route_bytes", result.route_bytes},
                     {"off_core_share", median(result.off_core)}};
  for (const Cycles& round : result.rounds) {
    nlohmann::json& row = all["rounds"].emplace_back();
    for (size_t i = 0; i < kPaths.size(); ++i)
      if (options.has(i)) row[kNames[i]] = round[i];
  }
  std::ofstream file(options.json);
  file << all.dump(1) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + options.json);
}

int measure_all(const PathOptions& options) {
  log::set_level(log::Level::Warning);
  const PathResult result = run_all(options);
  print_table(options, result);
  if (!options.json.empty()) write_json(options, result);
  if (result.lost == 0) return 0;
  std::fprintf(stderr, "bench-paths: %lu packets did not reach a sink\n", result.lost);
  return 1;
}

}  // namespace
}  // namespace podswitch::bench

int main(int argc, char** argv) {
  try {
    podswitch::bench::PathOptions options;
    return podswitch::bench::parse(argc, argv, options) ? podswitch::bench::measure_all(options) : 0;
  } catch (const boost::program_options::error& error) {
    std::fprintf(stderr, "bench-paths: %s (--help)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-paths: %s\n", error.what());
    return 1;
  }
}
