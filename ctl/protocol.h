// SPDX-License-Identifier: Apache-2.0
// The lines on the control socket: one JSON object each. Everything that arrives here is untrusted. Pure
// functions and plain values; used by the server on the configuration thread, by the client and the fuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/request_handler.h"
#include "pmd/error.h"

namespace podswitch {

inline constexpr int kProtocolVersion = 1;
inline constexpr size_t kMaxObjectBytes = size_t{4} << 20;
inline constexpr size_t kMaxLineBytes = kMaxObjectBytes + 4096;  // an object and what is around it
inline constexpr int kMaxDepth = 32;

// The daemon's first line.
std::string greeting();

// A line that is no JSON at all: what follows it cannot be trusted to begin at a line's start.
class NotJson : public Error {
 public:
  using Error::Error;
};

struct Request {
  nlohmann::json id;    // as the client sent it: number, string or null
  std::string command;  // empty when an object came
  nlohmann::json arguments = nlohmann::json::object();
  nlohmann::json object;  // with "kind", of a transaction
};

// Bounds size and depth before anything is built. Throws NotJson.
nlohmann::json parse_line(std::string_view line);
// Throws Error for what is JSON but no request.
Request parse_request(nlohmann::json line);
// The arguments of `commit`. Throws Error.
CommitOptions commit_options(const nlohmann::json& arguments);
// The "id" to answer to, also when the rest is wrong; null when there is none.
nlohmann::json id_of(const nlohmann::json& line);

std::string answer_line(const nlohmann::json& id, const Answer& answer);
std::string refusal_line(const nlohmann::json& id, const std::vector<Problem>& problems);

// What all open transactions may hold together.
struct TransactionBudget {
  size_t bytes = 0;
  size_t max_bytes = 0;
  size_t max_objects = 0;  // of one transaction
};

// One client's side of the conversation, without its socket: lines in, answer lines out.
class Conversation {
 public:
  Conversation(RequestHandler& handler, Caller caller, TransactionBudget& budget);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // The answer with its newline, or nothing where none is due. Throws NotJson: answer and close.
  std::string take_line(std::string_view line);
  const Caller& caller() const { return caller_; }

 private:
  struct Transaction {
    std::vector<TakenObject> objects;
    size_t bytes = 0;
    size_t refused = 0;
  };
  std::optional<Answer> handle(const Request& request);
  void take_object(const nlohmann::json& object);
  Answer commit(const nlohmann::json& arguments);
  void forget_transaction();

  RequestHandler& handler_;
  const Caller caller_;
  TransactionBudget& budget_;
  std::optional<Transaction> transaction_;
};

}  // namespace podswitch
