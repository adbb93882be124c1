// SPDX-License-Identifier: Apache-2.0
// Finds the Maglev table of a set of addresses again as long as anybody uses it: services with one endpoint
// set share one table. Configuration thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "lb/maglev.h"
#include "lb/service_table.h"

namespace podswitch {

class MaglevCache {
 public:
  // `backends` sorted; nullptr when there are none.
  std::shared_ptr<const Maglev> get(std::span<const Backend> backends);
  // Of the tables in use, and how many they are.
  struct Memory {
    size_t tables = 0;
    size_t bytes = 0;
  };
  Memory memory() const;

 private:
  struct Shared;
  void forget_some();

  std::unordered_multimap<uint64_t, std::weak_ptr<const Shared>> shared_;  // by the addresses' hash
  size_t looked_at_ = 0;                                                   // buckets, for what nobody uses
};

}  // namespace podswitch
