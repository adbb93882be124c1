// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/checker.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/bench/generator/tests/frame_fixture.h"

namespace podswitch::bench {
namespace {

using Json = nlohmann::json;

constexpr uint16_t kTrial = 7;

Stream make_stream(const Json& object) {
  return {read_trial(object), 0, 1, kTrial};
}

TEST(CheckerTest, WhatWasSentIsGood) {
  for (const Json& object :
       {Json{{"flows", 50}, {"macs", 3}}, Json{{"flows", 5}, {"frame", "imix"}},
        Json{{"protocol", "tcp4"}, {"frame", 1518}}, Json{{"protocol", "udp6"}, {"frame", 85}, {"flows", 3}},
        Json{{"protocol", "tcp6"}, {"frame", 9018}}}) {
    const Stream stream = make_stream(object);
    const Checker plain(stream, false), echoed(stream, true);
    Cursor cursor;
    for (int i = 0; i < 100; ++i, stream.advance(cursor)) {
      auto frame = make_frame(stream, cursor, static_cast<uint64_t>(i));
      EXPECT_EQ(plain.verify(*Packet(frame)), Verdict::Good) << object;
      EXPECT_EQ(plain.verify(*Packet(frame, 500)), Verdict::Good) << object << " in several buffers";
      EXPECT_EQ(echoed.verify(*Packet(frame)), Verdict::Unexpected) << object;
      turn_back(stream, frame);
      EXPECT_EQ(echoed.verify(*Packet(frame)), Verdict::Good) << object;
    }
  }
}

// A frame as it is sent, with what is in front.
std::vector<uint8_t> sent_frame(const Stream& stream, const Cursor& cursor) {
  std::vector<uint8_t> frame = make_frame(stream, cursor), all(stream.outer_sent());
  if (!all.empty()) stream.write_outer(all.data(), cursor);
  all.insert(all.end(), frame.begin(), frame.end());
  return all;
}

TEST(CheckerTest, ATunnelIsThereWhereItShouldBe) {
  const Json through{
      {"tunnel", "through"}, {"flows", 3}, {"nodes", 2}, {"frame", 200}, {"outer_ip", "192.0.2.1"}};
  Json bare = through, arriving = through, out = through;
  bare["tunnel"] = "none";
  arriving["tunnel"] = "arriving";
  out["tunnel"] = "sent";
  const Stream both = make_stream(through), in = make_stream(arriving), plain = make_stream(bare),
               sent = make_stream(out);
  const Checker checks_both(both, false), checks_in(in, false), checks_out(sent, false);
  Cursor cursor;
  for (int i = 0; i < 9; ++i, both.advance(cursor)) {
    const auto frame = sent_frame(both, cursor);
    EXPECT_EQ(checks_both.verify(*Packet(frame)), Verdict::Good);
    EXPECT_EQ(checks_both.verify(*Packet(frame, 120)), Verdict::Good) << "in several buffers";
    EXPECT_NE(checks_both.verify(*Packet(make_frame(both, cursor))), Verdict::Good) << "it is gone";
    auto wrapped = make_frame(in, cursor);
    EXPECT_NE(checks_in.verify(*Packet(wrapped)), Verdict::Good) << "nobody put it on";
    wrapped.insert(wrapped.begin(), frame.begin(), frame.begin() + kOuterBytes);
    EXPECT_EQ(checks_in.verify(*Packet(wrapped)), Verdict::Good);
    EXPECT_EQ(checks_out.verify(*Packet(make_frame(sent, cursor))), Verdict::Good);
  }
  Packet packet(sent_frame(both, both.cursor_at(2, 1)));
  for (const size_t at : {12, 14, 16, 23, 24, 26, 36, 38, 40, 42, 46}) {  // not MACs, nor the source port
    packet[at] ^= 0x08;
    EXPECT_NE(checks_both.verify(*packet), Verdict::Good) << "byte " << at;
    packet[at] ^= 0x08;
  }
}

TEST(CheckerTest, ARouterTakesOneHop) {
  const Stream stream = make_stream({{"hops", 1}, {"to_mac", "02:00:00:00:00:09"}});
  const Checker checker(stream, false);
  auto frame = make_frame(stream, {});
  EXPECT_EQ(frame[5], 9) << "sent to whom the trial says";
  EXPECT_EQ(checker.verify(*Packet(frame)), Verdict::Corrupt) << "it has not been there";
  auto& ip = reinterpret_cast<Layout<Protocol::Udp4>::Head*>(frame.data())->ip;
  --ip.ttl;
  ip.checksum = {};
  ip.checksum = be16_t::from_raw(net::complement(net::sum_bytes(&ip, sizeof ip)));
  frame[0] = 0x0a;
  frame[11] = 0x0b;
  EXPECT_EQ(checker.verify(*Packet(frame)), Verdict::Good) << "with other MACs";
}

const Json kToService{{"flows", 70'000},
                      {"hops", 1},
                      {"to_mac", "02:00:00:00:00:09"},
                      {"service", "10.96.0.1:80"},
                      {"services", 3},
                      {"backend", "64.1.0.1:8080"},
                      {"backends", 2}};

// As a switch with Services sends it on. `host` counts from the first backend of the first service.
std::vector<uint8_t> translated(std::vector<uint8_t> frame, uint8_t host) {
  auto& head = *reinterpret_cast<Layout<Protocol::Udp4>::Head*>(frame.data());
  --head.ip.ttl;
  head.ip.destination = {{64, 1, 0, static_cast<uint8_t>(1 + host)}};
  head.ip.checksum = {};
  head.ip.checksum = be16_t::from_raw(net::complement(net::sum_bytes(&head.ip, sizeof head.ip)));
  head.l4.destination_port = be16_t(8080);
  head.l4.checksum = {};
  const size_t at = Layout<Protocol::Udp4>::kL4At, bytes = frame.size() - at;
  head.l4.checksum =
      be16_t::from_raw(net::complement(net::sum_bytes(frame.data() + at, bytes) +
                                       net::pseudo_header_sum(head.ip.source, head.ip.destination,
                                                              net::kProtoUdp, static_cast<uint16_t>(bytes))));
  return frame;
}

TEST(CheckerTest, AServiceLeadsToOneOfItsBackends) {
  const Stream stream = make_stream(kToService);
  const Checker checker(stream, false);
  for (const uint32_t flow : {0U, 1U, 2U, 3U, 60'001U}) {
    const auto sent = make_frame(stream, stream.cursor_at(flow, 4), 99);
    EXPECT_EQ(checker.verify(*Packet(sent)), Verdict::Corrupt) << "nobody translated it";
    for (uint8_t host = 0; host < 6; ++host)
      EXPECT_EQ(checker.verify(*Packet(translated(sent, host))),
                host / 2 == flow % 3 ? Verdict::Good : Verdict::Corrupt)
          << "flow " << flow << " at backend " << int{host};
  }
}

TEST(CheckerTest, ATranslatedFrameIsAsItWasOtherwise) {
  const Stream stream = make_stream(kToService);
  const Checker checker(stream, false);
  Packet packet(translated(make_frame(stream, stream.cursor_at(1, 4)), 2));
  for (size_t at = 2 * sizeof(MacAddress); at < packet.size(); ++at) {
    packet[at] ^= 0x10;
    EXPECT_NE(checker.verify(*packet), Verdict::Good) << "byte " << at;
    packet[at] ^= 0x10;
  }
  EXPECT_EQ(checker.verify(*packet), Verdict::Good);
}

TEST(CheckerTest, AReplyComesFromTheService) {
  Json object = kToService;
  object["pattern"] = "echo";
  const Stream stream = make_stream(object);
  const Checker checker(stream, true);
  auto frame = make_frame(stream, stream.cursor_at(1, 4));
  auto of_backend = translated(frame, 2);
  turn_back(stream, of_backend);
  EXPECT_EQ(checker.verify(*Packet(of_backend)), Verdict::Corrupt) << "the client would not know it";
  turn_back(stream, frame);
  auto& ip = reinterpret_cast<Layout<Protocol::Udp4>::Head*>(frame.data())->ip;
  ip.ttl = static_cast<uint8_t>(ip.ttl - 2);
  ip.checksum = {};
  ip.checksum = be16_t::from_raw(net::complement(net::sum_bytes(&ip, sizeof ip)));
  EXPECT_EQ(checker.verify(*Packet(frame)), Verdict::Good);
}

TEST(CheckerTest, NoByteMayChange) {
  for (const Json& object :
       {Json{{"flows", 1000}, {"macs", 10}, {"latency", true}}, Json{{"protocol", "tcp6"}, {"frame", 133}}}) {
    const Stream stream = make_stream(object);
    const Checker checker(stream, false);
    for (const size_t buffer : {size_t{2048}, size_t{100}}) {
      Packet packet(make_frame(stream, stream.cursor_at(0, 3), 0x1234'5678'9abc), buffer);
      for (size_t at = 0; at < packet.size(); ++at)
        for (const uint8_t flip : {0x01, 0x80, 0xff}) {
          packet[at] ^= flip;
          EXPECT_NE(checker.verify(*packet), Verdict::Good) << "byte " << at << " of " << object;
          packet[at] ^= flip;
        }
      EXPECT_EQ(checker.verify(*packet), Verdict::Good);
    }
  }
}

TEST(CheckerTest, TheLengthMayNotChange) {
  const Stream stream = make_stream({{"frame", "imix"}});
  const Checker checker(stream, false);
  auto frame = make_frame(stream, {});
  frame.push_back(payload()[frame.size()]);
  EXPECT_EQ(checker.verify(*Packet(frame)), Verdict::Corrupt);
  frame.resize(59);
  EXPECT_EQ(checker.verify(*Packet(frame)), Verdict::Corrupt);
  frame.resize(13);
  EXPECT_EQ(checker.verify(*Packet(frame)), Verdict::Unexpected);
}

TEST(CheckerTest, OthersFramesAreUnexpected) {
  const Stream stream = make_stream({{"flows", 10}});
  const Checker checker(stream, false);
  const Trial& trial = stream.trial();
  EXPECT_EQ(checker.verify(*Packet(make_frame(Stream(trial, 2, 3, kTrial), {}))), Verdict::Unexpected);
  EXPECT_EQ(checker.verify(*Packet(make_frame(Stream(trial, 1, 0, kTrial), {}))), Verdict::Unexpected);
  const auto earlier = make_frame(Stream(trial, 0, 1, kTrial - 1), {});
  EXPECT_EQ(checker.verify(*Packet(earlier)), Verdict::Unexpected);
  EXPECT_EQ(checker.stamp_of(*Packet(earlier)), nullptr);
}

TEST(CheckerTest, AFlowThatDoesNotExistIsCorrupt) {
  const Stream many = make_stream({{"flows", 10}}), few = make_stream({{"flows", 9}});
  const Packet packet(make_frame(many, many.cursor_at(9, 0)));
  const Checker checker(few, false);
  EXPECT_EQ(checker.stamp_of(*packet), nullptr);
  EXPECT_EQ(checker.verify(*packet), Verdict::Corrupt);
}

TEST(CheckerTest, AnAnnouncementIsNone) {
  const Stream stream = make_stream(Json::object());
  const Checker checker(stream, false);
  auto frame = make_frame(stream, {});
  frame.resize(62);
  frame[12] = 0x88;
  frame[13] = 0xb5;
  const Packet packet(frame);
  EXPECT_EQ(checker.verify(*packet), Verdict::Announcement);
  EXPECT_EQ(checker.stamp_of(*packet), nullptr) << "what is left of the frame before has one";
}

TEST(CheckerTest, OrderIsKnownWithinAFlow) {
  const Stream stream = make_stream({{"flows", 2}});
  Checker checker(stream, false);
  const auto next = [&](uint32_t flow, uint32_t sequence) {
    const Packet packet(make_frame(stream, stream.cursor_at(flow, sequence)));
    return checker.is_next(*checker.stamp_of(*packet));
  };
  EXPECT_TRUE(next(0, 0));
  EXPECT_TRUE(next(0, 3)) << "what is missing is lost, not late";
  EXPECT_FALSE(next(0, 2));
  EXPECT_FALSE(next(0, 3)) << "twice";
  EXPECT_TRUE(next(1, 1)) << "the other flow has its own";
  EXPECT_TRUE(next(0, 4));
}

}  // namespace
}  // namespace podswitch::bench
