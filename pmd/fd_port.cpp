// SPDX-License-Identifier: Apache-2.0
#include "pmd/fd_port.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "pmd/error.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

// The messages without their paths: a port's reason stands next to its name anyway.
std::string reason_of(const std::exception& failure) {
  const auto* error = dynamic_cast<const Error*>(&failure);
  if (error == nullptr) return failure.what();
  std::string text;
  for (const Problem& problem : error->problems()) text += (text.empty() ? "" : "; ") + problem.message;
  return text;
}

}  // namespace

FdPort::FdPort(PortId id, PortSpec spec, PortHost& host)
    : Port(id, std::move(spec), host), queues_(this->spec().queues) {}

void FdPort::start(OpenPolicy policy) {
  const std::scoped_lock lock(control_mutex_);
  try {
    open(policy);
  } catch (const std::exception& failure) {
    if (policy == OpenPolicy::Strict) throw;
    set_down(reason_of(failure));
  }
}

void FdPort::remove() noexcept {
  const std::scoped_lock lock(control_mutex_);
  is_removed_ = true;
  if (device_) delete_device(*device_);
}

void FdPort::maintain() noexcept {
  const std::scoped_lock lock(control_mutex_);
  if (is_removed_) return;
  try {
    close_if_lost();
    if (device_)
      refresh();
    else
      open(OpenPolicy::Patient);
  } catch (const std::exception& failure) {
    set_down(reason_of(failure));
  }
}

WakeSource FdPort::wake_source(uint16_t index) noexcept {
  Queue& q = queues_[index];
  // Frames were left behind. They make no new edge, but an fd that is watched anew does.
  if (!q.buffers.is_drained()) q.generation.fetch_add(1, std::memory_order_release);
  const int fd = q.fd.load(std::memory_order_acquire);
  return {fd, q.generation.load(std::memory_order_acquire)};
}

void FdPort::open(OpenPolicy policy) {
  device_ = open_device(policy);
  mtu_ = device_->interface->mtu().value_or(0);
  for (size_t i = 0; i < queues_.size(); ++i) {
    queues_[i].generation.fetch_add(1, std::memory_order_release);
    queues_[i].fd.store(device_->fds[i].get(), std::memory_order_release);
  }
  refresh();
}

void FdPort::close(const std::string& reason) {
  set_down(reason);
  for (Queue& q : queues_) {
    q.fd.store(-1, std::memory_order_release);
    q.generation.fetch_add(1, std::memory_order_release);
  }
  host_.wait_for_workers();
  device_.reset();
}

void FdPort::close_if_lost() {
  if (!device_) return;
  if (device_->netns) {
    const auto now = namespace_id(spec().netns);
    if (!now) return close(fmt::format("network namespace {} is missing", spec().netns));
    if (now != device_->netns) {
      // The pod lives in the new one; what still runs in the old must not keep our interface.
      delete_device(*device_);
      return close(fmt::format("network namespace {} was made anew", spec().netns));
    }
  }
  const std::string reason = why_lost(*device_);
  if (!reason.empty()) close(reason);
}

void FdPort::refresh() {
  const std::string reason = why_down(*device_);
  if (reason.empty())
    set_up();
  else
    set_down(reason);
  const auto mtu = device_->interface->mtu();
  if (mtu && *mtu != mtu_) {
    log::info("port {}: MTU of interface {} was changed from {} to {}", spec().name, spec().ifname, mtu_,
              *mtu);
    mtu_ = *mtu;
  }
  note_changes(*device_);
}

void FdPort::open_inside(Device& device, const std::function<void()>& work) const {
  if (spec().netns.empty()) return work();
  try {
    device.netns = run_in_namespace(spec().netns, work);
  } catch (const Error& error) {
    if (error.problems().front().path.empty()) fail("netns", error.problems().front().message);
    throw;
  }
}

void FdPort::fail(const char* option, const std::string& message) const {
  throw Error(option, message);
}

std::string FdPort::place() const {
  return spec().netns.empty() ? "" : fmt::format(" in network namespace {}", spec().netns);
}

}  // namespace podswitch
