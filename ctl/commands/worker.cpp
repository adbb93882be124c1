// SPDX-License-Identifier: Apache-2.0
// worker list, assign.
#include <fmt/format.h>

#include "ctl/commands/run.h"
#include "ctl/controller.h"
#include "ctl/text.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

QueueName parse_queue(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    throw Error("queue", fmt::format("'{}' is not PORT:QUEUE, such as web:0", text));
  try {
    return {text.substr(0, colon),
            static_cast<uint16_t>(parse_number(std::string_view(text).substr(colon + 1), 0, UINT16_MAX))};
  } catch (const Error&) {
    throw Error("queue", fmt::format("'{}' is not PORT:QUEUE with a queue's number, such as web:0", text));
  }
}

}  // namespace

Answer DaemonCommands::worker_list(const Call&) {
  nlohmann::json rows = nlohmann::json::array();
  for (const WorkerStatus& worker : controller_.engine().workers()) {
    nlohmann::json queues = nlohmann::json::array();
    for (const QueueName& queue : worker.queues)
      queues.push_back(fmt::format("{}:{}", queue.port, queue.queue));
    rows.push_back({{"core", worker.core},
                    {"queues", queues},
                    {"busy_share", worker.busy_share},
                    {"packets", worker.packets},
                    {"bursts", worker.bursts},
                    {"cycles_per_packet", worker.cycles_per_packet},
                    {"average_burst", worker.average_burst},
                    {"busy_cycles", worker.busy_cycles},
                    {"idle_cycles", worker.idle_cycles},
                    {"sleep_cycles", worker.sleep_cycles},
                    {"sleeps", worker.sleeps},
                    {"handed_over", worker.handed_over},
                    {"taken_over", worker.taken_over},
                    {"polls", worker.polls}});
  }
  return answer(std::move(rows));
}

Answer DaemonCommands::worker_assign(const Call& call) {
  const QueueName queue = parse_queue(call.text("queue"));
  const auto core = call.arguments.at("core").get<uint64_t>();
  if (core > UINT16_MAX) throw Error("core", fmt::format("{} is no core's number", core));
  const auto [revision, changed] = controller_.assign(call.caller, queue, static_cast<unsigned>(core));
  return {revision,
          {{"changed", changed},
           {"message", fmt::format("{}:{} is {} core {}", queue.port, queue.queue,
                                   changed ? "moved to" : "already kept on", core)}}};
}

}  // namespace podswitch
