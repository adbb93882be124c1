// SPDX-License-Identifier: Apache-2.0
#include "ctl/ini.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podswitch {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;

std::string flat(const std::vector<IniSection>& sections) {
  std::string text;
  for (const IniSection& section : sections) {
    text += "[" + section.name + "@" + section.where + "]";
    for (const Setting& setting : section.settings)
      text += setting.name + "=" + setting.value + "@" + setting.where + ";";
  }
  return text;
}

std::vector<Problem> problems_of(std::string_view text) {
  std::vector<Problem> problems;
  read_ini(text, "a.conf", problems);
  return problems;
}

TEST(Ini, SettingsKnowTheirLines) {
  std::vector<Problem> problems;
  const auto sections = read_ini(
      "# top\n"
      "[workers]\n"
      "cores = 1,3-5   # two sockets\n"
      "\n"
      "  idle=poll;not a comment\r\n"
      "; whole line\n"
      " [ port.web ] ; a port\n"
      "device = net_null0,copy=1\n"
      "[workers]\n"
      "main-core =\t\n"
      "path = /a b",
      "a.conf", problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(flat(sections),
            "[workers@a.conf:2]cores=1,3-5@a.conf:3;idle=poll;not a comment@a.conf:5;main-core=@a.conf:10;"
            "path=/a b@a.conf:11;[port.web@a.conf:7]device=net_null0,copy=1@a.conf:8;");
}

TEST(Ini, EmptyTextHasNothing) {
  for (const char* text : {"", "\n", "\n\n  \t\n", "# only this"}) {
    std::vector<Problem> problems;
    EXPECT_THAT(read_ini(text, "a.conf", problems), IsEmpty());
    EXPECT_THAT(problems, IsEmpty());
  }
}

TEST(Ini, EveryProblemComesWithItsLine) {
  EXPECT_THAT(problems_of("early = 1\n"
                          "[workers\n"
                          "cores = 1\n"
                          "[]\n"
                          "[workers]\n"
                          "cores\n"
                          "= 1\n"
                          "idle = poll\n"
                          "[fdb]\n"
                          "[workers]\n"
                          "idle = adaptive\n"
                          "cores = a\x01z\n"
                          "cores = \xff\n"),
              ElementsAre(Problem{"a.conf:1", "'early' stands before the first [section]"},
                          Problem{"a.conf:2", "'[workers' has no closing ]"},
                          Problem{"a.conf:4", "a section needs a name: [workers]"},
                          Problem{"a.conf:6", "'cores' is neither a [section] nor 'key = value'"},
                          Problem{"a.conf:7", "a key is missing before '='"},
                          Problem{"a.conf:11", "workers.idle: given twice, first at a.conf:8"},
                          Problem{"a.conf:12", "has control characters or bytes that are not UTF-8"},
                          Problem{"a.conf:13", "has control characters or bytes that are not UTF-8"}));
}

TEST(Ini, ZeroBytesAreRefused) {
  EXPECT_THAT(problems_of("[a]\nb = c\0d\n"s),
              ElementsAre(Problem{"a.conf:2", "has control characters or bytes that are not UTF-8"}));
}

}  // namespace
}  // namespace podswitch
