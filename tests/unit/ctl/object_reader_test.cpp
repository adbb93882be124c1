// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/object_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "ctl/objects/yaml_writer.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Objects {
  std::vector<std::string> list;  // "PLACE OBJECT"
  size_t documents = 0;
};

// Reads in steps of `step` bytes.
Objects read(std::string_view text, size_t step = 7) {
  std::vector<std::pair<ObjectPlace, json>> taken;
  Objects objects;
  objects.documents = read_objects(
      [&](char* buffer, size_t size) {
        const size_t count = std::min({size, step, text.size()});
        std::memcpy(buffer, text.data(), count);
        text.remove_prefix(count);
        return count;
      },
      [&](json object, const ObjectPlace& place) { taken.emplace_back(place, std::move(object)); });
  for (const auto& [place, object] : taken)
    objects.list.push_back(place.text(objects.documents > 1) + " " + object.dump());
  return objects;
}

std::string error_of(std::string_view text) {
  try {
    read(text);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(ObjectReader, ReadsOneObjectInEitherForm) {
  EXPECT_THAT(read(R"( {"kind":"Node","a":[1,-2,3.5,true,null,"x"]} )").list,
              ElementsAre(R"( {"a":[1,-2,3.5,true,null,"x"],"kind":"Node"})"));
  EXPECT_THAT(read("kind: Node\na:\n- 1\n- -2\n- 3.5\n- true\n- ~\n- x\n").list,
              ElementsAre(R"( {"a":[1,-2,3.5,true,null,"x"],"kind":"Node"})"));
  EXPECT_THAT(read("").list, IsEmpty());
  EXPECT_THAT(read("# nothing\n").list, IsEmpty());
}

TEST(ObjectReader, ReadsManyDocuments) {
  EXPECT_THAT(read(R"({"a":1}{"a":2}
{"a":3})")
                  .list,
              ElementsAre(R"(documents[0] {"a":1})", R"(documents[1] {"a":2})", R"(documents[2] {"a":3})"));
  EXPECT_THAT(read("{\"a\":1}\n---\n{\"a\":2}\n").list,
              ElementsAre(R"(documents[0] {"a":1})", R"(documents[1] {"a":2})"));
  // An empty document counts, as one sees it in the file.
  EXPECT_THAT(read("---\na: 1\n---\n---\na: 2\n...\n").list,
              ElementsAre(R"(documents[0] {"a":1})", R"(documents[2] {"a":2})"));
}

TEST(ObjectReader, UnfoldsLists) {
  const std::vector<std::string> expected{R"(items[0] {"kind":"A"})", R"(items[1] {"kind":"B"})"};
  EXPECT_EQ(read(R"({"kind":"List","items":[{"kind":"A"},{"kind":"B"}]})").list, expected);
  // kubectl has the kind behind the items.
  EXPECT_EQ(
      read(R"({"apiVersion":"v1","items":[{"kind":"A"},{"kind":"B"}],"kind":"List","metadata":{}})").list,
      expected);
  EXPECT_EQ(read("apiVersion: v1\nitems:\n- kind: A\n- kind: B\nkind: List\n").list, expected);
  EXPECT_THAT(read(R"({"kind":"List","items":[]}{"kind":"List","items":null}{"kind":"List"})").list,
              IsEmpty());
  EXPECT_THAT(read("---\nkind: List\nitems:\n- kind: A\n---\nkind: B\n").list,
              ElementsAre(R"(documents[0].items[0] {"kind":"A"})", R"(documents[1] {"kind":"B"})"));
  EXPECT_THAT(read(R"([{"name":"a"},{"name":"b"}])").list,
              ElementsAre(R"([0] {"name":"a"})", R"([1] {"name":"b"})"));
}

TEST(ObjectReader, ItemsHaveTheirListsKind) {
  const auto node = R"(items[0] {"apiVersion":"v1","kind":"Node","name":"a"})";
  EXPECT_THAT(read(R"({"kind":"NodeList","apiVersion":"v1","items":[{"name":"a"}]})").list,
              ElementsAre(node));
  EXPECT_THAT(read(R"({"apiVersion":"v1","items":[{"name":"a"}],"kind":"NodeList"})").list,
              ElementsAre(node));
}

TEST(ObjectReader, KeepsTextsThatOnlyLookLikeNumbers) {
  EXPECT_THAT(
      read("a: 0660\nb: 02:00:00:00:00:01\nc: yes\nd: '1'\ne: !!str 1\nf: 0x10\ng: 1.\nh: 1e3\n").list,
      ElementsAre(
          R"( {"a":"0660","b":"02:00:00:00:00:01","c":"yes","d":"1","e":"1","f":"0x10","g":"1.","h":1000.0})"));
}

TEST(ObjectReader, SaysTheLine) {
  EXPECT_THAT(error_of("{\"a\":1}\n{\"a\":\n\n}"), HasSubstr("line 4: not JSON: syntax error"));
  EXPECT_THAT(error_of("{\"a\":1}\n7"), HasSubstr("line 2: '7' where a JSON object should begin"));
  EXPECT_THAT(error_of("{\"a\":{"), HasSubstr("unexpected end of input"));
  EXPECT_THAT(error_of("a: 1\nb: [\n"), HasSubstr("not YAML"));
  EXPECT_THAT(error_of("a: 1\n\tb: 2\n"), HasSubstr("line 2: not YAML"));
  EXPECT_THAT(error_of("just words"), HasSubstr("line 1: \"just words\" where an object should begin"));
  EXPECT_THAT(error_of("- 7"), HasSubstr("7 where an object should begin"));
  EXPECT_THAT(error_of("- - a"), HasSubstr("a list where an object should begin"));
  EXPECT_THAT(error_of(R"({"kind":"Node","items":[{}]})"), HasSubstr("of kind Node, which is no List"));
}

TEST(ObjectReader, RefusesWhatWouldGrowOrHide) {
  EXPECT_THAT(error_of("a: &x [1]\nb: *x\n"), HasSubstr("line 2: '*x': aliases are not taken"));
  EXPECT_THAT(error_of("a: !!binary aGk=\n"), HasSubstr("the tag 'tag:yaml.org,2002:binary' is not taken"));
  EXPECT_THAT(error_of("a: 1\na: 2\n"), HasSubstr("line 2: the key 'a' comes twice"));
  EXPECT_THAT(error_of(R"({"a":1,"a":2})"), HasSubstr("the key 'a' comes twice"));
  EXPECT_THAT(error_of("? [a]\n: 1\n"), HasSubstr("where a key should be"));
  const std::string deep(100000, '[');
  EXPECT_THAT(error_of("{\"a\":" + deep), HasSubstr("nested more than 31 deep"));
  EXPECT_THAT(error_of("a: " + deep), HasSubstr("nested more than 31 deep"));
}

TEST(ObjectReader, PassesOverWhatNobodyReads) {
  const char* const kRest = R"( {"kind":"Node","m":{"a":1,"b":[{"c":2}]}})";
  EXPECT_THAT(
      read(
          R"({"kind":"Node","m":{"a":1,"managedFields":[{"f":{"x":[]}},7],"b":[{"targetRef":{"uid":"]}"},"c":2}],
                       "ownerReferences":null}})")
          .list,
      ElementsAre(kRest));
  EXPECT_THAT(read("kind: Node\nm:\n  a: 1\n  managedFields: [{f: {x: []}}, 7]\n  b:\n  - targetRef: {uid: "
                   "x}\n    c: 2\n")
                  .list,
              ElementsAre(kRest));
  EXPECT_THAT(read(R"({"kind":"Node","targetRef":1})").list, ElementsAre(R"( {"kind":"Node","targetRef":1})"))
      << "only where Kubernetes has it";
  const std::string deep(100000, '[');
  EXPECT_THAT(error_of(R"({"m":{"managedFields":)" + deep), HasSubstr("nested more than 31 deep"));
  EXPECT_THAT(error_of("m:\n  managedFields: " + deep), HasSubstr("nested more than 31 deep"));
  EXPECT_THAT(error_of(R"({"m":{"managedFields":[}})"), HasSubstr("not JSON"));
}

TEST(ObjectReader, TakesBlanksForOneOnlyBetweenTokens) {
  const std::string text =
      "{\n    \"a  b\" :   [ 1 ,\t\t2,\r\n\r\n \"  \\\"  \\\\\",   \"  \" ]\n\n\n,   \"kind\":\"K\"  }";
  for (size_t step = 1; step < 40; ++step)
    EXPECT_THAT(read(text, step).list, ElementsAre(R"( {"a  b":[1,2,"  \"  \\","  "],"kind":"K"})")) << step;
  EXPECT_THAT(error_of("{\"a\":1   2}"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("{\"a\":1\n\n\n\n   \n  x}"), HasSubstr("line 6: not JSON"));
}

TEST(ObjectReader, BoundsOneObjectButNotTheirNumber) {
  const std::string huge(5 << 20, 'x');
  for (const char* form : {"{\"a\":\"", "a: \""}) {
    try {
      std::string text = form + huge + "\"";
      std::string_view rest = text;
      read_objects(
          [&](char* buffer, size_t size) {
            const size_t count = std::min(size, rest.size());
            std::memcpy(buffer, rest.data(), count);
            rest.remove_prefix(count);
            return count;
          },
          [](json, const ObjectPlace&) {});
      ADD_FAILURE() << "taken: " << form;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("without a complete object"));
    }
  }
  const std::string item = "{\"kind\":\"A\",\"text\":\"" + std::string(100000, 'x') + "\"},";
  std::string list = "{\"kind\":\"List\",\"items\":[";
  for (int i = 0; i < 100; ++i) list += item;
  list.back() = ']';
  EXPECT_EQ(read(list + "}", 65536).list.size(), 100U);
}

TEST(YamlWriter, IsReadBack) {
  for (
      const char* text :
      {R"({"a":{"b":[1,[2,[]],{"c":{}},"x"]},"d":"","e":null,"f":true,"g":[[{"h":1,"i":[{}]}]]})",
       R"({"words":["true","yes","No","null","~","0660","1e3","-","- a","a: b","#c","x y","a\"b\\c\n\td","é","/p","*x"]})",
       R"({"flannel.alpha.coreos.com/public-ip":"192.0.2.1","y":"n","0":"1"})"}) {
    const json value = json::parse(text);
    const std::string yaml = to_yaml(value);
    EXPECT_THAT(read(yaml).list, ElementsAre(" " + value.dump())) << yaml;
  }
}

}  // namespace
}  // namespace podswitch
