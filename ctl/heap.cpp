// SPDX-License-Identifier: Apache-2.0
#include "ctl/heap.h"

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>

namespace podswitch {
namespace {

constexpr const char* kVariable = "GLIBC_TUNABLES";
constexpr const char* kTunables = "glibc.malloc.hugetlb=1";  // read by glibc before main() only
constexpr const char* kMark = "PODSWITCH_HEAP";

}  // namespace

void use_hugepages_for_heap(char** argv) {
  if (getenv(kMark) != nullptr) {  // the second time: neither is our children's business
    unsetenv(kMark);
    unsetenv(kVariable);
    return;
  }
  // By its path, which becomes the process's name.
  std::array<char, PATH_MAX> path{};
  if (getenv(kVariable) != nullptr || readlink("/proc/self/exe", path.data(), path.size() - 1) <= 0) return;
  if (setenv(kVariable, kTunables, 1) != 0 || setenv(kMark, "1", 1) != 0) return;
  execv(path.data(), argv);
  unsetenv(kMark);  // then with small pages
  unsetenv(kVariable);
}

}  // namespace podswitch
