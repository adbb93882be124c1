// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_file.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;
constexpr const char* kHugePages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";

uint64_t count_in(const std::string& path) {
  uint64_t count = 0;
  std::ifstream(path) >> count;
  return count;
}

// What a former daemon's file at that place holds is free for this one's.
uint64_t bytes_held(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)
             ? static_cast<uint64_t>(info.st_blocks) * 512
             : 0;
}

bool has_room_on_hugetlbfs(const std::string& path, uint64_t bytes) {
  const uint64_t free = count_in(std::string(kHugePages) + "free_hugepages");
  const uint64_t reserved = count_in(std::string(kHugePages) + "resv_hugepages");
  return (free - std::min(free, reserved)) * kHugePage + bytes_held(path) >= bytes;
}

// A tmpfs such as /run is there for others too: half of what is free stays free.
bool has_room_on_tmpfs(const std::string& path, uint64_t bytes) {
  struct statfs system {};
  if (statfs(std::filesystem::path(path).parent_path().c_str(), &system) != 0) return false;
  const uint64_t free = static_cast<uint64_t>(system.f_bavail) * static_cast<uint64_t>(system.f_bsize);
  return system.f_type == TMPFS_MAGIC && free / 2 + bytes_held(path) >= bytes;
}

// The first that has pages of 2 MiB and lets us write; empty: there is none.
std::string hugetlbfs() {
  std::ifstream mounts("/proc/self/mounts");
  for (const std::string& mount : hugetlbfs_mounts(mounts)) {
    struct statfs system {};
    if (statfs(mount.c_str(), &system) == 0 && static_cast<uint64_t>(system.f_bsize) == kHugePage &&
        access(mount.c_str(), W_OK) == 0)
      return mount;
  }
  return {};
}

// Why not there; empty: it has room.
std::string why_not(const std::string& path, bool is_huge, uint64_t bytes) {
  if (is_huge && path.empty()) return "no hugetlbfs of 2 MiB pages is mounted";
  if (is_huge && !has_room_on_hugetlbfs(path, bytes)) return path + ": not enough free hugepages";
  if (!is_huge && !has_room_on_tmpfs(path, bytes)) return path + ": not on a tmpfs, or that is too full";
  return {};
}

FlowMemory open_best(const FlowOptions& options, const std::string& huge, bool wants_hugepages,
                     std::string& chosen) {
  const uint64_t bytes = FlowMemory::bytes_for(options.capacity);
  std::string reasons;
  for (const bool is_huge : {true, false}) {
    if (is_huge && !wants_hugepages) continue;
    chosen = is_huge ? huge : options.file;
    std::string reason = why_not(chosen, is_huge, bytes);
    try {
      if (reason.empty() && wants_hugepages && !is_huge)
        log::info("{}: connections lie there, on small pages{}", chosen, reasons);
      if (reason.empty()) return FlowMemory(chosen, options.capacity, wants_hugepages);
    } catch (const Error& error) {
      reason = error.problems().front().message;
    }
    reasons += "; " + reason;
  }
  chosen.clear();
  log::warning("connections will not outlive this process (flows.file is auto, {} MiB are needed{})",
               bytes >> 20, reasons);
  return FlowMemory("", options.capacity, wants_hugepages);
}

}  // namespace

std::vector<std::string> hugetlbfs_mounts(std::istream& mounts) {
  std::vector<std::string> found;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device, point, type;
    words >> device >> point >> type;
    // A backslash begins a blank's octal escape: nobody mounts it there.
    if (type == "hugetlbfs" && point.find('\\') == std::string::npos) found.push_back(point);
  }
  return found;
}

FlowMemory open_flow_memory(const FlowOptions& options, const std::string& instance, bool has_hugepages) {
  if (!options.chooses_file) return FlowMemory(options.file, options.capacity, has_hugepages);
  const std::string mount = hugetlbfs();
  const std::string huge = mount.empty() ? "" : fmt::format("{}/{}.flows", mount, instance);
  std::string chosen;
  FlowMemory memory = open_best(options, huge, has_hugepages, chosen);
  for (const std::string& path : {huge, options.file})
    if (!path.empty() && path != chosen && bytes_held(path) != 0 && unlink(path.c_str()) == 0)
      log::info("{}: removed, connections lie elsewhere now", path);
  return memory;
}

}  // namespace podswitch
