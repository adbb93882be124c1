// SPDX-License-Identifier: Apache-2.0
// Reads the members of an object of Kubernetes with their types checked, and collects what is wrong under
// its path. Where a value stands is written out only when something is. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pmd/error.h"

namespace podswitch {

// A member or an element, and what it is in. Lives no longer than its `outer`.
struct Place {
  const Place* outer = nullptr;
  const char* key = nullptr;  // nullptr: an element
  size_t index = 0;

  Place member(const char* name) const { return {this, name, 0}; }
  Place element(size_t i) const { return {this, nullptr, i}; }
  std::string text() const;  // "spec.ports[2].name"
};

class ValueReader {
 public:
  explicit ValueReader(const std::string& path) : prefix_(path.empty() ? "" : path + ".") {}

  void add(const Place& place, std::string message);
  void check() const;  // throws Error when something was wrong

  // A member of `object`, which stands at `in`. nullptr when it is absent, null, or of another type, which is
  // a problem.
  const nlohmann::json* object(const nlohmann::json& object, const Place& in, const char* key);
  const nlohmann::json* array(const nlohmann::json& object, const Place& in, const char* key);
  const std::string* text(const nlohmann::json& object, const Place& in, const char* key);
  bool flag(const nlohmann::json& object, const Place& in, const char* key, bool fallback);
  // nullopt as above, and where it is no number from `min` to 65535.
  std::optional<uint16_t> number(const nlohmann::json& object, const Place& in, const char* key,
                                 uint16_t min);
  // False, and a problem, for anything but a JSON object.
  bool is_object(const nlohmann::json& value, const Place& place);

 private:
  using Type = nlohmann::json::value_t;
  const nlohmann::json* member(const nlohmann::json& object, const Place& in, const char* key, Type type);

  const std::string prefix_;
  std::vector<Problem> problems_;
};

// `object` with only the members named by `keys`; anything but an object stays.
void keep_only(nlohmann::json& object, std::initializer_list<std::string_view> keys);

}  // namespace podswitch
