// SPDX-License-Identifier: Apache-2.0
#include "pmd/housekeeping.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "pmd/log.h"

namespace podswitch {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kShortTick = std::chrono::milliseconds(1);
// New addresses within one tick that call for a short one: as long as the rings overflow, traffic with a
// period near the tick's would post the same few again and again.
constexpr size_t kManyLearned = LearnRing::kSize / 8;
constexpr uint32_t kMaxRound = 10;  // seconds until the whole FDB was looked at: how exact an entry's age is
constexpr uint32_t kStalledSeconds = 2;
constexpr auto kStaleAfter = std::chrono::seconds(5);

std::chrono::seconds round_of(uint32_t aging_seconds) {
  return std::chrono::seconds(aging_seconds == 0 ? kMaxRound : std::clamp(aging_seconds / 60, 1U, kMaxRound));
}

}  // namespace

Housekeeping::Housekeeping(Fdb& fdb, RemoteFdb& remote_fdb, NeighbourTable& neighbours,
                           uint32_t aging_seconds, std::vector<std::unique_ptr<Worker>>& workers,
                           std::atomic<uint32_t>& clock_seconds, Underlay& underlay,
                           const Publisher& publisher)
    : fdb_(fdb),
      remote_fdb_(remote_fdb),
      neighbours_(neighbours),
      aging_pace_(fdb.bucket_count(), round_of(aging_seconds), kTick),
      remote_aging_pace_(remote_fdb.bucket_count(), round_of(aging_seconds), kTick),
      neighbour_aging_pace_(neighbours.bucket_count(), round_of(aging_seconds), kTick),
      workers_(workers),
      clock_seconds_(clock_seconds),
      underlay_(underlay),
      publisher_(publisher),
      counters_(std::make_unique<PortCounterTable>()),
      last_totals_(workers.size()),
      stalled_seconds_(workers.size()),
      samples_(workers.size()),
      thread_([this] { loop(); }) {}

Housekeeping::~Housekeeping() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Housekeeping::run(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  commands_.push_back(&work);
  const uint64_t ticket = ++commands_taken_;
  wake_.notify_one();
  done_.wait(lock, [&] { return commands_done_ >= ticket; });
}

void Housekeeping::set_ports(std::vector<Port*> ports) {
  run([&] { ports_ = std::move(ports); });
}

void Housekeeping::set_each_second(std::function<void(uint32_t)> work) {
  run([&] { each_second_ = std::move(work); });
}

void Housekeeping::set_each_tick(std::function<void(uint32_t, std::chrono::nanoseconds)> work) {
  run([&] { each_tick_ = std::move(work); });
}

void Housekeeping::run_commands(std::unique_lock<std::mutex>& lock) {
  while (!commands_.empty()) {
    const auto* work = commands_.front();
    commands_.pop_front();
    lock.unlock();
    (*work)();
    lock.lock();
    ++commands_done_;
    done_.notify_all();
  }
}

void Housekeeping::loop() {
  pthread_setname_np(pthread_self(), "housekeeping");
  const auto start = Clock::now();
  auto last = start;
  auto next_second = start + std::chrono::seconds(1);
  std::chrono::milliseconds tick = kTick;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, tick, [&] { return stopping_ || !commands_.empty(); });
    run_commands(lock);
    lock.unlock();
    tick = drain_learned() > kManyLearned ? kShortTick : kTick;
    drain_heard();
    drain_claimed();
    const auto now = Clock::now();
    if (now >= next_second) {
      next_second = now + std::chrono::seconds(1);
      clock_seconds_ =
          static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now - start).count()) + 1;
      every_second();
    }
    fdb_.age_slice(clock_seconds_, aging_pace_.due(now - last));
    remote_fdb_.age_slice(clock_seconds_, remote_aging_pace_.due(now - last));
    // Who is behind no tunnel any more is answered for by nobody.
    neighbours_.age_slice(
        clock_seconds_, neighbour_aging_pace_.due(now - last), [&](const NeighbourTable::Record& record) {
          return static_cast<bool>(remote_fdb_.find(fdb_key(record.mac.as_u64(), record.fid)));
        });
    if (each_tick_) each_tick_(clock_seconds_, now - last);
    last = now;
    lock.lock();
  }
}

size_t Housekeeping::drain_learned() {
  size_t stored = 0;
  for (const auto& worker : workers_) {
    LearnEvent event;
    // A flood of new MACs is posted as fast as it is written: one ring's worth at a time.
    for (size_t n = 0; n < LearnRing::kSize && worker->learned().pop(event); ++n) {
      const Fdb::Outcome outcome = event.hop == kNoNextHop ? learn_here(event) : learn_there(event);
      stored += outcome == Fdb::Outcome::Stored ? 1 : 0;
      if (outcome == Fdb::Outcome::TableFull)
        (*counters_)[event.port].reasons[static_cast<size_t>(DropReason::FdbFull)].add(1);
      else if (outcome == Fdb::Outcome::PortLimit)
        (*counters_)[event.port].reasons[static_cast<size_t>(DropReason::FdbPortLimit)].add(1);
    }
  }
  return stored;
}

// A MAC lives in one place: who shows up at a port is no longer behind a tunnel.
Fdb::Outcome Housekeeping::learn_here(const LearnEvent& event) {
  if (const RemoteFdb::Hit there = remote_fdb_.find(event.key)) {
    if (there.is_static()) return Fdb::Outcome::Static;
    remote_fdb_.remove(event.key);
  }
  return fdb_.learn(event.key, event.port, clock_seconds_);
}

// And the other way round.
Fdb::Outcome Housekeeping::learn_there(const LearnEvent& event) {
  if (const Fdb::Hit here = fdb_.find(event.key)) {
    if (here.is_static()) return Fdb::Outcome::Static;
    fdb_.remove(event.key);
  }
  switch (remote_fdb_.learn(event.key, event.hop, clock_seconds_)) {
    case RemoteFdb::Outcome::Stored:
      return Fdb::Outcome::Stored;
    case RemoteFdb::Outcome::TableFull:
      return Fdb::Outcome::TableFull;
    case RemoteFdb::Outcome::VtepLimit:
      return Fdb::Outcome::PortLimit;
    case RemoteFdb::Outcome::Unchanged:
    case RemoteFdb::Outcome::Static:
      break;
  }
  return Fdb::Outcome::Unchanged;
}

void Housekeeping::drain_heard() {
  std::vector<NextHopTable::Replaced> replaced;
  for (const auto& worker : workers_) {
    HeardEvent event;
    for (size_t n = 0; n < HeardRing::kSize && worker->heard().pop(event); ++n)
      for (auto& entry : event.path_mtu == 0 ? underlay_.heard(event.ip, event.mac, clock_seconds_)
                                             : underlay_.too_big(event.ip, event.path_mtu, clock_seconds_))
        replaced.push_back(std::move(entry));
    IpAddress ip;
    for (size_t n = 0; n < WantedRing::kSize && worker->wanted().pop(ip); ++n)
      underlay_.wanted(ip, clock_seconds_);
  }
  if (!replaced.empty()) publisher_.synchronize();
}

void Housekeeping::drain_claimed() {
  for (const auto& worker : workers_) {
    ClaimEvent event;
    for (size_t n = 0; n < ClaimRing::kSize && worker->claimed().pop(event); ++n)
      if (event.mac.is_zero())
        neighbours_.remove(event.fid, event.ip);
      else
        neighbours_.set(event.fid, event.ip, event.mac, clock_seconds_);
  }
}

void Housekeeping::every_second() {
  if (const auto replaced = underlay_.every_second(clock_seconds_); !replaced.empty())
    publisher_.synchronize();
  for (Port* port : ports_) {
    port->maintain();
    underlay_.follow_way(port->id(), port->way_changes());
  }
  if (each_second_) each_second_(clock_seconds_);
  sample_workers();
}

Housekeeping::Totals Housekeeping::totals_of(const Worker& worker) {
  const WorkerFigures& f = worker.figures();
  return {f.busy_cycles.get(), f.idle_cycles.get(), f.sleep_cycles.get(), f.packets.get(),
          f.taken_over.get(),  f.bursts.get(),      f.polls.get()};
}

void Housekeeping::sample_workers() {
  bool progress = true;
  for (size_t i = 0; i < workers_.size(); ++i) {
    const Totals now = totals_of(*workers_[i]);
    const Totals& last = last_totals_[i];
    const double busy = static_cast<double>(now.busy - last.busy);
    const double all = busy + static_cast<double>(now.idle - last.idle + now.sleep - last.sleep);
    const double packets = static_cast<double>(now.packets - last.packets);
    Sample sample;
    if (all > 0) sample.busy_share = busy / all;
    const double moved_packets = packets + static_cast<double>(now.taken_over - last.taken_over);
    if (moved_packets > 0) sample.cycles_per_packet = busy / moved_packets;
    if (now.bursts != last.bursts)
      sample.average_burst = packets / static_cast<double>(now.bursts - last.bursts);
    const bool moved = now.polls != last.polls || workers_[i]->is_asleep();
    stalled_seconds_[i] = moved ? 0 : stalled_seconds_[i] + 1;
    if (stalled_seconds_[i] == kStalledSeconds)
      log::error("worker on core {}: no loop finished for {} s", workers_[i]->core(), kStalledSeconds);
    progress &= stalled_seconds_[i] < kStalledSeconds;
    last_totals_[i] = now;
    const std::scoped_lock lock(sample_mutex_);
    samples_[i] = sample;
  }
  progress_ = progress;
  looked_at_ = Clock::now();
}

bool Housekeeping::workers_make_progress() const {
  return progress_.load(std::memory_order_relaxed) && Clock::now() - looked_at_.load() < kStaleAfter;
}

std::vector<Housekeeping::Sample> Housekeeping::samples() const {
  const std::scoped_lock lock(sample_mutex_);
  return samples_;
}

}  // namespace podswitch
