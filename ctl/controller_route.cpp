// SPDX-License-Identifier: Apache-2.0
// The controller's static routes.
#include <fmt/format.h>

#include "ctl/controller.h"
#include "ctl/static_route.h"

namespace podswitch {

Controller::Outcome Controller::add_route(const Caller& caller, const StaticRoute& route) {
  Draft draft(desired_);
  if (draft.add_route(route) == Draft::Outcome::Unchanged) return {revision_, false};
  if (draft.next().state.routes.size() > kMaxStaticRoutes)
    throw Error("", fmt::format("a switch has at most {} static routes", kMaxStaticRoutes));
  commit(caller, draft, fmt::format("route add {} {}", route.prefix.to_string(), way_of(route)),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return {revision_, true};
}

uint64_t Controller::remove_routes(const Caller& caller, const std::vector<RouteName>& names) {
  Draft draft(desired_);
  std::vector<Problem> problems;
  for (const RouteName& name : names) {
    try {
      draft.remove_route(name);
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));
  commit(caller, draft, fmt::format("route del, {} routes", names.size()),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return revision_;
}

}  // namespace podswitch
