// SPDX-License-Identifier: Apache-2.0
// What single values cannot tell: do they fit each other, and this machine? Main thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/config.h"

namespace podswitch {

// Collects problems, each at the place where its setting was given.
class ConfigChecker {
 public:
  // Where a setting was given, as a problem's path: "podswitch.conf:12: workers.cores".
  using Where = std::function<std::string(const std::string& section, std::string_view name)>;

  ConfigChecker(const Cores& cores, Where where, std::vector<Problem>& problems)
      : cores_(cores), where_(std::move(where)), problems_(problems) {}

  // Fills in the sets that were not given.
  void cores(Config& config);
  // `broken_ports` have a section, but no sound one.
  void pins(const Config& config, const std::set<std::string>& broken_ports);
  void ports(const Config& config);
  void networks(const Config& config);
  void limits(const Config& config);
  void group(const Config& config);

 private:
  void add(const std::string& section, std::string_view name, std::string message);
  void core_list(const std::vector<unsigned>& list, std::string_view name);
  void choose_cores(Config& config);
  void port_on_machine(const PortSpec& port);

  const Cores& cores_;
  const Where where_;
  std::vector<Problem>& problems_;
};

}  // namespace podswitch
