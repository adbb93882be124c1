// SPDX-License-Identifier: Apache-2.0
// Which drop reasons the tests of this run have really seen. main.cpp fails a whole run that has not seen
// all.
#pragma once

#include <set>

#include "switch/drop_reason.h"

namespace podswitch::test {

inline std::set<DropReason>& provoked_reasons() {
  static std::set<DropReason> reasons;
  return reasons;
}

}  // namespace podswitch::test
