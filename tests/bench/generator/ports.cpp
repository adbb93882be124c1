// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/ports.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "tests/bench/generator/frame.h"
#include "tests/bench/generator/sockets.h"

namespace podswitch::bench {
namespace {

constexpr uint32_t kCache = 256;  // of each pool: several bursts
constexpr uint16_t kBufferBytes = RTE_MBUF_DEFAULT_BUF_SIZE;
constexpr uint16_t kJumboBytes = RTE_PKTMBUF_HEADROOM + 9088;
constexpr uint32_t kMostJumbo = 8192;
constexpr uint64_t kIdleBytes = 1 << 20;
constexpr uint64_t kOtherMib = 64;  // devices, rings, EAL itself
constexpr uint64_t kElementOverhead = sizeof(rte_mbuf) + 128;

int check(int rc, const std::string& what) {
  if (rc < 0) throw std::runtime_error(what + ": " + rte_strerror(-rc));
  return rc;
}

// Full rings, and bursts in hand. The driver takes back what was sent only when it needs room.
uint32_t sent_buffers(size_t ports, uint16_t queue_size) {
  return static_cast<uint32_t>(ports) * (queue_size + 128U) + 2 * kCache;
}
uint32_t jumbo_buffers(size_t ports, uint16_t queue_size) {
  return std::min(sent_buffers(ports, queue_size), kMostJumbo);
}
// An echo sends what it received.
uint32_t received_buffers(size_t ports, uint16_t queue_size) {
  return sent_buffers(ports, queue_size) + queue_size;
}

uint64_t needed_mib(size_t ports, uint16_t queue_size) {
  const uint64_t small = (uint64_t{sent_buffers(ports, queue_size)} + received_buffers(ports, queue_size)) *
                         (kBufferBytes + kElementOverhead);
  const uint64_t jumbo = uint64_t{jumbo_buffers(ports, queue_size)} * (kJumboBytes + kElementOverhead);
  return (small + jumbo) * 11 / 10 / (1 << 20) + kOtherMib + 2 * ports;
}

uint64_t free_hugepage_mib() {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  uint64_t pages = 0;
  file >> pages;
  return pages * 2;
}

// A frame's bytes in a new buffer: as many as `most` points at.
void write_payload(rte_mempool*, void* most, void* object, unsigned) {
  auto* buffer = static_cast<rte_mbuf*>(object);
  const size_t room = std::min<size_t>(buffer->buf_len - RTE_PKTMBUF_HEADROOM, payload().size());
  std::memcpy(static_cast<char*>(buffer->buf_addr) + RTE_PKTMBUF_HEADROOM, payload().data(),
              std::min(room, *static_cast<size_t*>(most)));
}

rte_mempool* make_pool(const char* name, uint32_t count, uint16_t bytes) {
  rte_mempool* pool = rte_pktmbuf_pool_create(name, count, kCache, 0, bytes, SOCKET_ID_ANY);
  if (pool == nullptr)
    throw std::runtime_error(std::string("no memory for ") + std::to_string(count) +
                             " buffers: " + rte_strerror(rte_errno));
  return pool;
}

}  // namespace

Ports::Ports(const Options& options) : count_(static_cast<uint16_t>(options.sockets.size())) {
  paths_ = options.sockets;
  paths_.insert(paths_.end(), options.idle_sockets.begin(), options.idle_sockets.end());
  const auto connections = accept_all(paths_);
  for (size_t i = 0; i < paths_.size(); ++i) {
    if (i < count_)
      hand_over(paths_[i], connections[i]);
    else
      idle_.emplace_back(connections[i]).start_driver(kIdleBytes);
  }
  start_eal(options);
  make_pools(options.queue_size);
  for (uint16_t port = 0; port < count_; ++port) start_port(port, options.queue_size);
}

Ports::~Ports() {
  for (uint16_t port = 0; port < count_; ++port) {
    rte_eth_dev_stop(port);
    rte_eth_dev_close(port);
  }
  rte_eal_cleanup();
  for (const std::string& path : paths_) unlink(path.c_str());
}

void Ports::start_eal(const Options& options) const {
  const uint64_t mib = needed_mib(count_, options.queue_size);
  std::vector<std::string> args{"bench-generator",
                                "--single-file-segments",
                                "--no-pci",
                                "--no-telemetry",
                                "--file-prefix=bench-generator-" + std::to_string(getpid()),
                                "--lcores=0@" + std::to_string(options.core),
                                "--log-level=error"};
  if (free_hugepage_mib() >= mib)
    args.insert(args.end(), {"--in-memory", "--socket-mem=" + std::to_string(mib)});
  else
    args.insert(args.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(mib)});
  const std::string further = options.virtio.empty() ? "" : "," + options.virtio;
  for (size_t i = 0; i < options.sockets.size(); ++i)
    args.push_back("--vdev=net_virtio_user" + std::to_string(i) + ",path=" + options.sockets[i] +
                   ",queue_size=" + std::to_string(options.queue_size) +
                   ",mac=" + mac_behind(static_cast<uint8_t>(i), 0).to_string() + further);
  std::vector<char*> pointers;
  for (std::string& arg : args) pointers.push_back(arg.data());
  if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0)
    throw std::runtime_error(std::string("DPDK's EAL did not start: ") + rte_strerror(rte_errno));
}

void Ports::make_pools(uint16_t queue_size) {
  received_ = make_pool("received", received_buffers(count_, queue_size), kBufferBytes);
  sent_ = make_pool("sent", sent_buffers(count_, queue_size), kBufferBytes);
  sent_jumbo_ = make_pool("sent-jumbo", jumbo_buffers(count_, queue_size), kJumboBytes);
  write_payloads(payload().size());
}

void Ports::write_payloads(size_t most) const {
  for (rte_mempool* pool : {sent_, sent_jumbo_}) rte_mempool_obj_iter(pool, write_payload, &most);
}

void Ports::restore_payload() const {
  write_payloads(kLargestBlock);
}

rte_mempool& Ports::buffers_for(uint16_t wire_bytes) const {
  return wire_bytes <= kBufferBytes - RTE_PKTMBUF_HEADROOM ? *sent_ : *sent_jumbo_;
}

void Ports::start_port(uint16_t port, uint16_t queue_size) const {
  const std::string name = "port " + std::to_string(port);
  rte_eth_conf config{};
  // Frames longer than a buffer come in several, unless the device was told mrg_rxbuf=0.
  rte_eth_dev_info info{};
  check(rte_eth_dev_info_get(port, &info), name + " information");
  config.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
  check(rte_eth_dev_configure(port, 1, 1, &config), name + " configure");
  check(rte_eth_rx_queue_setup(port, 0, queue_size, SOCKET_ID_ANY, nullptr, received_),
        name + " receive queue");
  check(rte_eth_tx_queue_setup(port, 0, queue_size, SOCKET_ID_ANY, nullptr), name + " transmit queue");
  check(rte_eth_dev_start(port), name + " start");
}

bool Ports::is_connected(uint16_t port) const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace podswitch::bench
