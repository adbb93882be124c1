// SPDX-License-Identifier: Apache-2.0
// bench-spread: how many packets out of tunnels reach the pods when one worker polls the uplink, and a
// second one has nothing to do but to help.
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "pmd/eal.h"
#include "pmd/log.h"
#include "tests/bench/inprocess/spread_switch.h"
#include "tests/bench/inprocess/statistics.h"

namespace podswitch::bench {
namespace {

namespace po = boost::program_options;

constexpr uint32_t kBuffers = 16383;
constexpr double kWarmUpSeconds = 0.1;  // flows have found their workers

struct SpreadOptions {
  uint32_t flows = 1000;
  uint16_t copied_bytes = 1400;
  unsigned rounds = 9;
  double seconds = 0.3;  // of each measurement
  bool hugepages = true;
};

std::vector<unsigned> two_cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) throw std::runtime_error("no CPU set");
  std::vector<unsigned> cores;
  for (unsigned core = 0; core < CPU_SETSIZE && cores.size() < 2; ++core)
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  if (cores.size() == 1) {
    std::fprintf(stderr, "bench-spread: one core only, which the workers take in turn: no figure counts\n");
    cores.push_back(cores[0]);
  }
  return cores;
}

// False: help was asked for.
bool parse(int argc, char** argv, SpreadOptions& options) {
  po::options_description all(
      "bench-spread: millions of packets per second out of tunnels and into pods, by the worker that polls\n"
      "the uplink alone and with the help of a second one. No root; polls two cores for rounds * seconds * "
      "2");
  auto add = all.add_options();
  add("help,h", "this text");
  add("flows", po::value(&options.flows)->default_value(options.flows), "1 to 1000000");
  add("copy", po::value(&options.copied_bytes)->default_value(options.copied_bytes),
      "bytes of each packet copied to the pod, 0 to 1900");
  add("rounds", po::value(&options.rounds)->default_value(options.rounds), "each measures both");
  add("seconds", po::value(&options.seconds)->default_value(0.3, "0.3"), "of each measurement");
  add("no-huge", "small pages even when there are hugepages");
  po::variables_map values;
  po::store(po::command_line_parser(argc, argv).options(all).positional({}).run(), values);
  po::notify(values);
  if (values.count("help") != 0) {
    std::cout << all;
    return false;
  }
  if (options.flows < 1 || options.flows > 1'000'000 || options.copied_bytes > 1900 || options.rounds < 1 ||
      !(options.seconds > 0))
    throw po::error("a number is out of its range");
  options.hugepages = values.count("no-huge") == 0;
  return true;
}

EngineOptions engine_options(const SpreadOptions& options, const std::vector<unsigned>& cores) {
  EngineOptions engine;
  engine.instance = "bench-spread-" + std::to_string(getpid());
  engine.worker_cores = cores;
  engine.other_cores = cores;
  engine.memory.hugepages = options.hugepages ? HugepagePolicy::Auto : HugepagePolicy::None;
  engine.memory.buffers = kBuffers;
  return engine;
}

struct Rate {
  double arrived = 0, refused = 0, handed_over = 0;  // millions per second
};

Rate measure(SpreadSwitch& one, double seconds) {
  const auto sleep_for = [](double s) { std::this_thread::sleep_for(std::chrono::duration<double>(s)); };
  one.run(true);
  sleep_for(kWarmUpSeconds);
  const uint64_t arrived = one.arrived(), refused = one.refused(), handed = one.handed_over();
  const auto start = std::chrono::steady_clock::now();
  sleep_for(seconds);
  const std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - start;
  const auto rate = [&](uint64_t now, uint64_t before) {
    return static_cast<double>(now - before) / passed.count();
  };
  const Rate result{rate(one.arrived(), arrived), rate(one.refused(), refused),
                    rate(one.handed_over(), handed)};
  one.run(false);
  return result;
}

int measure_all(const SpreadOptions& options) {
  log::set_level(log::Level::Warning);
  const std::vector<unsigned> cores = two_cores();
  const Eal eal(engine_options(options, cores));
  const Cluster cluster(2, 256);
  SpreadSwitch::Setup setup{cores, SpreadPolicy::Off, options.flows, options.copied_bytes};
  SpreadSwitch alone(setup, cluster, eal.pool());
  setup.policy = SpreadPolicy::Auto;
  SpreadSwitch helped(setup, cluster, eal.pool());
  std::vector<double> off, on, ratio, refused, handed;
  for (unsigned round = 0; round < options.rounds; ++round) {
    const Rate one = measure(alone, options.seconds), two = measure(helped, options.seconds);
    off.push_back(one.arrived);
    on.push_back(two.arrived);
    ratio.push_back(two.arrived / one.arrived);
    refused.push_back(two.refused);
    handed.push_back(two.handed_over);
  }
  const Estimate gain = estimate(ratio);
  fmt::print(
      "millions of packets per second; {} flows, {} bytes copied, cores {} and {}, {};\n"
      "medians of {} rounds of {} s, ratio with its 95 % bootstrap interval\n\n",
      options.flows, options.copied_bytes, cores[0], cores[1], eal.hugepages() ? "hugepages" : "no hugepages",
      options.rounds, options.seconds);
  fmt::print("{:<28} {:>6.2f}\n{:<28} {:>6.2f}   {:.3f} ({:.3f} to {:.3f})\n", "the uplink's worker alone",
             median(off), "with a second one (auto)", median(on), gain.median, gain.low, gain.high);
  fmt::print("{:<28} {:>6.2f}\n{:<28} {:>6.2f}\n", "  handed over", median(handed), "  refused",
             median(refused));
  const uint64_t lost = alone.lost() + helped.lost();
  if (lost == 0) return 0;
  std::fprintf(stderr, "bench-spread: %lu packets are unaccounted for\n", lost);
  return 1;
}

}  // namespace
}  // namespace podswitch::bench

int main(int argc, char** argv) {
  try {
    podswitch::bench::SpreadOptions options;
    return podswitch::bench::parse(argc, argv, options) ? podswitch::bench::measure_all(options) : 0;
  } catch (const boost::program_options::error& error) {
    std::fprintf(stderr, "bench-spread: %s (--help)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-spread: %s\n", error.what());
    return 1;
  }
}
