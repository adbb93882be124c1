// SPDX-License-Identifier: Apache-2.0
// The seam between the control socket and what the requests do. The server calls it on the configuration
// thread; tests put a stub here.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "lb/service_spec.h"

namespace podswitch {

// Who asks, as the kernel tells it (SO_PEERCRED).
struct Caller {
  uid_t uid = 0;
  pid_t pid = 0;
};

struct Answer {
  uint64_t revision = 0;
  nlohmann::json result;
};

// How a transaction ends: the arguments of `commit`.
struct CommitOptions {
  enum class Mode : uint8_t {
    Add,    // ports, none of which may exist with other options
    Apply,  // objects: what is there becomes what they say
    Diff,   // what Apply would change; nothing does
  };
  Mode mode = Mode::Add;
  std::vector<std::string> prune;  // kinds of which what came by Apply and is absent now goes
  bool allow_empty = false;        // also when no object of such a kind came
};

// An object of a transaction that was looked at by itself. What a cluster has many of is kept as values,
// which are small and need not be read again; the others as their JSON texts, because what they unfold to has
// no bound.
using TakenObject =
    std::variant<std::string, std::shared_ptr<const ServiceSpec>, std::shared_ptr<const EndpointSlice>>;

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // All three throw Error: that is the answer, and nothing has changed.
  virtual Answer call(const Caller& caller, const std::string& command, const nlohmann::json& arguments) = 0;
  // One object of a transaction, when it arrives.
  virtual TakenObject read_object(const nlohmann::json& object) const = 0;
  // A whole transaction, all or nothing.
  virtual Answer apply(const Caller& caller, const std::vector<TakenObject>& objects,
                       const CommitOptions& options) = 0;
  // About once a second. Throws nothing.
  virtual void tick() {}
};

}  // namespace podswitch
