// SPDX-License-Identifier: Apache-2.0
#include "ctl/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "ctl/protocol.h"
#include "pmd/socket_path.h"

namespace podswitch {
namespace {

constexpr size_t kFlushBytes = 65536;
constexpr size_t kMaxRefusals = 100;  // that are kept to be shown

std::vector<Problem> problems_of(const nlohmann::json& answer) {
  std::vector<Problem> problems;
  for (const auto& error : answer.at("errors"))
    problems.push_back({error.at("path").get<std::string>(), error.at("message").get<std::string>()});
  return problems;
}

}  // namespace

Client::Client(const std::string& path) : path_(path) {
  const auto fail = [&] {
    throw NoDaemon(
        fmt::format("cannot reach podswitchd on {}: {}", path, std::generic_category().message(errno)));
  };
  sockaddr_un address{};
  if (path.size() > kMaxSocketPath)
    throw NoDaemon(fmt::format("{}: a socket's path has at most {} bytes", path, kMaxSocketPath));
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  fd_ = FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd_ || connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail();

  std::string line;
  while (!next_line(line))
    if (!receive()) throw NoDaemon(fmt::format("{}: closed before a greeting came", path));
  const auto greeting = nlohmann::json::parse(line, nullptr, false);
  if (!greeting.is_object() || greeting.value("protocol", 0) != kProtocolVersion)
    throw NoDaemon(
        fmt::format("{}: speaks another protocol than this program's version {}; install the podswitch "
                    "that belongs to the daemon",
                    path, kProtocolVersion));
}

Client::Reply Client::call(const std::string& command, nlohmann::json arguments) {
  const uint64_t id = next_id_++;
  queue_line({{"id", id}, {"command", command}, {"args", std::move(arguments)}});
  flush();
  return wait_for(id);
}

void Client::send_object(nlohmann::json object) {
  if (first_object_id_ == 0) first_object_id_ = next_id_;
  queue_line({{"id", next_id_++}, {"object", std::move(object)}});
  if (output_.size() >= kFlushBytes) flush();
}

Client::Reply Client::commit(nlohmann::json arguments, const WhileWaiting& while_waiting) {
  const uint64_t id = next_id_++;
  queue_line({{"id", id}, {"command", "commit"}, {"args", std::move(arguments)}});
  flush();
  try {
    return wait_for(id, while_waiting);
  } catch (const Error&) {
    if (refusals_.empty()) throw;
    throw Error(std::move(refusals_));
  }
}

void Client::queue_line(const nlohmann::json& json) {
  const std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  // The daemon would hang up.
  if (text.size() > kMaxLineBytes) throw Error("", fmt::format("longer than {} bytes", kMaxObjectBytes));
  output_ += text;
}

void Client::flush() {
  std::string_view rest = output_;
  while (!rest.empty()) {
    // The daemon stops reading while its answers are not read: look at both directions.
    pollfd waiting{fd_.get(), POLLIN | POLLOUT, 0};
    if (poll(&waiting, 1, -1) < 0 && errno != EINTR) check_errno(-1, "poll");
    if ((waiting.revents & POLLIN) != 0 && !receive())
      throw NoDaemon(path_ + ": the daemon closed the connection");
    if ((waiting.revents & POLLOUT) == 0) continue;
    const ssize_t sent = send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
      throw NoDaemon(fmt::format("{}: {}", path_, std::generic_category().message(errno)));
    if (sent > 0) rest.remove_prefix(static_cast<size_t>(sent));
  }
  output_.clear();
}

bool Client::receive() {
  std::array<char, 65536> chunk;
  while (true) {
    const ssize_t got = recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    input_.append(chunk.data(), static_cast<size_t>(got));
    return true;
  }
}

bool Client::next_line(std::string& line) {
  const size_t end = input_.find('\n', scanned_);
  if (end == std::string::npos) {
    scanned_ = input_.size();
    return false;
  }
  line = input_.substr(0, end);
  input_.erase(0, end + 1);
  scanned_ = 0;
  return true;
}

Client::Reply Client::wait_for(uint64_t id, const WhileWaiting& while_waiting) {
  std::string line;
  while (true) {
    while (!next_line(line)) {
      pollfd waiting{fd_.get(), POLLIN, 0};
      while (while_waiting && poll(&waiting, 1, 1000) == 0) while_waiting();
      if (!receive()) throw NoDaemon(path_ + ": the daemon closed the connection before it answered");
    }
    const auto answer = nlohmann::json::parse(line);
    if (answer.at("ok").get<bool>()) {
      if (answer.at("id") == id) return {answer.at("revision").get<uint64_t>(), answer.at("result")};
      continue;
    }
    auto problems = problems_of(answer);
    if (answer.at("id") == id || answer.at("id").is_null()) throw Error(std::move(problems));
    note_refusal(answer.at("id"), problems);
  }
}

// An object's problems, with the object's place in the input before them.
void Client::note_refusal(const nlohmann::json& id, const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    if (refusals_.size() == kMaxRefusals) return;
    const std::string place = fmt::format("objects[{}]", id.get<uint64_t>() - first_object_id_);
    refusals_.push_back({problem.path.empty() ? place : place + "." + problem.path, problem.message});
  }
}

}  // namespace podswitch
