// SPDX-License-Identifier: Apache-2.0
#include "pmd/bond.h"

#include <fmt/format.h>
#include <rte_alarm.h>
#include <rte_eth_bond.h>
#include <rte_eth_bond_8023ad.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <future>

#include "pmd/bond_member.h"
#include "pmd/error.h"
#include "pmd/eth_probe.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr const char* kOption = "members";
// How often the driver asks members for their links that do not tell it by themselves.
constexpr uint32_t kDriverLooksMs = 100;
constexpr uint8_t kCarries = STATE_COLLECTING | STATE_DISTRIBUTING;

std::atomic<unsigned> g_next{0};  // EAL's names for devices are used once

std::string member_devargs(const PortSpec& spec, const std::string& name) {
  if (!is_interface_member(name)) return name;
  return fmt::format("net_af_packet{},iface={},qpairs={}", g_next++, name, spec.queues);
}

// Runs on EAL's interrupt thread what was due there within the last `ms` milliseconds.
void drain_alarms(uint32_t ms) {
  const auto run = [](void* raw) {
    const std::unique_ptr<std::promise<void>> mine(static_cast<std::promise<void>*>(raw));
    mine->set_value();
  };
  auto promise = std::make_unique<std::promise<void>>();
  std::future<void> done = promise->get_future();
  if (rte_eal_alarm_set(ms * 1000, run, promise.get()) != 0) return;
  promise.release();
  done.wait();
}

}  // namespace

Bond::Bond(const PortSpec& spec) : mode_(*spec.bond_mode) {
  try {
    for (const std::string& name : spec.members) add(spec, name);
    make(spec);
  } catch (...) {
    close_members();
    throw;
  }
}

void Bond::add(const PortSpec& spec, const std::string& name) {
  if (const std::string missing = why_no_member(name); !missing.empty()) throw Error(kOption, missing);
  const bool is_interface = is_interface_member(name);
  // LACP needs a link that is seen to fail: its own slow rate, the driver's only one, notices after 90 s.
  if (is_interface && mode_ == BondMode::Lacp)
    throw Error(kOption, fmt::format("{} is an interface, opened by packet sockets, whose link DPDK does not "
                                     "see: 802.3ad needs PCI addresses or DPDK device strings",
                                     name));
  auto interface = is_interface ? std::make_unique<Interface>(name) : nullptr;
  if (interface) interface->set_up();
  const auto index = interface ? interface->index() : std::nullopt;
  members_.push_back({name, probe_device(member_devargs(spec, name), kOption), std::move(interface), index});
}

void Bond::make(const PortSpec& spec) {
  if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS)
    throw Error("type", "no room for the bond itself: DPDK serves RTE_MAX_ETHPORTS devices");
  const uint8_t mode = mode_ == BondMode::Lacp ? BONDING_MODE_8023AD : BONDING_MODE_ACTIVE_BACKUP;
  const int node = std::max(rte_eth_dev_socket_id(members_.front().id), 0);
  const int made = rte_eth_bond_create(fmt::format("net_bonding_podswitch{}", g_next++).c_str(), mode,
                                       static_cast<uint8_t>(node));
  id_ = static_cast<uint16_t>(check(made, "make a bonding device"));
  try {
    for (const Member& member : members_)
      if (rte_eth_bond_slave_add(id_, member.id) != 0)
        throw Error(kOption, fmt::format("{} cannot be in a bond: the log says more", member.name));
    check(rte_eth_bond_link_monitoring_set(id_, kDriverLooksMs), "watch the members");
    if (spec.role == PortRole::Uplink && spec.mac) take_mac(*spec.mac);
    if (mode_ == BondMode::ActiveBackup) return;
    // The outer headers' ports: those of a tunnel are made of the flow inside.
    check(rte_eth_bond_xmit_policy_set(id_, BALANCE_XMIT_POLICY_LAYER34), "spread over the members");
  } catch (...) {
    close_device(id_);
    throw;
  }
}

// The node's MAC is the members', and in LACP the name of the system to which they belong.
void Bond::take_mac(const MacAddress& mac) {
  rte_ether_addr address{};
  std::memcpy(address.addr_bytes, mac.bytes.data(), sizeof address);
  if (rte_eth_bond_mac_address_set(id_, &address) != 0)
    log::warning("bond: a member does not take MAC {}", mac.to_string());
}

Bond::~Bond() {
  // The driver's own look at links may be due, and would find nothing.
  drain_alarms(kDriverLooksMs + 1);
  close_device(id_);
  close_members();
}

void Bond::close_members() {
  for (const Member& member : members_) close_device(member.id);
}

std::vector<uint16_t> Bond::member_ids() const {
  std::vector<uint16_t> ids;
  for (const Member& member : members_) ids.push_back(member.id);
  return ids;
}

void Bond::open_filters() {
  for (const Member& member : members_) {
    const int result = rte_eth_promiscuous_enable(member.id);
    if (result != 0 && result != -ENOTSUP)
      log::warning("bond: member {} does not take frames for other MACs ({})", member.name, result);
    rte_eth_allmulticast_enable(member.id);
  }
}

bool Bond::has_link(const Member& member) {
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(member.id, &link) != 0 || link.link_status != RTE_ETH_LINK_UP) return false;
  return !member.interface || (member.interface->index() == member.index && member.interface->has_link());
}

// Whether the driver, too, has seen a link; until then it sends nothing.
bool Bond::is_known_to_driver(const Member& member) const {
  std::array<uint16_t, RTE_MAX_ETHPORTS> ids;
  const int count = rte_eth_bond_active_slaves_get(id_, ids.data(), ids.size());
  return count > 0 && std::find(ids.begin(), ids.begin() + count, member.id) != ids.begin() + count;
}

MemberStatus Bond::status_of(const Member& member, int primary) const {
  MemberStatus status{.name = member.name, .state = MemberState::NoLink, .partner = {}};
  if (!has_link(member)) return status;
  if (mode_ == BondMode::ActiveBackup) {
    const bool is_active = member.id == primary && is_known_to_driver(member);
    status.state = is_active ? MemberState::Active : MemberState::Standby;
    return status;
  }
  status.state = MemberState::NoPartner;
  struct rte_eth_bond_8023ad_slave_info info {};
  if (rte_eth_bond_8023ad_slave_info(id_, member.id, &info) != 0) return status;
  MacAddress partner;
  std::memcpy(partner.bytes.data(), info.partner.system.addr_bytes, partner.bytes.size());
  if (!partner.is_zero()) status.partner = partner;
  if ((info.actor_state & kCarries) == kCarries) status.state = MemberState::Active;
  return status;
}

// Drivers need not tell the bonding driver of their links: net_tap notices, but raises no event (22.11), and
// packet sockets notice nothing. The member that it would go back to is always the one that carries.
void Bond::choose_primary() {
  const int primary = rte_eth_bond_primary_get(id_);
  const auto present = std::find_if(members_.begin(), members_.end(),
                                    [&](const Member& member) { return member.id == primary; });
  const bool is_good = present != members_.end() && has_link(*present);
  const auto wanted = is_good ? present : std::find_if(members_.begin(), members_.end(), has_link);
  if (wanted == members_.end() || (wanted == present && wanted->id == chosen_)) return;
  if (rte_eth_bond_primary_set(id_, wanted->id) == 0) chosen_ = wanted->id;
}

std::vector<MemberStatus> Bond::look() {
  if (mode_ == BondMode::ActiveBackup) choose_primary();
  const int primary = rte_eth_bond_primary_get(id_);
  std::vector<MemberStatus> statuses;
  for (const Member& member : members_) statuses.push_back(status_of(member, primary));
  return statuses;
}

}  // namespace podswitch
