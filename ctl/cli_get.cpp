// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_get.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "ctl/cli_output.h"
#include "ctl/objects/yaml_writer.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr const char* kServiceName = "kubernetes.io/service-name";

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// Calls take(item) with each object, in the order of their names.
template <typename Take>
void for_each_item(Client& client, const CommandLine& line, Take&& take) {
  Json arguments = line.arguments;
  while (true) {
    const Json list = client.call(line.command->name(), arguments).result;
    for (const Json& item : list.at("items")) take(item);
    if (!list.contains("metadata")) return;
    arguments["after"] = list.at("metadata").at("continue");
  }
}

// `text` in lines that begin with blanks.
std::string indented(std::string text, std::string_view blanks) {
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1 + blanks.size()))
    text.insert(at + 1, blanks);
  return text;
}

void print_json(Client& client, const CommandLine& line) {
  print("{\n  \"apiVersion\": \"v1\",\n  \"items\": [");
  const char* separator = "\n    ";
  for_each_item(client, line, [&](const Json& item) {
    print(separator + indented(item.dump(2), "    "));
    separator = ",\n    ";
  });
  print("\n  ],\n  \"kind\": \"List\"\n}\n");
}

void print_yaml(Client& client, const CommandLine& line) {
  bool is_empty = true;
  for_each_item(client, line, [&](const Json& item) {
    if (is_empty) print("apiVersion: v1\nitems:\n");
    is_empty = false;
    print(to_yaml(Json::array({item})));
  });
  print(is_empty ? "apiVersion: v1\nitems: []\nkind: List\n" : "kind: List\n");
}

// "80/TCP" or "80:30080/TCP", as kubectl writes them.
Json ports_of(const Json& ports) {
  Json texts = Json::array();
  for (const Json& port : ports)
    texts.push_back(
        fmt::format("{}{}/{}", port.at("port").get<int>(),
                    port.contains("nodePort") ? fmt::format(":{}", port.at("nodePort").get<int>()) : "",
                    port.at("protocol").get<std::string>()));
  return texts;
}

}  // namespace

Json row_of_object(const Json& object) {
  const Json& metadata = object.at("metadata");
  Json row{{"name", fmt::format("{}/{}", metadata.at("namespace").get<std::string>(),
                                metadata.at("name").get<std::string>())}};
  if (object.at("kind") == "Service") {
    const Json& spec = object.at("spec");
    row["type"] = spec.at("type");
    row["cluster-ip"] = spec.value("clusterIPs", Json());
    row["ports"] = ports_of(spec.value("ports", Json::array()));
    return row;
  }
  row["service"] = metadata.at("labels").at(kServiceName);
  row["type"] = object.at("addressType");
  row["ports"] = ports_of(object.at("ports"));
  const Json& endpoints = object.at("endpoints");
  size_t ready = 0;
  for (const Json& endpoint : endpoints) ready += endpoint.at("conditions").at("ready").get<bool>() ? 1U : 0U;
  row["endpoints"] = endpoints.size();
  row["ready"] = ready;
  return row;
}

void get_in_chunks(Client& client, const CommandLine& line) {
  if (line.wants_json) return print_json(client, line);
  if (line.wants_yaml) return print_yaml(client, line);
  Json rows = Json::array();
  for_each_item(client, line, [&](const Json& item) { rows.push_back(row_of_object(item)); });
  print(format_table(rows, line.command->columns));
}

}  // namespace podswitch
