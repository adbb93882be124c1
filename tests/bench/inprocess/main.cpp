// SPDX-License-Identifier: Apache-2.0
// What a packet costs a worker alone, and beside a second one.
#include <sched.h>

#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "pmd/log.h"
#include "tests/bench/inprocess/run.h"

namespace podswitch::bench {
namespace {

namespace po = boost::program_options;

std::vector<unsigned> allowed_cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) throw std::runtime_error("no CPU set");
  std::vector<unsigned> cores;
  for (unsigned core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  return cores;
}

// The first two that the process may use.
std::vector<unsigned> two_cores() {
  std::vector<unsigned> cores = allowed_cores();
  if (cores.size() == 1) {
    std::fprintf(stderr, "bench-workers: one core only, which the workers take in turn: no figure counts\n");
    cores.push_back(cores[0]);
  }
  cores.resize(2);
  return cores;
}

Egress egress_of(const std::string& text) {
  for (const Egress egress : {Egress::Own, Egress::Shared, Egress::Locked, Egress::Cross})
    if (to_string(egress) == text) return egress;
  throw po::error("--egress is own, shared, locked or cross");
}

// False: help was asked for.
bool parse(int argc, char** argv, Options& options) {
  std::string egress;
  po::options_description all(
      "bench-workers: busy cycles per packet of the packet path without rings, by one\n"
      "worker and by two on two cores. No root; polls both cores for rounds * seconds * 6");
  auto add = all.add_options();
  add("help,h", "this text");
  add("flows", po::value(&options.flows)->default_value(1000), "of each source port, 1 to 1000000");
  add("macs", po::value(&options.macs)->default_value(1), "behind each port, 1 to 1000000");
  add("rounds", po::value(&options.rounds)->default_value(15), "each measures one worker, the other, both");
  add("seconds", po::value(&options.seconds)->default_value(0.3, "0.3"), "of each measurement");
  add("egress", po::value(&egress)->default_value("own"),
      "own: a sink for each source; shared: one, with a queue for each worker; locked: one, with one queue; "
      "cross: the sources of the other worker");
  add("no-huge", "small pages even when there are hugepages");
  add("json", po::value(&options.json), "a file for the figures of every round");
  po::variables_map values;
  po::store(po::command_line_parser(argc, argv).options(all).positional({}).run(), values);
  po::notify(values);
  if (values.count("help") != 0) {
    std::cout << all;
    return false;
  }
  constexpr uint32_t kMost = 1'000'000;
  if (options.flows < 1 || options.flows > kMost || options.macs < 1 || options.macs > kMost)
    throw po::error("--flows and --macs are 1 to 1000000");
  if (options.rounds < 1 || !(options.seconds > 0)) throw po::error("--rounds and --seconds are above 0");
  options.egress = egress_of(egress);
  options.hugepages = values.count("no-huge") == 0;
  options.cores = two_cores();
  return true;
}

int measure(const Options& options) {
  log::set_level(log::Level::Warning);
  const Result result = run(options);
  print_table(options, result);
  if (!options.json.empty()) write_json(options, result);
  if (result.lost == 0) return 0;
  std::fprintf(stderr, "bench-workers: %lu packets did not reach a sink\n", result.lost);
  return 1;
}

}  // namespace
}  // namespace podswitch::bench

int main(int argc, char** argv) {
  try {
    podswitch::bench::Options options;
    return podswitch::bench::parse(argc, argv, options) ? podswitch::bench::measure(options) : 0;
  } catch (const boost::program_options::error& error) {
    std::fprintf(stderr, "bench-workers: %s (--help)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-workers: %s\n", error.what());
    return 1;
  }
}
