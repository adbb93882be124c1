// SPDX-License-Identifier: Apache-2.0
// podswitchd: reads the configuration, takes the control socket, starts the switch, serves until a signal.
// Exit code 0: stopped in order, 1: failed while starting or running, 2: the configuration is wrong.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_version.h>
#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <sstream>
#include <system_error>

#include "ctl/config.h"
#include "ctl/control_socket.h"
#include "ctl/controller.h"
#include "ctl/heap.h"
#include "ctl/journal.h"
#include "ctl/metrics.h"
#include "ctl/notify.h"
#include "ctl/options.h"
#include "ctl/server.h"

namespace podswitch {
namespace {

ControlServer* g_server = nullptr;  // for the signal handler

void on_stop_signal(int) {
  g_server->stop();
}

// Held back in every thread until there is something to stop; delivered to the main thread only.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  void deliver_to(ControlServer& server) {
    g_server = &server;
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    for (const int signal : {SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }
  void hold() { pthread_sigmask(SIG_BLOCK, &set_, nullptr); }

 private:
  sigset_t set_{};
};

// A vhost-user port takes several descriptors, and 1,024 are soon gone.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Threads inherit it: also those that DPDK would otherwise put on the cores its own list leaves, which are
// the workers'. A worker pins itself.
void stay_off_worker_cores(const std::vector<unsigned>& main_cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const unsigned core : main_cores) CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    throw Error("workers.main-core",
                fmt::format("cannot run there: {}", std::generic_category().message(errno)));
}

void run(const Config& config) {
  StopSignals signals;
  raise_file_limit();
  stay_off_worker_cores(config.main_cores);
  log::set_level(config.log_level);
  // First of all: a second daemon must be refused before it touches anything.
  ControlSocket socket(config.socket, config.socket_mode, config.socket_group);
  Journal journal(config.state_directory);
  Engine engine(engine_options(config));
  Controller controller(engine, journal,
                        {config.node_name, config.ports, config.pins, config.gateway, config.state_directory,
                         config.overlay, config.networks, config.service_cidrs});
  controller.start();
  std::optional<MetricsServer> metrics;
  if (!config.metrics_listen.empty())
    metrics.emplace(config.metrics_listen, engine, BuildInfo{PODSWITCH_VERSION, rte_version()},
                    [&controller] { return controller.left_out_count(); });
  ControlServer server(socket, controller);
  Watchdog watchdog([&engine] { return engine.workers_make_progress(); });
  notify_ready();
  log::info("podswitchd {} is ready: workers on cores {}, control socket {}, metrics {}", PODSWITCH_VERSION,
            fmt::join(config.worker_cores, ","), config.socket,
            config.metrics_listen.empty() ? "off" : fmt::format("http://{}/metrics", config.metrics_listen));
  signals.deliver_to(server);
  server.run();
  signals.hold();
  notify_stopping();
  log::info("podswitchd stops");
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_help() {
  std::ostringstream flags;
  flags << option_flags();
  print(fmt::format(
      "podswitchd: a userspace packet switch for the pods of one node\n\n"
      "Usage: podswitchd [--config FILE] [OPTION...]\n\n"
      "  --config FILE    the configuration, an INI file; without it every option has its default\n"
      "  --check          say what is wrong with the configuration, and exit\n"
      "  --print-config   print a configuration file with every option explained, and exit\n"
      "  --version        print the version, and exit\n"
      "  --help           print this, and exit\n\n"
      "{}\n"
      "Static ports ([port.NAME]), stretched networks ([network.NAME]) and pinned queues ([queues]) are "
      "given in the "
      "file only.\n"
      "Exit codes: 0 stopped in order, 1 failed, 2 the configuration is wrong.\n",
      flags.str()));
}

int run_or_print(const Invocation& invocation, std::vector<Problem> problems) {
  switch (problems.empty() ? invocation.action : Action::Run) {
    case Action::Help:
      print_help();
      return 0;
    case Action::Version:
      print(fmt::format("podswitchd {} ({})\n", PODSWITCH_VERSION, rte_version()));
      return 0;
    case Action::PrintConfig:
      print(default_file());
      return 0;
    case Action::Check:
    case Action::Run:
      break;
  }
  Config config;
  try {
    config = load_config(invocation, std::move(problems));
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  if (invocation.action == Action::Check)
    print("OK\n");
  else
    run(config);
  return 0;
}

}  // namespace
}  // namespace podswitch

int main(int argc, char** argv) {
  podswitch::use_hugepages_for_heap(argv);
  try {
    std::vector<podswitch::Problem> problems;
    const podswitch::Invocation invocation = podswitch::parse_command_line(argc, argv, problems);
    return podswitch::run_or_print(invocation, std::move(problems));
  } catch (const podswitch::Error& error) {
    podswitch::log::error("podswitchd: {}", error.what());
    return podswitch::is_wrong_configuration(error) ? 2 : 1;
  } catch (const std::exception& error) {
    podswitch::log::error("podswitchd: {}", error.what());
    return 1;
  }
}
