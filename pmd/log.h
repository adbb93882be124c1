// SPDX-License-Identifier: Apache-2.0
// The log: spdlog behind a few names, so that headers stay light. Any thread but a worker inside a burst.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace podswitch::log {

enum class Level { Debug, Info, Warning, Error };

std::string_view to_string(Level level);
std::optional<Level> parse_level(std::string_view text);
void set_level(Level level);
Level level();
// To stderr; with the "<6>" prefixes of sd-daemon(3) when stderr is the journal's stream.
void write(Level level, std::string_view message);
// DPDK's own messages go the same way.
void capture_dpdk_log();

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::Debug) write(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::Info) write(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace podswitch::log
