// SPDX-License-Identifier: Apache-2.0
// The engine's stretched networks: which MACs are behind which VTEP, kept in step with nodes and networks.
#include <algorithm>

#include "pmd/engine_impl.h"
#include "pmd/log.h"

namespace podswitch {

Engine::Impl::Stretch Engine::Impl::stretch_of(const Routing& routing) {
  Stretch stretch;
  if (!routing.tunnel) return stretch;
  std::map<IpAddress, NextHopId> hops;
  for (const auto& peer : routing.tunnel->peers) {
    stretch.vteps[peer.hop] = peer.vteps.front();
    for (const IpAddress& ip : peer.vteps) hops[ip] = peer.hop;
  }
  for (const auto& [network, vni] : routing.tunnel->stretched) stretch.fids.insert(fids_.get(network, 0));
  for (const auto& [name, vtep] : remote_entries_)
    if (const auto hop = hops.find(vtep); hop != hops.end() && networks_.contains(name.network))
      stretch.fixed[fdb_key(name.mac.as_u64(), fids_.get(name.network, 0))] = hop->second;
  return stretch;
}

// After the grace period: no worker posts any more for a next hop or a network that has gone.
void Engine::Impl::follow_stretch(const Routing& routing) {
  Stretch before, now;
  {
    const std::scoped_lock lock(mutex_);
    now = stretch_of(routing);
    if (now == stretch_) return;
    before = std::exchange(stretch_, now);
  }
  housekeeping_.run([&] {
    housekeeping_.drain_learned();
    write_remote_fdb(before, now);
  });
}

// Housekeeping thread.
void Engine::Impl::write_remote_fdb(const Stretch& before, const Stretch& now) {
  const auto has_gone = [](const auto& was, const auto& is) {
    return !std::includes(is.begin(), is.end(), was.begin(), was.end());
  };
  if (has_gone(before.fids, now.fids))
    neighbours_.remove_if([&](const auto& record) { return !now.fids.contains(record.fid); });
  if (has_gone(before.fids, now.fids) || has_gone(before.vteps, now.vteps) ||
      has_gone(before.fixed, now.fixed))
    remote_fdb_.remove_if([&](const RemoteFdb::Record& record) {
      return !now.fids.contains(record.fid) || !now.vteps.contains(record.hop) ||
             (record.is_static && !now.fixed.contains(fdb_key(record.mac.as_u64(), record.fid)));
    });
  for (const auto& [key, hop] : now.fixed)
    if (remote_fdb_.add_static(key, hop) == RemoteFdb::Outcome::TableFull)
      log::warning("no room for {} behind its VTEP: raise fdb.size", mac_of_key(key).to_string());
}

void Engine::Impl::add_remote_entries(const FdbFilter& filter, size_t limit,
                                      std::vector<FdbEntry>& entries) const {
  if (!filter.port.empty()) return;
  remote_fdb_.for_each([&](const RemoteFdb::Record& record) {
    const auto vtep = stretch_.vteps.find(record.hop);
    if (entries.size() >= limit || vtep == stretch_.vteps.end() || record.fid >= fids_.size()) return;
    const auto& [network, vlan] = fids_.name(record.fid);
    if (!filter.network.empty() && filter.network != network) return;
    if (filter.mac && *filter.mac != record.mac) return;
    const uint32_t now = clock_seconds_;
    const uint32_t age = record.is_static || now < record.last_seen ? 0 : now - record.last_seen;
    entries.push_back({network, vlan, record.mac, "", vtep->second, record.is_static, age});
  });
}

// Housekeeping thread.
size_t Engine::Impl::flush_remote(const FdbFilter& filter) {
  if (!filter.port.empty()) return 0;
  return remote_fdb_.remove_if([&](const RemoteFdb::Record& record) {
    return !record.is_static && (!filter.mac || *filter.mac == record.mac) &&
           (filter.network.empty() || filter.network == fids_.name(record.fid).first);
  });
}

}  // namespace podswitch
