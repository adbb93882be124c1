// SPDX-License-Identifier: Apache-2.0
// One trial on the ports. One thread, which polls while it runs.
#pragma once

#include <deque>
#include <optional>

#include "tests/bench/generator/announcer.h"
#include "tests/bench/generator/echo.h"
#include "tests/bench/generator/pacer.h"
#include "tests/bench/generator/ports.h"
#include "tests/bench/generator/receiver.h"
#include "tests/bench/generator/sender.h"

namespace podswitch::bench {

struct Outcome {
  uint64_t sent = 0;
  uint64_t refused = 0;        // a ring was full
  uint64_t echo_refused = 0;   // the same, on the way back
  bool starved = false;        // buffers were missing
  uint64_t first_arrival = 0;  // of the first lane, as Receiver has it
  Received received;
  double seconds = 0;
  double busy = 0;                  // share of the time that was spent on frames, not on full and empty rings
  double longest_turn_seconds = 0;  // in which nothing was received: a long one loses frames
};

// The ports that take part.
std::vector<uint16_t> ports_of(const Trial& trial, uint16_t count);

class Run {
 public:
  // All but `trial` must outlive it. Latencies are counted in TSC cycles.
  Run(const Ports& ports, Announcer& announcer, Histogram& latencies, const Trial& trial, uint16_t number);

  Outcome measure();

 private:
  // From one sender to its receiver.
  struct Lane {
    Lane(const Ports& ports, Histogram& latencies, const Trial& trial, uint8_t from, uint8_t to,
         uint16_t number);
    Stream stream;
    Sender sender;
    Receiver receiver;
    uint16_t received_at;  // port
  };

  void move_until(uint64_t end);
  void send(uint64_t now);
  void send_from(Lane& lane, uint16_t count, uint64_t now);
  void receive();
  void look_after_others(uint64_t now);
  void begin_count(uint64_t now);
  Received sum() const;
  void drain();

  const Ports& ports_;
  Announcer& announcer_;
  Histogram& latencies_;
  const Trial trial_;
  std::deque<Lane> lanes_;
  std::optional<Echo> echo_;
  std::optional<Pacer> pacer_;
  std::vector<uint16_t> announced_, unread_;  // ports
  size_t next_lane_ = 0, next_unread_ = 0;
  uint64_t turns_ = 0, next_announcement_ = 0;
  uint64_t busy_ = 0, longest_turn_ = 0;  // TSC cycles
  Outcome outcome_;
};

}  // namespace podswitch::bench
