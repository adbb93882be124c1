// SPDX-License-Identifier: Apache-2.0
// The one exception of the control side: what was wrong, where, and what would be right. Thrown by
// anything off the packet path, caught at the control socket or in main().
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace podswitch {

struct Problem {
  std::string path;     // where: "ports.web.mtu", "podswitch.conf:12", empty when there is no better place
  std::string message;  // what was wrong and what would be right
  friend bool operator==(const Problem&, const Problem&) = default;
};

class Error : public std::runtime_error {
 public:
  Error(std::string path, std::string message)
      : Error(std::vector<Problem>{{std::move(path), std::move(message)}}) {}
  explicit Error(std::vector<Problem> problems)
      : std::runtime_error(text_of(problems)), problems_(std::move(problems)) {}
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  static std::string text_of(const std::vector<Problem>& problems) {
    std::string text;
    for (const Problem& problem : problems) {
      if (!text.empty()) text += '\n';
      text += problem.path.empty() ? problem.message : problem.path + ": " + problem.message;
    }
    return text;
  }
  std::vector<Problem> problems_;
};

// The same problems, each path under `prefix`.
Error under(const std::string& prefix, const Error& error);

// Throws Error("", "WHAT: strerror") for a negative errno value as DPDK returns it; else returns `rc`.
int check(int rc, const std::string& what);
// The same from errno, for a call that returned -1.
int check_errno(int rc, const std::string& what);

}  // namespace podswitch
