// SPDX-License-Identifier: Apache-2.0
// service list, show, where.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/text.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

std::string text_of(const IpAddress& ip, uint16_t port) {
  return fmt::format(fmt::runtime(ip.is_v4() ? "{}:{}" : "[{}]:{}"), ip.to_string(), port);
}

std::string text_of(const Frontend& frontend) {
  return fmt::format("{}/{}", text_of(frontend.ip, frontend.port), to_string(frontend.protocol));
}

std::string text_of(const ObjectName& name) {
  return fmt::format("{}/{}", name.space, name.name);
}

Json row_of(const ServiceStatus& status) {
  const ServiceSpec& spec = *status.spec;
  Json vips = Json::array(), ports = Json::array();
  for (const IpAddress& ip : spec.cluster_ips) vips.push_back(ip.to_string());
  for (const ServicePort& port : spec.ports)
    ports.push_back(fmt::format("{}/{}", port.port, to_string(port.protocol)));
  Json row{{"namespace", spec.name.space},
           {"name", spec.name.name},
           {"type", to_string(spec.type)},
           {"vips", vips},
           {"ports", ports},
           {"ready", fmt::format("{}/{}", status.ready, status.endpoints)},
           {"ready_endpoints", status.ready},
           {"endpoints", status.endpoints}};
  for (const char* key : {"connections", "packets", "bytes"}) row[key] = nullptr;
  if (!status.figures) return row;
  row["connections"] = status.figures->connections;
  row["packets"] = status.figures->packets;
  row["bytes"] = status.figures->bytes;
  return row;
}

std::string conditions_of(const ServiceEndpointStatus& endpoint) {
  if (endpoint.is_gone) return "gone";
  std::vector<std::string_view> words{endpoint.ready ? "ready" : "not ready"};
  if (!endpoint.ready && endpoint.serving) words.emplace_back("serving");
  if (endpoint.terminating) words.emplace_back("terminating");
  return fmt::format("{}", fmt::join(words, ", "));
}

Json row_of(const ServicePortStatus& port) {
  Json frontends = Json::array();
  for (const auto& [frontend, is_held] : port.frontends)
    frontends.push_back(text_of(frontend) + (is_held ? "" : " (another Service has it)"));
  const std::string name = port.key.name.empty() ? "" : port.key.name + " ";
  return {{"port", fmt::format("{}{}/{}", name, port.key.port, to_string(port.key.protocol))},
          {"frontends", frontends},
          {"family", port.key.is_v4 ? "IPv4" : "IPv6"},
          {"table_size", port.table_size},
          {"endpoint", nullptr},
          {"node", nullptr},
          {"conditions", "no endpoints: clients are refused"},
          {"share", nullptr},
          {"connections", nullptr}};
}

// A row for each endpoint of each port; one that says so where there is none.
void add_rows(const ServicePortStatus& port, Json& rows) {
  if (port.endpoints.empty()) rows.push_back(row_of(port));
  for (const ServiceEndpointStatus& endpoint : port.endpoints) {
    Json row = row_of(port);
    row["endpoint"] = text_of(endpoint.backend.ip, endpoint.backend.port);
    if (!endpoint.node.empty()) row["node"] = endpoint.node;
    row["conditions"] = conditions_of(endpoint);
    row["share"] = port.table_size == 0 ? 0.0 : static_cast<double>(endpoint.entries) / port.table_size;
    row["entries"] = endpoint.entries;
    if (endpoint.connections) row["connections"] = *endpoint.connections;
    rows.push_back(std::move(row));
  }
}

ObjectName parse_name(const std::string& text) {
  const size_t slash = text.find('/');
  return slash == std::string::npos ? ObjectName{"default", text}
                                    : ObjectName{text.substr(0, slash), text.substr(slash + 1)};
}

// Throws Error under `path`.
std::shared_ptr<const ServiceSpec> require_service(const Engine& engine, const ObjectName& name,
                                                   const char* path) {
  if (auto found = engine.service(name)) return found;
  std::vector<std::string> names;
  for (const ObjectName& known : engine.service_names(1000)) names.push_back(text_of(known));
  throw Error(path, fmt::format("no Service '{}'{}", text_of(name),
                                suggestion(text_of(name), {names.begin(), names.end()})));
}

struct Client {
  IpAddress ip;
  uint16_t port = 0;
};

Client parse_client(const std::string& text) {
  const size_t colon = text.rfind(':');
  try {
    if (colon == std::string::npos) throw Error("", "");
    std::string_view ip = std::string_view(text).substr(0, colon);
    const bool has_brackets = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
    if (has_brackets) ip = ip.substr(1, ip.size() - 2);
    const Client client{parse_ip(ip), static_cast<uint16_t>(parse_number(text.substr(colon + 1), 1, 65535))};
    if (client.ip.is_v4() == has_brackets) throw Error("", "");
    return client;
  } catch (const Error&) {
    throw Error("from", fmt::format("'{}' is no address with a port, such as 10.244.1.7:40000 or "
                                    "[fd00:244:1::7]:40000",
                                    text));
  }
}

Json row_of(const ServiceChoice& choice) {
  Json row{{"frontend", text_of(choice.frontend)},       {"endpoint", nullptr}, {"node", nullptr},
           {"hash", fmt::format("{:08x}", choice.hash)}, {"entry", nullptr},    {"table_size", nullptr}};
  if (!choice.backend) {
    row["why"] =
        choice.is_held ? "it has no endpoints: clients are refused" : "another Service has this address";
    return row;
  }
  row["endpoint"] = text_of(choice.backend->ip, choice.backend->port);
  if (!choice.node.empty()) row["node"] = choice.node;
  row["entry"] = choice.entry;
  row["table_size"] = choice.table_size;
  row["why"] = fmt::format("entry {} = hash * {} / 2^32 of the Maglev table names it", choice.entry,
                           choice.table_size);
  return row;
}

}  // namespace

Answer DaemonCommands::service_list(const Call& call) {
  const ServiceFilter filter{call.text("namespace")};
  Json rows = Json::array();
  for (const ServiceStatus& status : controller_.engine().services(filter, row_limit(call)))
    rows.push_back(row_of(status));
  return answer(std::move(rows));
}

Answer DaemonCommands::service_show(const Call& call) {
  const ObjectName name = parse_name(call.text("name"));
  require_service(controller_.engine(), name, "name");
  Json rows = Json::array();
  for (const ServicePortStatus& port : controller_.engine().service_ports(name)) add_rows(port, rows);
  return answer(std::move(rows));
}

Answer DaemonCommands::service_where(const Call& call) {
  const std::string text = call.text("service");
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size())
    throw Error("service", fmt::format("'{}' has no port: NS/NAME:PORT, such as default/web:80", text));
  const ObjectName name = parse_name(text.substr(0, colon));
  const std::string port = text.substr(colon + 1);
  const Client client = parse_client(call.text("from"));
  const auto service = require_service(controller_.engine(), name, "service");
  const std::vector<ServicePort>& ports = service->ports;
  if (std::none_of(ports.begin(), ports.end(), [&](const ServicePort& known) {
        return known.name == port || std::to_string(known.port) == port;
      }))
    throw Error("service", fmt::format("Service {} has no port '{}'", text_of(name), port));
  Json rows = Json::array();
  for (const ServiceChoice& choice : controller_.engine().service_choices(name, client.ip, client.port))
    if (choice.port_name == port || std::to_string(choice.frontend.port) == port)
      rows.push_back(row_of(choice));
  if (rows.empty())
    throw Error("from", fmt::format("Service {} has no {} address", text_of(name),
                                    client.ip.is_v4() ? "IPv4" : "IPv6"));
  return answer(std::move(rows));
}

}  // namespace podswitch
