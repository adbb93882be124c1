// SPDX-License-Identifier: Apache-2.0
// podswitchd's configuration: plain values, made once from the command line and the INI file before anything
// is started. Every problem is found before it is refused. Main thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/ini.h"
#include "pmd/engine.h"
#include "pmd/log.h"

namespace podswitch {

struct Config {
  std::string node_name;
  std::string socket;
  std::string socket_group;
  uint32_t socket_mode = 0;
  std::string state_directory;
  std::vector<unsigned> worker_cores;
  std::vector<unsigned> main_cores;  // for every other thread
  IdlePolicy idle = IdlePolicy::Adaptive;
  SpreadPolicy spread = SpreadPolicy::Auto;
  MemoryOptions memory;
  Gateway gateway;
  std::vector<Prefix> service_cidrs;  // do not overlap
  OverlayOptions overlay;
  Fdb::Options fdb;
  FlowOptions flows;
  std::string metrics_listen;  // empty: off
  log::Level log_level = log::Level::Info;
  std::vector<PortSpec> ports;  // static ones
  Pins pins;
  Networks networks;  // stretched over nodes
};

EngineOptions engine_options(const Config& config);
// Different for each control socket, so that several daemons run side by side.
std::string instance_name(const std::string& socket);

enum class Action { Run, Check, Help, Version, PrintConfig };

struct Invocation {
  Action action = Action::Run;
  std::string config_path;         // empty: none
  std::vector<Setting> overrides;  // named "workers.cores"
};

// Which cores there are, and which of them this process may use.
struct Cores {
  std::vector<unsigned> existing;
  std::vector<unsigned> allowed;
  static Cores of_this_process();
};

Invocation parse_command_line(int argc, const char* const* argv, std::vector<Problem>& problems);
// `file` is the INI text's name in messages. Problems are sorted by their line in it, flags come last.
Config make_config(const std::vector<Setting>& overrides, std::string_view ini, const std::string& file,
                   const Cores& cores, std::vector<Problem>& problems);
// Whether a failed start has its cause in values that only the start could judge: memory, cores. Starting
// again mends nothing then.
bool is_wrong_configuration(const Error& error);
// Reads the file and does it all. Throws Error with every problem, the command line's `problems` among them.
Config load_config(const Invocation& invocation, std::vector<Problem> problems);

}  // namespace podswitch
