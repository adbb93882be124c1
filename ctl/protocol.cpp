// SPDX-License-Identifier: Apache-2.0
#include "ctl/protocol.h"

#include <fmt/format.h>

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr size_t kObjectOverhead = 64;  // of what is kept, beside its bytes

size_t cost_of(const std::string& text) {
  return text.size();
}

size_t cost_of(const std::shared_ptr<const ServiceSpec>& service) {
  return sizeof *service + service->ports.size() * sizeof(ServicePort);
}

size_t cost_of(const std::shared_ptr<const EndpointSlice>& slice) {
  size_t cost = sizeof *slice + slice->ports.size() * sizeof(SlicePort);
  for (const Endpoint& endpoint : slice->endpoints) cost += sizeof endpoint + endpoint.node.size();
  return cost;
}

// Brackets open at once, outside of strings. Counted before parsing: nesting costs far more memory than text.
bool is_too_deep(std::string_view line) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

std::string line_of(const Json& object) {
  // Texts from devices and peers may hold anything.
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string greeting() {
  return line_of({{"podswitch", PODSWITCH_VERSION}, {"protocol", kProtocolVersion}});
}

Json parse_line(std::string_view line) {
  if (line.size() > kMaxLineBytes)
    throw NotJson("", fmt::format("a line has at most {} bytes", kMaxLineBytes));
  if (is_too_deep(line)) throw NotJson("", fmt::format("nested more than {} deep", kMaxDepth));
  try {
    return Json::parse(line);
  } catch (const Json::exception& error) {
    throw NotJson("", fmt::format("not a line of JSON: {}", error.what()));
  }
}

Json id_of(const Json& line) {
  if (!line.is_object()) return nullptr;
  const auto id = line.find("id");
  if (id == line.end() || !(id->is_number() || id->is_string())) return nullptr;
  return *id;
}

Request parse_request(Json line) {
  if (!line.is_object())
    throw Error("", fmt::format("a request is a JSON object, not of type {}", line.type_name()));
  Request request;
  bool has_object = false;
  for (auto& [key, value] : line.items()) {
    if (key == "id") {
      if (!value.is_number() && !value.is_string()) throw Error("id", "neither a number nor a string");
      request.id = std::move(value);
    } else if (key == "command") {
      if (!value.is_string()) throw Error("command", "not a string");
      request.command = value.get<std::string>();
    } else if (key == "args") {
      if (!value.is_object()) throw Error("args", "not a JSON object");
      request.arguments = std::move(value);
    } else if (key == "object") {
      if (!value.is_object()) throw Error("object", "not a JSON object");
      request.object = std::move(value);
      has_object = true;
    } else {
      throw Error(key, "no such key: a request has id, command and args, or id and object");
    }
  }
  if (request.command.empty() == !has_object) throw Error("", "a request has either a command or an object");
  return request;
}

CommitOptions commit_options(const Json& arguments) {
  using Mode = CommitOptions::Mode;
  CommitOptions options;
  for (const auto& [key, value] : arguments.items()) {
    if (key == "mode") {
      if (value != "add" && value != "apply" && value != "diff")
        throw Error("mode", "none of add, apply and diff");
      options.mode = value == "add" ? Mode::Add : value == "apply" ? Mode::Apply : Mode::Diff;
    } else if (key == "prune") {
      if (!value.is_array()) throw Error("prune", "not an array of kinds");
      for (const Json& kind : value) {
        if (!kind.is_string()) throw Error("prune", "not an array of strings");
        options.prune.push_back(kind.get<std::string>());
      }
    } else if (key == "allow-empty") {
      if (!value.is_boolean()) throw Error("allow-empty", "not true or false");
      options.allow_empty = value.get<bool>();
    } else {
      throw Error(key, "no such argument: a commit has mode, prune and allow-empty");
    }
  }
  if (options.mode == Mode::Add && (!options.prune.empty() || options.allow_empty))
    throw Error("mode", "prune and allow-empty go with apply and diff");
  return options;
}

std::string answer_line(const Json& id, const Answer& answer) {
  return line_of({{"id", id}, {"ok", true}, {"revision", answer.revision}, {"result", answer.result}});
}

std::string refusal_line(const Json& id, const std::vector<Problem>& problems) {
  // One request can be wrong in as many ways as it has bytes.
  constexpr size_t kMaxProblems = 100;
  Json errors = Json::array();
  for (const Problem& problem : problems) {
    if (errors.size() == kMaxProblems) {
      errors.push_back(
          {{"path", ""}, {"message", fmt::format("and {} more", problems.size() - kMaxProblems)}});
      break;
    }
    errors.push_back({{"path", problem.path.substr(0, 256)}, {"message", problem.message.substr(0, 1024)}});
  }
  return line_of({{"id", id}, {"ok", false}, {"errors", errors}});
}

Conversation::Conversation(RequestHandler& handler, Caller caller, TransactionBudget& budget)
    : handler_(handler), caller_(caller), budget_(budget) {}

Conversation::~Conversation() {
  forget_transaction();
}

std::string Conversation::take_line(std::string_view line) {
  Json json = parse_line(line);
  const Json id = id_of(json);
  try {
    const auto answer = handle(parse_request(std::move(json)));
    return answer ? answer_line(id, *answer) : std::string();
  } catch (const Error& error) {
    return refusal_line(id, error.problems());
  } catch (const Json::exception& error) {
    return refusal_line(id, {{"", fmt::format("of the wrong form: {}", error.what())}});
  }
}

std::optional<Answer> Conversation::handle(const Request& request) {
  if (request.command.empty()) {
    take_object(request.object);
    return std::nullopt;
  }
  if (request.command == "begin") {
    if (transaction_) throw Error("", "a transaction is open: commit or abort it first");
    transaction_ = Transaction{};  // emplace() is beyond clang 14 for a nested class
    return Answer{0, Json::object()};
  }
  if (request.command == "commit") return commit(request.arguments);
  if (request.command == "abort") {
    if (!transaction_) throw Error("", "no transaction is open");
    forget_transaction();
    return Answer{0, Json::object()};
  }
  return handler_.call(caller_, request.command, request.arguments);
}

void Conversation::take_object(const Json& object) {
  if (!transaction_) throw Error("", "an object came without a transaction: begin one first");
  try {
    TakenObject taken = handler_.read_object(object);
    if (transaction_->objects.size() >= budget_.max_objects)
      throw Error("", fmt::format("a transaction has at most {} objects", budget_.max_objects));
    const size_t cost = std::visit([](const auto& value) { return cost_of(value); }, taken) + kObjectOverhead;
    if (cost > budget_.max_bytes - budget_.bytes)
      throw Error("", fmt::format("open transactions hold more than {} bytes together", budget_.max_bytes));
    budget_.bytes += cost;
    transaction_->bytes += cost;
    transaction_->objects.push_back(std::move(taken));
  } catch (const std::exception&) {
    ++transaction_->refused;
    throw;
  }
}

Answer Conversation::commit(const Json& arguments) {
  if (!transaction_) throw Error("", "no transaction is open");
  const CommitOptions options = commit_options(arguments);
  const size_t refused = transaction_->refused;
  const std::vector<TakenObject> objects = std::move(transaction_->objects);
  forget_transaction();
  if (refused != 0)
    throw Error("", fmt::format("{} object{} refused: nothing has changed", refused,
                                refused == 1 ? " was" : "s were"));
  return handler_.apply(caller_, objects, options);
}

void Conversation::forget_transaction() {
  if (!transaction_) return;
  budget_.bytes -= transaction_->bytes;
  transaction_.reset();
}

}  // namespace podswitch
