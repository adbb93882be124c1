// SPDX-License-Identifier: Apache-2.0
// Runs the unit tests inside an EAL without hugepages, devices or privileges.
#include <gtest/gtest.h>
#include <rte_eal.h>

#include <array>
#include <cstdio>

#include "tests/unit/provoked.h"

namespace {

class EveryReasonWasProvoked final : public testing::Environment {
 public:
  void TearDown() override {
#ifdef PODSWITCH_THREADS_ONLY
    return;
#endif
    if (testing::GTEST_FLAG(filter) != "*") return;
    for (size_t i = 0; i < podswitch::kReasonCount; ++i)
      EXPECT_TRUE(podswitch::test::provoked_reasons().contains(static_cast<podswitch::DropReason>(i)))
          << "no test provoked " << podswitch::kReasons[i].name;
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::array<const char*, 9> eal{"unit", "--no-huge", "--no-shconf",       "--no-pci",    "--no-telemetry",
                                 "-m",   "128",       "--log-level=error", "--lcores=0@0"};
  if (rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) < 0) {
    std::fprintf(stderr, "unit: EAL did not start\n");
    return 1;
  }
  testing::AddGlobalTestEnvironment(new EveryReasonWasProvoked);
  const int result = RUN_ALL_TESTS();
  rte_eal_cleanup();
  return result;
}
