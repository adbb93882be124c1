// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

#include "lb/flow_table.h"
#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kHeaderBytes = 4096;
constexpr std::array<char, 8> kMagic{'P', 'S', 'F', 'L', 'O', 'W', 'S', '\n'};
constexpr uint32_t kLayout = 1;  // another one: the records mean something else

size_t round_up(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::array<char, 40> boot_id() {
  std::array<char, 40> id{};
  std::ifstream("/proc/sys/kernel/random/boot_id").read(id.data(), id.size() - 1);
  return id;
}

uint64_t seconds_since_boot() noexcept {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec);
}

Error file_error(const std::string& path, const std::string& what) {
  return Error("flows.file", fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

}  // namespace

struct FlowMemory::Header {
  std::array<char, 8> magic;
  uint32_t layout;
  uint32_t capacity;
  std::array<char, 40> boot_id;
  uint64_t hash_seed, hash_factor;
  std::atomic<uint64_t> clock;  // the daemon's second in the high half, the boot's in the low one
};

size_t FlowMemory::bytes_for(uint32_t capacity) {
  return kHeaderBytes + FlowTable::memory_bytes(capacity);
}

FlowMemory::FlowMemory(const std::string& path, uint32_t capacity, bool wants_hugepages)
    : path_(path), bytes_(bytes_for(capacity)) {
  static_assert(sizeof(Header) <= kHeaderBytes);
  if (path_.empty())
    map_anonymous(wants_hugepages);
  else
    map_file();
  is_attached_ = !path_.empty() && is_believable(capacity);
  if (!is_attached_) begin_anew(capacity);
}

FlowMemory::FlowMemory(FlowMemory&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      start_(std::exchange(other.start_, nullptr)),
      bytes_(other.bytes_),
      has_hugepages_(other.has_hugepages_),
      is_attached_(other.is_attached_) {}

FlowMemory::~FlowMemory() {
  if (start_ != nullptr) munmap(start_, bytes_);
}

void FlowMemory::map_anonymous(bool wants_hugepages) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  const size_t exact = bytes_;
  bytes_ = round_up(exact, kHugePage);
  void* at = MAP_FAILED;
  if (wants_hugepages)
    at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, kFlags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
  has_hugepages_ = at != MAP_FAILED;
  // Aligned by hand, so that the kernel can give it transparent huge pages.
  if (!has_hugepages_) {
    at = mmap(nullptr, bytes_ + kHugePage, PROT_READ | PROT_WRITE, kFlags | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
      throw Error("flows.capacity",
                  fmt::format("no {} MiB of memory for it: {}", bytes_ >> 20, std::strerror(errno)));
    auto* const first = static_cast<std::byte*>(at);
    auto* const aligned =
        reinterpret_cast<std::byte*>(round_up(reinterpret_cast<uintptr_t>(first), kHugePage));
    if (aligned != first) munmap(first, static_cast<size_t>(aligned - first));
    munmap(aligned + bytes_, kHugePage - static_cast<size_t>(aligned - first));
    at = aligned;
    madvise(at, bytes_, MADV_HUGEPAGE);
  }
  start_ = static_cast<std::byte*>(at);
}

// Who once had it open may write to it for ever: one that was not always ours alone is not taken at all.
void FlowMemory::open_file() {
  file_ = UniqueFd(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (file_.get() < 0) throw file_error(path_, "cannot be opened");
  struct stat info {};
  if (fstat(file_.get(), &info) != 0) throw file_error(path_, "cannot be looked at");
  if (!S_ISREG(info.st_mode)) throw Error("flows.file", path_ + " is no regular file");
  if (info.st_uid != geteuid() || (info.st_mode & 0777) != 0600 || info.st_nlink > 1)
    throw Error("flows.file",
                fmt::format("{} is not this user's alone (owner {}, mode {:04o}, {} names): remove it", path_,
                            info.st_uid, info.st_mode & 0777, info.st_nlink));
  if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0)
    throw file_error(path_, "another daemon has its flows there");
  if (!is_of_flows())
    throw Error("flows.file", path_ +
                                  " holds something else than flows, and is left alone: remove it, or choose "
                                  "another path");
}

// Or nothing, or what a start has not finished.
bool FlowMemory::is_of_flows() const {
  std::array<char, kMagic.size()> begin{};
  const ssize_t got = pread(file_.get(), begin.data(), begin.size(), 0);
  if (got < 0) throw file_error(path_, "cannot be read");
  const auto size = static_cast<size_t>(got);
  return std::memcmp(begin.data(), kMagic.data(), size) == 0 || begin == std::array<char, kMagic.size()>{};
}

// All of it now: a page that is not to be had later would be a SIGBUS in a worker.
void FlowMemory::take_room(bool is_new) {
  int error = ftruncate(file_.get(), static_cast<off_t>(bytes_)) == 0 ? 0 : errno;
  if (error == 0) error = posix_fallocate(file_.get(), 0, static_cast<off_t>(bytes_));
  if (error == 0) return;
  // What was had of it is given back.
  if (is_new) unlink(path_.c_str());
  errno = error;
  throw file_error(path_, fmt::format("has no room for {} MiB (flows.capacity)", bytes_ >> 20));
}

void FlowMemory::map_file() {
  open_file();
  struct statfs system {};
  struct stat info {};
  if (fstatfs(file_.get(), &system) != 0 || fstat(file_.get(), &info) != 0)
    throw file_error(path_, "cannot be looked at");
  has_hugepages_ = system.f_type == HUGETLBFS_MAGIC;
  if (has_hugepages_)
    bytes_ = round_up(bytes_, static_cast<size_t>(system.f_bsize));
  else if (system.f_type != TMPFS_MAGIC)
    log::warning("{}: is on no tmpfs: the kernel keeps writing it to the disk (flows.file)", path_);
  const bool is_other_size = info.st_size != 0 && static_cast<size_t>(info.st_size) != bytes_;
  if (is_other_size && ftruncate(file_.get(), 0) != 0) throw file_error(path_, "cannot be overwritten");
  take_room(info.st_size == 0 || is_other_size);
  void* at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file_.get(), 0);
  if (at == MAP_FAILED) throw file_error(path_, "cannot be mapped");
  start_ = static_cast<std::byte*>(at);
  if (is_other_size) log::warning("{}: flows of another capacity: forgotten", path_);
}

FlowMemory::Header& FlowMemory::header() const {
  return *reinterpret_cast<Header*>(start_);
}

bool FlowMemory::is_believable(uint32_t capacity) const {
  const Header& found = header();
  if (found.magic != kMagic) return false;
  if (found.layout == kLayout && found.capacity == capacity && found.boot_id == boot_id()) return true;
  log::warning("{}: flows of another boot, version or capacity: forgotten", path_);
  return false;
}

void FlowMemory::begin_anew(uint32_t capacity) {
  // A file that has just been made is all zeros as well, but who knows which one it is.
  if (file_.get() >= 0) std::memset(static_cast<void*>(start_), 0, bytes_);
  const KeyedHash hash = KeyedHash::random();
  Header& made = header();
  made.layout = kLayout;
  made.capacity = capacity;
  made.boot_id = boot_id();
  made.hash_seed = hash.seed();
  made.hash_factor = hash.factor();
  keep_time(1);
  made.magic = kMagic;
}

std::span<std::byte> FlowMemory::table() const {
  return {start_ + kHeaderBytes, bytes_ - kHeaderBytes};
}

KeyedHash FlowMemory::hash() const {
  return KeyedHash::of(header().hash_seed, header().hash_factor);
}

uint32_t FlowMemory::clock_shift(uint32_t now) const {
  const uint64_t kept = header().clock.load(std::memory_order_relaxed);
  const auto away = static_cast<uint32_t>(seconds_since_boot()) - static_cast<uint32_t>(kept);
  return now - (static_cast<uint32_t>(kept >> 32) + away);
}

void FlowMemory::keep_time(uint32_t now) noexcept {
  header().clock.store(uint64_t{now} << 32 | static_cast<uint32_t>(seconds_since_boot()),
                       std::memory_order_relaxed);
}

}  // namespace podswitch
