// SPDX-License-Identifier: Apache-2.0
// Medians, and how far they can be trusted. Any thread.
#pragma once

#include <vector>

namespace podswitch::bench {

struct Estimate {
  double median = 0, low = 0, high = 0;  // low to high: the 95 % bootstrap interval of the median
};

double median(std::vector<double> values);             // at least one
Estimate estimate(const std::vector<double>& values);  // likewise; the same values give the same interval

}  // namespace podswitch::bench
