// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/generator/options.h"

#include <algorithm>
#include <bit>
#include <boost/program_options.hpp>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace podswitch::bench {
namespace {

namespace po = boost::program_options;

constexpr size_t kMostPorts = 31, kMostIdle = 300;

// A flag's word as the JSON value that it stands for.
nlohmann::json json_value(const TrialFlag& flag, const std::string& word) {
  // frame is a number or imix.
  const auto value = nlohmann::json::parse(word, nullptr, false);
  if (value.is_number()) return value;
  if (flag.type == std::string_view("number"))
    throw std::invalid_argument(std::string("--") + flag.name + ": " + word + " is no number");
  return word;
}

Trial read_trial_flags(const po::variables_map& values) {
  auto object = nlohmann::json::object();
  for (const TrialFlag& flag : trial_flags()) {
    if (values.count(flag.name) == 0) continue;
    std::string key = flag.name;
    std::replace(key.begin(), key.end(), '-', '_');
    if (flag.type == std::string_view("switch"))
      object[key] = values[flag.name].as<bool>();
    else
      object[key] = json_value(flag, values[flag.name].as<std::string>());
  }
  return read_trial(object);
}

void check(const Options& o) {
  if (o.sockets.size() < 2 || o.sockets.size() > kMostPorts)
    throw std::invalid_argument("--socket: 2 to " + std::to_string(kMostPorts) + " are needed");
  if (o.idle_sockets.size() > kMostIdle)
    throw std::invalid_argument("--idle-socket: at most " + std::to_string(kMostIdle));
  if (!std::has_single_bit(o.queue_size) || o.queue_size < 64 || o.queue_size > 32768)
    throw std::invalid_argument("--queue-size: a power of two from 64 to 32768");
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options o;
  po::options_description general("options"), trial("a trial"), all;
  auto add = general.add_options();
  add("help", "this text");
  add("socket", po::value(&o.sockets)->composing(), "vhost-user socket to serve; a port each, in this order");
  add("idle-socket", po::value(&o.idle_sockets)->composing(),
      "vhost-user socket to serve, of a port that never sends");
  add("core", po::value(&o.core)->default_value(0), "CPU to run on");
  add("queue-size", po::value(&o.queue_size)->default_value(o.queue_size), "descriptors of each ring");
  add("virtio", po::value(&o.virtio), "further virtio-user arguments, such as packed_vq=1");
  add("serve", po::bool_switch(&o.serve), "trials are JSON lines on stdin, each answered by a line");
  for (const TrialFlag& flag : trial_flags()) {
    if (flag.type == std::string_view("switch"))
      trial.add_options()(flag.name, po::bool_switch(), flag.help);
    else
      trial.add_options()(flag.name, po::value<std::string>(), flag.help);
  }
  all.add(general).add(trial);
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, all), values);
  if (values.count("help") != 0) {
    std::cout << "bench-generator: traffic for a switch that connects to its sockets as vhost-user client\n"
              << all;
    std::exit(0);
  }
  po::notify(values);
  check(o);
  o.trial = read_trial_flags(values);
  return o;
}

}  // namespace podswitch::bench
