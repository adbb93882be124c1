// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/uplink.h"

#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "ctl/host/rollback_timer.h"
#include "ctl/host/uplink_json.h"
#include "pmd/error.h"
#include "pmd/ingress_block.h"
#include "pmd/interface.h"
#include "pmd/netns.h"

namespace podswitch {
namespace {

constexpr unsigned kDaemonPatienceSeconds = 30;
constexpr auto kPortPatience = std::chrono::seconds(10);

// A change that has begun is finished, also when the terminal goes; but not when the daemon never answers:
// then the process ends, and the timer does the rest.
class Undisturbed {
 public:
  Undisturbed() {
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::signal(signal, SIG_IGN);
    ::alarm(kDaemonPatienceSeconds);
  }
  ~Undisturbed() { ::alarm(0); }
  void daemon_is_done() { ::alarm(0); }
};

void require_here(const UplinkState& state) {
  if (state.netns != present_netns() && state.boot_id == present_boot_id())
    throw Error("", fmt::format("uplink {} was attached in another network namespace; run this command there",
                                state.nic));
}

// The daemon's ports are where the daemon is.
void require_same_namespace(Client& client) {
  const auto pid = client.call("status").result.at("pid").get<int>();
  const std::string path = fmt::format("/proc/{}/ns/net", pid);
  const auto theirs = namespace_id(path);
  if (!theirs) throw Error("", path + " cannot be read: this takes root");
  if (theirs != namespace_id("/proc/self/ns/net"))
    throw Error(
        "", fmt::format("podswitchd runs in another network namespace: nsenter -n -t {} podswitch uplink ...",
                        pid));
}

void wait_until_up(Client& client, const std::string& port) {
  const auto end = std::chrono::steady_clock::now() + kPortPatience;
  while (true) {
    const auto row = client.call("port show", {{"name", port}}).result;
    if (row.at("state") == "up") return;
    if (std::chrono::steady_clock::now() > end)
      throw Error("", fmt::format("port {} did not come up: {}", port, row.at("reason").get<std::string>()));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Belongings together(Belongings all, const Belongings& more) {
  all.addresses.insert(all.addresses.end(), more.addresses.begin(), more.addresses.end());
  all.routes.insert(all.routes.end(), more.routes.begin(), more.routes.end());
  all.neighbours.insert(all.neighbours.end(), more.neighbours.begin(), more.neighbours.end());
  return all;
}

// What the node had and what it has by now, back to where it was; needs nothing but the kernel. Goes on after
// a failure and returns what failed: the rest of a rollback is to be done all the same.
std::vector<Problem> give_back(const UplinkState& state) {
  if (!state.is_here()) return {};  // another boot: it was never taken
  Rtnetlink kernel;
  const auto nic = kernel.link(state.nic), source = kernel.link(state.source), host = kernel.link(state.host);
  std::vector<Problem> problems;
  const auto attempt = [&](const std::function<void()>& step) {
    try {
      step();
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  };
  if (needs_ingress_block(state.kind)) attempt([] { unblock_ingress(); });
  if (!nic || !source)
    throw Error("", fmt::format("interface {} is missing: the addresses stay on {}",
                                nic ? state.source : state.nic, state.host));
  if ((nic->flags & IFF_UP) == 0) kernel.set_up(nic->index, true);
  if ((source->flags & IFF_UP) == 0) kernel.set_up(source->index, true);
  Belongings what;
  if (host) what = belongings_of(kernel, host->index);
  // Of a confirmed uplink, what the host port has now is what the node shall have.
  if (state.phase != UplinkPhase::Confirmed || !what.has_global_address())
    what = together(state.belongings, what);
  attempt([&] { relocate(kernel, what, host ? host->index : 0, source->index); });
  // Frames of the NIC that still reach it must not be heard twice.
  if (host) kernel.set_up(host->index, false);
  return problems;
}

// After all that could be done.
std::string report(const std::string& message, std::vector<Problem> problems) {
  if (problems.empty()) return message;
  problems.push_back({"", message + ", but for this"});
  throw Error(std::move(problems));
}

void remove_ports(Client& client, const UplinkState& state) {
  for (const std::string& port : state.ports) {
    try {
      client.call("port del", {{"name", nlohmann::json::array({port})}});
    } catch (const Error&) {
      // Somebody has deleted it already.
    }
  }
}

// Asks the daemon to forget the ports, if there is one; else that is left for its next start.
std::string clean_up(UplinkFile& file, UplinkState state) {
  state.phase = UplinkPhase::Abandoned;
  file.write(state);
  const std::string done = fmt::format("{} has its addresses and routes again", state.source);
  try {
    ::alarm(kDaemonPatienceSeconds);
    Client client(state.socket);
    remove_ports(client, state);
    ::alarm(0);
  } catch (const NoDaemon&) {
    ::alarm(0);
    return done + "; podswitchd does not run: its ports go when it starts";
  }
  file.remove();
  return done;
}

// Those that are there are somebody else's, such as the config file's, and stay when the uplink goes.
std::vector<std::string> ports_to_make(Client& client) {
  std::vector<std::string> names{kUplinkPort, kHostPort};
  for (const auto& port : client.call("port list").result)
    std::erase(names, port.at("name").get<std::string>());
  return names;
}

// Ports first: nothing has moved as long as the daemon may refuse.
void take(Client& client, const UplinkPlan& plan, Undisturbed& undisturbed) {
  const UplinkState& state = plan.state;
  Rtnetlink kernel;
  client.call("port add", uplink_port(plan));
  client.call("port add", host_port(state));
  const Interface host(state.host);
  if (host.mac() != state.mac) host.set_mac(state.mac);
  if (host.mtu() != uint32_t{state.mtu}) host.set_mtu(state.mtu);
  copy_settings(state.source, state.host);
  host.set_up();
  wait_until_up(client, kUplinkPort);
  wait_until_up(client, kHostPort);
  undisturbed.daemon_is_done();
  const auto from = kernel.link(state.source), to = kernel.link(state.host);
  if (!from || !to) throw Error("", fmt::format("interface {} is missing", from ? state.host : state.source));
  if (needs_ingress_block(state.kind)) block_ingress(state.nic);
  relocate(kernel, state.belongings, from->index, to->index);
}

void take_or_undo(Client& client, UplinkFile& file, const UplinkPlan& plan) {
  Undisturbed undisturbed;
  try {
    take(client, plan, undisturbed);
  } catch (const std::exception& error) {
    std::string undone;
    try {
      const std::vector<Problem> problems = give_back(plan.state);
      undone = report(clean_up(file, plan.state), problems);
    } catch (const std::exception& also) {
      undone = also.what();
    }
    throw Error("", fmt::format("{} (undone: {})", error.what(), undone));
  }
}

void set_host_down(const UplinkState& state) {
  Rtnetlink kernel;
  if (const auto host = kernel.link(state.host)) kernel.set_up(host->index, false);
}

// What the NIC has now counts, not what it had then.
std::string take_again(Client& client, UplinkFile& file, const UplinkState& state) {
  UplinkPlan plan;
  try {
    plan = plan_uplink({state.nic, state.kind, state.queues, state.vlan});
    if (!plan.state.belongings.has_global_address())
      throw Error("", fmt::format("{} has no address yet", state.source));
  } catch (const Error&) {
    set_host_down(state);
    throw;
  }
  plan.state.id = state.id;
  plan.state.socket = state.socket;
  plan.state.ports = state.ports;
  file.write(plan.state);
  take_or_undo(client, file, plan);
  plan.state.phase = UplinkPhase::Confirmed;
  file.write(plan.state);
  return fmt::format("{} is the uplink again, {} has its addresses and routes", plan.state.nic,
                     plan.state.host);
}

int64_t now_s() {
  return std::time(nullptr);
}

}  // namespace

std::string attach_uplink(Client& client, const UplinkRequest& request, const AttachOptions& options) {
  UplinkFile file(options.directory);
  const auto there = file.read();
  if (there && there->phase != UplinkPhase::Abandoned)
    throw Error("", fmt::format("uplink {} is {} already: `podswitch uplink status`", there->nic,
                                to_string(there->phase)));
  require_same_namespace(client);
  UplinkPlan plan = plan_uplink(request);
  if (there) remove_ports(client, *there);
  plan.state.id = new_attachment_id();
  plan.state.socket = options.socket;
  plan.state.ports = ports_to_make(client);
  plan.state.deadline_s = options.timeout_s ? now_s() + *options.timeout_s : 0;
  file.write(plan.state);
  if (options.timeout_s) {
    try {
      start_rollback_timer(plan.state.id, options.directory, *options.timeout_s);
    } catch (const Error&) {
      file.remove();
      throw;
    }
  }
  take_or_undo(client, file, plan);
  std::string text =
      fmt::format("{} is the uplink, {} has its addresses and routes", plan.state.nic, plan.state.host);
  if (!options.timeout_s) {
    plan.state.phase = UplinkPhase::Confirmed;
    file.write(plan.state);
  } else {
    text += fmt::format("; `podswitch uplink confirm` within {} s, or all is put back", *options.timeout_s);
  }
  for (const std::string& warning : plan.warnings) text += "\nwarning: " + warning;
  return text;
}

std::string confirm_uplink(const std::string& directory) {
  UplinkFile file(directory);
  auto state = file.read();
  if (!state) throw Error("", "no uplink is attached; was it rolled back?");
  require_here(*state);
  if (state->phase == UplinkPhase::Confirmed)
    return fmt::format("uplink {} is confirmed already", state->nic);
  if (state->phase != UplinkPhase::Unconfirmed || !state->is_here())
    throw Error("", fmt::format("too late: uplink {} was rolled back", state->nic));
  state->phase = UplinkPhase::Confirmed;
  file.write(*state);
  stop_rollback_timer(state->id);
  return fmt::format("uplink {} is confirmed", state->nic);
}

std::string detach_uplink(const std::string& directory) {
  UplinkFile file(directory);
  const auto state = file.read();
  if (!state) throw Error("", "no uplink is attached");
  require_here(*state);
  const Undisturbed undisturbed;
  const std::vector<Problem> problems = give_back(*state);
  stop_rollback_timer(state->id);
  return report(clean_up(file, *state), problems);
}

std::string roll_back_uplink(const std::string& directory, const std::string& id) {
  UplinkFile file(directory);
  const auto state = file.read();
  if (!state) return "no uplink is attached";
  if (!id.empty() && (state->id != id || state->phase != UplinkPhase::Unconfirmed))
    return fmt::format("attachment {} does not wait for its confirmation", id);
  require_here(*state);
  const Undisturbed undisturbed;
  const std::vector<Problem> problems = give_back(*state);
  return report(clean_up(file, *state), problems);
}

std::string release_uplink(const std::string& directory) {
  if (!UplinkFile::peek(directory)) return "no uplink is attached";
  UplinkFile file(directory);
  auto state = file.read();
  if (!state || state->phase == UplinkPhase::Released || state->phase == UplinkPhase::Abandoned)
    return "the host has the NIC";
  require_here(*state);
  const Undisturbed undisturbed;
  const std::vector<Problem> problems = give_back(*state);
  state->phase = state->phase == UplinkPhase::Confirmed ? UplinkPhase::Released : UplinkPhase::Abandoned;
  file.write(*state);
  return report(fmt::format("{} has its addresses and routes again until podswitchd starts", state->source),
                problems);
}

std::string resume_uplink(const std::string& directory, bool same_boot) {
  if (!UplinkFile::peek(directory)) return "no uplink is attached";
  UplinkFile file(directory);
  const auto state = file.read();
  if (!state) return "no uplink is attached";
  require_here(*state);
  if (same_boot && state->boot_id != present_boot_id()) {
    // The daemon has made the tap anew from its journal: nothing must be heard twice.
    set_host_down(*state);
    return fmt::format("uplink {} waits until the network is configured", state->nic);
  }
  Client client(state->socket);
  require_same_namespace(client);
  const bool was_confirmed = state->phase == UplinkPhase::Confirmed || state->phase == UplinkPhase::Released;
  if (state->phase == UplinkPhase::Abandoned || (!was_confirmed && !state->is_here())) {
    remove_ports(client, *state);
    file.remove();
    return fmt::format("the ports of uplink {}, which was rolled back, are gone", state->nic);
  }
  if (state->phase != UplinkPhase::Released && state->is_here()) {
    // Only the daemon was away: tap, addresses and routes have outlived it.
    if (needs_ingress_block(state->kind)) block_ingress(state->nic);
    return fmt::format("uplink {} is attached", state->nic);
  }
  return take_again(client, file, *state);
}

bool is_unconfirmed(const std::string& directory, const std::string& id) {
  const auto state = UplinkFile::peek(directory);
  return state && state->id == id && state->phase == UplinkPhase::Unconfirmed;
}

nlohmann::json uplink_status(const std::string& directory) {
  const auto state = UplinkFile::peek(directory);
  if (!state) return {{"phase", "detached"}};
  nlohmann::json json = to_json(*state);
  json.erase("version");
  for (const char* key : {"addresses", "routes", "neighbours"}) {
    json["recorded"][key] = json.at(key);
    json.erase(key);
  }
  json["here"] = state->is_here();
  json["rollback_in_seconds"] = state->phase == UplinkPhase::Unconfirmed && state->deadline_s != 0
                                    ? nlohmann::json(std::max<int64_t>(0, state->deadline_s - now_s()))
                                    : nlohmann::json(nullptr);
  json["kernel_blocked"] = state->is_here() && needs_ingress_block(state->kind) && is_ingress_blocked();
  Rtnetlink kernel;
  for (const std::string& name : {state->source, state->host}) {
    const auto link = kernel.link(name);
    json["now"][name] = link ? to_json(belongings_of(kernel, link->index)) : nlohmann::json(nullptr);
  }
  return json;
}

}  // namespace podswitch
