// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_conntrack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "ctl/objects/yaml_writer.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

std::string tuple_text(const Json& tuple) {
  std::string text =
      fmt::format("src={} dst={}", tuple.at("src").get<std::string>(), tuple.at("dst").get<std::string>());
  for (const char* key : {"sport", "dport", "id"})
    if (const auto found = tuple.find(key); found != tuple.end())
      text += fmt::format(" {}={}", key, found->get<unsigned>());
  return text;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// Rows one after another in the form that was asked for.
class RowPrinter {
 public:
  explicit RowPrinter(const CommandLine& line) : line_(line) {}

  void add(const Json& rows) {
    std::string text;
    for (const Json& row : rows) {
      if (line_.wants_json)
        text += fmt::format("{}  {}", count_ == 0 ? "[\n" : ",\n", row.dump());
      else if (line_.wants_yaml)
        text += to_yaml(Json::array({row}));
      else
        text += connection_line(row) + "\n";
      ++count_;
    }
    print(text);
  }
  void finish() const {
    if (line_.wants_json)
      print(count_ == 0 ? "[]\n" : "\n]\n");
    else if (line_.wants_yaml && count_ == 0)
      print(to_yaml(Json::array()));
  }
  uint64_t count() const { return count_; }

 private:
  const CommandLine& line_;
  uint64_t count_ = 0;
};

}  // namespace

std::string connection_line(const Json& row) {
  const auto protocol = row.at("protocol").get<std::string>();
  std::string text = fmt::format("{:<8} {} {} ", protocol, row.at("protocol_number").get<unsigned>(),
                                 row.at("timeout_seconds").get<unsigned>());
  // What the others' states say is in the brackets.
  if (protocol == "tcp" || protocol == "sctp") text += row.at("state").get<std::string>() + " ";
  const bool is_replied = row.at("replied").get<bool>();
  text += fmt::format("{} {}{}{}", tuple_text(row.at("original")), is_replied ? "" : "[UNREPLIED] ",
                      tuple_text(row.at("reply")), is_replied ? " [ASSURED]" : "");
  if (const Json& service = row.at("service"); service.is_string())
    text += fmt::format(" service={}", service.get<std::string>());
  return text;
}

void list_connections(const CommandLine& line, const Ask& ask) {
  Json arguments = line.arguments;
  RowPrinter printer(line);
  const bool is_limited = arguments.contains("limit");
  const uint64_t limit = is_limited ? arguments.at("limit").get<uint64_t>() : UINT64_MAX;
  while (true) {
    if (is_limited) arguments["limit"] = limit - printer.count();
    const Json part = ask(arguments);
    printer.add(part.at("flows"));
    if (part.at("next").is_null()) break;
    if (printer.count() >= limit) {
      fmt::print(stderr, "podswitch: there may be more (--limit, --from {})\n",
                 part.at("next").get<uint64_t>());
      break;
    }
    arguments["from"] = part.at("next");
  }
  printer.finish();
}

void flush_connections(const CommandLine& line, const Ask& ask) {
  Json arguments = line.arguments;
  uint64_t flushed = 0;
  while (true) {
    const Json part = ask(arguments);
    flushed += part.at("flushed").get<uint64_t>();
    if (part.at("next").is_null()) break;
    arguments["from"] = part.at("next");
  }
  const Json result{{"flushed", flushed}};
  if (line.wants_json)
    print(result.dump(2) + "\n");
  else if (line.wants_yaml)
    print(to_yaml(result));
  else
    fmt::print("{} connection{} forgotten\n", flushed, flushed == 1 ? "" : "s");
}

}  // namespace podswitch
