// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/value_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxProblems = 100;  // of one object: more help nobody

}  // namespace

std::string Place::text() const {
  const std::string before = outer == nullptr ? "" : outer->text();
  if (key == nullptr) return outer == nullptr ? "" : fmt::format("{}[{}]", before, index);
  if (std::strchr(key, '/') != nullptr) return fmt::format("{}[{}]", before, key);  // a label
  return before.empty() ? key : fmt::format("{}.{}", before, key);
}

void ValueReader::add(const Place& place, std::string message) {
  if (problems_.size() < kMaxProblems) problems_.push_back({prefix_ + place.text(), std::move(message)});
}

void ValueReader::check() const {
  if (!problems_.empty()) throw Error(problems_);
}

const Json* ValueReader::member(const Json& object, const Place& in, const char* key, Type type) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return nullptr;
  if (found->type() == type) return &*found;
  add(in.member(key), fmt::format("of JSON type {}, not {}", found->type_name(), Json(type).type_name()));
  return nullptr;
}

const Json* ValueReader::object(const Json& object, const Place& in, const char* key) {
  return member(object, in, key, Type::object);
}

const Json* ValueReader::array(const Json& object, const Place& in, const char* key) {
  return member(object, in, key, Type::array);
}

const std::string* ValueReader::text(const Json& object, const Place& in, const char* key) {
  const Json* found = member(object, in, key, Type::string);
  return found == nullptr ? nullptr : found->get_ptr<const std::string*>();
}

bool ValueReader::flag(const Json& object, const Place& in, const char* key, bool fallback) {
  const Json* found = member(object, in, key, Type::boolean);
  return found == nullptr ? fallback : found->get<bool>();
}

std::optional<uint16_t> ValueReader::number(const Json& object, const Place& in, const char* key,
                                            uint16_t min) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  // A number that was not parsed may be of a signed type.
  const bool is_in_range =
      found->is_number_unsigned()
          ? found->get<uint64_t>() >= min && found->get<uint64_t>() <= UINT16_MAX
          : found->is_number_integer() && found->get<int64_t>() >= min && found->get<int64_t>() <= UINT16_MAX;
  if (is_in_range) return found->get<uint16_t>();
  add(in.member(key),
      fmt::format("{} is no number from {} to {}",
                  found->is_primitive()
                      ? found->dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 40)
                      : found->type_name(),
                  min, UINT16_MAX));
  return std::nullopt;
}

bool ValueReader::is_object(const Json& value, const Place& place) {
  if (value.is_object()) return true;
  add(place, fmt::format("of JSON type {}, not object", value.type_name()));
  return false;
}

void keep_only(Json& object, std::initializer_list<std::string_view> keys) {
  if (!object.is_object()) return;
  for (auto item = object.begin(); item != object.end();) {
    if (std::find(keys.begin(), keys.end(), item.key()) == keys.end())
      item = object.erase(item);
    else
      ++item;
  }
}

}  // namespace podswitch
