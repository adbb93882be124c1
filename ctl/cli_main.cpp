// SPDX-License-Identifier: Apache-2.0
// The command line client. It knows the commands' rows, the socket, and how to print; all else is the
// daemon's.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "ctl/cli_arguments.h"
#include "ctl/cli_help.h"
#include "ctl/cli_output.h"
#include "ctl/cli_port_file.h"
#include "ctl/cli_stats.h"
#include "ctl/client.h"
#include "ctl/metric_table.h"

namespace podswitch {
namespace {

constexpr int kRefused = 1, kUsage = 2, kNoDaemon = 3;

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

void print_reply(const CommandLine& line, Client::Reply reply) {
  const Command& command = *line.command;
  if (command.view == View::Message) reply.result["revision"] = reply.revision;
  if (line.wants_json) return print(reply.result.dump(2) + "\n");
  if (command.view == View::Table) return print(format_table(reply.result, command.columns));
  if (command.view == View::Record) return print(format_record(reply.result, command.columns));
  print(format_cell(reply.result.value("message", "done"), Format::Text) + "\n");
}

// Says what it can also without a daemon.
void print_version(const CommandLine& line) {
  Client::Reply reply{0, nlohmann::json::object()};
  try {
    reply = Client(line.socket).call("version");
  } catch (const NoDaemon&) {
    reply.result["version"] = line.wants_json ? nlohmann::json(nullptr) : "does not run";
  }
  reply.result["client"] = PODSWITCH_VERSION;
  print_reply(line, std::move(reply));
}

void run(const CommandLine& line) {
  const std::string name = line.command == nullptr ? "" : line.command->name();
  if (line.wants_help || name == "help") return print_help(line);
  if (name == "completion bash") return print(bash_completion());
  if (name == "version") return print_version(line);
  Client client(line.socket);
  if (line.local.value("watch", false)) return watch_stats(client, line);
  if (line.local.contains("file"))
    return print_reply(line, add_ports_from_file(client, line.local.at("file").get<std::string>()));
  print_reply(line, client.call(name, line.arguments));
}

void print_error(const std::string& text) {
  fmt::print(stderr, "podswitch: {}\n", text);
}

int main_of(const std::vector<std::string>& words) {
  try {
    run(parse_cli(words));
    return std::fflush(stdout) == 0 ? 0 : kRefused;
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
    for (const Problem& problem : error.problems()) print_error(Error({problem}).what());
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
