// SPDX-License-Identifier: Apache-2.0
#include "pmd/service_ids.h"

namespace podswitch {

ServiceId ServiceIds::take(Draft& draft) const {
  constexpr size_t kResting = 1024;  // times as many generations until a number comes again
  const size_t left = resting_.size() - draft.reused;
  const bool has_fresh = draft.fresh < kMaxServicePorts - next_;
  if (left > kResting || (left > 0 && !has_fresh))
    return resting_[draft.reused++] + (ServiceId{1} << kServiceIndexBits);  // the generation wraps around
  return has_fresh ? next_ + draft.fresh++ : kNoService;
}

void ServiceIds::commit(const Draft& draft) {
  resting_.erase(resting_.begin(), resting_.begin() + draft.reused);
  resting_.insert(resting_.end(), draft.given_back.begin(), draft.given_back.end());
  next_ += draft.fresh;
}

}  // namespace podswitch
