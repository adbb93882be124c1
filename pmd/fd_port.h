// SPDX-License-Identifier: Apache-2.0
// What tap and af-packet have in common: one file descriptor per queue on a kernel interface in a network
// namespace, that may vanish and come back. An open descriptor keeps its namespace alive, so all are closed
// when the path names it no longer. start() and remove() belong to the configuration thread, maintain() to
// housekeeping; control_mutex_ is between them. Workers see only the queues.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pmd/interface.h"
#include "pmd/mbuf_iov.h"
#include "pmd/netns.h"
#include "pmd/port.h"
#include "pmd/unique_fd.h"

namespace podswitch {

class FdPort : public Port {
 public:
  FdPort(PortId id, PortSpec spec, PortHost& host);

  // Once, before any worker knows the port. Strict: throws Error, and nothing is left behind.
  void start(OpenPolicy policy);
  void remove() noexcept override;
  void maintain() noexcept override;
  WakeSource wake_source(uint16_t queue) noexcept override;

 protected:
  struct Device {
    std::vector<UniqueFd> fds;  // by queue
    std::optional<Interface> interface;
    std::optional<NamespaceId> netns;  // of spec().netns; none when that is empty
  };
  struct alignas(64) Queue {
    std::atomic<int> fd{-1};
    std::atomic<uint32_t> generation{0};
    FrameBuffers buffers;
  };

  // Throws Error, and nothing is left behind.
  virtual Device open_device(OpenPolicy policy) = 0;
  // Why the device must be opened again; empty: it need not.
  virtual std::string why_lost(const Device& device) const = 0;
  // Why it carries nothing at the moment; empty: it does.
  virtual std::string why_down(const Device& device) const = 0;
  virtual void delete_device(const Device& /*device*/) noexcept {}
  virtual void note_changes(const Device& /*device*/) {}

  // Runs `work` in spec().netns and notes in `device` which one that was.
  void open_inside(Device& device, const std::function<void()>& work) const;
  [[noreturn]] void fail(const char* option, const std::string& message) const;
  std::string place() const;  // " in network namespace PATH", or empty
  Queue& queue(uint16_t index) noexcept { return queues_[index]; }

 private:
  void open(OpenPolicy policy);
  void close(const std::string& reason);
  void close_if_lost();
  void refresh();

  std::mutex control_mutex_;
  bool is_removed_ = false;
  std::optional<Device> device_;
  uint32_t mtu_ = 0;  // of the interface, when last seen
  std::vector<Queue> queues_;
};

}  // namespace podswitch
