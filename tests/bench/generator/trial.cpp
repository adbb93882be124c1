// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/trial.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "tests/bench/generator/frame.h"

namespace podswitch::bench {
namespace {

using Json = nlohmann::json;

constexpr std::array kPatterns{"one-way", "echo", "two-way"};
constexpr std::array kProtocols{"udp4", "tcp4", "udp6", "tcp6"};
constexpr std::array kVerifies{"sample", "all", "none"};
constexpr std::array kTunnels{"none", "arriving", "sent", "through"};
constexpr uint32_t kMostNodes = 0xffff, kMostSources = 4096;
constexpr uint16_t kLargestFrame = 9018;
constexpr uint32_t kMostFlows = 16'000'000, kMostMacs = 1'000'000;
constexpr uint32_t kMostServices = 1'000'000, kMostBackends = 1000;
constexpr uint32_t kMostClients = 900'000'000;  // of 60,000 ports, they fit a /8
// A flow's sequence numbers do not wrap within a trial.
constexpr double kLongestSeconds = 120;

[[noreturn]] void fail(const std::string& text) {
  throw std::invalid_argument(text);
}

template <typename Enum, size_t N>
Enum read_name(const std::string& key, const Json& value, const std::array<const char*, N>& names) {
  if (value.is_string())
    for (size_t i = 0; i < N; ++i)
      if (value.get_ref<const std::string&>() == names[i]) return static_cast<Enum>(i);
  std::string text = key + " is " + value.dump() + ", not one of";
  for (const char* name : names) text += std::string(" ") + name;
  fail(text);
}

double read_number(const std::string& key, const Json& value, double least, double most) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(number >= least && number <= most))
    fail(key + " is " + value.dump() + ", not a number from " + Json(least).dump() + " to " +
         Json(most).dump());
  return number;
}

uint32_t read_count(const std::string& key, const Json& value, uint32_t least, uint32_t most) {
  const double number = read_number(key, value, least, most);
  if (number != std::floor(number)) fail(key + " is " + value.dump() + ", not a whole number");
  return static_cast<uint32_t>(number);
}

uint16_t read_frame(const Json& value) {
  if (value == "imix") return 0;
  if (value.is_string()) fail("frame is " + value.dump() + ", neither imix nor a size");
  return static_cast<uint16_t>(read_count("frame", value, 64, kLargestFrame));
}

template <typename Address>
Address read_address(const std::string& key, const Json& value, const char* kind) {
  const auto address = value.is_string() ? Address::parse(value.get_ref<const std::string&>()) : std::nullopt;
  if (!address) fail(key + " is " + value.dump() + ", not " + kind);
  return *address;
}

void set_announce(Trial& trial, const Json& value) {
  trial.announces = value == "macs";
  trial.speaks.reset();
  if (value == "macs" || value == "none") return;
  trial.speaks = read_address<Ipv4Address>("announce", value, "macs, none or an IPv4 address");
}

// False: no such option.
bool set_overlay(Trial& trial, const std::string& key, const Json& value) {
  if (key == "tunnel")
    trial.tunnel = read_name<Tunnel>(key, value, kTunnels);
  else if (key == "nodes")
    trial.nodes = read_count(key, value, 0, kMostNodes);
  else if (key == "first_node")
    trial.first_node = read_count(key, value, 0, kMostNodes);
  else if (key == "sources")
    trial.sources = read_count(key, value, 1, kMostSources);
  else if (key == "hops")
    trial.hops = read_count(key, value, 0, 1);
  else if (key == "to_mac")
    trial.to_mac = read_address<MacAddress>(key, value, "a MAC address");
  else if (key == "outer_mac")
    trial.outer_mac = read_address<MacAddress>(key, value, "a MAC address");
  else if (key == "outer_ip")
    trial.outer_ip = read_address<Ipv4Address>(key, value, "an IPv4 address");
  else if (key == "announce")
    set_announce(trial, value);
  else
    return false;
  return true;
}

Socket read_socket(const std::string& key, const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  const size_t colon = text.find(':');
  const auto ip = Ipv4Address::parse(text.substr(0, colon));
  unsigned port = 0;
  const char* end = text.data() + text.size();
  if (colon != std::string::npos) {
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (rest != end || error != std::errc()) port = 0;
  }
  if (!ip || port == 0 || port > 0xffff) fail(key + " is " + value.dump() + ", not an IPv4 ADDRESS:PORT");
  return {*ip, static_cast<uint16_t>(port)};
}

// False: no such option.
bool set_service(Trial& trial, const std::string& key, const Json& value) {
  if (key == "service")
    trial.service = read_socket(key, value);
  else if (key == "services")
    trial.services = read_count(key, value, 1, kMostServices);
  else if (key == "backend")
    trial.backend = read_socket(key, value);
  else if (key == "backends")
    trial.backends = read_count(key, value, 0, kMostBackends);
  else if (key == "first_client")
    trial.first_client = read_count(key, value, 0, kMostClients);
  else
    return false;
  return true;
}

void set(Trial& trial, const std::string& key, const Json& value) {
  if (key == "pattern") {
    trial.pattern = read_name<Pattern>(key, value, kPatterns);
  } else if (key == "flows") {
    trial.flows = read_count(key, value, 1, kMostFlows);
  } else if (key == "macs") {
    trial.macs = read_count(key, value, 1, kMostMacs);
  } else if (key == "frame") {
    trial.frame = read_frame(value);
  } else if (key == "protocol") {
    trial.protocol = read_name<Protocol>(key, value, kProtocols);
  } else if (key == "rate") {
    trial.rate = read_number(key, value, 0, 1e9);
  } else if (key == "seconds") {
    trial.seconds = read_number(key, value, 0.001, kLongestSeconds);
  } else if (key == "warmup_ms") {
    trial.warmup_ms = read_count(key, value, 0, 60'000);
  } else if (key == "verify") {
    trial.verify = read_name<Verify>(key, value, kVerifies);
  } else if (key == "latency") {
    if (!value.is_boolean()) fail("latency is " + value.dump() + ", not true or false");
    trial.latency = value.get<bool>();
  } else if (!set_overlay(trial, key, value) && !set_service(trial, key, value)) {
    fail("a trial has no option " + key);
  }
}

std::string to_string(const Socket& socket) {
  return socket.ip.to_string() + ":" + std::to_string(socket.port);
}

void check(const Trial& trial) {
  const auto smallest = static_cast<uint16_t>(smallest_frame(trial.protocol) + kFcsBytes);
  for (const uint16_t bytes : trial.wire_sizes())
    if (bytes + kFcsBytes < smallest)
      fail(std::string(kProtocols[static_cast<size_t>(trial.protocol)]) + " needs frames of at least " +
           std::to_string(smallest) + " bytes for its headers and the stamp, not " +
           std::to_string(bytes + kFcsBytes));
  const bool fits =
      trial.tunnel == Tunnel::None ? trial.pattern != Pattern::TwoWay : trial.pattern == Pattern::OneWay;
  if (trial.changes_macs() && (!fits || trial.macs != 1))
    fail("tunnel is for one-way traffic of one MAC, hops and to_mac also for an echo");
  const bool is_v6 = trial.protocol == Protocol::Udp6 || trial.protocol == Protocol::Tcp6;
  if (trial.nodes != 0 && is_v6) fail("nodes have IPv4 addresses only");
  if (trial.nodes + trial.first_node > kMostNodes)
    fail("there are " + std::to_string(kMostNodes) + " nodes at most");
  if (trial.service &&
      (is_v6 || trial.nodes != 0 || trial.tunnel != Tunnel::None || trial.pattern == Pattern::TwoWay))
    fail("a service is for IPv4, one-way or echo, without tunnel and nodes");
  if (!trial.service && (trial.services != 1 || trial.backends != 0))
    fail("services and backends need a service");
  if (trial.backends != 0 && trial.backend.port == 0) fail("backends need a backend");
  if (!std::has_single_bit(trial.sources)) fail("sources are a power of two");
}

}  // namespace

std::vector<uint16_t> Trial::wire_sizes() const {
  if (frame != 0) return {static_cast<uint16_t>(frame - kFcsBytes)};
  // The simple IMIX (7, 4 and 1 of 12 frames), mixed so that no run of one size is long.
  return {60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 60, 590};
}

const std::vector<TrialFlag>& trial_flags() {
  static const std::vector<TrialFlag> flags{
      {"pattern", "text",
       "one-way (port 0 to 1), echo (0 to 1 and back), two-way (each port to its partner)"},
      {"flows", "number", "flows of each sender, 1 to 16000000"},
      {"macs", "number", "MACs behind each port, 1 to 1000000; flow i has MAC i modulo this"},
      {"frame", "text", "bytes with FCS, 64 to 9018, or imix (7 of 64, 4 of 594, 1 of 1518)"},
      {"protocol", "text", "udp4, tcp4, udp6 or tcp6"},
      {"rate", "number", "frames a second over all senders; 0: as fast as the switch takes them"},
      {"seconds", "number", "traffic that counts, up to 120"},
      {"warmup-ms", "number", "traffic before that"},
      {"verify", "text", "which received frames are checked: sample (of bursts, 1 in 64), all, none"},
      {"latency", "switch", "time stamps in each frame (at rate 0: in 1 of 64)"},
      {"tunnel", "text", "frames with VXLAN headers in front: arriving, sent, through (both), none"},
      {"nodes", "number", "spread the far addresses over so many /24; 0: numbered"},
      {"first-node", "number", "which of them is the first"},
      {"sources", "number", "near addresses, a power of two up to 4096"},
      {"hops", "number", "routers on the way, 0 or 1: TTL and MACs are other ones"},
      {"to-mac", "text", "destination of the frames; default: the other port's"},
      {"outer-mac", "text", "of the VXLAN headers"},
      {"outer-ip", "text", "of the VXLAN headers"},
      {"announce", "text", "macs (broadcasts), none, or an IPv4 address that port 1 says to have"},
      {"service", "text", "ADDRESS:PORT that the frames go to"},
      {"services", "number", "so many services, each with the next address"},
      {"backend", "text", "ADDRESS:PORT that they arrive for: the first backend's"},
      {"backends", "number", "of each service; 0: nobody translates"},
      {"first-client", "number", "which client address and port the first flow has"},
  };
  return flags;
}

Trial read_trial(const Json& object, const Trial& base) {
  if (!object.is_object()) fail("a trial is a JSON object, not " + object.dump());
  Trial trial = base;
  for (const auto& [key, value] : object.items()) set(trial, key, value);
  check(trial);
  return trial;
}

Json to_json(const Trial& trial) {
  Json frame = trial.frame;
  if (trial.frame == 0) frame = "imix";
  const std::string announce =
      trial.speaks ? trial.speaks->to_string() : std::string(trial.announces ? "macs" : "none");
  Json json{{"pattern", kPatterns[static_cast<size_t>(trial.pattern)]},
            {"flows", trial.flows},
            {"macs", trial.macs},
            {"frame", frame},
            {"protocol", kProtocols[static_cast<size_t>(trial.protocol)]},
            {"rate", trial.rate},
            {"seconds", trial.seconds},
            {"warmup_ms", trial.warmup_ms},
            {"verify", kVerifies[static_cast<size_t>(trial.verify)]},
            {"latency", trial.latency},
            {"tunnel", kTunnels[static_cast<size_t>(trial.tunnel)]},
            {"nodes", trial.nodes},
            {"first_node", trial.first_node},
            {"sources", trial.sources},
            {"hops", trial.hops},
            {"to_mac", trial.to_mac.to_string()},
            {"outer_mac", trial.outer_mac.to_string()},
            {"outer_ip", trial.outer_ip.to_string()},
            {"announce", announce}};
  if (!trial.service) return json;
  json.update(Json{{"service", to_string(*trial.service)},
                   {"services", trial.services},
                   {"backends", trial.backends},
                   {"first_client", trial.first_client}});
  if (trial.backends != 0) json["backend"] = to_string(trial.backend);
  return json;
}

}  // namespace podswitch::bench
