// SPDX-License-Identifier: Apache-2.0
// Packets that belong to no flow: which begin one, which are refused, which are nobody's business here.
#include <rte_cycles.h>

#include "switch/icmp_error.h"
#include "switch/net/headers.h"
#include "switch/stages/translate.h"
#include "switch/tcp_reset.h"

namespace podswitch::stages {

bool Translator::may_begin(const PacketMeta& meta, const IpAddress& destination, uint8_t protocol,
                           uint16_t port) const noexcept {
  const ServiceTable& table = services(meta);
  if (meta.verdict == Verdict::Route && table.may_be_vip(destination)) return true;
  return !from_underlay_ && table.endpoints().may_contain(destination, protocol, port);
}

void Translator::begin(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key) noexcept {
  const IpAddress destination = key.destination();
  if (key.is_v6() && has_mapped(key)) return;
  if (!may_begin(meta, destination, key.protocol(), key.destination_port())) return;
  if (meta.verdict == Verdict::Route) {
    const auto hit = services(meta).find(destination, key.protocol(), key.destination_port());
    if (hit.service != nullptr) return go_to_service(packet, meta, l3, key, *hit.service);
    if (hit.is_vip) return refuse(packet, meta, l3, DropReason::ServicePort);
  }
  // Replies of a connection that was not seen here come by as well. Flows are followed where the client is.
  if (!from_underlay_ &&
      services(meta).endpoints().may_contain(destination, key.protocol(), key.destination_port()))
    track(packet, meta, l3, key);
}

void Translator::go_to_service(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key,
                               const Service& service) noexcept {
  if (service.choice == nullptr) return refuse(packet, meta, l3, DropReason::ServiceNoEndpoint);
  const FlowEvent event = read_event(packet, l3);
  if (!begins_connection(key.protocol(), event)) return meta.drop(DropReason::ServiceNoConnection);
  const Frontend frontend{key.destination(), key.destination_port(), static_cast<Protocol>(key.protocol())};
  const Backend& backend =
      service.backends[service.choice->choose(choice_hash(key.source(), key.source_port(), frontend))];
  // A pod that reaches itself must not answer itself behind our back: its packets come from the gateway then.
  IpAddress client = key.source();
  if (client == backend.ip) {
    const auto& own = key.is_v6() ? snapshot_.icmp_source_v6 : snapshot_.icmp_source_v4;
    if (!own) return meta.drop(DropReason::FlowUntranslatable);
    client = *own;
  }
  const NewFlow flow{.original = key,
                     .reply = FlowKey::of(backend.ip, backend.port, client, key.source_port(), key.protocol(),
                                          key.network()),
                     .service = service.id,
                     .state = first_state(key.protocol(), event)};
  const FlowTable::Outcome outcome = insert(packet, meta, l3, flow);
  if (outcome == FlowTable::Outcome::Full) meta.drop(DropReason::FlowTableFull);
  if (outcome == FlowTable::Outcome::NoPort) meta.drop(DropReason::FlowNoPort);
}

// To an endpoint without its Service: followed, so that a Service's flow does not take the same port there. A
// full table leaves it alone.
void Translator::track(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, const FlowKey& key) noexcept {
  if (key == key.reversed()) return;
  const NewFlow flow{.original = key,
                     .reply = key.reversed(),
                     .service = kNoService,
                     .state = first_state(key.protocol(), read_event(packet, l3))};
  if (insert(packet, meta, l3, flow) == FlowTable::Outcome::NoPort) meta.drop(DropReason::FlowNoPort);
}

FlowTable::Outcome Translator::insert(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3,
                                      const NewFlow& flow) noexcept {
  using Outcome = FlowTable::Outcome;
  const FlowTable::Insertion insertion = flows_.insert(flow, now_, local_.flow_worker);
  FlowFigures& figures = local_.flow_figures;
  switch (insertion.outcome) {
    case Outcome::Evicted:
      figures.evicted.add(1);
      [[fallthrough]];
    case Outcome::Inserted: {
      figures.begun.add(1);
      if (insertion.has_other_port) figures.ports_changed.add(1);
      const uint32_t sequence = flows_.record(insertion.slot).sequence.load(std::memory_order_acquire);
      apply(packet, meta, l3, flow.original, {insertion.slot, FlowDirection::Original, sequence});
      break;
    }
    case Outcome::Known:  // another worker was faster
      if (!follow_flow(packet, meta, l3, flow.original)) meta.drop(DropReason::FlowTableFull);
      break;
    case Outcome::Full:
    case Outcome::NoPort:
      figures.refused.add(1);
      break;
  }
  return insertion.outcome;
}

// What is neither TCP, UDP nor SCTP, or is cut short: a Service's address takes none of it.
void Translator::refuse_other(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3) noexcept {
  if (meta.verdict != Verdict::Route) return;
  const IpAddress destination =
      meta.ether_type == net::kEtherTypeIpv6
          ? IpAddress(rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, meta.l3_offset)->destination)
          : IpAddress(rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, meta.l3_offset)->destination);
  if (!services(meta).may_be_vip(destination)) return;
  if (services(meta).find(destination, l3.protocol, 0).is_vip)
    refuse(packet, meta, l3, DropReason::ServicePort);
}

// At once, and from the Service's own address: the client knows no other.
void Translator::refuse(rte_mbuf& packet, PacketMeta& meta, const net::L3& l3, DropReason reason) noexcept {
  bool is_answered = false;
  if (l3.protocol == net::kProtoTcp && l3.is_first) {
    is_answered = make_tcp_reset(packet, meta.l3_offset, l3);
  } else {
    const bool is_v6 = meta.ether_type == net::kEtherTypeIpv6;
    const auto ends = [&](const auto& ip) {
      return std::pair(IpAddress(ip.source), IpAddress(ip.destination));
    };
    const auto [source, destination] =
        is_v6 ? ends(*rte_pktmbuf_mtod_offset(&packet, const net::Ipv6Header*, meta.l3_offset))
              : ends(*rte_pktmbuf_mtod_offset(&packet, const net::Ipv4Header*, meta.l3_offset));
    is_answered = local_.icmp_limiter.allow(source, rte_rdtsc()) &&
                  make_icmp_error(packet, meta.l3_offset, IcmpError::PortUnreachable, destination);
  }
  if (!is_answered) return meta.drop(reason);
  // The answer is routed to the client as any other packet.
  (*local_.ports)[burst_.in_port].reasons[static_cast<size_t>(reason)].add(1);
}

}  // namespace podswitch::stages
