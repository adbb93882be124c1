// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli_port_file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>

#include "ctl/object_splitter.h"

namespace podswitch {
namespace {

// Says how far it is when it takes long.
class Progress {
 public:
  void count() {
    ++ports_;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    fmt::print(stderr, "podswitch: {} ports sent\n", ports_);
    next_ = now + std::chrono::seconds(1);
  }

 private:
  size_t ports_ = 0;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + std::chrono::seconds(2);
};

nlohmann::json parse_port(const std::string& text, const std::string& place) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw Error(place, fmt::format("not JSON: {}", error.what()));
  }
  if (!object.contains("kind")) object["kind"] = "Port";
  return object;
}

}  // namespace

Client::Reply add_ports_from_file(Client& client, const std::string& path) {
  FileDescriptor opened;
  if (path != "-") {
    opened = FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    check_errno(opened.get(), path);
  }
  const std::string name = path == "-" ? "standard input" : path;
  client.call("begin");
  Progress progress;
  ObjectSplitter splitter([&](const std::string& text, size_t line) {
    client.send_object(parse_port(text, fmt::format("line {}", line)));
    progress.count();
  });
  std::array<char, 65536> chunk;
  try {
    while (true) {
      const ssize_t got = read(path == "-" ? STDIN_FILENO : opened.get(), chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      check_errno(static_cast<int>(got), name);
      if (got == 0) break;
      splitter.feed({chunk.data(), static_cast<size_t>(got)});
    }
    splitter.finish();
  } catch (const Error& error) {
    // Leaving without a commit is what undoes the transaction.
    const Problem& problem = error.problems().front();
    throw Error(problem.path.empty() ? "" : fmt::format("{}, {}", name, problem.path), problem.message);
  }
  return client.commit();
}

}  // namespace podswitch
