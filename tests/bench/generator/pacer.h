// SPDX-License-Identifier: Apache-2.0
// When to send, at a fixed rate: what falls due within 10 microseconds goes out as one burst. Whoever comes
// late, as when its CPU was taken away, makes up for it at a rate that is 2 % higher: a burst would be
// traffic that nobody asked for. One thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace podswitch::bench {

class Pacer {
 public:
  // Frames a second; `hz` is what `now` counts in a second.
  Pacer(double rate, double hz, uint16_t largest_burst, uint64_t now)
      : burst_(static_cast<uint16_t>(std::clamp(rate * kWindowSeconds, 1.0, 1.0 * largest_burst))),
        step_(burst_ * hz / rate),
        late_(std::max(kLateSeconds * hz, step_)),
        start_(now) {}

  // How many frames to send now: 0 or a burst.
  uint16_t due(uint64_t now) noexcept {
    const auto elapsed = static_cast<double>(now - start_);
    if (elapsed < next_) return 0;
    if (elapsed - next_ > late_) next_ = elapsed;
    due_ += step_;
    next_ = std::max(due_, next_ + step_ * kCatchUp);
    return burst_;
  }

 private:
  static constexpr double kWindowSeconds = 10e-6, kLateSeconds = 100e-6, kCatchUp = 1 / 1.02;

  uint16_t burst_;
  double step_;  // from burst to burst
  double late_;  // what counts as late
  uint64_t start_;
  double due_ = 0;   // when the next burst should be sent
  double next_ = 0;  // and when it will be
};

}  // namespace podswitch::bench
