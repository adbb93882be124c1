// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/object_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/objects/cluster_node.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr Place kRoot{};
constexpr Place kMetadata{&kRoot, "metadata", 0};
constexpr std::string_view kDefaultSpace = "default";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Dotted decimal with any number of leading zeros.
std::optional<Ipv4Address> parse_padded(std::string_view text) {
  Ipv4Address address;
  for (size_t part = 0; part < address.bytes.size(); ++part) {
    if (part != 0) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
    size_t digits = 0;
    unsigned value = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
      value = value * 10 + static_cast<unsigned>(text[digits] - '0');
      if (value > 255) return std::nullopt;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    address.bytes[part] = static_cast<uint8_t>(value);
  }
  return text.empty() ? std::optional(address) : std::nullopt;
}

}  // namespace

bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLabelBytes && is_alphanumeric(text.front()) &&
         is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_dns_subdomain(std::string_view text) {
  if (text.empty() || text.size() > kMaxSubdomainBytes || !is_alphanumeric(text.back())) return false;
  bool begins_label = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (begins_label && !is_alphanumeric(c)) return false;
    if (c != '-' && c != '.' && !is_alphanumeric(c)) return false;
    if (c == '.' && !is_alphanumeric(text[i - 1])) return false;
    begins_label = c == '.';
  }
  return true;
}

std::string to_string(const ObjectName& name) {
  return name.space + "/" + name.name;
}

ObjectName parse_object_name(std::string_view text) {
  const size_t slash = text.find('/');
  ObjectName name{std::string(slash == std::string_view::npos ? kDefaultSpace : text.substr(0, slash)),
                  std::string(slash == std::string_view::npos ? text : text.substr(slash + 1))};
  if (!is_dns_label(name.space) || !is_dns_subdomain(name.name))
    throw Error("", fmt::format("'{}' is no name: NAMESPACE/NAME, or NAME alone in namespace {}",
                                text.substr(0, kMaxSubdomainBytes), kDefaultSpace));
  return name;
}

ObjectName read_object_name(const Json& object, bool (*is_name)(std::string_view), ValueReader& reader) {
  const Json* metadata = reader.object(object, kRoot, "metadata");
  const Json nothing = Json::object();
  if (metadata == nullptr) metadata = &nothing;
  ObjectName found{std::string(kDefaultSpace), {}};
  if (const std::string* name = reader.text(*metadata, kMetadata, "name"); name == nullptr)
    reader.add(kMetadata.member("name"), "missing: the object's name");
  else if (is_name(*name))
    found.name = *name;
  else
    reader.add(
        kMetadata.member("name"),
        fmt::format("'{}' is no name: at most {} lower-case letters, digits{} or '-', with a letter or "
                    "digit at both ends",
                    name->substr(0, kMaxSubdomainBytes),
                    is_name == is_dns_label ? kMaxLabelBytes : kMaxSubdomainBytes,
                    is_name == is_dns_label ? "" : ", '.'"));
  const std::string* space = reader.text(*metadata, kMetadata, "namespace");
  if (space != nullptr && is_dns_label(*space))
    found.space = *space;
  else if (space != nullptr && !space->empty())
    reader.add(kMetadata.member("namespace"),
               fmt::format("'{}' is no namespace's name: at most {} lower-case letters, digits or '-'",
                           space->substr(0, kMaxSubdomainBytes), kMaxLabelBytes));
  return found;
}

std::optional<IpAddress> read_ip(const std::string& text, const Place& place, ValueReader& reader) {
  auto ip = IpAddress::parse(text);
  if (!ip)
    if (const auto padded = parse_padded(text)) ip = IpAddress(*padded);
  if (!ip) {
    reader.add(place, fmt::format("'{}' is no IP address", text.substr(0, 64)));
    return std::nullopt;
  }
  const std::string_view reason = not_unicast(*ip);
  if (reason.empty()) return ip;
  reader.add(place, fmt::format("{} is {}", ip->to_string(), reason));
  return std::nullopt;
}

Protocol read_protocol(const Json& port, const Place& place, ValueReader& reader) {
  const std::string* text = reader.text(port, place, "protocol");
  if (text == nullptr || text->empty()) return Protocol::Tcp;
  for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp, Protocol::Sctp})
    if (*text == to_string(protocol)) return protocol;
  reader.add(place.member("protocol"), fmt::format("'{}' is none of TCP, UDP and SCTP", text->substr(0, 64)));
  return Protocol::Tcp;
}

std::string read_port_name(const Json& port, const Place& place, ValueReader& reader) {
  const std::string* text = reader.text(port, place, "name");
  if (text == nullptr || text->empty()) return {};
  if (is_dns_label(*text)) return *text;
  reader.add(place.member("name"),
             fmt::format("'{}' is no port's name: at most {} lower-case letters, digits or '-'",
                         text->substr(0, kMaxSubdomainBytes), kMaxLabelBytes));
  return {};
}

}  // namespace podswitch
