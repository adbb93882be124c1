// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/stream.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/bench/generator/tests/frame_fixture.h"

namespace podswitch::bench {
namespace {

using Json = nlohmann::json;

struct Case {
  const char* protocol;
  int frame;
};

class FrameTest : public testing::TestWithParam<Case> {
 protected:
  Trial trial(Json more = Json::object()) const {
    more["protocol"] = GetParam().protocol;
    more["frame"] = GetParam().frame;
    return read_trial(more);
  }
};

template <typename Header>
const Header& view(const std::vector<uint8_t>& frame, size_t at) {
  EXPECT_LE(at + sizeof(Header), frame.size());
  return *reinterpret_cast<const Header*>(frame.data() + at);
}

// Summed anew, over the whole frame.
template <Protocol kProtocol>
void expect_right(const std::vector<uint8_t>& frame) {
  using L = Layout<kProtocol>;
  const auto& ip = view<typename L::Ip>(frame, sizeof(net::EtherHeader));
  const auto l4_bytes = static_cast<uint16_t>(frame.size() - L::kL4At);
  const uint8_t protocol = L::kTcp ? 6 : 17;
  const net::Sum l4 = net::add_sums(net::pseudo_header_sum(ip.source, ip.destination, protocol, l4_bytes),
                                    net::sum_bytes(frame.data() + L::kL4At, l4_bytes));
  EXPECT_EQ(l4, 0xffff);
  EXPECT_EQ(view<net::EtherHeader>(frame, 0).ether_type.host(), L::kV6 ? 0x86dd : 0x0800);
  if constexpr (L::kV6) {
    EXPECT_EQ(ip.payload_length.host(), l4_bytes);
    EXPECT_EQ(ip.next_header, protocol);
  } else {
    EXPECT_EQ(net::sum_bytes(&ip, sizeof ip), 0xffff);
    EXPECT_EQ(ip.total_length.host(), frame.size() - sizeof(net::EtherHeader));
    EXPECT_EQ(ip.protocol, protocol);
  }
  const auto& l4_header = view<typename L::L4>(frame, L::kL4At);
  if constexpr (!L::kTcp) {
    EXPECT_EQ(l4_header.length.host(), l4_bytes);
    EXPECT_NE(l4_header.checksum.raw(), 0);
  } else {
    EXPECT_EQ(l4_header.data_offset, 0x50);
  }
}

TEST_P(FrameTest, LengthsAndChecksumsAreRight) {
  const Stream stream(trial({{"flows", 1'000'000}, {"macs", 3}}), 4, 5, 0xfffe);
  for (const uint32_t flow : {0U, 1U, 2U, 255U, 4'095U, 32'768U, 65'535U, 70'000U, 999'999U})
    for (const uint32_t sequence : {0U, 1U, 0xffffU, 0x10000U, 0xffffffffU})
      for (const uint64_t tsc : {0ULL, 0x0123'4567'89ab'cdefULL, ~0ULL}) {
        auto frame = make_frame(stream, stream.cursor_at(flow, sequence), tsc);
        ASSERT_EQ(frame.size(), static_cast<size_t>(GetParam().frame) - 4);
        const auto check = [&]<Protocol kProtocol>() { expect_right<kProtocol>(frame); };
        with_protocol(stream.trial().protocol, check);
        turn_back(stream, frame);
        with_protocol(stream.trial().protocol, check);
        ASSERT_FALSE(HasFailure()) << flow << " " << sequence << " " << tsc;
      }
}

TEST_P(FrameTest, BehindTheStampIsPayload) {
  const Stream stream(trial(), 0, 1, 1);
  const auto frame = make_frame(stream, {});
  const size_t head = smallest_frame(stream.trial().protocol);
  EXPECT_TRUE(std::equal(frame.begin() + static_cast<ptrdiff_t>(head), frame.end(),
                         payload().begin() + static_cast<ptrdiff_t>(head)));
}

INSTANTIATE_TEST_SUITE_P(All, FrameTest,
                         testing::Values(Case{"udp4", 64}, Case{"udp4", 65}, Case{"udp4", 67},
                                         Case{"udp4", 1518}, Case{"udp4", 9018}, Case{"tcp4", 76},
                                         Case{"tcp4", 77}, Case{"tcp4", 9017}, Case{"udp6", 84},
                                         Case{"udp6", 85}, Case{"udp6", 1518}, Case{"tcp6", 96},
                                         Case{"tcp6", 97}, Case{"tcp6", 101}, Case{"tcp6", 9018}),
                         [](const auto& one) {
                           return std::string(one.param.protocol) + "_" + std::to_string(one.param.frame);
                         });

TEST(StreamTest, NoUdpFrameSaysThatItHasNoChecksum) {
  const Stream stream(read_trial({{"flows", 400'000}}), 0, 1, 1);
  uint8_t frame[64];
  int substituted = 0;
  Cursor cursor;
  for (int i = 0; i < 400'000; ++i, stream.advance(cursor)) {
    stream.write<Protocol::Udp4>(frame, cursor, 0);
    const auto& udp = reinterpret_cast<const Layout<Protocol::Udp4>::Head*>(frame)->l4;
    ASSERT_NE(udp.checksum.raw(), 0);
    substituted += udp.checksum.raw() == 0xffff;
  }
  EXPECT_GT(substituted, 0) << "none of these frames would have had a checksum of 0";
}

TEST(StreamTest, FlowsDiffer) {
  for (const char* protocol : {"udp4", "tcp6"}) {
    const Stream stream(read_trial({{"flows", 20'000}, {"protocol", protocol}, {"frame", 96}}), 0, 1, 1);
    std::set<std::string> flows;
    Cursor cursor;
    for (int i = 0; i < 20'000; ++i, stream.advance(cursor)) {
      const auto frame = make_frame(stream, cursor);
      const size_t stamp = smallest_frame(stream.trial().protocol) - sizeof(Stamp);
      std::string headers(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(stamp));
      flows.insert(headers.substr(26));  // behind IPv4's checksum
    }
    EXPECT_EQ(flows.size(), 20'000U);
  }
}

TEST(StreamTest, ClientsOfAServiceDiffer) {
  const Json object{
      {"flows", 130'000}, {"service", "10.96.0.255:80"}, {"services", 3}, {"first_client", 59'999}};
  const Stream stream(read_trial(object), 0, 1, 1);
  std::set<std::string> clients;
  for (uint32_t flow = 0; flow < 130'000; ++flow) {
    const auto frame = make_frame(stream, stream.cursor_at(flow, 0));
    expect_right<Protocol::Udp4>(frame);
    const auto& ip = view<net::Ipv4Header>(frame, sizeof(net::EtherHeader));
    const auto& udp = view<net::UdpHeader>(frame, Layout<Protocol::Udp4>::kL4At);
    ASSERT_EQ(as_number(ip.destination), 0x0a60'00ff + flow % 3);
    ASSERT_EQ(udp.destination_port.host(), 80);
    ASSERT_GE(udp.source_port.host(), 1024);
    clients.insert(ip.source.to_string() + ":" + std::to_string(udp.source_port.host()));
  }
  EXPECT_EQ(clients.size(), 130'000U);
  EXPECT_TRUE(clients.contains("64.0.0.1:61023")) << "the first";
  EXPECT_TRUE(clients.contains("64.0.0.2:1024"));
}

TEST(StreamTest, FlowsAreSpreadOverNodes) {
  const Stream stream(read_trial({{"flows", 1000}, {"nodes", 3}, {"sources", 1}}), 0, 1, 1);
  const Stream back(read_trial({{"flows", 1000}, {"nodes", 3}, {"sources", 1}, {"tunnel", "sent"}}), 0, 1, 1);
  const Stream others(read_trial({{"flows", 9}, {"nodes", 3}, {"first_node", 256}}), 0, 1, 1);
  EXPECT_EQ(make_frame(others, others.cursor_at(2, 0))[31], 1) << "node 258";
  EXPECT_EQ(make_frame(others, others.cursor_at(2, 0))[32], 2);
  Cursor cursor;
  for (uint32_t i = 0; i < 2500; ++i, stream.advance(cursor)) {
    const auto frame = make_frame(stream, cursor), other = make_frame(back, cursor);
    const auto& ip = view<net::Ipv4Header>(frame, sizeof(net::EtherHeader));
    const auto& reverse = view<net::Ipv4Header>(other, sizeof(net::EtherHeader));
    const uint32_t flow = i % 1000;
    EXPECT_EQ(ip.source.to_string(), "64.0.0.1");
    EXPECT_EQ(ip.destination,
              (Ipv4Address{{32, 0, static_cast<uint8_t>(flow % 3), static_cast<uint8_t>(flow / 3)}}));
    EXPECT_EQ(reverse.source, ip.destination);
    EXPECT_EQ(reverse.destination, ip.source);
    uint8_t outer[kOuterBytes];
    back.write_outer(outer, cursor);
    EXPECT_EQ(outer[29], 1 + flow % 3) << "from the node that the pod is of";
    const Cursor same = stream.cursor_at(cursor.flow, cursor.sequence);
    EXPECT_EQ(same.node, cursor.node);
    EXPECT_EQ(same.host, cursor.host);
    ASSERT_FALSE(HasFailure()) << i;
  }
}

TEST(StreamTest, FlowsShareTheMacsInTurn) {
  const Stream stream(read_trial({{"flows", 10}, {"macs", 4}}), 2, 3, 1);
  Cursor cursor;
  for (uint32_t i = 0; i < 30; ++i, stream.advance(cursor)) {
    const auto frame = make_frame(stream, cursor);
    const auto& ether = view<net::EtherHeader>(frame, 0);
    EXPECT_EQ(ether.source, mac_behind(2, i % 10 % 4));
    EXPECT_EQ(ether.destination, mac_behind(3, i % 10 % 4));
  }
  EXPECT_EQ(mac_behind(2, 0x123456).to_string(), "02:02:00:12:34:56");
}

TEST(StreamTest, ACursorIsWhereItsFlowAndSequenceSay) {
  const Stream stream(read_trial({{"flows", 7}, {"macs", 3}, {"frame", "imix"}}), 0, 1, 1);
  Cursor cursor;
  for (uint64_t i = 0; i < 200; ++i, stream.advance(cursor)) {
    EXPECT_EQ(stream.position(cursor.flow, cursor.sequence), i);
    const Cursor same = stream.cursor_at(cursor.flow, cursor.sequence);
    EXPECT_EQ(same.mac, cursor.mac);
    EXPECT_EQ(same.size, cursor.size);
    EXPECT_TRUE(stream.has_size(stream.wire_bytes(cursor)));
  }
  EXPECT_FALSE(stream.has_size(62));
}

}  // namespace
}  // namespace podswitch::bench
