// SPDX-License-Identifier: Apache-2.0
#include "ctl/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

#include "pmd/error.h"

namespace podswitch {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

template <typename T>
std::optional<T> whole_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// Bytes that follow a leading byte of UTF-8, or nullopt for a byte that cannot lead (RFC 3629).
std::optional<size_t> continuation_bytes(unsigned char lead) {
  if (lead < 0x80) return 0;
  if (lead >= 0xc2 && lead <= 0xdf) return 1;
  if (lead >= 0xe0 && lead <= 0xef) return 2;
  if (lead >= 0xf0 && lead <= 0xf4) return 3;
  return std::nullopt;
}

// The second byte rules out overlong forms, surrogates and what lies above U+10FFFF.
bool second_byte_fits(unsigned char lead, unsigned char second) {
  if (lead == 0xe0) return second >= 0xa0;
  if (lead == 0xed) return second < 0xa0;
  if (lead == 0xf0) return second >= 0x90;
  if (lead == 0xf4) return second < 0x90;
  return true;
}

// The network that a host's address with a prefix length lies in.
std::optional<Prefix> without_host_bits(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto address = IpAddress::parse(text.substr(0, slash));
  const auto length = whole_number<unsigned>(text.substr(slash + 1));
  const unsigned width = address && address->is_v4() ? 32 : 128;
  if (!address || !length || *length > width) return std::nullopt;
  const bool is_v4 = address->is_v4();
  for (unsigned bit = 128 - width + *length; bit < 128; ++bit)
    address->v6.bytes[bit / 8] &= static_cast<uint8_t>(~(0x80U >> bit % 8));
  if (address->is_v4() != is_v4) return std::nullopt;
  return Prefix{*address, static_cast<uint8_t>(*length)};
}

}  // namespace

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> parts;
  if (trim(text).empty()) return parts;
  while (true) {
    const size_t comma = text.find(',');
    parts.push_back(trim(text.substr(0, comma)));
    if (parts.back().empty()) throw Error("", "an element of the list is empty");
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

uint64_t parse_number(std::string_view text, uint64_t min, uint64_t max) {
  const auto value = whole_number<uint64_t>(text);
  if (!value || *value < min || *value > max)
    throw Error("", fmt::format("'{}' is not a whole number from {} to {}", text, min, max));
  return *value;
}

uint32_t parse_octal_mode(std::string_view text) {
  const auto value = whole_number<uint32_t>(text, 8);
  if (!value || *value > 0777)
    throw Error("", fmt::format("'{}' is not an octal mode from 0 to 0777, such as 0660", text));
  return *value;
}

bool parse_flag(std::string_view text) {
  if (text.empty() || text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  throw Error("", fmt::format("'{}' is neither true nor false", text));
}

IpAddress parse_ip(std::string_view text) {
  const auto ip = IpAddress::parse(text);
  if (!ip)
    throw Error(
        "", fmt::format("'{}' is not an IPv4 or IPv6 address; it is given without a prefix length", text));
  return *ip;
}

MacAddress parse_mac(std::string_view text) {
  const auto mac = MacAddress::parse(text);
  if (!mac) throw Error("", fmt::format("'{}' is not a MAC address such as 02:00:00:00:00:01", text));
  return *mac;
}

Prefix parse_prefix(std::string_view text) {
  if (const auto prefix = Prefix::parse(text)) return *prefix;
  if (const auto meant = without_host_bits(text))
    throw Error(
        "", fmt::format("'{}' has bits set behind the prefix: the network is {}", text, meant->to_string()));
  throw Error("", fmt::format("'{}' is not a CIDR such as 10.244.1.0/24 or fd00:10:244:1::/64", text));
}

std::vector<unsigned> parse_number_list(std::string_view text, unsigned min, unsigned max) {
  std::vector<unsigned> numbers;
  for (const std::string_view part : split_list(text)) {
    const size_t dash = part.find('-');
    const bool is_range = dash != std::string_view::npos;
    const auto first = whole_number<unsigned>(trim(part.substr(0, dash)));
    const auto last = is_range ? whole_number<unsigned>(trim(part.substr(dash + 1))) : first;
    if (!first || !last || *first < min || *last > max || *first > *last)
      throw Error(
          "", fmt::format("'{}' is neither a number nor a range from {} to {}; a list looks like 1,3-5", part,
                          min, max));
    for (unsigned n = *first; n <= *last; ++n) {
      // A trunk of all VLANs has 4,094; what is far longer repeats itself and would only eat memory.
      if (numbers.size() >= 16384) throw Error("", "the list has more than 16384 numbers");
      numbers.push_back(n);
    }
  }
  return numbers;
}

std::string format_number_list(const std::vector<unsigned>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i;
    while (end + 1 < numbers.size() && numbers[end + 1] == numbers[end] + 1) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(numbers[i]);
    if (end > i) text += (end == i + 1 ? ',' : '-') + std::to_string(numbers[end]);
    i = end + 1;
  }
  return text;
}

bool is_plain_text(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x20 || lead == 0x7f) return false;
    const auto following = continuation_bytes(lead);
    if (!following || i + *following >= text.size()) return false;
    for (size_t n = 1; n <= *following; ++n) {
      const auto byte = static_cast<unsigned char>(text[i + n]);
      if ((byte & 0xc0) != 0x80 || (n == 1 && !second_byte_fits(lead, byte))) return false;
    }
    i += *following;
  }
  return true;
}

std::string suggestion(std::string_view typed, const std::vector<std::string_view>& known,
                       std::string_view prefix) {
  if (typed.size() > 64) return {};
  std::string_view best;
  // Of short words each is near to every other.
  size_t best_distance = (typed.size() + 2) / 3;
  if (typed.size() > 2) ++best_distance;
  for (const std::string_view name : known) {
    const size_t distance = edit_distance(typed, name);
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best.empty() ? std::string() : fmt::format("; did you mean '{}{}'?", prefix, best);
}

}  // namespace podswitch
