// SPDX-License-Identifier: Apache-2.0
#include "pmd/eal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <system_error>

#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr uint32_t kDefaultBuffers = 32768;
constexpr uint32_t kBufferDataBytes = RTE_PKTMBUF_HEADROOM + 2048;
constexpr uint32_t kPoolCache = 512;  // per worker: two full bursts of chained 9000-byte frames and more
// librte_vhost 22.11 completes odd checksums of a guest's frame in place and may write one byte behind a
// buffer that is full.
constexpr uint32_t kBufferTailBytes = 64;
// Rings and device state: librte_vhost takes up to 300 KiB for a queue pair of 1024, an AF_XDP queue 16 MiB.
// Hugepages are taken at once, and more later when there are some; memory without them is fixed at the start,
// but taken only as it is touched.
constexpr uint64_t kBaseMibHugepages = 96;
constexpr uint64_t kBaseMibSmallPages = 768;

uint64_t needed_mib(uint32_t buffers, uint64_t base_mib) {
  const uint64_t bytes = uint64_t{buffers} * (sizeof(rte_mbuf) + kBufferDataBytes + kBufferTailBytes + 128);
  return base_mib + bytes / (1 << 20) + 1;
}

unsigned node_of_core(unsigned core) {
  for (unsigned node = 0; node < RTE_MAX_NUMA_NODES; ++node)
    if (std::filesystem::exists(fmt::format("/sys/devices/system/cpu/cpu{}/node{}", core, node))) return node;
  return 0;
}

// The computed amount, on every node that has a worker.
std::vector<uint32_t> spread_over_nodes(uint64_t mib, const std::vector<unsigned>& worker_cores) {
  std::vector<uint32_t> per_node;
  for (const unsigned core : worker_cores) {
    const unsigned node = node_of_core(core);
    if (per_node.size() <= node) per_node.resize(node + 1);
    per_node[node] = static_cast<uint32_t>(mib);
  }
  return per_node;
}

// Free 2 MiB pages of a NUMA node, or of the whole machine where there are no nodes to ask.
uint64_t free_hugepage_mib(unsigned node) {
  const std::string per_node =
      fmt::format("/sys/devices/system/node/node{}/hugepages/hugepages-2048kB/free_hugepages", node);
  const bool has_nodes = std::filesystem::exists(per_node);
  if (!has_nodes && node != 0) return 0;
  std::ifstream file(has_nodes ? per_node : "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  uint64_t pages = 0;
  file >> pages;
  return pages * 2;
}

// Less cannot even hold the packets; EAL's own message would not say so.
void require_room_for_buffers(const std::vector<uint32_t>& mib, uint32_t buffers) {
  const uint64_t given = std::accumulate(mib.begin(), mib.end(), uint64_t{0}),
                 needed = needed_mib(buffers, 0);
  if (given < needed)
    throw Error("memory.mib", fmt::format("{} are too few: {} packet buffers take {} MiB; raise it or lower "
                                          "memory.buffers",
                                          given, buffers, needed));
}

// Whether `mib` of every node can be had.
bool enough_hugepages(const std::vector<uint32_t>& mib, std::string& missing) {
  for (unsigned node = 0; node < mib.size(); ++node) {
    const uint64_t free = free_hugepage_mib(node);
    if (free >= mib[node]) continue;
    missing =
        fmt::format("node {} has {} MiB of free 2 MiB hugepages, {} MiB are needed", node, free, mib[node]);
    return false;
  }
  return true;
}

bool choose_hugepages(const MemoryOptions& options, const std::vector<uint32_t>& mib) {
  if (options.hugepages == HugepagePolicy::None) return false;
  std::string missing;
  if (enough_hugepages(mib, missing)) return true;
  if (options.hugepages == HugepagePolicy::Required)
    throw Error("memory.hugepages",
                fmt::format("{}: reserve them (sysctl vm.nr_hugepages={}) or set memory.hugepages to auto",
                            missing, std::accumulate(mib.begin(), mib.end(), 0U) / 2));
  log::warning(
      "running without hugepages ({}): packets cost more to copy because of TLB misses, and NICs that need "
      "DMA "
      "memory may refuse to start; reserve them with: sysctl vm.nr_hugepages={}",
      missing, std::accumulate(mib.begin(), mib.end(), 0U) / 2);
  return false;
}

void add_memory_arguments(std::vector<std::string>& args, const std::vector<uint32_t>& mib, bool hugepages) {
  if (hugepages) {
    args.insert(args.end(), {"--in-memory", fmt::format("--socket-mem={}", fmt::join(mib, ","))});
    return;
  }
  // --no-shconf: two processes without hugepages may otherwise not share a file prefix; nothing is shared
  // here.
  args.insert(args.end(), {"--no-huge", "--no-shconf", "-m",
                           std::to_string(std::accumulate(mib.begin(), mib.end(), 0U))});
}

std::vector<std::string> eal_arguments(const EngineOptions& options, const std::vector<uint32_t>& mib,
                                       bool hugepages) {
  std::vector<std::string> args{"podswitchd", "--file-prefix=" + options.instance, "--no-telemetry",
                                "--iova-mode=va", "--log-level=notice"};
  // One lcore for every thread that is no worker; workers register themselves later.
  args.push_back(fmt::format("--lcores=0@({})", fmt::join(options.other_cores, ",")));
  // No PCI device is touched unless a port names it: --no-pci would forbid that too, an allow-list with an
  // address that no driver takes does not.
  args.insert(args.end(), {"-a", "0000:00:00.0"});
  add_memory_arguments(args, mib, hugepages);
  return args;
}

// librte_vhost logs from the packet path whatever a guest does wrong there; drops are counted instead.
void quieten_packet_path() {
  rte_log_set_level_pattern("lib.vhost.data", RTE_LOG_EMERG);
}

void start_eal(std::vector<std::string> args) {
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0)
    throw Error("", fmt::format("DPDK's EAL did not start: {} (arguments: {})", rte_strerror(rte_errno),
                                fmt::join(args, " ")));
}

// What rte_mempool leaves open with RTE_MEMPOOL_F_NO_IOVA_CONTIG; --iova-mode=va says what it is.
void set_iova(rte_mempool*, void*, void* object, unsigned) {
  // Where rte_pktmbuf_detach() looks it up.
  rte_mempool_get_header(object)->iova = reinterpret_cast<rte_iova_t>(object);
  auto* packet = static_cast<rte_mbuf*>(object);
  rte_mbuf_iova_set(packet, reinterpret_cast<rte_iova_t>(packet->buf_addr));
}

}  // namespace

// As rte_pktmbuf_pool_create(), with a tail behind each buffer that nothing counts on. In small pages it
// would give each buffer one of its own, lest some cross into a page elsewhere in physical memory: all would
// begin alike, in the same few sets of the caches.
rte_mempool* make_packet_pool(const char* name, uint32_t buffers, bool hugepages) {
  const uint32_t element_bytes = sizeof(rte_mbuf) + kBufferDataBytes + kBufferTailBytes;
  const unsigned flags = hugepages ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
  rte_mempool* pool = rte_mempool_create_empty(name, buffers, element_bytes, kPoolCache,
                                               sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY, flags);
  if (pool == nullptr) return nullptr;
  rte_pktmbuf_pool_private room{};
  room.mbuf_data_room_size = kBufferDataBytes;
  rte_pktmbuf_pool_init(pool, &room);
  if (const int result = rte_mempool_populate_default(pool); result < 0) {
    rte_errno = -result;
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  if (!hugepages) rte_mempool_obj_iter(pool, set_iova, nullptr);
  return pool;
}

Eal::Eal(const EngineOptions& options) {
  buffers_ =
      options.memory.buffers != 0 ? options.memory.buffers : kDefaultBuffers + options.static_queues * 2048;
  std::vector<uint32_t> mib = options.memory.mib_per_node;
  const bool is_computed = mib.empty();
  if (!is_computed) require_room_for_buffers(mib, buffers_);
  if (is_computed) mib = spread_over_nodes(needed_mib(buffers_, kBaseMibHugepages), options.worker_cores);
  hugepages_ = choose_hugepages(options.memory, mib);
  if (is_computed && !hugepages_) mib = {static_cast<uint32_t>(needed_mib(buffers_, kBaseMibSmallPages))};
  memory_bytes_ = std::accumulate(mib.begin(), mib.end(), uint64_t{0}) << 20;
  log::capture_dpdk_log();
  start_eal(eal_arguments(options, mib, hugepages_));
  quieten_packet_path();
  pool_ = make_packet_pool("packets", buffers_, hugepages_);
  if (pool_ != nullptr) return;
  const std::string reason = rte_strerror(rte_errno);
  rte_eal_cleanup();
  throw Error(
      "memory",
      fmt::format("no room for {} packet buffers in {} MiB: {}; raise memory.mib or lower memory.buffers",
                  buffers_, memory_bytes_ >> 20, reason));
}

// rte_eal_cleanup() would unmap what EAL's interrupt thread is still using (22.11); the process ends soon.
Eal::~Eal() {
  rte_mempool_free(pool_);
}

void become_worker_thread(unsigned core, unsigned index) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(core, &cpus);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus); error != 0)
    throw Error("workers.cores", fmt::format("no worker can run on core {}: {}", core,
                                             std::generic_category().message(error)));
  pthread_setname_np(pthread_self(), fmt::format("worker-{}", index).c_str());
  if (rte_thread_register() != 0)
    throw Error("workers.cores", fmt::format("DPDK takes no further thread: {}", rte_strerror(rte_errno)));
}

}  // namespace podswitch
