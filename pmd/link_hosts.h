// SPDX-License-Identifier: Apache-2.0
// Hosts on the uplink's own link that are no nodes: a worker that has a packet for one says so, the answer to
// our question goes into the table that workers look into. Asked again while it is used, forgotten when it
// is not or does not answer (RFC 4861 section 7.3; RFC 6583 on scans of a subnet). Who was asked for in vain
// is in the table for a moment without a MAC, so that workers tell the senders. Housekeeping thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "switch/neighbour_table.h"

namespace podswitch {

// Questions to all without an answer (RFC 4861 section 10: MAX_MULTICAST_SOLICIT), a second apart, after
// which senders are told that the host is unreachable.
inline constexpr int kMaxQuestions = 3;

class LinkHosts {
 public:
  // Sends the question who has `ip`: to all, or to whom had it last.
  using Ask = std::function<void(const IpAddress& ip, const std::optional<MacAddress>& known)>;

  LinkHosts(NeighbourTable& table, Ask ask) : table_(table), ask_(std::move(ask)) {}

  // Another link: its hosts are kept under `fid`.
  void reset(Fid fid);
  // A packet for `ip` was dropped.
  void wanted(const IpAddress& ip);
  // It is known already, as a next hop; without a MAC: was asked for in vain.
  void add(const IpAddress& ip, const MacAddress& mac, uint32_t now);
  // Who was neither asked for nor known is nobody's business.
  void heard(const IpAddress& ip, const MacAddress& mac, uint32_t now);
  void every_second(uint32_t now);

  // nullopt: was asked and has not answered yet.
  void for_each(uint32_t now, const std::function<void(const IpAddress&, const std::optional<MacAddress>&,
                                                       uint32_t age_seconds)>& visit) const;

 private:
  NeighbourTable& table_;
  const Ask ask_;
  Fid fid_ = kNoFid;
  std::map<IpAddress, int> asked_;  // how often, without an answer
};

}  // namespace podswitch
