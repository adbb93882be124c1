// SPDX-License-Identifier: Apache-2.0
#include "ctl/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/object_splitter.h"
#include "tests/unit/ctl/stub_handler.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class ConversationTest : public testing::Test {
 protected:
  json ask(const std::string& line) {
    const std::string answer = conversation_.take_line(line);
    return answer.empty() ? json() : json::parse(answer);
  }
  StubHandler handler_;
  TransactionBudget budget_{0, 1000, 5};
  Conversation conversation_{handler_, {1000, 42}, budget_};
};

TEST_F(ConversationTest, AnswersWithTheRequestsId) {
  const json answer = ask(R"({"id":"x1","command":"echo","args":{"a":1}})");
  EXPECT_EQ(answer, json::parse(R"({"id":"x1","ok":true,"revision":7,"result":{"a":1}})"));
}

TEST_F(ConversationTest, RefusesWhatIsNoRequest) {
  for (const char* line :
       {"[]", "1", "null", "{}", R"({"id":[],"command":"echo"})", R"({"id":1,"command":5})",
        R"({"id":1,"command":"echo","args":[]})", R"({"id":1,"command":"echo","object":{}})",
        R"({"id":1,"object":7})", R"({"id":1,"command":"echo","extra":1})", R"({"id":1,"command":""})"})
    EXPECT_FALSE(ask(line).at("ok").get<bool>()) << line;
  EXPECT_EQ(ask(R"({"id":3,"command":"fail"})").at("errors"),
            json::parse(R"([{"path":"here","message":"no"}])"));
}

TEST_F(ConversationTest, ClosesOnWhatIsNoJson) {
  for (const std::string& line : {std::string("garbage"), std::string("{"), std::string("\xff\xfe"),
                                  std::string(kMaxDepth + 1, '['), std::string(kMaxLineBytes + 1, ' ')})
    EXPECT_THROW(ask(line), NotJson);
  // Brackets inside of a text are none.
  EXPECT_TRUE(
      ask(json{{"id", 1}, {"command", "echo"}, {"args", {{"t", std::string(99, '[') + "\\\""}}}}.dump())
          .at("ok")
          .get<bool>());
}

TEST_F(ConversationTest, CollectsATransaction) {
  EXPECT_FALSE(ask(R"({"id":1,"object":{"n":1}})").at("ok").get<bool>());
  EXPECT_TRUE(ask(R"({"id":1,"command":"begin"})").at("ok").get<bool>());
  EXPECT_FALSE(ask(R"({"id":2,"command":"begin"})").at("ok").get<bool>());
  EXPECT_TRUE(ask(R"({"id":3,"object":{"n":1}})").is_null());
  EXPECT_TRUE(ask(R"({"id":4,"object":{"n":2}})").is_null());
  EXPECT_EQ(ask(R"({"id":5,"command":"commit"})").at("result"), 2);
  EXPECT_THAT(handler_.applied, ElementsAre(R"({"n":1})", R"({"n":2})"));
  EXPECT_EQ(budget_.bytes, 0U);
  EXPECT_FALSE(ask(R"({"id":6,"command":"commit"})").at("ok").get<bool>());
}

TEST_F(ConversationTest, AppliesNothingWhenAnObjectWasWrong) {
  ask(R"({"id":1,"command":"begin"})");
  EXPECT_EQ(ask(R"({"id":2,"object":{"bad":true}})").at("id"), 2);
  ask(R"({"id":3,"object":{"n":2}})");
  EXPECT_THAT(ask(R"({"id":4,"command":"commit"})").dump(), HasSubstr("nothing has changed"));
  EXPECT_TRUE(handler_.applied.empty());
}

TEST_F(ConversationTest, BoundsTransactions) {
  ask(R"({"id":1,"command":"begin"})");
  const json big{{"id", 2}, {"object", {{"text", std::string(2000, 'x')}}}};
  EXPECT_THAT(ask(big.dump()).dump(), HasSubstr("more than 1000 bytes"));
  ask(R"({"id":3,"command":"abort"})");
  ask(R"({"id":4,"command":"begin"})");
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask(R"({"id":5,"object":{}})").is_null());
  EXPECT_THAT(ask(R"({"id":6,"object":{}})").dump(), HasSubstr("at most 5 objects"));
  ask(R"({"id":7,"command":"abort"})");
  EXPECT_EQ(budget_.bytes, 0U);
}

TEST(Conversation, ForgetsItsTransactionAtTheEnd) {
  StubHandler handler;
  TransactionBudget budget{0, 1000, 5};
  {
    Conversation conversation(handler, {}, budget);
    conversation.take_line(R"({"id":1,"command":"begin"})");
    conversation.take_line(R"({"id":1,"object":{}})");
    EXPECT_GT(budget.bytes, 0U);
  }
  EXPECT_EQ(budget.bytes, 0U);
  EXPECT_TRUE(handler.applied.empty());
}

TEST(ObjectSplitter, CutsArraysAndRows) {
  for (const char* text : {R"([{"a":"}{[\""}, {"b":[{}]}])", "{\"a\":\"}{[\\\"\"}\n\n{\"b\":[{}]}\n"}) {
    std::vector<std::string> objects;
    ObjectSplitter splitter([&](const std::string& object, size_t) { objects.push_back(object); });
    for (const char c : std::string(text)) splitter.feed({&c, 1});
    splitter.finish();
    EXPECT_THAT(objects, ElementsAre(R"({"a":"}{[\""})", R"({"b":[{}]})")) << text;
  }
}

TEST(ObjectSplitter, RefusesOtherThings) {
  for (const char* text : {"x", "{} x", "[{}] {}", "[{}", "{\"a\":1", "[[]]", "{},{}", "\"text\""}) {
    ObjectSplitter splitter([](const std::string&, size_t) {});
    EXPECT_THROW(
        {
          splitter.feed(text);
          splitter.finish();
        },
        Error)
        << text;
  }
}

TEST(Protocol, CommitOptions) {
  const auto error_of = [](const char* text) -> std::string {
    try {
      commit_options(nlohmann::json::parse(text));
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(commit_options(nlohmann::json::object()).mode, CommitOptions::Mode::Add);
  const CommitOptions options =
      commit_options(nlohmann::json::parse(R"({"mode":"diff","prune":["Node"],"allow-empty":true})"));
  EXPECT_EQ(options.mode, CommitOptions::Mode::Diff);
  EXPECT_EQ(options.prune, std::vector<std::string>{"Node"});
  EXPECT_TRUE(options.allow_empty);
  for (const char* wrong : {R"({"mode":"x"})", R"({"mode":1})", R"({"mode":"apply","prune":"Node"})",
                            R"({"mode":"apply","prune":[1]})", R"({"mode":"apply","allow-empty":1})",
                            R"({"moed":1})", R"({"prune":["Node"]})"})
    EXPECT_NE(error_of(wrong), "") << wrong;
}

}  // namespace
}  // namespace podswitch
