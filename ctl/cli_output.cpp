// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace podswitch {
namespace {

using Json = nlohmann::json;

// Three significant digits: 12.3M. `step` is 1000 or 1024.
std::string humanised(double value, double step, const std::array<std::string_view, 6>& units) {
  size_t unit = 0;
  while (value >= step && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f}{}", value, units[0]);
  const int digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return fmt::format("{:.{}f}{}", value, digits, units[unit]);
}

std::string duration(double seconds) {
  const auto s = static_cast<uint64_t>(seconds);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
  return fmt::format("{} d {} h", s / 86400, s % 86400 / 3600);
}

std::string number_cell(double value, Format format) {
  switch (format) {
    case Format::Count:
      // Small numbers are looked at digit by digit.
      if (value < 100000) return fmt::format("{:.0f}", value);
      return humanised(value, 1000, {"", "k", "M", "G", "T", "P"});
    case Format::Bytes:
      return humanised(value, 1024, {" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
    case Format::BitRate:
      return humanised(value * 8, 1000, {" bit/s", " kbit/s", " Mbit/s", " Gbit/s", " Tbit/s", " Pbit/s"});
    case Format::Share:
      return fmt::format("{:.1f} %", value * 100);
    case Format::Seconds:
      return duration(value);
    case Format::Decimal:
      return fmt::format("{:.1f}", value);
    case Format::Text:
      break;
  }
  return {};
}

// Reasons and names come from devices and files.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

// Characters, not bytes, so that UTF-8 does not shift the columns.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width, bool to_the_right) {
  const std::string blanks(width - std::min(width, width_of(text)), ' ');
  return fmt::format("{}{}{}", to_the_right ? blanks : "", text, to_the_right ? "" : blanks);
}

Json value_of(const Json& row, std::string_view key) {
  const auto found = row.find(key);
  return found == row.end() ? Json(nullptr) : *found;
}

}  // namespace

std::string format_cell(const Json& value, Format format) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number() && format != Format::Text) return number_cell(value.get<double>(), format);
  if (value.is_array()) {
    std::string text;
    for (const Json& item : value)
      text += fmt::format("{}{}",
                          text.empty()       ? ""
                          : item.is_object() ? "; "
                                             : ",",
                          format_cell(item, format));
    return text.empty() ? "-" : text;
  }
  if (value.is_object()) {
    std::string text;
    for (const Json& item : value)
      text += fmt::format("{}{}", text.empty() ? "" : ": ", format_cell(item, format));
    return text;
  }
  const std::string text = printable(value.is_string() ? value.get<std::string>() : value.dump());
  return text.empty() ? "-" : text;
}

std::string format_table(const Json& rows, const std::vector<Column>& columns) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns) lines[0].emplace_back(column.title);
  for (const Json& row : rows) {
    auto& line = lines.emplace_back();
    for (const Column& column : columns)
      line.push_back(format_cell(value_of(row, column.key), column.format));
  }
  std::vector<size_t> widths(columns.size());
  for (const auto& line : lines)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  std::string text;
  for (const auto& line : lines) {
    std::string out;
    for (size_t i = 0; i < line.size(); ++i)
      out += fmt::format("{}{}", i == 0 ? "" : "  ",
                         padded(line[i], widths[i], columns[i].format != Format::Text));
    text += out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string format_record(const Json& object, const std::vector<Column>& columns) {
  std::vector<std::pair<std::string, std::string>> lines;
  const auto add = [&](std::string_view title, const Json& value, Format format) {
    if (std::string text = format_cell(value, format); text != "-")
      lines.emplace_back(fmt::format("{}:", title), std::move(text));
  };
  for (const Column& column : columns) add(column.title, value_of(object, column.key), column.format);
  for (const auto& item : object.items())
    if (std::none_of(columns.begin(), columns.end(),
                     [&](const Column& column) { return column.key == item.key(); }))
      add(item.key(), item.value(), Format::Text);
  size_t width = 0;
  for (const auto& [title, value] : lines) width = std::max(width, title.size());
  std::string text;
  for (const auto& [title, value] : lines) text += fmt::format("{:<{}}  {}\n", title, width, value);
  return text;
}

}  // namespace podswitch
