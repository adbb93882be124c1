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
