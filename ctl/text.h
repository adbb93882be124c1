// SPDX-License-Identifier: Apache-2.0
// Reading values that people typed: numbers, lists, flags, and a guess at what a misspelt word meant. They
// throw Error with an empty path; the caller knows where the text stood. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "switch/net/address.h"
#include "switch/net/prefix.h"

namespace podswitch {

std::string_view trim(std::string_view text);
// Parts of a comma list, trimmed. An empty text has none; an empty part ("1,,2") is an Error.
std::vector<std::string_view> split_list(std::string_view text);
// Decimal digits only, from `min` to `max`.
uint64_t parse_number(std::string_view text, uint64_t min, uint64_t max);
// Permission bits such as 0660.
uint32_t parse_octal_mode(std::string_view text);
// true, yes, on, 1 and false, no, off, 0; empty is true: the flag was given.
bool parse_flag(std::string_view text);
IpAddress parse_ip(std::string_view text);
MacAddress parse_mac(std::string_view text);
// A CIDR without bits behind its length.
Prefix parse_prefix(std::string_view text);
// A list like 1,3-5: sorted by first mention, ranges inclusive, repetitions kept.
std::vector<unsigned> parse_number_list(std::string_view text, unsigned min, unsigned max);
// The reverse, for a sorted list: 1,3-5.
std::string format_number_list(const std::vector<unsigned>& numbers);
// UTF-8 without control characters: what may safely reach a log line, a JSON text or a path.
bool is_plain_text(std::string_view text);
// "; did you mean 'PREFIXNAME'?" for the known name nearest to `typed`, or empty when none is near.
std::string suggestion(std::string_view typed, const std::vector<std::string_view>& known,
                       std::string_view prefix = "");

}  // namespace podswitch
