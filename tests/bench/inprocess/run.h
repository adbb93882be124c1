// SPDX-License-Identifier: Apache-2.0
// The measurement: in each round one worker alone, then the other alone, then both, on one switch and on two
// that share nothing but the machine. Main thread, which sleeps meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/inprocess/bench_switch.h"
#include "tests/bench/inprocess/statistics.h"

namespace podswitch::bench {

struct Options {
  uint32_t flows = 1000, macs = 1;  // of each source
  unsigned rounds = 15;
  double seconds = 0.3;  // of each measurement
  Egress egress = Egress::Own;
  std::vector<unsigned> cores;  // two
  bool hugepages = true;        // if there are enough
  std::string json;             // a file; empty: none
};

// Cycles per packet, by worker.
struct Round {
  std::vector<double> alone, together;
  double off_core = 0;   // the largest share of the time that a worker was kept off its core
  double ratio() const;  // together to alone, the workers' mean
};

struct Result {
  bool hugepages = false;
  uint64_t lost = 0;
  std::vector<Round> one_switch, two_switches;  // by round
};

std::string_view to_string(Egress egress);
Result run(const Options& options);

// Throws std::runtime_error if the file cannot be written.
void write_json(const Options& options, const Result& result);
void print_table(const Options& options, const Result& result);

}  // namespace podswitch::bench
