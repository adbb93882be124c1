// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file: read, validated, and either right or refused with a reason.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "ctl/config.h"
#include "ctl/port_options.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace podswitch;
  const Cores cores{{0, 1, 2, 3}, {0, 1, 2}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<Problem> problems;
  const Config config = make_config({}, text, "fuzz.conf", cores, problems);
  for (const Problem& problem : problems)
    if (problem.message.empty()) std::abort();
  // What was accepted can be written and read back.
  for (const PortSpec& port : config.ports) {
    std::vector<Problem> again;
    const PortSpec back = port_from_json(nlohmann::json::parse(to_json(port).dump()), "", again);
    if (!again.empty() || !(back == port)) std::abort();
  }
  return 0;
}
