// SPDX-License-Identifier: Apache-2.0
// Gives service ports their numbers. An index that nobody uses any more rests as long as possible before
// another gets it, under the next generation, so that flows which outlive their service stay without one.
// Numbers are drawn from a draft, which can still be dropped. Configuration thread.
#pragma once

#include <deque>
#include <vector>

#include "lb/service_table.h"

namespace podswitch {

class ServiceIds {
 public:
  struct Draft {
    uint32_t reused = 0, fresh = 0;
    std::vector<ServiceId> given_back;
  };
  // kNoService: all are taken.
  ServiceId take(Draft& draft) const;
  void commit(const Draft& draft);
  // Indexes below this one have been given out at some time.
  uint32_t bound() const { return next_; }

 private:
  std::deque<ServiceId> resting_;  // the longest first
  uint32_t next_ = 0;
};

}  // namespace podswitch
