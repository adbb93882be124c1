// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_port_file.h"

#include <fmt/format.h>

#include <array>

#include "ctl/cli_progress.h"
#include "ctl/input_file.h"
#include "ctl/object_splitter.h"

namespace podswitch {
namespace {

nlohmann::json parse_port(const std::string& text, const std::string& place) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw Error(place, fmt::format("not JSON: {}", error.what()));
  }
  if (!object.contains("kind")) object["kind"] = "Port";
  return object;
}

}  // namespace

Client::Reply add_ports_from_file(Client& client, const std::string& path) {
  InputFile file(path);
  client.call("begin");
  Progress progress("ports");
  ObjectSplitter splitter([&](const std::string& text, size_t line) {
    client.send_object(parse_port(text, fmt::format("line {}", line)));
    progress.count();
  });
  std::array<char, 65536> chunk;
  try {
    while (const size_t got = file.read(chunk.data(), chunk.size())) splitter.feed({chunk.data(), got});
    splitter.finish();
  } catch (const Error& error) {
    // Leaving without a commit is what undoes the transaction.
    throw file.located(error);
  }
  return client.commit(nlohmann::json::object(), [&] { progress.wait(); });
}

}  // namespace podswitch
