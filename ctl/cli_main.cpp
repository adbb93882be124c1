// SPDX-License-Identifier: Apache-2.0
// The command line client. It knows the commands' rows, the socket, and how to print; all else is the
// daemon's.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "ctl/cli_arguments.h"
#include "ctl/cli_conntrack.h"
#include "ctl/cli_get.h"
#include "ctl/cli_help.h"
#include "ctl/cli_objects.h"
#include "ctl/cli_output.h"
#include "ctl/cli_port_file.h"
#include "ctl/cli_stats.h"
#include "ctl/cli_uplink.h"
#include "ctl/client.h"
#include "ctl/metric_table.h"
#include "ctl/objects/yaml_writer.h"

namespace podswitch {
namespace {

constexpr int kDone = 0, kRefused = 1, kUsage = 2, kNoDaemon = 3;
// As kubectl diff has them.
constexpr int kDiffers = 1, kDiffRefused = 2;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_help(const CommandLine& line) {
  if (!line.wants_help && line.command != nullptr && line.command->noun == "help") {
    if (line.arguments.contains("markdown")) return print(commands_markdown());
    if (line.arguments.contains("metrics-markdown")) return print(metrics_markdown());
    if (line.arguments.contains("drops-markdown")) return print(drops_markdown());
    return print(help_text());
  }
  if (line.command != nullptr) return print(help_text(*line.command));
  print(line.noun.empty() ? help_text() : help_text(line.noun));
}

void print_answer(const CommandLine& line, const nlohmann::json& result) {
  const Command& command = *line.command;
  if (line.wants_json) return print(result.dump(2) + "\n");
  if (line.wants_yaml) return print(to_yaml(result));
  if (command.view == View::Table) return print(format_table(result, command.columns));
  if (command.view == View::Record) return print(format_record(result, command.columns));
  const nlohmann::json message = result.value("message", nlohmann::json("done"));
  if (!message.is_array()) return print(format_cell(message, Format::Text) + "\n");
  for (const auto& one : message) print(format_cell(one, Format::Text) + "\n");
}

void print_reply(const CommandLine& line, Client::Reply reply) {
  if (line.command->view == View::Message) reply.result["revision"] = reply.revision;
  print_answer(line, reply.result);
}

// Says what it can also without a daemon.
void print_version(const CommandLine& line) {
  Client::Reply reply{0, nlohmann::json::object()};
  try {
    reply = Client(line.socket).call("version");
  } catch (const NoDaemon&) {
    reply.result["version"] = line.wants_json || line.wants_yaml ? nlohmann::json(nullptr) : "does not run";
  }
  reply.result["client"] = PODSWITCH_VERSION;
  print_reply(line, std::move(reply));
}

void print_error(const std::string& text) {
  fmt::print(stderr, "podswitch: {}\n", text);
}

void print_problems(const Error& error) {
  for (const Problem& problem : error.problems()) print_error(Error({problem}).what());
}

int diff(const CommandLine& line) {
  Client client(line.socket);
  try {
    Client::Reply reply = send_objects(client, line);
    const bool differs = !reply.result.empty();
    if (differs || line.wants_json || line.wants_yaml) print_reply(line, std::move(reply));
    return differs ? kDiffers : kDone;
  } catch (const NoDaemon&) {
    throw;
  } catch (const Error& error) {
    print_problems(error);
  } catch (const std::exception& error) {
    print_error(error.what());
  }
  return kDiffRefused;
}

void ask(const CommandLine& line) {
  Client client(line.socket);
  if (line.local.value("watch", false)) return watch_stats(client, line);
  const auto call = [&](const nlohmann::json& arguments) {
    return client.call(line.command->name(), arguments).result;
  };
  if (line.command->name() == "conntrack list") return list_connections(line, call);
  if (line.command->name() == "conntrack flush") return flush_connections(line, call);
  if (line.command->is_in_chunks) return get_in_chunks(client, line);
  if (line.command->noun == "apply") return print_reply(line, send_objects(client, line));
  if (line.local.contains("file"))
    return print_reply(line, add_ports_from_file(client, line.local.at("file").get<std::string>()));
  print_reply(line, client.call(line.command->name(), line.arguments));
}

int run(CommandLine line) {
  const std::string name = line.command == nullptr ? "" : line.command->name();
  if (line.wants_help || name == "help") {
    print_help(line);
  } else if (name == "completion bash") {
    print(bash_completion());
  } else if (name == "version") {
    print_version(line);
  } else if (name == "diff") {
    return diff(line);
  } else if (line.command->noun == "uplink") {
    print_answer(line, run_uplink(line));
  } else {
    const bool wants_table = !line.wants_json && !line.wants_yaml;
    if (wants_table && !line.command->table_of.empty()) line.command = find_command(line.command->table_of);
    ask(line);
  }
  return kDone;
}

int main_of(const std::vector<std::string>& words) {
  try {
    const int code = run(parse_cli(words));
    return std::fflush(stdout) == 0 ? code : kRefused;
  } catch (const UsageError& error) {
    print_error(error.what());
    if (error.command.empty())
      fmt::print(stderr, "`podswitch --help` shows the commands\n");
    else
      fmt::print(stderr, "`podswitch {} --help` shows what it takes\n", error.command);
    return kUsage;
  } catch (const NoDaemon& error) {
    print_error(error.what());
    return kNoDaemon;
  } catch (const Error& error) {
    print_problems(error);
    return kRefused;
  } catch (const std::exception& error) {
    print_error(error.what());
    return kRefused;
  }
}

}  // namespace
}  // namespace podswitch

int main(int argc, char** argv) {
  return podswitch::main_of(std::vector<std::string>(argv + 1, argv + argc));
}
