// SPDX-License-Identifier: Apache-2.0
#include "ctl/host/uplink_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "ctl/host/uplink_json.h"
#include "pmd/error.h"
#include "pmd/netns.h"

namespace podswitch {
namespace {

constexpr auto kLockPatience = std::chrono::seconds(40);

FileDescriptor wait_for_lock(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  check_errno(fd.get(), path);
  const auto end = std::chrono::steady_clock::now() + kLockPatience;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) check_errno(-1, path);
    if (std::chrono::steady_clock::now() > end)
      throw Error(path, "another `podswitch uplink` command is at work");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fd;
}

std::string path_in(const std::string& directory) {
  return directory + "/uplink.json";
}

std::optional<UplinkState> read_state(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::nullopt;
  check_errno(fd.get(), path);
  try {
    return uplink_state_of(nlohmann::json::parse(read_all(fd.get(), path)));
  } catch (const nlohmann::json::exception& error) {
    throw Error(path, fmt::format("is damaged: {}", error.what()));
  } catch (const Error& error) {
    throw Error(path, error.what());
  }
}

}  // namespace

std::string_view to_string(UplinkPhase phase) {
  switch (phase) {
    case UplinkPhase::Unconfirmed:
      return "unconfirmed";
    case UplinkPhase::Confirmed:
      return "confirmed";
    case UplinkPhase::Released:
      return "released";
    case UplinkPhase::Abandoned:
      return "abandoned";
  }
  return "";
}

std::string present_boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

std::string present_netns() {
  const auto id = namespace_id("/proc/thread-self/ns/net");
  return id ? fmt::format("{}:{}", id->device, id->inode) : "";
}

std::string new_attachment_id() {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) check_errno(-1, "getrandom");
  return fmt::format("{:016x}", number);
}

bool UplinkState::is_here() const {
  return boot_id == present_boot_id() && netns == present_netns();
}

UplinkFile::UplinkFile(const std::string& directory) : directory_(directory), path_(path_in(directory)) {
  make_directories(directory, 0700);
  lock_ = wait_for_lock(directory + "/uplink.lock");
}

std::optional<UplinkState> UplinkFile::read() const {
  return read_state(path_);
}

std::optional<UplinkState> UplinkFile::peek(const std::string& directory) {
  return read_state(path_in(directory));
}

void UplinkFile::write(const UplinkState& state) {
  const std::string next = path_ + ".new";
  const FileDescriptor fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  check_errno(fd.get(), next);
  check_errno(::fchmod(fd.get(), 0600), next);
  write_all(fd.get(), to_json(state).dump(1) + "\n", next);
  check_errno(::fsync(fd.get()), next);
  check_errno(::rename(next.c_str(), path_.c_str()), path_);
  const FileDescriptor folder(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  check_errno(folder.get(), directory_);
  check_errno(::fsync(folder.get()), directory_);
}

void UplinkFile::remove() {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) check_errno(-1, path_);
}

}  // namespace podswitch
