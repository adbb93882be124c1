// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/inprocess/statistics.h"

#include <algorithm>
#include <random>

namespace podswitch::bench {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Estimate estimate(const std::vector<double>& values) {
  constexpr size_t kResamples = 10'000;
  std::mt19937 random(1);
  std::uniform_int_distribution<size_t> any(0, values.size() - 1);
  std::vector<double> medians(kResamples), drawn(values.size());
  for (double& one : medians) {
    for (double& value : drawn) value = values[any(random)];
    one = median(drawn);
  }
  std::sort(medians.begin(), medians.end());
  return {median(values), medians[kResamples / 40], medians[kResamples - 1 - kResamples / 40]};
}

}  // namespace podswitch::bench
