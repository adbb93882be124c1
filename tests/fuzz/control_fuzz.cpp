// SPDX-License-Identifier: Apache-2.0
// Any bytes as a client's lines on the control socket, with a handler that reads objects and checks arguments
// as the daemon does. What is answered is one line of JSON that says ok or why not.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/object_splitter.h"
#include "ctl/objects/object.h"
#include "ctl/protocol.h"

namespace podswitch {
namespace {

class Handler final : public RequestHandler {
 public:
  Answer call(const Caller&, const std::string& command, const nlohmann::json& arguments) override {
    const Command* row = find_command(command);
    if (row == nullptr) throw Error("command", "no such command");
    check_arguments(*row, arguments);
    if (row->takes_port_options) read_object(arguments);
    return {1, arguments};
  }
  TakenObject read_object(const nlohmann::json& object) const override {
    return podswitch::read_object(object);
  }
  Answer apply(const Caller&, const std::vector<TakenObject>& objects, const CommitOptions&) override {
    for (const TakenObject& object : objects)
      if (const auto* text = std::get_if<std::string>(&object)) read_object(nlohmann::json::parse(*text));
    return {2, objects.size()};
  }
};

void converse(std::string_view text) {
  Handler handler;
  TransactionBudget budget{0, 4096, 16};
  {
    Conversation conversation(handler, {}, budget);
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      try {
        const std::string answer = conversation.take_line(text.substr(0, end));
        if (!answer.empty() &&
            (!nlohmann::json::parse(answer).at("ok").is_boolean() || answer.find('\n') != answer.size() - 1))
          std::abort();
      } catch (const NotJson&) {
        break;
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  if (budget.bytes != 0) std::abort();
}

}  // namespace
}  // namespace podswitch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  podswitch::converse(text);
  podswitch::ObjectSplitter splitter([](const std::string&, size_t) {});
  try {
    splitter.feed(text);
    splitter.finish();
  } catch (const podswitch::Error&) {
  }
  return 0;
}
