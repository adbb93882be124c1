// SPDX-License-Identifier: Apache-2.0
// Where Services are found by their addresses: (virtual IP address, protocol, port) to the service port, and
// which addresses and ports are endpoints. One table for a network. It is immutable but for the filters; the
// next one shares with it all but what changed. Made by the configuration thread, read by workers.
#pragma once

#include <rte_prefetch.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lb/endpoint_filter.h"
#include "lb/maglev.h"
#include "lb/protocol.h"
#include "switch/net/address.h"

namespace podswitch {

struct Backend {
  IpAddress ip;
  uint16_t port = 0;
  friend auto operator<=>(const Backend&, const Backend&) = default;
};

// Of a service port of one address family: dense, kept as long as that is there. The upper bits count how
// often the lower ones were given out, so that a flow which outlived its service does not pass for another's.
using ServiceId = uint32_t;
inline constexpr unsigned kServiceIndexBits = 22;
inline constexpr uint32_t kMaxServicePorts = (1u << kServiceIndexBits) - 1;
constexpr uint32_t index_of(ServiceId id) noexcept {
  return id & ((1u << kServiceIndexBits) - 1);
}
inline constexpr ServiceId kNoService = ~ServiceId{0};

// One service port of one family, as packets need it. All its frontends share it.
struct Service {
  ServiceId id = kNoService;
  std::shared_ptr<const Maglev> choice;  // shared by all services with these endpoints; nullptr: no backends
  std::vector<Backend> backends;         // sorted; what choice's entries count
};

struct Frontend {
  IpAddress ip;
  uint16_t port = 0;
  Protocol protocol = Protocol::Tcp;
  friend auto operator<=>(const Frontend&, const Frontend&) = default;
};

// The hash by which a flow chooses: the same on every node, hence not keyed. Ports in host order.
uint32_t choice_hash(const IpAddress& client, uint16_t client_port, const Frontend& frontend) noexcept;

class ServiceTable {
 public:
  ServiceTable();  // empty
  ~ServiceTable();

  struct Change {
    Frontend frontend;
    std::shared_ptr<const Service> service;  // nullptr: it goes
  };
  // `filter` holds all endpoints already. Changes of one frontend come once.
  std::shared_ptr<const ServiceTable> with(std::span<const Change> changes,
                                           std::shared_ptr<const EndpointFilter> filter) const;

  struct Hit {
    bool is_vip = false;               // some service has the address
    const Service* service = nullptr;  // has this protocol and port as well
  };
  // Worker. `protocol` any IP protocol number; `port` in host order.
  Hit find(const IpAddress& ip, uint8_t protocol, uint16_t port) const noexcept;
  // A cheap first question: false for nearly all addresses that no service has.
  bool may_be_vip(const IpAddress& ip) const noexcept { return vips_->may_contain(ip); }
  const EndpointFilter& endpoints() const { return *filter_; }

  size_t size() const { return size_; }  // frontends
  bool empty() const { return size_ == 0; }
  size_t memory_bytes() const;  // without Service objects and Maglev tables

 private:
  struct Entry;
  struct Slot;
  class Shard;
  struct View;
  struct Page;
  using Pages = std::vector<std::shared_ptr<const Page>>;

  static uint64_t hash_of(const IpAddress& ip) noexcept;
  const View& view_of(uint64_t hash) const noexcept;
  std::vector<Entry> all_entries() const;
  void build(std::vector<Entry> entries);
  void replace(std::span<const Change> changes);
  void adopt(size_t shard, std::unique_ptr<const Shard> made);
  void follow_vips(const ServiceTable& before, std::span<const Change> changes);

  // Workers need the views only; pages keep alive what those point to, so that the next table shares by
  // counting pages instead of shards.
  std::vector<View> views_;  // of the shards, by the address's hash; a power of two
  Pages pages_;
  std::shared_ptr<const EndpointFilter> filter_;
  std::shared_ptr<EndpointFilter> vips_;  // by address alone
  size_t vips_added_ = 0;                 // to it, since it was made
  size_t size_ = 0;
};

}  // namespace podswitch
