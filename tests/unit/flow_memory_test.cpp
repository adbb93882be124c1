// SPDX-License-Identifier: Apache-2.0
#include "pmd/flow_memory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>

#include "lb/flow_table.h"
#include "pmd/error.h"
#include "pmd/flow_file.h"
#include "tests/unit/temporary_directory.h"

namespace podswitch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kCapacity = kMinFlows;
constexpr uint16_t kNetwork = 1;
// Of the header, as FlowMemory writes it: the magic's 8 bytes, layout, capacity, boot id.
constexpr off_t kLayoutAt = 8, kBootIdAt = 16;

FlowKey key(uint16_t client_port) {
  return FlowKey::of(*IpAddress::parse("10.1.0.1"), client_port, *IpAddress::parse("10.96.0.1"), 80, 6,
                     kNetwork);
}

// A daemon's life as far as its flows go.
struct Life {
  explicit Life(const std::string& path, uint32_t capacity = kCapacity)
      : memory(path, capacity, false), table(memory.table(), {.capacity = capacity}, memory.hash()) {}

  void begin(uint16_t client_port) {
    FlowWorker worker;
    const auto reply = FlowKey::of(*IpAddress::parse("10.1.0.3"), 8080, *IpAddress::parse("10.1.0.1"),
                                   client_port, 6, kNetwork);
    const auto made = table.insert({key(client_port), reply, 7, FlowState::TcpEstablished}, 100, worker);
    ASSERT_EQ(made.outcome, FlowTable::Outcome::Inserted);
    table.give_back(worker.slots);
    memory.keep_time(100);
  }
  size_t adopt() { return table.adopt(memory.clock_shift(1), kNetwork); }
  bool knows(uint16_t client_port) const {
    return static_cast<bool>(table.find(table.hash(key(client_port)), key(client_port)));
  }

  FlowMemory memory;
  FlowTable table;
};

class FlowMemoryTest : public testing::Test {
 protected:
  void leave_a_flow() { Life(path_).begin(4000); }
  void overwrite(off_t at, const std::string& bytes) const {
    const int fd = open(path_.c_str(), O_WRONLY);
    ASSERT_EQ(pwrite(fd, bytes.data(), bytes.size(), at), static_cast<ssize_t>(bytes.size()));
    close(fd);
  }
  std::string refusal() const {
    try {
      Life life(path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.problems().front().path, "flows.file");
      return error.problems().front().message;
    }
    return "taken";
  }
  // A daemon begins with an empty table, and another finds what that one knew.
  void expect_begins_anew(uint32_t capacity = kCapacity) const {
    {
      Life life(path_, capacity);
      EXPECT_FALSE(life.memory.has_former_flows());
      EXPECT_EQ(life.table.end(), 0u);
      EXPECT_FALSE(life.knows(4000));
      life.begin(5000);
    }
    Life next(path_, capacity);
    EXPECT_TRUE(next.memory.has_former_flows());
    EXPECT_EQ(next.adopt(), 1u);
    EXPECT_TRUE(next.knows(5000));
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "flows";
};

TEST_F(FlowMemoryTest, ASecondDaemonGoesOnWithTheFirstOnes) {
  leave_a_flow();
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  Life second(path_);
  ASSERT_TRUE(second.memory.has_former_flows());
  EXPECT_EQ(second.adopt(), 1u);
  EXPECT_TRUE(second.knows(4000));
  const auto found = second.table.find(second.table.hash(key(4000)), key(4000));
  const auto flow = second.table.read(found.slot, 1);
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->state, FlowState::TcpEstablished);
  EXPECT_LE(flow->idle_seconds, 2u) << "the first one's second 100 is about this one's second 1";
}

TEST_F(FlowMemoryTest, AnonymousMemoryIsNobodyElses) {
  Life("").begin(4000);
  Life other("");
  EXPECT_FALSE(other.memory.has_former_flows());
  EXPECT_FALSE(other.knows(4000));
  EXPECT_EQ(other.memory.path(), "");
}

TEST_F(FlowMemoryTest, TwoAtOnceAreRefused) {
  Life first(path_);
  first.begin(4000);
  EXPECT_THAT(refusal(), HasSubstr("another daemon"));
  EXPECT_TRUE(first.knows(4000));
}

TEST_F(FlowMemoryTest, AnotherCapacityBeginsAnew) {
  leave_a_flow();
  expect_begins_anew(2 * kCapacity);
  expect_begins_anew(kCapacity);
}

TEST_F(FlowMemoryTest, ACapacityOfTheSameSizeIsAnotherAllTheSame) {
  leave_a_flow();
  overwrite(kLayoutAt + 4, std::string("\xff\x03\0\0", 4));
  expect_begins_anew();
}

TEST_F(FlowMemoryTest, AnotherBootBeginsAnew) {
  leave_a_flow();
  overwrite(kBootIdAt, "00000000-0000-0000-0000-000000000000");
  expect_begins_anew();
}

TEST_F(FlowMemoryTest, AnotherLayoutBeginsAnew) {
  leave_a_flow();
  overwrite(kLayoutAt, "\x7f");
  expect_begins_anew();
}

TEST_F(FlowMemoryTest, ATruncatedFileBeginsAnew) {
  for (const uintmax_t size : {uintmax_t{0}, uintmax_t{1}, uintmax_t{4096}, uintmax_t{100000}}) {
    leave_a_flow();
    std::filesystem::resize_file(path_, size);
    expect_begins_anew();
  }
}

TEST_F(FlowMemoryTest, AStartThatWasNotFinishedBeginsAnew) {
  leave_a_flow();
  overwrite(0, std::string(8, '\0'));
  expect_begins_anew();
}

TEST_F(FlowMemoryTest, WhatIsNoFileOfFlowsIsLeftAlone) {
  std::ofstream(path_) << "somebody's only copy";
  chmod(path_.c_str(), 0600);
  EXPECT_THAT(refusal(), HasSubstr("something else than flows"));
  std::string text;
  std::getline(std::ifstream(path_), text);
  EXPECT_EQ(text, "somebody's only copy");
}

TEST_F(FlowMemoryTest, OthersMayNotWriteToIt) {
  leave_a_flow();
  for (const mode_t mode : {0660u, 0604u, 0644u, 0700u}) {
    chmod(path_.c_str(), mode);
    EXPECT_THAT(refusal(), HasSubstr("not this user's alone")) << mode;
  }
  chmod(path_.c_str(), 0600);
  std::filesystem::create_hard_link(path_, directory_ / "other");
  EXPECT_THAT(refusal(), HasSubstr("2 names"));
}

TEST_F(FlowMemoryTest, AForeignOwnersIsRefused) {
  leave_a_flow();
  if (chown(path_.c_str(), 65534, 65534) != 0) GTEST_SKIP() << "needs root";
  EXPECT_THAT(refusal(), HasSubstr("owner 65534"));
}

TEST_F(FlowMemoryTest, ASymbolicLinkIsRefused) {
  const std::string target = directory_ / "target";
  Life(target).begin(4000);
  std::filesystem::create_symlink(target, path_);
  EXPECT_THAT(refusal(), HasSubstr("cannot be opened"));
  EXPECT_EQ(Life(target).adopt(), 1u);
}

TEST_F(FlowMemoryTest, WhatIsNoRegularFileIsRefused) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("no regular file"));
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_THAT(refusal(), HasSubstr("cannot be opened"));
}

TEST_F(FlowMemoryTest, DamagedRecordsAreLeftOut) {
  {
    Life first(path_);
    for (uint16_t port = 4000; port < 4064; ++port) first.begin(port);
  }
  // Here and there, index and counts included.
  std::string all(std::filesystem::file_size(path_), '\0');
  std::ifstream(path_).read(all.data(), static_cast<std::streamsize>(all.size()));
  uint64_t random = 1;
  for (size_t at = 4096; at < all.size(); at += 97) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    all[at] = static_cast<char>(random >> 56);
  }
  std::ofstream(path_, std::ios::in | std::ios::binary)
      .write(all.data(), static_cast<std::streamsize>(all.size()));
  Life second(path_);
  ASSERT_TRUE(second.memory.has_former_flows());
  const size_t adopted = second.adopt();
  size_t readable = 0;
  for (FlowSlot slot = 0; slot < second.table.end(); ++slot) {
    const auto flow = second.table.read(slot, 1);
    if (!flow) continue;
    ++readable;
    EXPECT_TRUE(second.table.find(second.table.hash(flow->original), flow->original));
    EXPECT_TRUE(second.table.find(second.table.hash(flow->reply), flow->reply));
  }
  EXPECT_EQ(readable, adopted);
  second.begin(9999);
  EXPECT_TRUE(second.knows(9999));
}

TEST_F(FlowMemoryTest, AFileThatWasAskedForMustWork) {
  const FlowOptions options{.capacity = kCapacity, .file = directory_ / "none/flows"};
  try {
    open_flow_memory(options, "test", false);
    FAIL() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.problems().front().path, "flows.file");
  }
}

TEST_F(FlowMemoryTest, AFileOfOurOwnChoiceNeedNot) {
  FlowOptions options{.capacity = kCapacity, .file = directory_ / "none/flows", .chooses_file = true};
  EXPECT_EQ(open_flow_memory(options, "test", false).path(), "");
  // On a tmpfs it is taken, and what cannot be taken there is no error either.
  if (access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "no /dev/shm";
  options.file = "/dev/shm/podswitch-test-" + std::to_string(getpid());
  EXPECT_EQ(open_flow_memory(options, "test", false).path(), options.file);
  chmod(options.file.c_str(), 0666);
  EXPECT_EQ(open_flow_memory(options, "test", false).path(), "");
  std::filesystem::remove(options.file);
}

TEST(FlowFile, FindsHugetlbfsInTheListOfMounts) {
  std::istringstream mounts(
      "proc /proc proc rw 0 0\n"
      "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n"
      "tmpfs /mnt/hugetlbfs tmpfs rw 0 0\n"
      "none /mnt/a\\040b hugetlbfs rw 0 0\n"
      "short\n"
      "none /mnt/huge hugetlbfs rw 0 0\n");
  EXPECT_THAT(hugetlbfs_mounts(mounts), ElementsAre("/dev/hugepages", "/mnt/huge"));
}

}  // namespace
}  // namespace podswitch
