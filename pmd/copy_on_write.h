// SPDX-License-Identifier: Apache-2.0
// A map that is copied when it is changed, not when it is handed on: with thousands of nodes a state, its
// draft and its journal would spend their time on copies. Only the thread that owns all copies may use it.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace podswitch {

template <typename Map>
class CopyOnWrite {
 public:
  using Key = typename Map::key_type;
  using Value = typename Map::mapped_type;

  operator const Map&() const { return *map_; }  // NOLINT: it is one
  auto begin() const { return std::as_const(*map_).begin(); }
  auto end() const { return std::as_const(*map_).end(); }
  auto find(const Key& key) const { return std::as_const(*map_).find(key); }
  const Value& at(const Key& key) const { return map_->at(key); }
  bool contains(const Key& key) const { return map_->contains(key); }
  size_t size() const { return map_->size(); }
  bool empty() const { return map_->empty(); }

  Value& operator[](const Key& key) { return own()[key]; }
  size_t erase(const Key& key) { return map_->contains(key) ? own().erase(key) : 0; }
  void insert_or_assign(const Key& key, Value value) { own().insert_or_assign(key, std::move(value)); }

 private:
  Map& own() {
    if (map_.use_count() != 1) map_ = std::make_shared<Map>(*map_);
    return *map_;
  }

  std::shared_ptr<Map> map_ = std::make_shared<Map>();
};

}  // namespace podswitch
