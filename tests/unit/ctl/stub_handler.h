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
  TakenObject read_object(const nlohmann::json& object) const override {
    if (object.contains("bad")) throw Error("bad", "must not be there");
    return object.dump();
  }
  Answer apply(const Caller&, const std::vector<TakenObject>& objects, const CommitOptions&) override {
    applied.clear();
    for (const TakenObject& object : objects) applied.push_back(std::get<std::string>(object));
    return {8, objects.size()};
  }

  std::vector<std::string> applied;
};

}  // namespace podswitch
