// SPDX-License-Identifier: Apache-2.0
// Runs the port tests inside an EAL without hugepages or devices.
#include <gtest/gtest.h>
#include <rte_eal.h>

#include <array>
#include <cstdio>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::array<const char*, 9> eal{"ports", "--no-huge", "--no-shconf",       "--no-pci",    "--no-telemetry",
                                 "-m",    "128",       "--log-level=error", "--lcores=0@0"};
  if (rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) < 0) {
    std::fprintf(stderr, "ports: EAL did not start\n");
    return 1;
  }
  const int result = RUN_ALL_TESTS();
  rte_eal_cleanup();
  return result;
}
