// SPDX-License-Identifier: Apache-2.0
// What stands behind the control socket in tests: commands echo, fail and large, transactions of any object
// without "bad".
#pragma once

#include <string>
#include <vector>

#include "ctl/request_handler.h"
#include "pmd/error.h"

namespace podswitch {

class StubHandler final : public RequestHandler {
 public:
  Answer call(const Caller&, const std::string& command, const nlohmann::json& arguments) override {
    if (command == "fail") throw Error("here", "no");
    if (command == "large") return {7, std::string(arguments.at("bytes").get<size_t>(), 'x')};
    return {7, arguments};
  }
  void check_object(const nlohmann::json& object) const override {
    if (object.contains("bad")) throw Error("bad", "must not be there");
  }
  Answer apply(const Caller&, const std::vector<std::string>& objects, const CommitOptions&) override {
    applied = objects;
    return {8, objects.size()};
  }

  std::vector<std::string> applied;
};

}  // namespace podswitch
