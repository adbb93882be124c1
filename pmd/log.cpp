// SPDX-License-Identifier: Apache-2.0
#include "pmd/log.h"

#include <rte_log.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace podswitch::log {
namespace {

constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warning", "error"};
std::atomic<Level> g_level{Level::Info};

spdlog::level::level_enum spdlog_level(Level level) {
  constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                               spdlog::level::err};
  return kLevels[static_cast<size_t>(level)];
}

spdlog::logger& logger() {
  static spdlog::logger& instance = *[] {
    static auto made =
        std::make_shared<spdlog::logger>("podswitch", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::trace);
    // journald stamps the time itself and reads the level from the prefix.
    made->set_pattern(std::getenv("JOURNAL_STREAM") != nullptr ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
    made->flush_on(spdlog::level::debug);
    return made.get();
  }();
  return instance;
}

// A peer can make DPDK complain as often as it likes: beyond this many lines a second are counted only.
class DpdkLineLimit {
 public:
  // How many were held back before this line that may be written; nullopt: hold this one back too.
  std::optional<uint64_t> admit() {
    constexpr unsigned kLinesPerSecond = 20;
    const std::scoped_lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      lines_ = 0;
    }
    if (++lines_ <= kLinesPerSecond) return std::exchange(held_back_, 0);
    ++held_back_;
    return std::nullopt;
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_{};
  unsigned lines_ = 0;
  uint64_t held_back_ = 0;
};

ssize_t take_dpdk_line(void*, const char* text, size_t size) {
  std::string_view line(text, size);
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (line.empty()) return static_cast<ssize_t>(size);
  const int dpdk_level = rte_log_cur_msg_loglevel();
  const Level level = dpdk_level <= static_cast<int>(RTE_LOG_ERR)       ? Level::Error
                      : dpdk_level <= static_cast<int>(RTE_LOG_WARNING) ? Level::Warning
                      : dpdk_level <= static_cast<int>(RTE_LOG_NOTICE)  ? Level::Info
                                                                        : Level::Debug;
  if (level < g_level.load()) return static_cast<ssize_t>(size);
  static DpdkLineLimit limit;
  const auto held_back = limit.admit();
  if (!held_back) return static_cast<ssize_t>(size);
  if (*held_back != 0) write(level, fmt::format("dpdk: {} further lines", *held_back));
  write(level, fmt::format("dpdk: {}", line));
  return static_cast<ssize_t>(size);
}

}  // namespace

std::string_view to_string(Level level) {
  return kNames[static_cast<size_t>(level)];
}

std::optional<Level> parse_level(std::string_view text) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == text) return static_cast<Level>(i);
  return std::nullopt;
}

void set_level(Level level) {
  g_level = level;
}

Level level() {
  return g_level;
}

void write(Level level, std::string_view message) {
  if (level < g_level.load()) return;
  constexpr std::array<std::string_view, 4> kPrefixes{"<7>", "<6>", "<4>", "<3>"};
  static const bool to_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger().log(spdlog_level(level), "{}{}", to_journal ? kPrefixes[static_cast<size_t>(level)] : "", message);
}

void capture_dpdk_log() {
  static FILE* stream = [] {
    const cookie_io_functions_t functions{nullptr, take_dpdk_line, nullptr, nullptr};
    FILE* made = fopencookie(nullptr, "w", functions);
    if (made != nullptr) setvbuf(made, nullptr, _IOLBF, 4096);
    return made;
  }();
  if (stream != nullptr) rte_openlog_stream(stream);
}

}  // namespace podswitch::log
