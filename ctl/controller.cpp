// SPDX-License-Identifier: Apache-2.0
#include "ctl/controller.h"

#include <fmt/format.h>

#include "ctl/commands/run.h"
#include "ctl/port_options.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr size_t kMaxProblems = 100;  // of one request: more help nobody

std::set<unsigned> cores_of(const Engine& engine) {
  std::set<unsigned> cores;
  for (const WorkerStatus& worker : engine.workers()) cores.insert(worker.core);
  return cores;
}

// Where a port's options are in the paths of problems, when there may be several ports.
std::string path_of(const std::string& port) {
  return "ports." + port;
}

// An object of a transaction: {"kind": "Port", ...}, the kind may be left out.
PortSpec port_of(const nlohmann::json& object, const std::string& path) {
  nlohmann::json port = object;
  const auto kind = port.find("kind");
  if (kind != port.end()) {
    if (*kind != "Port") throw Error("kind", "only objects of kind 'Port' are understood");
    port.erase(kind);
  }
  std::vector<Problem> problems;
  PortSpec spec = port_from_json(port, path, problems);
  if (!problems.empty()) throw Error(std::move(problems));
  return spec;
}

}  // namespace

Controller::Controller(Engine& engine, Journal& journal, ControllerOptions options)
    : engine_(engine), journal_(journal), options_(std::move(options)) {}

void Controller::start() {
  std::vector<std::string> warnings;
  desired_ = merge(options_.static_ports, options_.static_pins, journal_.state(), cores_of(engine_),
                   options_.gateway, warnings);
  for (const std::string& warning : warnings) log::warning("{}", warning);
  left_out_count_ = desired_.left_out.size();
  revision_ = engine_.commit(prepare_many(desired_.state, OpenPolicy::Patient));
  log::info("{} ports, of which the config file defines {}; revision {}", desired_.state.ports.size(),
            desired_.static_ports.size(), revision_);
}

Answer Controller::call(const Caller& caller, const std::string& command, const nlohmann::json& arguments) {
  return run_command(*this, caller, command, arguments);
}

void Controller::check_object(const nlohmann::json& object) const {
  port_of(object, "");
}

Answer Controller::apply(const Caller& caller, const std::vector<std::string>& objects) {
  Draft draft(desired_);
  std::vector<Problem> problems;
  size_t added = 0;
  std::string first;
  for (const std::string& text : objects) {
    const PortSpec spec = port_of(nlohmann::json::parse(text), "");
    try {
      if (draft.add(spec, path_of(spec.name)) == Draft::Outcome::Unchanged) continue;
      if (added++ == 0) first = spec.name;
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
    if (problems.size() >= kMaxProblems || draft.next().state.ports.size() > kMaxPorts) break;
  }
  if (draft.next().state.ports.size() > kMaxPorts)
    problems.push_back({"", fmt::format("a switch has at most {} ports", kMaxPorts)});
  if (!problems.empty()) throw Error(std::move(problems));
  draft.check(options_.gateway);
  if (added > 0)
    commit(caller, draft,
           added == 1 ? "port add " + first : fmt::format("port add {} and {} more", first, added - 1),
           prepare_many(draft.next().state, OpenPolicy::Strict));
  const size_t unchanged = objects.size() - added;
  return {revision_,
          {{"added", added},
           {"unchanged", unchanged},
           {"message", fmt::format("{} ports added, {} unchanged", added, unchanged)}}};
}

Controller::Outcome Controller::add_port(const Caller& caller, const PortSpec& spec) {
  Draft draft(desired_);
  const bool is_new = draft.add(spec, "") == Draft::Outcome::Changed;
  draft.check(options_.gateway);
  if (is_new)
    commit(caller, draft, "port add " + spec.name, engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, is_new};
}

uint64_t Controller::remove_ports(const Caller& caller, const std::vector<std::string>& names) {
  Draft draft(desired_);
  std::vector<Problem> problems;
  std::vector<PortSpec> discarded;
  for (const std::string& name : names) {
    try {
      draft.remove(name, journal_.state());
      if (desired_.left_out.count(name) != 0) discarded.push_back(journal_.state().ports.at(name));
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));
  commit(caller, draft, fmt::format("port del {}", fmt::join(names, ", ")),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  for (const PortSpec& spec : discarded) engine_.discard(spec);
  return revision_;
}

Controller::Outcome Controller::assign(const Caller& caller, const QueueName& queue, unsigned core) {
  const auto cores = cores_of(engine_);
  if (cores.count(core) == 0)
    throw Error("core",
                fmt::format("no worker runs on core {}: there is one on {}", core, fmt::join(cores, ", ")));
  Draft draft(desired_);
  const bool is_new = draft.pin(queue, core) == Draft::Outcome::Changed;
  if (is_new)
    commit(caller, draft, fmt::format("worker assign {}:{} {}", queue.port, queue.queue, core),
           engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, is_new};
}

std::unique_ptr<Engine::Change> Controller::prepare_many(const DesiredState& next, OpenPolicy policy) {
  try {
    return engine_.prepare(next, policy);
  } catch (const PortError& error) {
    throw under(path_of(error.port()), error);
  }
}

void Controller::commit(const Caller& caller, const Draft& draft, const std::string& what,
                        std::unique_ptr<Engine::Change> change) {
  const StoredState before = journal_.state();
  journal_.append(draft.edits());
  try {
    revision_ = engine_.commit(std::move(change));
  } catch (const std::exception& error) {
    // What is refused must not come back with the next start.
    journal_.rewrite(before);
    throw Error("", fmt::format("the switch cannot run this: {}", error.what()));
  }
  desired_ = draft.next();
  left_out_count_ = desired_.left_out.size();
  log::info("uid {} pid {}: {}; revision {}", caller.uid, caller.pid, what, revision_);
}

}  // namespace podswitch
