// SPDX-License-Identifier: Apache-2.0
// The tap port: a kernel interface of our own inside the pod's network namespace. It is persistent, so that
// it outlives the daemon with its addresses and MTU; opening it again attaches to it, and only removing the
// port deletes it.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "pmd/error.h"
#include "pmd/fd_port.h"
#include "pmd/log.h"

namespace podswitch {
namespace {

constexpr const char* kTunDevice = "/dev/net/tun";

class TapPort final : public FdPort {
 public:
  using FdPort::FdPort;

  uint16_t receive(uint16_t index, rte_mbuf** packets, uint16_t max) noexcept override {
    Queue& q = queue(index);
    const int fd = q.fd.load(std::memory_order_acquire);
    if (fd < 0) return 0;
    return receive_frames(
        q.buffers, host_.pool(), packets, max, rx_errors_,
        [fd](std::span<iovec> iov) { return ::readv(fd, iov.data(), static_cast<int>(iov.size())); },
        [](rte_mbuf&) { return true; });
  }

  uint16_t send(uint16_t index, rte_mbuf** packets, uint16_t count) noexcept override {
    const int fd = queue(index).fd.load(std::memory_order_acquire);
    if (fd < 0) return 0;
    return send_frames(packets, count, tx_errors_, [fd](const iovec* iov, size_t parts) {
      return ::writev(fd, iov, static_cast<int>(parts));
    });
  }

  TxCaps tx_caps() const noexcept override {
    return {.checksum = true, .tso4 = true, .tso6 = true, .tso_ecn = true};
  }

  std::optional<MacAddress> device_mac() const override {
    const uint64_t mac = mac_.load(std::memory_order_relaxed);
    if (mac == 0) return std::nullopt;
    return MacAddress::from_u64(mac);
  }

 private:
  Device open_device(OpenPolicy policy) override;
  std::string why_lost(const Device& device) const override;
  std::string why_down(const Device& device) const override;
  void delete_device(const Device& device) noexcept override;
  void note_changes(const Device& device) override;

  bool attach(const Device& device) const;
  bool attach_queue(int fd, int extra_flags) const;
  void require_free_tap(const Interface& interface) const;
  void configure(const Interface& interface) const;

  std::atomic<uint64_t> mac_{0};
};

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), std::min<size_t>(name.size(), IFNAMSIZ - 1));
  return request;
}

TapPort::Device TapPort::open_device(OpenPolicy policy) {
  Device device;
  open_inside(device, [&] {
    device.interface.emplace(spec().ifname);
    for (uint16_t i = 0; i < spec().queues; ++i)
      device.fds.emplace_back(
          check_errno(::open(kTunDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC),
                      fmt::format("opening {} (a tap port needs kernel module tun)", kTunDevice)));
  });
  const bool is_new = attach(device);
  const int fd = device.fds.front().get();
  int header_size = sizeof(VnetHeader);
  check_errno(::ioctl(fd, TUNSETVNETHDRSZ, &header_size), "tap: setting the size of the vnet header");
  check_errno(::ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN),
              "tap: enabling offloads");
  // An interface that outlived the daemon stays as the pod has set it up; a port just added gets what was
  // asked for.
  if (is_new || policy == OpenPolicy::Strict) configure(*device.interface);
  // Last: until here, closing the descriptors undoes everything.
  check_errno(::ioctl(fd, TUNSETPERSIST, 1), "tap: making the interface persistent");
  return device;
}

// True when the interface is new.
bool TapPort::attach(const Device& device) const {
  const Interface& interface = *device.interface;
  if (interface.index()) require_free_tap(interface);
  const bool is_new = attach_queue(device.fds.front().get(), IFF_TUN_EXCL);
  for (size_t i = is_new ? 1 : 0; i < device.fds.size(); ++i) attach_queue(device.fds[i].get(), 0);
  return is_new;
}

// False: IFF_TUN_EXCL was asked for and the interface exists.
bool TapPort::attach_queue(int fd, int extra_flags) const {
  ifreq request = request_for(spec().ifname);
  const int multi = spec().queues > 1 ? IFF_MULTI_QUEUE : 0;
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | multi | extra_flags);
  if (::ioctl(fd, TUNSETIFF, &request) == 0) return true;
  const int error = errno;
  if (error == EBUSY && extra_flags == IFF_TUN_EXCL) return false;
  const std::string where = fmt::format("interface {}{}", spec().ifname, place());
  if (error == EBUSY) fail("ifname", where + " is a tap that another process or port uses");
  if (error == EPERM) fail("ifname", where + ": making a tap is not permitted, it needs CAP_NET_ADMIN");
  if (error == EINVAL)
    fail("ifname", fmt::format("{} is a tap {} several queues, but {} asked for: delete it first", where,
                               multi != 0 ? "without" : "with", multi != 0 ? "several are" : "one is"));
  fail("ifname", fmt::format("{}: {}", where, std::generic_category().message(error)));
}

void TapPort::require_free_tap(const Interface& interface) const {
  const std::string kind = interface.kind();
  const std::string where = fmt::format("interface {}{}", spec().ifname, place());
  if (kind != "tap")
    fail("ifname",
         fmt::format("{} exists and is no tap but {}: choose another name, or use an af-packet port", where,
                     kind.empty() ? "of another kind" : kind));
  // A multi-queue tap would let us in beside its holder. It has no link when nobody holds it.
  if (interface.has_link()) fail("ifname", where + " is a tap that another process or port uses");
}

void TapPort::configure(const Interface& interface) const {
  if (spec().mac && interface.mac() != spec().mac) interface.set_mac(*spec().mac);
  if (interface.mtu() != uint32_t{spec().mtu}) interface.set_mtu(spec().mtu);
  interface.set_up();
}

std::string TapPort::why_lost(const Device& device) const {
  ifreq answer{};
  if (::ioctl(device.fds.front().get(), TUNGETIFF, &answer) == 0) return {};
  return fmt::format("interface {}{} was deleted", spec().ifname, place());
}

std::string TapPort::why_down(const Device& device) const {
  const auto flags = device.interface->flags();
  if (!flags)
    return fmt::format("interface {}{} was renamed or moved: give it back its name and place", spec().ifname,
                       place());
  if ((*flags & IFF_UP) == 0)
    return fmt::format("interface {} is down{}: ip link set {} up", spec().ifname,
                       spec().netns.empty() ? "" : " inside its namespace", spec().ifname);
  return {};
}

void TapPort::delete_device(const Device& device) noexcept {
  // With the descriptors still open: the interface goes when the last of them is closed.
  ::ioctl(device.fds.front().get(), TUNSETPERSIST, 0);
}

void TapPort::note_changes(const Device& device) {
  const auto mac = device.interface->mac();
  if (mac) mac_.store(mac->as_u64(), std::memory_order_relaxed);
}

}  // namespace

std::unique_ptr<Port> open_tap(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) {
  auto port = std::make_unique<TapPort>(id, spec, host);
  port->start(policy);
  return port;
}

}  // namespace podswitch
