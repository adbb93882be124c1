// SPDX-License-Identifier: Apache-2.0
#include "pmd/error.h"

#include <cerrno>
#include <system_error>

namespace podswitch {

Error under(const std::string& prefix, const Error& error) {
  std::vector<Problem> problems = error.problems();
  for (Problem& problem : problems)
    problem.path = problem.path.empty() ? prefix : prefix + "." + problem.path;
  return Error(std::move(problems));
}

int check(int rc, const std::string& what) {
  if (rc >= 0) return rc;
  throw Error("", what + ": " + std::generic_category().message(-rc));
}

int check_errno(int rc, const std::string& what) {
  if (rc != -1) return rc;
  throw Error("", what + ": " + std::generic_category().message(errno));
}

}  // namespace podswitch
