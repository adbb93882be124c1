// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/stream.h"

#include <algorithm>

namespace podswitch::bench {
namespace {

constexpr uint16_t kDiscardPort = 9;  // where nothing else is said

void fill(net::Ipv4Header& ip, uint8_t protocol, uint16_t l4_bytes, uint8_t) {
  ip = {};
  ip.version_ihl = 0x45;
  ip.total_length = be16_t(static_cast<uint16_t>(sizeof ip + l4_bytes));
  ip.ttl = 64;
  ip.protocol = protocol;
}

void fill(net::Ipv6Header& ip, uint8_t protocol, uint16_t l4_bytes, uint8_t from) {
  ip = {};
  ip.version_class_label = be32_t(0x6000'0000);
  ip.payload_length = be16_t(l4_bytes);
  ip.next_header = protocol;
  ip.hop_limit = 64;
  ip.source.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, from};
  ip.destination.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, from};
}

void fill(net::UdpHeader& udp, uint16_t l4_bytes) {
  udp = {};
  udp.length = be16_t(l4_bytes);
}

void fill(net::TcpHeader& tcp, uint16_t) {
  tcp = {};
  tcp.sequence = be32_t(1);
  tcp.acknowledgement = be32_t(1);
  tcp.data_offset = sizeof tcp / 4 << 4;
  tcp.flags = 0x10;  // ACK
  tcp.window = be16_t(0xffff);
}

}  // namespace

Stream::Stream(const Trial& trial, uint8_t from_port, uint8_t to_port, uint16_t trial_number)
    : trial_(trial),
      from_(from_port),
      to_(to_port),
      trial_number_(trial_number),
      destinations_(trial.destinations()),
      first_service_(trial.service ? as_number(trial.service->ip) : 0),
      outer_(trial, from_port),
      sizes_(trial.wire_sizes()) {
  auto different = sizes_;
  std::sort(different.begin(), different.end());
  different.erase(std::unique(different.begin(), different.end()), different.end());
  for (const uint16_t bytes : different)
    templates_.push_back(
        with_protocol(trial.protocol, [&]<Protocol kProtocol>() { return make_template<kProtocol>(bytes); }));
  for (const uint16_t bytes : sizes_)
    template_of_.push_back(&*std::find_if(templates_.begin(), templates_.end(),
                                          [&](const Template& one) { return one.wire_bytes == bytes; }));
}

template <Protocol kProtocol>
Stream::Template Stream::make_template(uint16_t wire_bytes) const {
  using L = Layout<kProtocol>;
  Template made{wire_bytes, 0, 0, {}};
  std::copy_n(payload().begin(), made.bytes.size(), made.bytes.begin());
  typename L::Head head{};
  const auto l4_bytes = static_cast<uint16_t>(wire_bytes - L::kL4At);
  head.ether = {trial_.to_mac.is_zero() ? mac_behind(to_, 0) : trial_.to_mac, mac_behind(from_, 0),
                be16_t(L::kV6 ? net::kEtherTypeIpv6 : net::kEtherTypeIpv4)};
  const uint8_t protocol = L::kTcp ? net::kProtoTcp : net::kProtoUdp;
  fill(head.ip, protocol, l4_bytes, from_);
  fill(head.l4, l4_bytes);
  head.l4.destination_port = be16_t(trial_.service ? trial_.service->port : kDiscardPort);
  head.stamp.trial = be16_t(trial_number_);
  if constexpr (!L::kV6) made.ip_sum = net::sum_bytes(&head.ip, sizeof head.ip);
  made.l4_sum = uint64_t{net::pseudo_header_sum(head.ip.source, head.ip.destination, protocol, l4_bytes)} +
                net::sum_bytes(&head.l4, sizeof head.l4 + sizeof head.stamp) +
                net::sum_bytes(payload().data() + sizeof head, wire_bytes - sizeof head);
  std::memcpy(made.bytes.data(), &head, sizeof head);
  return made;
}

}  // namespace podswitch::bench
