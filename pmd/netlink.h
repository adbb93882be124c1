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

using Bytes = std::span<const uint8_t>;

template <typename T>
Bytes bytes_of(const T& value) {
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
  void put(uint16_t attribute, Bytes value);
  template <typename T>
  void put_value(uint16_t attribute, const T& value) {
    put(attribute, bytes_of(value));
  }
  void put_text(uint16_t attribute, const std::string& text);  // with its terminating zero
  // Attributes put between the two are inside of this one.
  size_t begin(uint16_t attribute);
  void end(size_t begun);

  void append(Bytes value);  // padded to four bytes
  nlmsghdr head() const;
  Bytes finish(uint32_t sequence);

 private:
  std::vector<uint8_t> bytes_;
};

// What the kernel answered to one message.
struct NetlinkAnswer {
  int error = 0;      // errno; 0: done
  std::string words;  // the kernel's explanation when it gave one, else the errno's text
};

void for_each_attribute(Bytes attributes, const std::function<void(uint16_t type, Bytes value)>& look);

// The value of an attribute, zero where it is too short.
template <typename T>
T value_of(Bytes bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), bytes.size() < sizeof value ? bytes.size() : sizeof value);
  return value;
}
std::string text_of(Bytes bytes);

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
            const std::function<void(uint16_t type, Bytes payload)>& look);

 private:
  bool dump_once(const NetlinkMessage& message, const std::string& what,
                 const std::function<void(uint16_t type, Bytes payload)>& look);
  void send(Bytes datagram);
  Bytes receive();

  UniqueFd fd_;
  uint32_t sequence_ = 0;
  std::vector<uint8_t> buffer_;
};

}  // namespace podswitch
