// SPDX-License-Identifier: Apache-2.0
#include "pmd/eth_device.h"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <future>
#include <mutex>
#include <system_error>

#include "pmd/eth_offload.h"
#include "pmd/eth_probe.h"
#include "pmd/log.h"
#include "pmd/pci_address.h"

namespace podswitch {
namespace {

constexpr uint16_t kRing = 1024;
constexpr uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 4;  // with one tag

// The configuration and the housekeeping thread may open devices at the same time.
std::mutex g_af_xdp_mutex;

// EAL's names for devices; ours must differ even while one of the same port is still being closed.
std::string device_string(const PortSpec& spec) {
  static std::atomic<unsigned> next{0};
  switch (spec.kind) {
    case PortKind::AfXdp:
      return fmt::format("net_af_xdp{},iface={},queue_count={}", next++, spec.ifname, spec.queues);
    case PortKind::Memif:
      return fmt::format("net_memif{},role={},id={},socket={},socket-abstract=no", next++,
                         spec.server ? "server" : "client", spec.memif_id, spec.path);
    default:
      return spec.device;
  }
}

const char* option_naming_device(PortKind kind) {
  return kind == PortKind::AfXdp ? "ifname" : kind == PortKind::Memif ? "path" : "device";
}

std::string text_of(int result) {
  return std::generic_category().message(-result);
}

}  // namespace

std::string why_no_device(const PortSpec& spec) {
  if (spec.kind == PortKind::AfXdp && if_nametoindex(spec.ifname.c_str()) == 0)
    return fmt::format("there is no interface {}", spec.ifname);
  if (const std::string pci = pci_address(spec.device); spec.kind == PortKind::Ethdev && !pci.empty()) {
    std::error_code error;
    if (!std::filesystem::exists("/sys/bus/pci/devices/" + pci, error))
      return fmt::format("there is no PCI device {}", pci);
  }
  return {};
}

EthDevice::EthDevice(const PortSpec& spec, rte_mempool& pool, FlowOffload& flows)
    : is_memif_(spec.kind == PortKind::Memif), flows_(flows) {
  if (const std::string missing = why_no_device(spec); !missing.empty())
    throw Error(option_naming_device(spec.kind), missing);
  probe(spec);
  try {
    configure(spec, pool);
  } catch (...) {
    close();
    throw;
  }
}

EthDevice::~EthDevice() {
  close();
}

void EthDevice::probe(const PortSpec& spec) {
  if (spec.kind == PortKind::Bond) {
    bond_ = std::make_unique<Bond>(spec);
    id_ = bond_->id();
  } else {
    const char* option = option_naming_device(spec.kind);
    if (spec.kind == PortKind::Memif && spec.path.find(',') != std::string::npos)
      throw Error(option, "DPDK cannot take a memif path with a comma in it");
    id_ = probe_device(device_string(spec), option);
  }
  is_probed_ = true;
}

void EthDevice::configure(const PortSpec& spec, rte_mempool& pool) {
  rte_eth_dev_info info{};
  check(rte_eth_dev_info_get(id_, &info), "read what the device can do");
  const uint16_t max_queues = std::min(info.max_rx_queues, info.max_tx_queues);
  if (spec.queues > max_queues)
    throw Error("queues", fmt::format("{} are too many: this {} device has at most {}", spec.queues,
                                      info.driver_name, max_queues));
  // memif does not know the concept: its ring carries chains of buffers.
  const bool has_mtu = spec.kind != PortKind::Memif;
  uint32_t max_mtu = info.max_mtu == 0 ? kMaxMtu : info.max_mtu;
  if (spec.kind == PortKind::AfXdp) {
    af_xdp_pool_ = std::make_unique<AfXdpPool>(spec.queues);
    max_mtu = std::min(max_mtu, AfXdpPool::max_frame() - kFrameOverhead);
  }
  // A bond has no MTU of its own, but the shortest of its members' frames.
  if (bond_ && info.max_mtu == UINT16_MAX)
    max_mtu = std::min<uint32_t>(max_mtu, info.max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN);
  rte_eth_conf conf{};
  const uint32_t room = rte_pktmbuf_data_room_size(&pool) - RTE_PKTMBUF_HEADROOM;
  const bool has_scatter = spec.kind == PortKind::Ethdev || spec.kind == PortKind::Bond;
  if (has_scatter && spec.mtu + kFrameOverhead > room) {
    if ((info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0)
      conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
    else
      max_mtu = std::min(max_mtu, room - kFrameOverhead);
  }
  if (has_mtu && spec.mtu > max_mtu)
    throw Error("mtu", fmt::format("{} is too large: this {} device takes at most {}", spec.mtu,
                                   info.driver_name, max_mtu));
  if (has_mtu) conf.rxmode.mtu = spec.mtu;

  // Which member a packet leaves by is the bonding driver's secret, so that nobody can ask for its
  // preparation (rte_eth_tx_prepare).
  if (bond_) info.tx_offload_capa &= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  const EthTxOffloads offloads = tx_offloads_of(info);
  caps_ = offloads.caps;
  conf.txmode.offloads = offloads.flags;
  if (spec.queues > 1 && info.flow_type_rss_offloads != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf =
        info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP);
  }
  flow_queues_ = {spec.queues, conf.rx_adv_conf.rss_conf.rss_hf};
  driver_ = info.driver_name;
  has_receive_interrupts_ =
      info.device != nullptr && spec.kind == PortKind::Ethdev && !pci_address(spec.device).empty();
  conf.intr_conf.rxq = has_receive_interrupts_ ? 1 : 0;
  int result = rte_eth_dev_configure(id_, spec.queues, spec.queues, &conf);
  if (result != 0 && has_receive_interrupts_) {
    has_receive_interrupts_ = false;
    conf.intr_conf.rxq = 0;
    result = rte_eth_dev_configure(id_, spec.queues, spec.queues, &conf);
  }
  check(result, fmt::format("configure {}", info.driver_name));

  // Before the queues: attaching XDP depends on it. A bond's members have it from the configuration.
  if (has_mtu && !bond_) {
    result = rte_eth_dev_set_mtu(id_, spec.mtu);
    if (result != 0 && result != -ENOTSUP)
      throw Error("mtu",
                  fmt::format("the {} device refuses {}: {}", info.driver_name, spec.mtu, text_of(result)));
  }
  uint16_t receive_ring = spec.kind == PortKind::AfXdp ? kAfXdpRing : kRing, transmit_ring = receive_ring;
  check(rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_ring, &transmit_ring), "choose ring sizes");
  if (spec.kind != PortKind::AfXdp) return set_up_queues(spec, pool, receive_ring, transmit_ring);
  const std::scoped_lock lock(g_af_xdp_mutex);
  af_xdp_sockets_.begin();
  try {
    set_up_queues(spec, af_xdp_pool_->pool(), receive_ring, transmit_ring);
  } catch (...) {
    af_xdp_sockets_.end();
    throw;
  }
  af_xdp_sockets_.end();
}

void EthDevice::set_up_queues(const PortSpec& spec, rte_mempool& pool, uint16_t receive_ring,
                              uint16_t transmit_ring) {
  const int node = rte_eth_dev_socket_id(id_);
  const auto socket = static_cast<unsigned>(node);
  for (uint16_t queue = 0; queue < spec.queues; ++queue) {
    const int result = rte_eth_rx_queue_setup(id_, queue, receive_ring, socket, nullptr, &pool);
    if (result == -EINVAL && spec.kind == PortKind::AfXdp)
      throw DeviceBusy(
          "ifname", fmt::format("queue {} of {} is in use by another AF_XDP socket, or does not exist", queue,
                                spec.ifname));
    check(result, fmt::format("set up receive queue {}", queue));
    check(rte_eth_tx_queue_setup(id_, queue, transmit_ring, socket, nullptr),
          fmt::format("set up transmit queue {}", queue));
  }
}

int EthDevice::start() {
  if (is_started_) return 0;
  if (const int result = rte_eth_dev_start(id_); result != 0) return result < 0 ? result : -EIO;
  is_started_ = true;
  // A switch must see frames for every pod's MAC. Devices that have no such mode see all anyway.
  if (const int result = rte_eth_promiscuous_enable(id_); result != 0 && result != -ENOTSUP)
    log::warning("ethdev {}: promiscuous mode: {}", id_, text_of(result));
  if (bond_) bond_->open_filters();
  flows_.attach({.id = id_, .queues = flow_queues_, .driver = driver_});
  return 0;
}

// Runs `work` on EAL's interrupt thread and waits for it.
template <typename Work>
void EthDevice::where_drivers_are_called(Work work) {
  struct Job {
    Work& work;
    std::promise<void> done = {};
  };
  const auto run = [](void* raw) {
    const std::unique_ptr<Job> mine(static_cast<Job*>(raw));
    mine->work();
    mine->done.set_value();
  };
  auto job = std::make_unique<Job>(Job{work});
  std::future<void> done = job->done.get_future();
  // net_memif frees a connection when the peer goes, on that thread, and when it is stopped: both at once is
  // a crash (22.11).
  if (!is_memif_ || rte_eal_alarm_set(1, run, job.get()) != 0) return work();
  job.release();
  done.wait();
}

void EthDevice::stop() {
  if (is_started_) flows_.detach();
  if (is_started_) where_drivers_are_called([this] { rte_eth_dev_stop(id_); });
  is_started_ = false;
}

bool EthDevice::has_link() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

void EthDevice::close() {
  if (!is_probed_) return;
  stop();
  is_probed_ = false;
  if (bond_) return bond_.reset();
  rte_eth_dev_info info{};
  const bool has_info = rte_eth_dev_info_get(id_, &info) == 0;
  {
    const std::scoped_lock lock(g_af_xdp_mutex);
    where_drivers_are_called([this] { rte_eth_dev_close(id_); });
    af_xdp_sockets_.close_left();
  }
  if (has_info && info.device != nullptr) rte_dev_remove(info.device);
}

}  // namespace podswitch
