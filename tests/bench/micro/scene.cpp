// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/micro/scene.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>

namespace podswitch::bench {
namespace {

constexpr Fid kFid = 1;              // the first that a FidMap gives out
constexpr size_t kMinPairs = 16384;  // so that a branch predictor does not know few MACs by heart

std::vector<size_t> shuffled(size_t count, std::mt19937_64& random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

std::vector<Addresses::Pair> make_pairs(size_t macs) {
  std::mt19937_64 random(macs);
  std::vector<Addresses::Pair> pairs(std::bit_ceil(std::max(macs, kMinPairs)));
  std::vector<size_t> sources, destinations;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (i % macs == 0) {
      sources = shuffled(macs, random);
      destinations = shuffled(macs, random);
    }
    pairs[i] = {fdb_key(mac_of(kIn, sources[i % macs]).as_u64(), kFid),
                fdb_key(mac_of(kOut, destinations[i % macs]).as_u64(), kFid)};
  }
  return pairs;
}

Fdb::Options table_for(size_t macs) {
  Fdb::Options options;
  options.capacity = std::max(options.capacity, 2 * macs);
  options.port_limit = static_cast<uint32_t>(options.capacity);
  return options;
}

}  // namespace

MacAddress mac_of(PortId port, size_t index) {
  return {{2, static_cast<uint8_t>(port), static_cast<uint8_t>(index >> 24),
           static_cast<uint8_t>(index >> 16), static_cast<uint8_t>(index >> 8), static_cast<uint8_t>(index)}};
}

BridgePort port(PortId id) {
  BridgePort made;
  made.id = id;
  made.mtu = kMtu;
  return made;
}

BridgePort trunk(PortId id) {
  BridgePort made = port(id);
  made.vlan = {VlanMode::Trunk, 0, {7}};
  return made;
}

Addresses::Addresses(size_t macs) : options(table_for(macs)), fdb(options), pairs(make_pairs(macs)) {
  for (size_t i = 0; i < macs; ++i)
    for (const PortId where : {kIn, kOut})
      if (fdb.learn(fdb_key(mac_of(where, i).as_u64(), kFid), where, 1) != Fdb::Outcome::Stored)
        throw std::runtime_error("the table does not take its MACs");
}

Addresses& Addresses::of(size_t macs) {
  static std::map<size_t, std::unique_ptr<Addresses>> made;
  std::unique_ptr<Addresses>& slot = made[macs];
  if (!slot) slot = std::make_unique<Addresses>(macs);
  return *slot;
}

Shuffled::Shuffled(size_t count) : numbers_(std::bit_ceil(std::max(count, kMinPairs))) {
  std::mt19937_64 random(count);
  std::vector<size_t> order;
  for (size_t i = 0; i < numbers_.size(); ++i) {
    if (i % count == 0) order = shuffled(count, random);
    numbers_[i] = static_cast<uint32_t>(order[i % count]);
  }
}

test::Packet Scene::udp_frame() {
  return test::Packet()
      .eth(mac_of(kIn, 0).to_string(), mac_of(kOut, 0).to_string())
      .ipv4("10.0.0.1", "10.0.0.2")
      .udp(1000, 2000)
      .payload(22);
}

Scene::Scene(const Setup& setup)
    : addresses_(Addresses::of(setup.macs)),
      snapshot_(compile_snapshot(setup.ports, setup.gateway, {}, fids_)),
      counters_(std::make_unique<PortCounterTable>()),
      learned_(std::make_unique<LearnRing>()),
      receive_flags_(setup.receive_flags) {
  if (snapshot_->fids.size() <= kFid || snapshot_->fids[kFid].members.size() < 2)
    throw std::runtime_error("the ports share no network");
  local.fdb = &addresses_.fdb;
  local.ports = counters_.get();
  local.learned = learned_.get();
  local.now_seconds = 1;
  const test::Bytes frame = setup.frame.bytes();
  length_ = static_cast<uint16_t>(frame.size());
  std::copy_n(frame.begin() + kHeadBytes, std::min(rest_.size(), frame.size() - kHeadBytes), rest_.begin());
  for (const Addresses::Pair& pair : addresses_.pairs) {
    std::array<uint8_t, kHeadBytes>& head = heads_.emplace_back();
    const MacAddress destination = mac_of_key(pair.destination), source = mac_of_key(pair.source);
    std::copy_n(frame.begin(), kHeadBytes, head.begin());
    std::copy_n(destination.bytes.begin(), 6, head.begin());
    std::copy_n(source.bytes.begin(), 6, head.begin() + 6);
  }
  burst.in_port = kIn;
  burst.count = static_cast<uint16_t>(setup.burst);
  for (uint16_t i = 0; i < burst.count; ++i) burst.packets[i] = setup.frame.mbuf().release();
}

Scene::~Scene() {
  rte_pktmbuf_free_bulk(burst.packets.data(), burst.count);
}

void Scene::reach(const std::vector<Stage>& stages) {
  next_frames();
  for (const Stage stage : stages) stage(burst, *snapshot_, local);
  reached_ = burst.meta[0];
}

std::string Scene::verdict() const {
  std::string all;
  for (uint16_t i = 0; i < burst.count; ++i) {
    const PacketMeta& meta = burst.meta[i];
    std::string one = "undecided";
    if (meta.verdict == Verdict::Forward) one = "to " + std::to_string(meta.out_port);
    if (meta.verdict == Verdict::Flood) one = "flood";
    if (meta.verdict == Verdict::Drop) one = info(meta.reason).name;
    if (i != 0 && one != all) return one;
    all = one;
  }
  return all;
}

}  // namespace podswitch::bench
