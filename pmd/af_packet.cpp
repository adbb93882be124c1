// SPDX-License-Identifier: Apache-2.0
// The af-packet port: packet sockets on an interface that somebody else made (the host's end of a veth pair,
// a NIC without DPDK driver). The kernel's own stack also sees the frames unless they are blocked at netdev
// ingress. The interface's MTU, addresses and state are not ours to change.
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "pmd/error.h"
#include "pmd/fd_port.h"
#include "pmd/log.h"
#include "switch/net/headers.h"

namespace podswitch {
namespace {

// Of TSO frames: the default (208 KiB) holds two or three.
constexpr int kSocketBufferBytes = 4 << 20;

// What the kernel says about a frame beside its bytes.
struct Received {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> control;
  sockaddr_ll from;
  msghdr message;

  ssize_t read(int fd, std::span<iovec> iov) noexcept {
    message = {};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = iov.data();
    message.msg_iovlen = iov.size();
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    return ::recvmsg(fd, &message, 0);
  }
  bool is_outgoing() const noexcept { return from.sll_pkttype == PACKET_OUTGOING; }
  // Puts back the tag that the kernel has taken out of the frame. False: no room.
  bool restore_vlan(rte_mbuf& packet) noexcept;
};

bool Received::restore_vlan(rte_mbuf& packet) noexcept {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata aux;
    std::memcpy(&aux, CMSG_DATA(c), sizeof aux);
    if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0) return true;
    constexpr size_t kMacBytes = 2 * sizeof(MacAddress);
    char* start = rte_pktmbuf_prepend(&packet, sizeof(net::VlanHeader));
    if (start == nullptr) return false;
    std::memmove(start, start + sizeof(net::VlanHeader), kMacBytes);
    const bool has_type = (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    const be16_t tag[2] = {be16_t(has_type ? aux.tp_vlan_tpid : net::kEtherTypeVlan),
                           be16_t(aux.tp_vlan_tci)};
    std::memcpy(start + kMacBytes, tag, sizeof tag);
    return true;
  }
  return true;
}

class AfPacketPort final : public FdPort {
 public:
  using FdPort::FdPort;

  uint16_t receive(uint16_t index, rte_mbuf** packets, uint16_t max) noexcept override {
    Queue& q = queue(index);
    const int fd = q.fd.load(std::memory_order_acquire);
    if (fd < 0) return 0;
    Received received;
    return receive_frames(
        q.buffers, host_.pool(), packets, max, rx_errors_,
        [&](std::span<iovec> iov) { return received.read(fd, iov); },
        [&](rte_mbuf& packet) { return !received.is_outgoing() && received.restore_vlan(packet); });
  }

  uint16_t send(uint16_t index, rte_mbuf** packets, uint16_t count) noexcept override {
    const int fd = queue(index).fd.load(std::memory_order_acquire);
    if (fd < 0) return 0;
    return send_frames(packets, count, tx_errors_, [fd](iovec* iov, size_t parts) {
      msghdr message{};
      message.msg_iov = iov;
      message.msg_iovlen = parts;
      return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    });
  }

  TxCaps tx_caps() const noexcept override {
    return {.checksum = true, .tso4 = true, .tso6 = true, .tso_ecn = true};
  }

 private:
  Device open_device(OpenPolicy policy) override;
  std::string why_lost(const Device& device) const override;
  std::string why_down(const Device& device) const override;

  void check_interface(const Interface& interface, OpenPolicy policy) const;
  void set_up_socket(int fd, unsigned ifindex) const;
  void join_fanout(const Device& device) const;

  unsigned ifindex_ = 0;
};

template <typename T>
void set_option(int fd, int level, int option, const T& value, const char* what) {
  check_errno(::setsockopt(fd, level, option, &value, sizeof value), fmt::format("packet socket: {}", what));
}

AfPacketPort::Device AfPacketPort::open_device(OpenPolicy policy) {
  Device device;
  open_inside(device, [&] {
    device.interface.emplace(spec().ifname);
    for (uint16_t i = 0; i < spec().queues; ++i)
      device.fds.emplace_back(check_errno(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                                          "making a packet socket (it needs CAP_NET_RAW)"));
  });
  const auto ifindex = device.interface->index();
  if (!ifindex) fail("ifname", fmt::format("interface {}{} is missing", spec().ifname, place()));
  check_interface(*device.interface, policy);
  for (const UniqueFd& fd : device.fds) set_up_socket(fd.get(), *ifindex);
  if (device.fds.size() > 1) join_fanout(device);
  ifindex_ = *ifindex;
  return device;
}

void AfPacketPort::check_interface(const Interface& interface, OpenPolicy policy) const {
  const std::string where = fmt::format("interface {}{}", spec().ifname, place());
  if (!interface.mac()) fail("ifname", where + " is no Ethernet interface");
  const uint32_t mtu = interface.mtu().value_or(0);
  if (mtu >= spec().mtu) return;
  const std::string message = fmt::format(
      "{} is more than {} has: give the port at most {}, or raise the interface's", spec().mtu, where, mtu);
  if (policy == OpenPolicy::Strict) fail("mtu", message);
  log::warning("port {}: MTU {}", spec().name, message);
}

void AfPacketPort::set_up_socket(int fd, unsigned ifindex) const {
  const int on = 1;
  set_option(fd, SOL_PACKET, PACKET_VNET_HDR, on, "asking for vnet headers");
  set_option(fd, SOL_PACKET, PACKET_AUXDATA, on, "asking for VLAN tags");
  set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, on, "leaving out what the host sends");
  // Without CAP_NET_ADMIN over the machine the kernel's own limits hold; it works all the same.
  for (const int option : {
           SO_RCVBUFFORCE,
           SO_SNDBUFFORCE,
       })
    ::setsockopt(fd, SOL_SOCKET, option, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  packet_mreq promiscuous{};
  promiscuous.mr_ifindex = static_cast<int>(ifindex);
  promiscuous.mr_type = PACKET_MR_PROMISC;
  set_option(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous, "promiscuous mode");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = be16_t(ETH_P_ALL).raw();
  address.sll_ifindex = static_cast<int>(ifindex);
  check_errno(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address),
              fmt::format("binding a packet socket to interface {}{}", spec().ifname, place()));
}

// Spreads what is received over the queues by flow. In a fan-out PACKET_IGNORE_OUTGOING is not honoured by
// every kernel, which is why receive() looks at the packet type, too.
void AfPacketPort::join_fanout(const Device& device) const {
  const int first = device.fds.front().get();
  set_option(first, SOL_PACKET, PACKET_FANOUT, int{PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID} << 16,
             "opening a fan-out group");
  int group = 0;
  socklen_t size = sizeof group;
  check_errno(::getsockopt(first, SOL_PACKET, PACKET_FANOUT, &group, &size), "packet socket: fan-out group");
  for (size_t i = 1; i < device.fds.size(); ++i)
    set_option(device.fds[i].get(), SOL_PACKET, PACKET_FANOUT, (group & 0xffff) | PACKET_FANOUT_HASH << 16,
               "joining the fan-out group");
}

std::string AfPacketPort::why_lost(const Device& device) const {
  const auto ifindex = device.interface->index();
  if (!ifindex) return fmt::format("interface {}{} is missing", spec().ifname, place());
  if (*ifindex != ifindex_) return fmt::format("interface {}{} was made anew", spec().ifname, place());
  return {};
}

std::string AfPacketPort::why_down(const Device& device) const {
  const unsigned flags = device.interface->flags().value_or(0);
  if ((flags & IFF_UP) == 0)
    return fmt::format("interface {}{} is down: ip link set {} up", spec().ifname, place(), spec().ifname);
  if ((flags & IFF_RUNNING) == 0)
    return fmt::format("interface {}{} has no link: its other end is down or not plugged in", spec().ifname,
                       place());
  return {};
}

}  // namespace

std::unique_ptr<Port> open_af_packet(PortId id, const PortSpec& spec, PortHost& host, OpenPolicy policy) {
  auto port = std::make_unique<AfPacketPort>(id, spec, host);
  port->start(policy);
  return port;
}

}  // namespace podswitch
