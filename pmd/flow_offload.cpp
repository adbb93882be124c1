// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_offload.h"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>

#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr std::string_view kNoTunnels = "no tunnel ends here";

std::string too_many(size_t known) {
  return fmt::format("{} known VTEPs are more than the {} that the switch makes rules for", known,
                     kMaxFlowVteps);
}

}  // namespace

void FlowOffload::attach(const Device& device) {
  const std::scoped_lock lock(mutex_);
  device_ = device;
  table_ = std::make_unique<RuleTable>(device.id);
  is_broken_ = false;
  if (!is_changing_) install();
}

void FlowOffload::detach() {
  const std::scoped_lock lock(mutex_);
  if (!table_) return;
  remove_all(kNotRunning);
  table_.reset();
  device_.reset();
}

void FlowOffload::prepare(const std::optional<TunnelFlows>& next) {
  const std::scoped_lock lock(mutex_);
  is_changing_ = true;
  const bool is_same = next && wanted_ && next->same_ends(*wanted_);
  if (!is_same && table_) remove_all(std::string(kNoTunnels));
  wanted_ = next;
  if (is_same && table_ && !drop_.rules.empty()) allow_newly_known();
}

void FlowOffload::settle() {
  const std::scoped_lock lock(mutex_);
  is_changing_ = false;
  if (!table_ || !wanted_ || is_broken_) return;
  if (!is_installed_) return install();
  if (!drop_.rules.empty())
    forget_unknown();
  else if (wanted_->known.size() < retry_below_)
    install_drop();
}

void FlowOffload::install() {
  inner_rss_.reason = drop_.reason = kNoTunnels;
  if (!wanted_) return;
  is_installed_ = true;
  announce_tunnel_port(true);
  install_inner_rss();
  install_drop();
}

// All of them, or why not.
std::string FlowOffload::add_all(const std::vector<FlowRule>& rules) {
  for (const FlowRule& rule : rules) {
    std::string reason = table_->add(rule);
    if (reason.empty()) continue;
    for (const FlowRule& added : rules) table_->remove(added);
    return reason;
  }
  return {};
}

void FlowOffload::install_inner_rss() {
  inner_rss_ = {};
  if (device_->queues.count < 2) {
    inner_rss_.reason = "one queue: there is nothing to spread";
    return;
  }
  if (device_->queues.rss_types == 0) {
    inner_rss_.reason = fmt::format("{} has no RSS", device_->driver);
    return;
  }
  std::vector<FlowRule> rules = inner_rss_rules(*wanted_, device_->queues);
  inner_rss_.reason = add_all(rules);
  if (inner_rss_.reason.empty()) inner_rss_.rules = std::move(rules);
}

std::string FlowOffload::why_not_drop(const DropForm& form) const {
  for (const FlowRule& rule : drop_rules(*wanted_, form))
    if (std::string reason = table_->why_not(rule); !reason.empty()) return reason;
  return {};
}

// The most careful rule that the driver takes, counted if it can. Returns why there is none.
std::string FlowOffload::choose_drop_form() {
  std::string reason;
  for (const bool is_plain_twice : {true, false}) {
    drop_form_ = {true, is_plain_twice};
    why_not_counted_ = why_not_drop(drop_form_);
    if (why_not_counted_.empty()) return {};
    drop_form_.is_counted = false;
    reason = why_not_drop(drop_form_);
    if (reason.empty()) return {};
  }
  return reason;
}

void FlowOffload::install_drop() {
  drop_ = {};
  retry_below_ = 0;
  if (wanted_->known.size() > kMaxFlowVteps) {
    retry_below_ = kMaxFlowVteps + 1;
    drop_.reason = too_many(wanted_->known.size());
    return;
  }
  drop_.reason = choose_drop_form();
  if (!drop_.reason.empty()) return;
  for (const IpAddress& vtep : wanted_->known)
    if (const std::string reason = allow(vtep); !reason.empty()) return withdraw_drop(reason);
  drop_.rules = drop_rules(*wanted_, drop_form_);
  if (const std::string reason = add_all(drop_.rules); !reason.empty()) return withdraw_drop(reason);
  if (!drop_form_.is_counted) drop_.reason = fmt::format("not counted: {}", why_not_counted_);
}

std::string FlowOffload::allow(const IpAddress& vtep) {
  allowed_.insert(vtep);
  return add_all(allow_rules(*wanted_, vtep, device_->queues, !inner_rss_.rules.empty()));
}

void FlowOffload::allow_newly_known() {
  if (wanted_->known.size() > kMaxFlowVteps) {
    withdraw_drop(too_many(wanted_->known.size()));
    if (!is_broken_) retry_below_ = kMaxFlowVteps + 1;
    return;
  }
  for (const IpAddress& vtep : wanted_->known) {
    if (allowed_.contains(vtep)) continue;
    if (const std::string reason = allow(vtep); !reason.empty()) return withdraw_drop(reason);
  }
}

// What cannot be removed stays until the next change: the pipeline drops it as it would without any rule.
void FlowOffload::forget_unknown() {
  std::erase_if(allowed_, [&](const IpAddress& vtep) {
    if (std::binary_search(wanted_->known.begin(), wanted_->known.end(), vtep)) return false;
    bool is_gone = true;
    for (const FlowRule& rule : allow_rules(*wanted_, vtep, device_->queues, !inner_rss_.rules.empty()))
      if (!table_->remove(rule).empty()) is_gone = false;
    return is_gone;
  });
}

// Dropping is software's again: first what drops goes, then what kept packets from it.
void FlowOffload::withdraw_drop(const std::string& reason) {
  retry_below_ = wanted_->known.size();
  std::string failure = remove_drop_rules();
  for (const IpAddress& vtep : allowed_)
    for (const FlowRule& rule : allow_rules(*wanted_, vtep, device_->queues, !inner_rss_.rules.empty()))
      if (failure.empty()) failure = table_->remove(rule);
  allowed_.clear();
  drop_.reason = reason;
  if (failure.empty()) return;
  flush();
  if (is_broken_) return;
  install_inner_rss();
}

std::string FlowOffload::remove_drop_rules() {
  dropped_before_ += count_dropped().value_or(0);
  std::string failure;
  for (const FlowRule& rule : drop_.rules)
    if (std::string reason = table_->remove(rule); !reason.empty()) failure = reason;
  drop_.rules.clear();
  return failure;
}

void FlowOffload::remove_all(const std::string& reason) {
  is_installed_ = false;
  if (is_broken_) return;
  remove_drop_rules();  // what fails here is flushed
  if (table_->size() != 0) flush();
  if (is_announced_) announce_tunnel_port(false);
  allowed_.clear();
  inner_rss_.rules.clear();
  if (!is_broken_) inner_rss_.reason = drop_.reason = reason;
}

void FlowOffload::flush() {
  inner_rss_.rules.clear();
  drop_.rules.clear();
  const std::string failure = table_->flush();
  if (failure.empty()) return;
  is_broken_ = true;
  inner_rss_.reason = drop_.reason =
      fmt::format("the driver cannot remove its rules, the NIC may still follow them: {}", failure);
  log::error("ethdev {}: {}", device_->id, drop_.reason);
}

// Many NICs look for tunnels only behind ports that they were told.
void FlowOffload::announce_tunnel_port(bool is_there) {
  rte_eth_udp_tunnel tunnel{};
  tunnel.udp_port = wanted_->udp_port;
  tunnel.prot_type = wanted_->encapsulation == net::Encapsulation::Vxlan ? RTE_ETH_TUNNEL_TYPE_VXLAN
                                                                         : RTE_ETH_TUNNEL_TYPE_GENEVE;
  is_announced_ = is_there;
  // Most drivers know no such thing; what it means then shows in the answers to the rules.
  if (is_there)
    rte_eth_dev_udp_tunnel_port_add(device_->id, &tunnel);
  else
    rte_eth_dev_udp_tunnel_port_delete(device_->id, &tunnel);
}

std::optional<uint64_t> FlowOffload::count_dropped() const {
  std::optional<uint64_t> sum;
  for (const FlowRule& rule : drop_.rules)
    if (const auto packets = table_->packets(rule)) sum = sum.value_or(0) + *packets;
  return sum;
}

std::vector<OffloadStatus> FlowOffload::status() const {
  const std::scoped_lock lock(mutex_);
  OffloadStatus rss{.port = {},
                    .offload = "inner-rss",
                    .in_nic = !inner_rss_.rules.empty(),
                    .rules = inner_rss_.rules.size(),
                    .packets = {},
                    .reason = inner_rss_.reason};
  OffloadStatus drop{.port = {},
                     .offload = "unknown-vtep-drop",
                     .in_nic = !drop_.rules.empty(),
                     .rules = 0,
                     .packets = {},
                     .reason = drop_.reason};
  if (!table_) return {rss, drop};
  if (drop.in_nic) drop.rules = table_->size() - rss.rules;
  if (const auto packets = count_dropped())
    drop.packets = dropped_before_ + *packets;
  else if (dropped_before_ != 0)
    drop.packets = dropped_before_;
  return {rss, drop};
}

}  // namespace podswitch
