// SPDX-License-Identifier: Apache-2.0
// The control socket on a real unix socket, with clients that behave and clients that do not.
#include "ctl/server.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "ctl/client.h"
#include "tests/unit/ctl/stub_handler.h"
#include "tests/unit/temporary_directory.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A client that says what the test wants, byte by byte.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect");
  }
  bool send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Up to the next line end; empty when the server closed.
  std::string line() {
    std::string text;
    for (char c = 0; recv(fd_.get(), &c, 1, 0) == 1 && c != '\n';) text += c;
    return text;
  }
  void end_sending() { shutdown(fd_.get(), SHUT_WR); }
  bool is_closed() {
    char c = 0;
    return recv(fd_.get(), &c, 1, 0) <= 0;
  }

 private:
  FileDescriptor fd_;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() : server_(socket_, handler_, limits()), thread_([this] { server_.run(); }) {}
  ~ServerTest() override {
    server_.stop();
    thread_.join();
  }
  static ServerLimits limits() {
    ServerLimits limits;
    limits.clients = 4;
    limits.output_bytes = size_t{8} << 20;
    return limits;
  }
  // The others are served while somebody misbehaves.
  void expect_service() { EXPECT_EQ(Client(path_).call("echo", {{"a", 1}}).result, (json{{"a", 1}})); }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_ / "run/control.sock";
  ControlSocket socket_{path_, 0660, ""};
  StubHandler handler_;
  ControlServer server_;
  std::thread thread_;
};

TEST_F(ServerTest, GreetsAndAnswers) {
  RawClient client(path_);
  EXPECT_EQ(json::parse(client.line()), (json{{"podswitch", PODSWITCH_VERSION}, {"protocol", 1}}));
  client.send("{\"id\":1,\"command\":\"echo\"}\n{\"id\":2,\"comm");
  EXPECT_EQ(json::parse(client.line()).at("id"), 1);
  client.send("and\":\"echo\"}\n\n \r\n");
  EXPECT_EQ(json::parse(client.line()).at("id"), 2);
}

TEST_F(ServerTest, AnswersAClientThatHasEndedItsSide) {
  RawClient client(path_);
  client.send(
      "{\"id\":1,\"command\":\"large\",\"args\":{\"bytes\":3000000}}\n{\"id\":2,\"command\":\"echo\"}\n");
  client.end_sending();
  client.line();
  EXPECT_GT(client.line().size(), 3000000U);
  EXPECT_EQ(json::parse(client.line()).at("id"), 2);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTest, ClosesOnGarbageAfterSayingWhy) {
  RawClient client(path_);
  client.line();
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.line(), HasSubstr("not a line of JSON"));
  EXPECT_TRUE(client.is_closed());
  expect_service();
}

TEST_F(ServerTest, ClosesOnAGiantLine) {
  RawClient client(path_);
  client.line();
  client.send(std::string(kMaxLineBytes + 200000, 'x'));
  EXPECT_THAT(client.line(), HasSubstr("a line has at most"));
  expect_service();
}

TEST_F(ServerTest, DropsAClientThatDoesNotRead) {
  RawClient client(path_);
  client.send("{\"id\":1,\"command\":\"large\",\"args\":{\"bytes\":20000000}}\n");
  expect_service();
  // What fits into the socket is all that comes.
  size_t got = 0;
  for (std::string line = client.line(); !line.empty(); line = client.line()) got += line.size();
  EXPECT_LT(got, 20000000U);
}

TEST_F(ServerTest, KeepsSilentClientsFromLockingOthersOut) {
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 40; ++i) {
    silent.push_back(std::make_unique<RawClient>(path_));
    EXPECT_FALSE(silent.back()->line().empty());
  }
  expect_service();
  EXPECT_TRUE(silent.front()->is_closed());
}

TEST_F(ServerTest, StreamsATransaction) {
  Client client(path_);
  client.call("begin");
  for (int i = 0; i < 20000; ++i) client.send_object({{"n", i}});
  EXPECT_EQ(client.commit().result, 20000);
}

TEST_F(ServerTest, ReportsRefusedObjectsAtTheCommit) {
  Client client(path_);
  client.call("begin");
  for (int i = 0; i < 20000; ++i) client.send_object(i % 3 == 0 ? json{{"bad", i}} : json{{"n", i}});
  try {
    client.commit();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.problems().size(), 100U);
    EXPECT_EQ(error.problems()[1].path, "objects[3].bad");
  }
  EXPECT_TRUE(handler_.applied.empty());
}

TEST_F(ServerTest, SetsTheModeAndRefusesASecondOwner) {
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660U);
  try {
    ControlSocket second(path_, 0660, "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("in use by another podswitchd"));
  }
  expect_service();
}

TEST(ControlSocket, TakesOverAStaleSocketAndLeavesNothing) {
  const TemporaryDirectory directory;
  const std::string path = directory / "s";
  {
    FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(fd.get(), 1), 0);
    EXPECT_THROW(ControlSocket(path, 0660, ""), Error);  // somebody listens
  }
  { const ControlSocket socket(path, 0660, ""); }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(ControlSocket, RefusesWhatCannotBeASocket) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "file") << "precious";
  EXPECT_THROW(ControlSocket(directory / "file", 0660, ""), Error);
  EXPECT_TRUE(std::filesystem::exists(directory / "file"));
  EXPECT_THROW(ControlSocket(directory / std::string(120, 'x'), 0660, ""), Error);
  EXPECT_THROW(ControlSocket("relative", 0660, ""), Error);
  EXPECT_THROW(ControlSocket(directory / "s", 0660, "no-such-group"), Error);
}

TEST(Client, SaysWhenNobodyIsThere) {
  EXPECT_THROW(Client("/nonexistent/control.sock"), NoDaemon);
}

}  // namespace
}  // namespace podswitch
