// SPDX-License-Identifier: Apache-2.0
// Looks at the members of a running bond ten times a second, on EAL's interrupt thread: changes are logged
// and reported, and in active-backup another member takes over. Owned by its port; gone before the bond
// stops.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "pmd/bond.h"

namespace podswitch {

class BondWatch {
 public:
  // `report` hears of each change, and soon how it is at first: on EAL's interrupt thread, as the driver
  // itself.
  using Report = std::function<void(const std::vector<MemberStatus>& members)>;
  BondWatch(Bond& bond, std::string port, Report report);
  ~BondWatch();
  BondWatch(const BondWatch&) = delete;
  BondWatch& operator=(const BondWatch&) = delete;

  // Any thread but a worker.
  std::vector<MemberStatus> members() const;

 private:
  static void on_alarm(void* watch);
  void look();
  void log_changes(const std::vector<MemberStatus>& now) const;

  Bond& bond_;
  const std::string port_;
  const Report report_;
  mutable std::mutex mutex_;
  std::vector<MemberStatus> members_;  // changed under mutex_, on one thread at a time
};

}  // namespace podswitch
