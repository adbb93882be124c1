// SPDX-License-Identifier: Apache-2.0
#include "ctl/config.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <system_error>

#include "ctl/config_check.h"
#include "ctl/derived_mac.h"
#include "ctl/networks.h"
#include "ctl/options.h"
#include "ctl/port_options.h"
#include "ctl/text.h"

namespace podswitch {
namespace {

namespace po = boost::program_options;

constexpr std::string_view kPortPrefix = "port.";
constexpr std::string_view kNetworkPrefix = "network.";

// Merges the sources and gives every problem its place.
class Maker {
 public:
  Maker(const Cores& cores, std::vector<Problem>& problems) : cores_(cores), problems_(problems) {}

  Config make(const std::vector<Setting>& overrides, const std::vector<IniSection>& sections) {
    for (const Setting& setting : overrides) {
      places_[setting.name] = setting.where;
      command_line_.push_back(po_option(setting.name, setting.value));
    }
    for (const IniSection& section : sections) take(section);
    apply_options();
    if (config_.node_name.empty()) config_.node_name = host_name();
    if (config_.gateway.mac.is_zero()) config_.gateway.mac = derived_mac(config_.node_name);
    // Where a value could not be read, what it would clash with is unknown: that is said next time.
    ConfigChecker checker(
        cores_, [this](const std::string& section, std::string_view name) { return place(section, name); },
        problems_);
    if (is_readable("workers.cores") && is_readable("workers.main-core")) {
      checker.cores(config_);
      checker.pins(config_, broken_ports_);
    }
    checker.ports(config_);
    if (is_readable("overlay.network") && is_readable("overlay.vni")) checker.networks(config_);
    if (is_readable("fdb.size") && is_readable("fdb.port-limit")) checker.limits(config_);
    checker.group(config_);
    return std::move(config_);
  }

 private:
  static po::option po_option(const std::string& key, const std::string& value) {
    return {key, std::vector<std::string>{value}};
  }

  std::string place(const std::string& section, std::string_view name) const {
    const std::string key = fmt::format("{}.{}", section, name);
    const auto found = places_.find(key);
    // A port's missing option is reported where its section starts.
    const auto at_section = sections_.find(section);
    if (found == places_.end())
      return at_section == sections_.end() ? key : fmt::format("{}: {}", at_section->second, key);
    return found->second.rfind("--", 0) == 0 ? found->second : fmt::format("{}: {}", found->second, key);
  }

  bool is_readable(const std::string& key) const { return unreadable_.count(key) == 0; }

  void take(const IniSection& section) {
    if (section.name == "queues") return take_pins(section);
    if (section.name.rfind(kPortPrefix, 0) == 0) return take_port(section);
    if (section.name.rfind(kNetworkPrefix, 0) == 0) return take_network(section);
    for (const Setting& setting : section.settings) {
      const std::string key = section.name + "." + setting.name;
      if (find_option(key) == nullptr) {
        std::vector<std::string_view> known;
        for (const Option& option : options()) known.push_back(option.key);
        problems_.push_back(
            {fmt::format("{}: {}", setting.where, key), "no such key" + suggestion(key, known)});
        continue;
      }
      places_.try_emplace(key, setting.where);  // the command line was there first
      file_.push_back(po_option(key, setting.value));
    }
    if (section.settings.empty() && !is_known_section(section.name))
      problems_.push_back({section.where, fmt::format("no such section '{}'{}", section.name,
                                                      suggestion(section.name, known_sections()))});
  }

  static std::vector<std::string_view> known_sections() {
    std::vector<std::string_view> known{"queues"};
    for (const Option& option : options()) known.push_back(option.section());
    return known;
  }

  static bool is_known_section(std::string_view name) {
    const auto known = known_sections();
    return std::find(known.begin(), known.end(), name) != known.end();
  }

  void take_pins(const IniSection& section) {
    for (const Setting& setting : section.settings) {
      const std::string key = section.name + "." + setting.name;
      places_[key] = setting.where;
      const size_t colon = setting.name.rfind(':');
      try {
        if (colon == std::string::npos || colon == 0)
          throw Error("", "a queue is PORT:QUEUE, such as uplink:0 = 1");
        const auto queue = parse_number(std::string_view(setting.name).substr(colon + 1), 0, 15);
        const auto core = static_cast<unsigned>(parse_number(setting.value, 0, 1023));
        const QueueName name{setting.name.substr(0, colon), static_cast<uint16_t>(queue)};
        if (!config_.pins.emplace(name, core).second) throw Error("", "this queue is given twice");
      } catch (const Error& error) {
        problems_.push_back({place(section.name, setting.name), error.problems().front().message});
      }
    }
  }

  void take_port(const IniSection& section) {
    sections_[section.name] = section.where;
    PortSettings settings;
    for (const Setting& setting : section.settings) {
      places_[section.name + "." + setting.name] = setting.where;
      settings.emplace_back(setting.name, setting.value);
    }
    std::vector<Problem> found;
    PortSpec port = make_port(section.name.substr(kPortPrefix.size()), settings, "", found);
    for (Problem& problem : found)
      problems_.push_back({place(section.name, problem.path), std::move(problem.message)});
    if (found.empty())
      config_.ports.push_back(std::move(port));
    else
      broken_ports_.insert(port.name);
  }

  void take_network(const IniSection& section) {
    sections_[section.name] = section.where;
    std::optional<uint32_t> vni;
    for (const Setting& setting : section.settings) {
      places_[section.name + "." + setting.name] = setting.where;
      try {
        if (setting.name != "vni")
          throw Error("", "no such key" + suggestion(setting.name, {"vni"}, section.name + "."));
        vni = parse_vni(setting.value);
      } catch (const Error& error) {
        problems_.push_back({place(section.name, setting.name), error.problems().front().message});
        vni.emplace(0);  // said already
      }
    }
    if (!vni) problems_.push_back({place(section.name, "vni"), "missing: 1 to 16777215"});
    if (vni.value_or(0) != 0) config_.networks[section.name.substr(kNetworkPrefix.size())] = *vni;
  }

  // Boost keeps the first value it stores for a key: command line, file, default.
  void apply_options() {
    const po::options_description flags = option_flags();
    po::variables_map values;
    for (auto* source : {&command_line_, &file_}) {
      po::parsed_options parsed(&flags);
      parsed.options = std::move(*source);
      po::store(parsed, values);
    }
    for (const Option& option : options()) {
      const auto& value = values[std::string(option.key)].as<std::string>();
      try {
        if (!is_plain_text(value)) throw Error("", "has control characters or bytes that are not UTF-8");
        option.set(config_, value);
      } catch (const Error& error) {
        unreadable_.emplace(option.key);
        problems_.push_back(
            {place(std::string(option.section()), option.name()), error.problems().front().message});
      }
    }
  }

  const Cores& cores_;
  std::vector<Problem>& problems_;
  Config config_;
  std::vector<po::option> command_line_, file_;
  std::map<std::string, std::string> places_;    // key: where it was given
  std::map<std::string, std::string> sections_;  // [port.NAME]: where it starts
  std::set<std::string> unreadable_;
  std::set<std::string> broken_ports_;
};

// Where in the file a problem lies; what lies elsewhere comes behind it.
uint64_t line_of(const Problem& problem, const std::string& file) {
  uint64_t line = UINT64_MAX;
  if (problem.path.starts_with(file + ":"))
    std::from_chars(problem.path.data() + file.size() + 1, problem.path.data() + problem.path.size(), line);
  return line;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) {
    text.resize(kMaxIniBytes + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(file.gcount()));
  }
  if (!file.eof() && text.size() <= kMaxIniBytes)
    throw Error("--config", fmt::format("cannot read {}: {}", path, std::generic_category().message(errno)));
  if (text.size() > kMaxIniBytes)
    throw Error("--config", fmt::format("{} has more than {} bytes", path, kMaxIniBytes));
  return text;
}

}  // namespace

Cores Cores::of_this_process() {
  Cores cores;
  const long configured = sysconf(_SC_NPROCESSORS_CONF);
  for (unsigned core = 0; core < configured; ++core) cores.existing.push_back(core);
  cpu_set_t set;
  CPU_ZERO(&set);
  check_errno(sched_getaffinity(0, sizeof set, &set), "sched_getaffinity");
  for (unsigned core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.allowed.push_back(core);
  return cores;
}

std::string instance_name(const std::string& socket) {
  std::error_code error;
  const auto path = std::filesystem::weakly_canonical(socket, error);
  return fmt::format("podswitch-{:016x}", stable_hash(error ? socket : path.string()));
}

EngineOptions engine_options(const Config& config) {
  EngineOptions options;
  options.instance = instance_name(config.socket);
  options.worker_cores = config.worker_cores;
  options.other_cores = config.main_cores;
  options.idle = config.idle;
  options.spread = config.spread;
  options.memory = config.memory;
  for (const PortSpec& port : config.ports) {
    const auto devices = static_cast<uint32_t>(std::max<size_t>(1, port.members.size()));
    options.static_queues += port.queues * devices;
  }
  options.fdb = config.fdb;
  options.flows = config.flows;
  if (options.flows.chooses_file) options.flows.file = config.socket + ".flows";
  options.gateway = config.gateway;
  options.node_name = config.node_name;
  options.overlay = config.overlay;
  return options;
}

Config make_config(const std::vector<Setting>& overrides, std::string_view ini, const std::string& file,
                   const Cores& cores, std::vector<Problem>& problems) {
  const auto sections = read_ini(ini, file, problems);
  Config config = Maker(cores, problems).make(overrides, sections);
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const Problem& a, const Problem& b) { return line_of(a, file) < line_of(b, file); });
  return config;
}

bool is_wrong_configuration(const Error& error) {
  return std::any_of(error.problems().begin(), error.problems().end(), [](const Problem& problem) {
    const std::string_view section = std::string_view(problem.path).substr(0, problem.path.find('.'));
    return section == "memory" || section == "workers" || section == "control" || section == "flows";
  });
}

Config load_config(const Invocation& invocation, std::vector<Problem> problems) {
  std::string ini;
  try {
    if (!invocation.config_path.empty()) ini = read_file(invocation.config_path);
  } catch (const Error& error) {
    problems.push_back(error.problems().front());
  }
  Config config =
      make_config(invocation.overrides, ini, invocation.config_path, Cores::of_this_process(), problems);
  if (!problems.empty()) throw Error(std::move(problems));
  return config;
}

}  // namespace podswitch
