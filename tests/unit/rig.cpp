// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/rig.h"

namespace podswitch::test {

std::string Outcome::verdict() const {
  switch (meta.verdict) {
    case Verdict::Forward:
      return "to " + std::to_string(meta.out_port);
    case Verdict::Flood:
      return "flood";
    case Verdict::Drop:
      return std::string(info(meta.reason).name);
    case Verdict::Route:
      return "route";
    case Verdict::Fragment:
      return "fragment";
    case Verdict::Deliver:
      return "deliver";
    case Verdict::Held:
      return "held";
    case Verdict::Undecided:
      break;
  }
  return "undecided";
}

Rig::Rig(const std::vector<BridgePort>& ports, const Gateway& gateway, const Routing& routing)
    : snapshot_(compile_snapshot(ports, gateway, routing, fids_)) {
  local_.fdb = &fdb_;
  local_.remote_fdb = &remote_fdb_;
  local_.neighbours = &neighbours_;
  local_.claimed = &claimed_;
  local_.ports = counters_.get();
  local_.learned = &learned_;
  local_.heard = &heard_;
  local_.fragments = &fragments_;
  local_.ip_ids = IpIds(ip_ids_);
  local_.link_hosts = &link_hosts_;
  local_.wanted = &wanted_;
  local_.flows = &flows_;
  local_.service_counters = &service_counters_;
  local_.now_seconds = 1;
  for (const BridgePort& port : ports) {
    if (!port.mac) continue;
    for (Fid fid = 0; fid < snapshot_->fids.size(); ++fid)
      for (const PortId member : snapshot_->fids[fid].members)
        if (member == port.id) fdb_.add_static(fdb_key(port.mac->as_u64(), fid), port.id);
  }
}

Outcome Rig::send(PortId in, const Packet& packet, Stage stage) {
  return send(in, packet.mbuf(), stage);
}

Outcome Rig::send(PortId in, PacketPtr packet, Stage stage) {
  Burst burst;
  burst.in_port = in;
  burst.count = 1;
  burst.packets[0] = packet.get();
  if (stage == nullptr) {
    run_pipeline(burst, *snapshot_, local_);
  } else {
    stages::parse(burst, *snapshot_, local_);
    stage(burst, *snapshot_, local_);
  }
  return {std::move(packet), burst.meta[0], burst.cuts[0]};
}

std::vector<Outcome> Rig::send_together(PortId in, std::vector<PacketPtr> packets) {
  Burst burst;
  burst.in_port = in;
  burst.count = static_cast<uint16_t>(packets.size());
  for (uint16_t i = 0; i < burst.count; ++i) burst.packets[i] = packets[i].get();
  run_pipeline(burst, *snapshot_, local_);
  std::vector<Outcome> outcomes;
  for (uint16_t i = 0; i < burst.count; ++i)
    outcomes.push_back({std::move(packets[i]), burst.meta[i], burst.cuts[i]});
  return outcomes;
}

uint64_t Rig::counted(PortId port, DropReason reason) const {
  return (*counters_)[port].reasons[static_cast<size_t>(reason)].get();
}

std::vector<HeardEvent> Rig::heard() {
  std::vector<HeardEvent> events;
  for (HeardEvent event; heard_.pop(event);) events.push_back(event);
  return events;
}

std::vector<IpAddress> Rig::wanted() {
  std::vector<IpAddress> ips;
  for (IpAddress ip; wanted_.pop(ip);) ips.push_back(ip);
  return ips;
}

void Rig::apply_learned() {
  for (LearnEvent event; learned_.pop(event);) {
    if (event.hop == kNoNextHop)
      fdb_.learn(event.key, event.port, local_.now_seconds);
    else
      remote_fdb_.learn(event.key, event.hop, local_.now_seconds);
  }
  for (ClaimEvent event; claimed_.pop(event);) {
    if (event.mac.is_zero())
      neighbours_.remove(event.fid, event.ip);
    else
      neighbours_.set(event.fid, event.ip, event.mac, local_.now_seconds);
  }
}

}  // namespace podswitch::test
