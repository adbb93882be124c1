// SPDX-License-Identifier: Apache-2.0
#include "pmd/vhost_device.h"

#include <fmt/format.h>
#include <rte_vhost.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "pmd/error.h"
#include "pmd/socket_path.h"
#include "pmd/vhost_socket.h"
#include "pmd/virtio_feature.h"

namespace podswitch {
namespace {

// librte_vhost polls at most 1,024 descriptors: a listener takes one, and each connection.
constexpr size_t kMaxDescriptors = 1000;

std::string path_of(int vid) {
  std::array<char, sizeof(sockaddr_un::sun_path) + 1> path{};
  return rte_vhost_get_ifname(vid, path.data(), path.size()) == 0 ? path.data() : "";
}

struct Registration {
  VhostEvents* events = nullptr;
  uint64_t features = 0;  // offered
  size_t descriptors = 1;
};

class Registry {
 public:
  void add(const std::string& path, const Registration& registration) {
    const std::scoped_lock lock(mutex_);
    if (poisoned_.contains(path))
      throw Error(
          "path",
          fmt::format("listening on {} failed once; choose another path or restart the switch", path));
    if (descriptors_ + registration.descriptors > kMaxDescriptors)
      throw Error("type", "librte_vhost serves no more ports: about 1000 in client mode, 500 in server mode");
    if (!entries_.emplace(path, registration).second)
      throw Error("path", fmt::format("{} is already used by another port", path));
    descriptors_ += registration.descriptors;
  }
  void remove(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(path);
    if (found == entries_.end()) return;
    descriptors_ -= found->second.descriptors;
    entries_.erase(found);
  }
  void set_features(const std::string& path, uint64_t features) {
    const std::scoped_lock lock(mutex_);
    entries_.at(path).features = features;
  }
  void poison(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    poisoned_.insert(path);
  }
  bool is_poisoned(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    return poisoned_.contains(path);
  }
  // The lock is not held while events run: ~VhostDevice waits for them inside librte_vhost.
  Registration find(int vid) {
    const std::string path = path_of(vid);
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(path);
    return found == entries_.end() ? Registration{} : found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Registration, std::less<>> entries_;
  std::set<std::string> poisoned_;
  size_t descriptors_ = 0;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

// The head of a vhost-user message, as on the wire.
struct [[gnu::packed]] VhostUserMessage {
  uint32_t request;
  uint32_t flags;
  uint32_t size;
  uint64_t value;
};
constexpr uint32_t kSetFeatures = 2;  // VHOST_USER_SET_FEATURES
constexpr uint32_t kSetMemTable = 5;
constexpr uint32_t kSetVringNum = 8;
constexpr uint32_t kSetVringAddr = 9;
constexpr uint32_t kSetVringBase = 10;

rte_vhost_msg_result look_at_message(int vid, void* raw) {
  VhostUserMessage message{};
  std::memcpy(&message, raw, sizeof(message));
  if (message.request == kSetFeatures) {
    const Registration found = registry().find(vid);
    if (const uint64_t excess = message.value & ~found.features; excess != 0 && found.events != nullptr)
      found.events->features_refused(excess);
  }
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

// While a message is handled a worker's dequeue finds the vring locked and returns nothing, so that it may
// have gone to sleep over a packet for which the guest does not kick again.
rte_vhost_msg_result after_message(int vid, void* raw) {
  uint32_t request = 0;
  std::memcpy(&request, raw, sizeof request);
  const bool memory_moved = request == kSetMemTable || request == kSetVringNum || request == kSetVringAddr ||
                            request == kSetVringBase;
  if (VhostEvents* events = registry().find(vid).events) events->message_handled(memory_moved);
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

constexpr rte_vhost_user_extern_ops kMessageOps{look_at_message, after_message};

int on_new_connection(int vid) {
  VhostEvents* events = registry().find(vid).events;
  if (events == nullptr || rte_vhost_extern_callback_register(vid, &kMessageOps, nullptr) != 0) return -1;
  make_connections_nonblocking(path_of(vid));
  return events->peer_connected(vid) ? 0 : -1;
}
void on_destroy_connection(int vid) {
  if (VhostEvents* events = registry().find(vid).events) events->peer_gone();
}
int on_new_device(int vid) {
  VhostEvents* events = registry().find(vid).events;
  if (events == nullptr) return -1;
  events->driver_started(vid);
  return 0;
}
void on_destroy_device(int vid) {
  if (VhostEvents* events = registry().find(vid).events) events->driver_stopped();
}
int on_vring_state_changed(int vid, uint16_t vring, int ready) {
  if (VhostEvents* events = registry().find(vid).events) events->vring_changed(vring, ready != 0);
  return 0;
}

constexpr rte_vhost_device_ops make_device_ops() {
  rte_vhost_device_ops ops{};
  ops.new_device = on_new_device;
  ops.destroy_device = on_destroy_device;
  ops.vring_state_changed = on_vring_state_changed;
  ops.new_connection = on_new_connection;
  ops.destroy_connection = on_destroy_connection;
  return ops;
}
constexpr rte_vhost_device_ops kDeviceOps = make_device_ops();

void require_ok(int result, const char* what, const std::string& path) {
  if (result != 0) throw Error("path", fmt::format("{}: librte_vhost could not {}", path, what));
}

}  // namespace

VhostDevice::VhostDevice(const Options& options, VhostEvents& events) : options_(options) {
  const std::string& path = options_.path;
  registry().add(path, {&events, 0, options_.server ? size_t{2} : size_t{1}});
  try {
    if (options_.server) make_room_for_listener(path);
    // One buffer a frame: then librte_vhost refuses frames beyond 64 KiB before it copies. As chains it would
    // copy whatever a guest describes, until the pool that all ports share is empty.
    const uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS | RTE_VHOST_USER_LINEARBUF_SUPPORT |
                           RTE_VHOST_USER_EXTBUF_SUPPORT | (options_.server ? 0 : RTE_VHOST_USER_CLIENT);
    require_ok(rte_vhost_driver_register(path.c_str(), flags), "make a socket", path);
  } catch (...) {
    registry().remove(path);
    throw;
  }
  try {
    offer_features();
    require_ok(rte_vhost_driver_callback_register(path.c_str(), &kDeviceOps), "set call-backs", path);
    if (rte_vhost_driver_start(path.c_str()) != 0) {
      // A listener that failed is closed already, and unregistering would close that number once more,
      // whoever has it by then, and unlink the path. So this registration stays until the end.
      if (options_.server) registry().poison(path);
      throw Error("path", fmt::format("librte_vhost could not {} {}: see the log",
                                      options_.server ? "listen on" : "connect to", path));
    }
    if (options_.server) set_socket_access(path, options_.socket_group, options_.socket_mode);
  } catch (...) {
    if (!registry().is_poisoned(path)) rte_vhost_driver_unregister(path.c_str());
    registry().remove(path);
    throw;
  }
}

VhostDevice::~VhostDevice() {
  rte_vhost_driver_unregister(options_.path.c_str());
  registry().remove(options_.path);
}

void VhostDevice::offer_features() {
  const char* path = options_.path.c_str();
  // No UDP fragmentation offload: Linux gave it up, and the switch segments TCP only.
  uint64_t unwanted = virtio_feature::kHostUfo | virtio_feature::kGuestUfo;
  if (options_.queues == 1) {
    unwanted |= virtio_feature::kMultiQueue;
    uint64_t protocol = 0;
    require_ok(rte_vhost_driver_get_protocol_features(path, &protocol), "read protocol features", path);
    protocol &= ~(1ULL << VHOST_USER_PROTOCOL_F_MQ);
    require_ok(rte_vhost_driver_set_protocol_features(path, protocol), "set protocol features", path);
  }
  require_ok(rte_vhost_driver_disable_features(path, unwanted), "set features", path);
  uint64_t features = 0;
  require_ok(rte_vhost_driver_get_features(path, &features), "read features", path);
  registry().set_features(path, features);
}

}  // namespace podswitch
