// SPDX-License-Identifier: Apache-2.0
#include "pmd/link_hosts.h"

namespace podswitch {
namespace {

constexpr size_t kMaxAsked = 1024;  // at a time: who scans a subnet gets no further
constexpr uint32_t kAskAfter = 30;  // seconds of silence
constexpr uint32_t kForgetAfter = 60;
constexpr uint32_t kSilentFor = 3;  // until a packet makes us ask again
constexpr size_t kSlices = 4;       // so many seconds until the whole table was looked at

}  // namespace

void LinkHosts::reset(Fid fid) {
  table_.remove_if([](const NeighbourTable::Record&) { return true; });
  asked_.clear();
  fid_ = fid;
}

void LinkHosts::wanted(const IpAddress& ip) {
  if (fid_ == kNoFid || asked_.size() >= kMaxAsked || table_.peek(fid_, ip)) return;
  if (asked_.try_emplace(ip, 1).second) ask_(ip, std::nullopt);
}

void LinkHosts::add(const IpAddress& ip, const MacAddress& mac, uint32_t now) {
  if (fid_ != kNoFid) table_.set(fid_, ip, mac, now);
}

void LinkHosts::heard(const IpAddress& ip, const MacAddress& mac, uint32_t now) {
  if (fid_ == kNoFid || (asked_.erase(ip) == 0 && !table_.peek(fid_, ip))) return;
  table_.set(fid_, ip, mac, now);
}

void LinkHosts::every_second(uint32_t now) {
  for (auto it = asked_.begin(); it != asked_.end();) {
    if (it->second++ == kMaxQuestions) {
      table_.set(fid_, it->first, MacAddress{}, now);
      it = asked_.erase(it);
      continue;
    }
    ask_(it->first, std::nullopt);
    ++it;
  }
  if (table_.size() == 0) return;
  table_.age_slice(now, table_.bucket_count() / kSlices + 1, [&](const NeighbourTable::Record& record) {
    if (record.mac.is_zero()) return now - record.heard < kSilentFor;
    if (now - record.used >= kForgetAfter || now - record.heard >= kForgetAfter) return false;
    if (now - record.heard >= kAskAfter) ask_(record.ip, record.mac);
    return true;
  });
}

void LinkHosts::for_each(uint32_t now,
                         const std::function<void(const IpAddress&, const std::optional<MacAddress>&,
                                                  uint32_t age_seconds)>& visit) const {
  for (const auto& [ip, questions] : asked_) visit(ip, std::nullopt, 0);
  table_.for_each([&](const NeighbourTable::Record& record) {
    visit(record.ip, record.mac.is_zero() ? std::nullopt : std::optional(record.mac), now - record.heard);
  });
}

}  // namespace podswitch
