// SPDX-License-Identifier: Apache-2.0
#include "ctl/static_route.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ctl/text.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

template <typename Read>
auto read_at(const char* path, const std::string& text, Read read, std::vector<Problem>& problems) {
  try {
    return read(text);
  } catch (const Error& error) {
    problems.push_back({path, error.problems().front().message});
    return decltype(read(text)){};
  }
}

bool is_group_or_nobody(const IpAddress& ip) {
  return ip.is_v4() ? ip.v4().bytes[0] >= 224 || ip.v4().is_unspecified()
                    : ip.v6.is_multicast() || ip.v6.is_unspecified();
}

}  // namespace

StaticRoute make_static_route(const std::string& network, const std::string& prefix, const std::string& via) {
  std::vector<Problem> problems;
  StaticRoute route;
  if (!network.empty()) route.network = network;
  route.prefix = read_at("prefix", prefix, parse_prefix, problems);
  if (!via.empty()) route.via = read_at("via", via, parse_ip, problems);
  if (problems.empty() && route.via && route.via->is_v4() != route.prefix.is_v4())
    problems.push_back({"via", fmt::format("{} is not of the family of {}", via, prefix)});
  if (problems.empty() && route.via && is_group_or_nobody(*route.via))
    problems.push_back({"via", fmt::format("{} is nobody's own address", via)});
  if (!problems.empty()) throw Error(std::move(problems));
  return route;
}

std::string way_of(const StaticRoute& route) {
  return route.via ? "via " + route.via->to_string() : "unreachable";
}

nlohmann::json to_json(const StaticRoute& route) {
  nlohmann::json json{{"network", route.network}, {"prefix", route.prefix.to_string()}};
  if (route.via) json["via"] = route.via->to_string();
  return json;
}

StaticRoute static_route_from_json(const nlohmann::json& json) {
  return make_static_route(json.at("network").get<std::string>(), json.at("prefix").get<std::string>(),
                           json.value("via", ""));
}

}  // namespace podswitch
