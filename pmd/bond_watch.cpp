// SPDX-License-Identifier: Apache-2.0
#include "pmd/bond_watch.h"

#include <rte_alarm.h>

#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr uint64_t kAtOnceUs = 1, kPeriodUs = 100'000;

}  // namespace

BondWatch::BondWatch(Bond& bond, std::string port, Report report)
    : bond_(bond), port_(std::move(port)), report_(std::move(report)) {
  check(rte_eal_alarm_set(kAtOnceUs, on_alarm, this), "watch the members of a bond");
}

// Waits for one that is being called, and finds the next that it may have set.
BondWatch::~BondWatch() {
  rte_eal_alarm_cancel(on_alarm, this);
}

void BondWatch::on_alarm(void* watch) {
  auto& self = *static_cast<BondWatch*>(watch);
  self.look();
  if (rte_eal_alarm_set(kPeriodUs, on_alarm, watch) != 0)
    log::error("port {}: its members are watched no more: no memory for an alarm", self.port_);
}

std::vector<MemberStatus> BondWatch::members() const {
  const std::scoped_lock lock(mutex_);
  return members_;
}

void BondWatch::look() {
  std::vector<MemberStatus> now = bond_.look();
  if (now == members_) return;
  log_changes(now);
  {
    const std::scoped_lock lock(mutex_);
    members_ = now;
  }
  report_(now);
}

void BondWatch::log_changes(const std::vector<MemberStatus>& now) const {
  for (size_t i = 0; i < now.size(); ++i) {
    const bool had_link = i < members_.size() && members_[i].has_link();
    const bool was_active = i < members_.size() && members_[i].is_active();
    const auto say = [&](const char* what) { log::info("port {}: member {} {}", port_, now[i].name, what); };
    if (had_link && !now[i].has_link())
      log::warning("port {}: member {} has lost its link", port_, now[i].name);
    else if (was_active && now[i].state == MemberState::NoPartner)
      log::warning("port {}: member {} has lost its LACP partner", port_, now[i].name);
    if (!had_link && now[i].has_link()) say("has a link");
    if (!was_active && now[i].is_active()) say("is active");
  }
}

}  // namespace podswitch
