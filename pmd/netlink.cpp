// SPDX-License-Identifier: Apache-2.0
#include "pmd/netlink.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <system_error>

#include "pmd/error.h"

namespace podswitch {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;  // a dump's datagrams have 32 KiB
constexpr int kDumpTries = 5;                // a table may change while it is read
constexpr int kPatienceSeconds = 5;          // the kernel answers at once or never

size_t padded(size_t size) {
  return NLMSG_ALIGN(size);
}

// Calls `look` for each message of a datagram until it returns false; whether it never did.
bool for_each_message(NetlinkBytes datagram,
                      const std::function<bool(const nlmsghdr&, NetlinkBytes payload)>& look) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto head = value_of<nlmsghdr>(datagram);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > datagram.size()) return true;
    if (!look(head, datagram.subspan(sizeof head, head.nlmsg_len - sizeof head))) return false;
    datagram = datagram.subspan(std::min(padded(head.nlmsg_len), datagram.size()));
  }
  return true;
}

NetlinkAnswer read_error(const nlmsghdr& head, NetlinkBytes payload) {
  const auto error = value_of<nlmsgerr>(payload);
  NetlinkAnswer answer{-error.error, {}};
  if (answer.error == 0) return answer;
  answer.words = std::generic_category().message(answer.error);
  if ((head.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return answer;
  size_t skip = sizeof(nlmsgerr);
  if ((head.nlmsg_flags & NLM_F_CAPPED) == 0) skip += padded(error.msg.nlmsg_len - sizeof(nlmsghdr));
  if (skip > payload.size()) return answer;
  for_each_attribute(payload.subspan(skip), [&](uint16_t type, NetlinkBytes value) {
    if (type == NLMSGERR_ATTR_MSG) answer.words = fmt::format("{} ({})", answer.words, text_of(value));
  });
  return answer;
}

}  // namespace

NetlinkMessage::NetlinkMessage(uint16_t type, uint16_t flags) {
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  append(bytes_of(head));
}

void NetlinkMessage::append(NetlinkBytes value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  bytes_.resize(padded(bytes_.size()));
}

void NetlinkMessage::put(uint16_t attribute, NetlinkBytes value) {
  const nlattr head{static_cast<uint16_t>(sizeof(nlattr) + value.size()), attribute};
  append(bytes_of(head));
  append(value);
}

void NetlinkMessage::put_text(uint16_t attribute, const std::string& text) {
  put(attribute, {reinterpret_cast<const uint8_t*>(text.c_str()), text.size() + 1});
}

size_t NetlinkMessage::begin(uint16_t attribute) {
  const size_t at = bytes_.size();
  put(attribute, {});
  return at;
}

void NetlinkMessage::end(size_t begun) {
  const auto length = static_cast<uint16_t>(bytes_.size() - begun);
  std::memcpy(bytes_.data() + begun, &length, sizeof length);
}

nlmsghdr NetlinkMessage::head() const {
  return value_of<nlmsghdr>(bytes_);
}

NetlinkBytes NetlinkMessage::finish(uint32_t sequence) {
  nlmsghdr whole = head();
  whole.nlmsg_len = static_cast<uint32_t>(bytes_.size());
  whole.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &whole, sizeof whole);
  return bytes_;
}

void for_each_attribute(NetlinkBytes attributes,
                        const std::function<void(uint16_t type, NetlinkBytes value)>& look) {
  while (attributes.size() >= sizeof(nlattr)) {
    const auto head = value_of<nlattr>(attributes);
    if (head.nla_len < sizeof head || head.nla_len > attributes.size()) return;
    look(head.nla_type & NLA_TYPE_MASK, attributes.subspan(sizeof head, head.nla_len - sizeof head));
    attributes = attributes.subspan(std::min(padded(head.nla_len), attributes.size()));
  }
}

std::string text_of(NetlinkBytes bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.substr(0, text.find('\0'));
}

NetlinkSocket::NetlinkSocket(int protocol)
    : fd_(check_errno(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "making a netlink socket")),
      buffer_(kBufferBytes) {
  const int on = 1;
  // Each may be missing in an old kernel, and then its words or its filters are.
  ::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  const int size = 1 << 20;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  const timeval patience{kPatienceSeconds, 0};
  check_errno(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
              "netlink: setting a timeout");
}

NetlinkAnswer NetlinkSocket::ask(NetlinkMessage message) {
  return ask_all({std::move(message)});
}

NetlinkAnswer NetlinkSocket::ask_all(std::vector<NetlinkMessage> messages) {
  const uint32_t first = sequence_ + 1;
  std::vector<uint8_t> datagram;
  size_t expected = 0;
  for (NetlinkMessage& message : messages) {
    const NetlinkBytes bytes = message.finish(++sequence_);
    datagram.insert(datagram.end(), bytes.begin(), bytes.end());
    expected += (message.head().nlmsg_flags & NLM_F_ACK) != 0 ? 1 : 0;
  }
  send(datagram);
  NetlinkAnswer refusal;
  while (expected > 0) {
    for_each_message(receive(), [&](const nlmsghdr& head, NetlinkBytes payload) {
      if (head.nlmsg_type != NLMSG_ERROR || head.nlmsg_seq < first || head.nlmsg_seq > sequence_) return true;
      const auto flags = messages[head.nlmsg_seq - first].head().nlmsg_flags;
      const NetlinkAnswer answer = read_error(head, payload);
      if (answer.error != 0 && refusal.error == 0) refusal = answer;
      if ((flags & NLM_F_ACK) != 0) --expected;
      // What was to be silent has failed: the others will not be answered.
      if ((flags & NLM_F_ACK) == 0 && answer.error != 0) expected = 0;
      return expected > 0;
    });
  }
  return refusal;
}

void NetlinkSocket::dump(NetlinkMessage message, const std::string& what,
                         const std::function<void(uint16_t type, NetlinkBytes payload)>& look) {
  // Collected first: what was read of a table that changed meanwhile must not be seen.
  for (int i = 0; i < kDumpTries; ++i) {
    std::vector<std::pair<uint16_t, std::vector<uint8_t>>> rows;
    const bool is_whole = dump_once(message, what, [&](uint16_t type, NetlinkBytes payload) {
      rows.emplace_back(type, std::vector<uint8_t>(payload.begin(), payload.end()));
    });
    if (!is_whole && i + 1 < kDumpTries) continue;
    for (const auto& [type, payload] : rows) look(type, payload);
    return;
  }
}

bool NetlinkSocket::dump_once(const NetlinkMessage& message, const std::string& what,
                              const std::function<void(uint16_t type, NetlinkBytes payload)>& look) {
  NetlinkMessage request = message;
  send(request.finish(++sequence_));
  bool is_whole = true;
  bool is_done = false;
  while (!is_done) {
    for_each_message(receive(), [&](const nlmsghdr& head, NetlinkBytes payload) {
      if (head.nlmsg_seq != sequence_) return true;
      if ((head.nlmsg_flags & NLM_F_DUMP_INTR) != 0) is_whole = false;
      if (head.nlmsg_type == NLMSG_ERROR) {
        const NetlinkAnswer answer = read_error(head, payload);
        throw Error("", fmt::format("{}: {}", what, answer.words));
      }
      is_done = head.nlmsg_type == NLMSG_DONE;
      if (is_done) {
        // Some dumps report their failure only here.
        if (const int error = -value_of<int>(payload); error > 0)
          throw Error("", fmt::format("{}: {}", what, std::generic_category().message(error)));
      } else {
        look(head.nlmsg_type, payload);
      }
      return !is_done;
    });
  }
  return is_whole;
}

void NetlinkSocket::send(NetlinkBytes datagram) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent = 0;
  do {
    sent = ::sendto(fd_.get(), datagram.data(), datagram.size(), 0,
                    reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) check_errno(-1, "netlink: sending a request");
}

NetlinkBytes NetlinkSocket::receive() {
  while (true) {
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got >= 0) return {buffer_.data(), static_cast<size_t>(got)};
    if (errno != EINTR) check_errno(-1, "netlink: waiting for the kernel's answer");
  }
}

}  // namespace podswitch
