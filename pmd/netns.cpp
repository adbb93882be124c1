// SPDX-License-Identifier: Apache-2.0
#include "pmd/netns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>

#include "pmd/error.h"
#include "pmd/unique_fd.h"

namespace podswitch {
namespace {

std::string message_of(int error) {
  return std::generic_category().message(error);
}

void enter(const std::string& path, int fd) {
  if (::setns(fd, CLONE_NEWNET) == 0) return;
  if (errno == EINVAL) throw Error("", fmt::format("{} is no network namespace", path));
  if (errno == EPERM)
    throw Error("",
                fmt::format("entering network namespace {} is not permitted: it needs CAP_SYS_ADMIN", path));
  throw Error("", fmt::format("entering network namespace {}: {}", path, message_of(errno)));
}

}  // namespace

std::optional<NamespaceId> namespace_id(const std::string& path) noexcept {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return NamespaceId{info.st_dev, info.st_ino};
}

NamespaceId run_in_namespace(const std::string& path, const std::function<void()>& work) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0)
    throw Error("", errno == ENOENT ? fmt::format("network namespace {} is missing", path)
                                    : fmt::format("network namespace {}: {}", path, message_of(errno)));
  struct stat info {};
  check_errno(::fstat(fd.get(), &info), fmt::format("network namespace {}", path));
  std::exception_ptr failure;
  std::thread([&] {
    try {
      enter(path, fd.get());
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return {info.st_dev, info.st_ino};
}

}  // namespace podswitch
