// SPDX-License-Identifier: Apache-2.0
// Runs the tests of DPDK-made ports inside an EAL that touches no device; without hugepages, unless the
// environment has TEST_WITH_HUGEPAGES.
#include <gtest/gtest.h>
#include <rte_eal.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "pmd/log.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  podswitch::log::set_level(podswitch::log::Level::Error);
  // An allow-list that names nothing, rather than --no-pci: devices can be probed later, as in the switch.
  std::vector<const char*> eal{"dpdk_ports", "-a0000:00:00.0",    "--no-telemetry", "-m",
                               "512",        "--log-level=error", "--lcores=0@0"};
  if (std::getenv("TEST_WITH_HUGEPAGES") != nullptr)
    eal.insert(eal.end(), {"--in-memory"});
  else
    eal.insert(eal.end(), {"--no-huge", "--no-shconf"});
  if (rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) < 0) {
    std::fprintf(stderr, "dpdk_ports: EAL did not start\n");
    return 1;
  }
  // No rte_eal_cleanup(): see ~Eal().
  return RUN_ALL_TESTS();
}
