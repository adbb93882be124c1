// SPDX-License-Identifier: Apache-2.0
// Where Services are found by their addresses: (virtual IP address, protocol, port) to the service port, and
// which addresses and ports are endpoints. One table for a network. It is immutable but for the endpoint
// filter; the next one shares with it all but what changed. Made by the configuration thread, read by
// workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

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
inline constexpr uint32_t kMaxServicePorts = 1u << kServiceIndexBits;
constexpr uint32_t index_of(ServiceId id) noexcept {
  return id & (kMaxServicePorts - 1);
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

// Which (address, protocol, port) are endpoints. It may say so of others, too: those flows are tracked
// without need, no more. Bits are only ever set; a filter that has forgotten too much is replaced.
class EndpointFilter {
 public:
  explicit EndpointFilter(size_t endpoints);  // that it is to hold
  void add(const IpAddress& ip, Protocol protocol, uint16_t port) noexcept;
  bool may_contain(const IpAddress& ip, uint8_t protocol, uint16_t port) const noexcept;
  size_t capacity() const { return capacity_; }
  size_t memory_bytes() const { return words_ * sizeof(uint64_t); }

 private:
  size_t capacity_;
  size_t words_;  // a power of two
  std::unique_ptr<std::atomic<uint64_t>[]> bits_;
};

class ServiceTable {
 public:
  ServiceTable();  // empty

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
  void prefetch(const IpAddress& ip) const noexcept;
  // A cheap first question: false for nearly all addresses that no service has.
  bool may_be_vip(const IpAddress& ip) const noexcept;
  const EndpointFilter& endpoints() const { return *filter_; }

  size_t size() const { return size_; }  // frontends
  bool empty() const { return size_ == 0; }
  size_t memory_bytes() const;  // without Service objects and Maglev tables

 private:
  struct Shard;
  std::vector<std::shared_ptr<const Shard>> shards_;  // by the address's hash; a power of two
  std::shared_ptr<const EndpointFilter> filter_;
  std::shared_ptr<const EndpointFilter> vips_;  // by address alone
  size_t size_ = 0;
};

}  // namespace podswitch
