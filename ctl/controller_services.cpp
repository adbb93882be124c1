// SPDX-License-Identifier: Apache-2.0
// The controller's Services and EndpointSlices that a command deletes.
#include <fmt/format.h>

#include "ctl/controller.h"
#include "ctl/objects/object_name.h"

namespace podswitch {

uint64_t Controller::remove_objects(const Caller& caller, const std::vector<ObjectName>& names,
                                    void (Draft::*remove)(const ObjectName&), const std::string& kind) {
  Draft draft(desired_);
  std::vector<Problem> problems;
  for (const ObjectName& name : names) {
    try {
      (draft.*remove)(name);
    } catch (const Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw Error(std::move(problems));
  const std::string what = names.size() == 1 ? to_string(names[0]) : fmt::format("{} of them", names.size());
  commit(caller, draft, fmt::format("delete {} {}", kind, what),
         engine_.prepare(draft.next().state, OpenPolicy::Strict));
  return revision_;
}

uint64_t Controller::remove_services(const Caller& caller, const std::vector<ObjectName>& names) {
  return remove_objects(caller, names, &Draft::remove_service, "service");
}

uint64_t Controller::remove_slices(const Caller& caller, const std::vector<ObjectName>& names) {
  return remove_objects(caller, names, &Draft::remove_slice, "endpointslice");
}

}  // namespace podswitch
