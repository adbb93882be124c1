// SPDX-License-Identifier: Apache-2.0
// Keeps a device's flow engine in step with the tunnels that end behind it. Each purpose (spreading by inner
// headers, dropping what comes from unknown VTEPs) is wholly in the NIC or wholly in software. The
// configuration thread calls prepare() before a revision is published and settle() when packets see it, so
// that the NIC never drops what the pipeline of that moment would take. Owned by its port, which attaches and
// detaches the device on whatever thread starts and stops it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pmd/flow_rules.h"
#include "pmd/offload_status.h"
#include "pmd/rule_table.h"

namespace podswitch {

class FlowOffload {
 public:
  struct Device {
    uint16_t id = 0;
    FlowQueues queues;
    std::string driver;
  };

  // The device has started: rules are made. It is about to stop: they are removed.
  void attach(const Device& device);
  void detach();

  // The tunnels of the next revision; nullopt: none end here.
  void prepare(const std::optional<TunnelFlows>& next);
  void settle();

  // Any thread but a worker. Without the port's name.
  std::vector<OffloadStatus> status() const;

 private:
  static constexpr const char* kNotRunning = "the device does not run";
  struct Purpose {
    std::vector<FlowRule> rules;  // in the NIC
    std::string reason;
  };

  void install();
  void install_inner_rss();
  void install_drop();
  std::string why_not_drop(const DropForm& form) const;
  std::string choose_drop_form();
  std::string add_all(const std::vector<FlowRule>& rules);
  std::string allow(const IpAddress& vtep);
  void allow_newly_known();
  void forget_unknown();
  void withdraw_drop(const std::string& reason);
  std::string remove_drop_rules();
  void remove_all(const std::string& reason);
  void flush();
  void announce_tunnel_port(bool is_there);
  std::optional<uint64_t> count_dropped() const;

  mutable std::mutex mutex_;
  std::optional<Device> device_;
  std::unique_ptr<RuleTable> table_;  // there as long as the device is
  std::optional<TunnelFlows> wanted_;
  bool is_changing_ = false;   // between prepare() and settle()
  bool is_installed_ = false;  // install() has run for what is wanted
  bool is_broken_ = false;     // nobody knows what the NIC does: hands off until it is attached anew
  bool is_announced_ = false;  // the tunnels' port
  Purpose inner_rss_{{}, kNotRunning}, drop_{{}, kNotRunning};
  DropForm drop_form_;
  std::string why_not_counted_;
  std::set<IpAddress> allowed_;  // VTEPs that have rules
  size_t retry_below_ = 0;       // known VTEPs: with fewer, dropping may work
  uint64_t dropped_before_ = 0;  // by rules that are gone
};

}  // namespace podswitch
