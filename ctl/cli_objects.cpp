// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_objects.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "ctl/cli_progress.h"
#include "ctl/input_file.h"
#include "ctl/objects/object.h"
#include "ctl/objects/object_reader.h"

namespace podswitch {
namespace {

// Sends what the daemon knows of, and remembers where each object stood.
class Sender {
 public:
  explicit Sender(Client& client) : client_(client) {}

  void take(nlohmann::json object, const ObjectPlace& place) {
    try {
      if (!kind_of(object)) {
        ++skipped_[kind_label(object)];
        return;
      }
      client_.send_object(relevant_part(std::move(object)));
    } catch (const Error& error) {
      // A file may go on: what comes after it cannot be told from here.
      const std::string where = place.text(place.document > 0);
      if (where.empty()) throw;
      throw under(where, error);
    }
    places_.push_back(place);
    progress_.count();
  }

  void wait() const { progress_.wait(); }
  size_t sent() const { return places_.size(); }
  const std::map<std::string, size_t>& skipped() const { return skipped_; }

  // Problems of "objects[3].spec" with the object's own place instead of its number.
  Error located(const Error& error, bool has_many_documents) const {
    std::vector<Problem> problems = error.problems();
    for (Problem& problem : problems) problem.path = located(problem.path, has_many_documents);
    return Error(std::move(problems));
  }

 private:
  std::string located(const std::string& path, bool has_many_documents) const {
    constexpr std::string_view kPrefix = "objects[";
    if (!path.starts_with(kPrefix)) return path;
    size_t index = 0;
    const auto [end, error] = std::from_chars(path.data() + kPrefix.size(), path.data() + path.size(), index);
    if (error != std::errc() || *end != ']' || index >= places_.size()) return path;
    const std::string place = places_[index].text(has_many_documents);
    std::string rest(end + 1);
    if (place.empty() && rest.starts_with('.')) rest.erase(0, 1);
    return place + rest;
  }

  Client& client_;
  Progress progress_{"objects"};
  std::vector<ObjectPlace> places_;
  std::map<std::string, size_t> skipped_;
};

nlohmann::json commit_arguments(const CommandLine& line) {
  nlohmann::json arguments = line.arguments;
  arguments["mode"] = line.command->noun;
  return arguments;
}

}  // namespace

Client::Reply send_objects(Client& client, const CommandLine& line) {
  InputFile file(line.local.at("file").get<std::string>());
  client.call("begin");
  Sender sender(client);
  size_t documents = 0;
  try {
    documents = read_objects(
        [&](char* buffer, size_t size) { return file.read(buffer, size); },
        [&](nlohmann::json object, const ObjectPlace& place) { sender.take(std::move(object), place); });
  } catch (const Error& error) {
    throw file.located(error);
  }
  for (const auto& [kind, count] : sender.skipped())
    fmt::print(stderr, "podswitch: {} of kind {} skipped: podswitch takes {}\n", count, kind, kKindsInWords);
  if (sender.sent() == 0 && sender.skipped().empty() && !line.arguments.contains("prune"))
    throw Error(file.name(), "there is no object in it");
  try {
    Client::Reply reply = client.commit(commit_arguments(line), [&] { sender.wait(); });
    if (reply.result.is_object()) reply.result["skipped"] = sender.skipped();
    return reply;
  } catch (const Error& error) {
    throw sender.located(error, documents > 1);
  }
}

}  // namespace podswitch
