// SPDX-License-Identifier: Apache-2.0
// Trials one after the other on the same ports, and their results. One thread, which polls only while a trial
// runs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tests/bench/generator/announcer.h"
#include "tests/bench/generator/histogram.h"
#include "tests/bench/generator/ports.h"

namespace podswitch::bench {

class Bench {
 public:
  // The ports must outlive it.
  explicit Bench(const Ports& ports);

  // The result, as tests/bench/README.md has it. Throws std::exception if the trial cannot be run on these
  // ports, or one of them lost the switch.
  nlohmann::json run(const Trial& trial);

 private:
  void check(const Trial& trial) const;
  uint32_t make_known(const Trial& trial);

  const Ports& ports_;
  Announcer announcer_;
  Histogram latencies_;
  uint16_t trials_ = 0;
  Protocol protocol_ = Protocol::Udp4;  // of the last one
  // What was announced last, and when.
  std::vector<uint16_t> known_ports_;
  uint32_t known_macs_ = 0;
  uint64_t known_since_ = 0;
};

}  // namespace podswitch::bench
