// SPDX-License-Identifier: Apache-2.0
// Netlink messages and the socket they travel on (RFC 3549): making them, their attributes, requests, dumps
// and batches. A socket stays in the network namespace of the thread that made it. Control side, one thread a
// socket.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pmd/unique_fd.h"

namespace podswitch {

using NetlinkBytes = std::span<const uint8_t>;

template <typename T>
NetlinkBytes bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

class NetlinkMessage {
 public:
  // `flags`: NLM_F_*; a request it is anyway.
  NetlinkMessage(uint16_t type, uint16_t flags);

  // The family's fixed header, before any attribute.
  template <typename T>
  void header(const T& value) {
    append(bytes_of(value));
  }
  void put(uint16_t attribute, NetlinkBytes value);
  template <typename T>
  void put_value(uint16_t attribute, const T& value) {
    put(attribute, bytes_of(value));
  }
  void put_text(uint16_t attribute, const std::string& text);  // with its terminating zero
  // Attributes put between the two are inside of this one.
  size_t begin(uint16_t attribute);
  void end(size_t begun);

  void append(NetlinkBytes value);  // padded to four bytes
  nlmsghdr head() const;
  NetlinkBytes finish(uint32_t sequence);

 private:
  std::vector<uint8_t> bytes_;
};

// What the kernel answered to one message.
struct NetlinkAnswer {
  int error = 0;      // errno; 0: done
  std::string words;  // the kernel's explanation when it gave one, else the errno's text
};

void for_each_attribute(NetlinkBytes attributes,
                        const std::function<void(uint16_t type, NetlinkBytes value)>& look);

// The value of an attribute, zero where it is too short.
template <typename T>
T value_of(NetlinkBytes bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), bytes.size() < sizeof value ? bytes.size() : sizeof value);
  return value;
}
std::string text_of(NetlinkBytes bytes);

class NetlinkSocket {
 public:
  // `protocol`: NETLINK_ROUTE and so on. Throws Error.
  explicit NetlinkSocket(int protocol);

  NetlinkAnswer ask(NetlinkMessage message);
  // All in one datagram, in this order. The first refusal, or success; messages without NLM_F_ACK are
  // answered only when they fail.
  NetlinkAnswer ask_all(std::vector<NetlinkMessage> messages);
  // Throws Error that begins with `what`.
  void dump(NetlinkMessage message, const std::string& what,
            const std::function<void(uint16_t type, NetlinkBytes payload)>& look);

 private:
  bool dump_once(const NetlinkMessage& message, const std::string& what,
                 const std::function<void(uint16_t type, NetlinkBytes payload)>& look);
  void send(NetlinkBytes datagram);
  NetlinkBytes receive();

  UniqueFd fd_;
  uint32_t sequence_ = 0;
  std::vector<uint8_t> buffer_;
};

}  // namespace podswitch
