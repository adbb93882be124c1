// SPDX-License-Identifier: Apache-2.0
#include "ctl/session.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <exception>

#include "pmd/log.h"

namespace podswitch {

Session::Session(FileDescriptor fd, RequestHandler& handler, Caller caller, TransactionBudget& budget,
                 size_t max_output)
    : fd_(std::move(fd)), conversation_(handler, caller, budget), max_output_(max_output) {
  queue(greeting());
}

bool Session::receive() {
  std::array<char, 65536> chunk;
  const ssize_t got = recv(fd_.get(), chunk.data(), chunk.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) {
    is_at_end_ = true;
    return send_waiting();
  }
  input_.append(chunk.data(), static_cast<size_t>(got));
  return work();
}

bool Session::work() {
  size_t begin = 0;
  has_line_ = false;
  while (!is_closing_) {
    const size_t end = input_.find('\n', std::max(begin, scanned_));
    if (end == std::string::npos) break;
    if (!has_room()) {
      has_line_ = true;
      break;
    }
    take(std::string_view(input_).substr(begin, end - begin));
    begin = scanned_ = end + 1;
  }
  input_.erase(0, begin);
  scanned_ = has_line_ ? 0 : input_.size();
  if (!is_closing_ && !has_line_ && input_.size() > kMaxLineBytes) {
    queue(refusal_line(nullptr, {{"", fmt::format("a line has at most {} bytes", kMaxLineBytes)}}));
    is_closing_ = true;
  }
  if (is_closing_) input_ = {};
  return send_waiting();
}

void Session::take(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
  try {
    queue(conversation_.take_line(line));
  } catch (const NotJson& error) {
    queue(refusal_line(nullptr, error.problems()));
    is_closing_ = true;
  } catch (const std::exception& error) {
    // Neither the request's fault nor foreseen, such as no memory: this client pays, the others go on.
    log::error("control socket, uid {}: {}", conversation_.caller().uid, error.what());
    queue(refusal_line(nullptr, {{"", fmt::format("internal error: {}", error.what())}}));
    is_closing_ = true;
  }
}

bool Session::send_waiting() {
  while (wants_output()) {
    const ssize_t sent = send(fd_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) break;
    sent_ += static_cast<size_t>(sent);
  }
  if (!wants_output()) {
    output_ = {};
    sent_ = 0;
    return !is_closing_ && (!is_at_end_ || has_line_);
  }
  if (sent_ > kMaxPending) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  if (output_.size() - sent_ > max_output_) {
    log::warning("control socket: uid {} does not read its answers and is dropped",
                 conversation_.caller().uid);
    return false;
  }
  return true;
}

}  // namespace podswitch
